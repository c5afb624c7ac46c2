"""The calls of EGL that moderngl has none for: what is current, and functions of GL by name."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any, NamedTuple

from heliograph.errors import ContextError

INSTALL = "on Debian or Ubuntu: apt-get install libegl1 libgl1 libgl1-mesa-dri"
_DRAW, _READ = 0x3059, 0x305A


class Current(NamedTuple):
    """What is current in a thread: handles of EGL's, None for none."""

    display: int | None
    draw: int | None
    read: int | None
    context: int | None


NOTHING = Current(None, None, None, None)


class Egl:
    """EGL, loaded once.

    Raises:
        ContextError: it is not installed.
    """

    def __init__(self) -> None:
        handle = ctypes.c_void_p
        try:
            library = ctypes.CDLL("libEGL.so.1")
        except OSError as error:
            raise ContextError(f"no EGL here ({error}); {INSTALL}") from None
        self._display, self._context = library.eglGetCurrentDisplay, library.eglGetCurrentContext
        self._surface, self._address = library.eglGetCurrentSurface, library.eglGetProcAddress
        self._make_current = library.eglMakeCurrent
        for function in (self._display, self._context, self._surface, self._address):
            function.restype = handle
        self._surface.argtypes, self._address.argtypes = [ctypes.c_int], [ctypes.c_char_p]
        self._make_current.argtypes = [handle] * 4
        self._query_api, self._bind_api = library.eglQueryAPI, library.eglBindAPI

    @property
    def api(self) -> int:
        """What contexts that this thread makes are of: OpenGL, or OpenGL ES."""
        return int(self._query_api())

    @api.setter
    def api(self, wanted: int) -> None:
        self._bind_api(wanted)

    @property
    def current(self) -> Current:
        """What is current in this thread."""
        context = self._context()
        if context is None:
            return NOTHING
        return Current(self._display(), self._surface(_DRAW), self._surface(_READ), context)

    def make_current(self, wanted: Current) -> bool:
        """Make this current in this thread, or nothing where it has no context; whether EGL did."""
        return bool(self._make_current(*wanted))

    def function(self, name: str, *arguments: Any) -> Any:
        """A function of GL that returns nothing, by its name and the ctypes of its arguments.

        An address says nothing about whether the driver has it: ask for its version first.
        """
        return ctypes.CFUNCTYPE(None, *arguments)(self._address(name.encode()))


@lru_cache(maxsize=1)
def load() -> Egl:
    """EGL.

    Raises:
        ContextError: it is not installed.
    """
    return Egl()
