"""The GL context: ours alone, current only while we draw, usable from any one thread at a time."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager
from typing import Any

import moderngl

from heliograph.errors import ClosedError, ContextError
from heliograph.raster.gl import egl
from heliograph.raster.gl.depth import set_range
from heliograph.raster.gl.egl import NOTHING, Current

GL_VERSION = 430
_FORKED = (
    "GL does not survive a fork: start processes with the 'spawn' method, or draw in none before "
    "they are forked"
)
_started: dict[str, int] = {}
"""The first process that used GL, as this module came to be in it; a fork inherits the entry."""


class Context:
    """One GL context over EGL.

    Raises:
        ContextError: no usable GL; the message says which package to install.
    """

    def __init__(self, device: int | None = None) -> None:
        _check_unforked()
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._gl: moderngl.Context | None = None
        self._egl = egl.load()
        self._before: list[Current] = []
        self._own = NOTHING
        before, api = self._egl.current, self._egl.api
        try:
            self._gl = _create(device)
            self._own = self._egl.current
            set_range(self._gl)
        except BaseException:
            self.release()
            raise
        finally:
            self._give_back(before)
            self._egl.api = api

    @property
    def software(self) -> bool:
        """Whether the CPU draws (llvmpipe, softpipe, SwiftShader)."""
        return any(name in self.renderer for name in ("llvmpipe", "softpipe", "SwiftShader"))

    @property
    def renderer(self) -> str:
        """The driver's own name for what draws."""
        return str(self.info["GL_RENDERER"])

    @property
    def info(self) -> dict[str, object]:
        """Vendor, renderer, version and limits as the driver reports them."""
        with self.current() as gl:
            return dict(gl.info)

    def current(self) -> AbstractContextManager[moderngl.Context]:
        """Our context, current in this thread; what was current before is given back after.

        Raises:
            ClosedError: it was released.
            ContextError: the process was forked after the context was made.
        """
        return _Current(self)

    def begin(self) -> moderngl.Context:
        """What entering `current` does."""
        if self._pid != os.getpid():
            raise ContextError(f"this renderer was made before the process forked; {_FORKED}")
        self._lock.acquire()
        try:
            if self._gl is None:
                raise ClosedError("this renderer is closed")
            before = self._egl.current
            if before is NOTHING:
                self._gl.__enter__()  # type: ignore[no-untyped-call]  # costs least
            elif before.context != self._own.context and not self._egl.make_current(self._own):
                raise ContextError("EGL could not make the context of this renderer current")
            self._before.append(before)
        except BaseException:
            self._lock.release()
            raise
        return self._gl

    def end(self) -> None:
        """What leaving `current` does."""
        try:
            self._give_back(self._before.pop())
        finally:
            self._lock.release()

    def release(self) -> None:
        """Free the context; may be called twice."""
        with self._lock:
            gl, self._gl = self._gl, None
            if gl is not None and self._pid == os.getpid():
                gl.release()

    def _give_back(self, before: Current) -> None:
        """Make current what was so before, or nothing, so that another thread can use ours."""
        if before is NOTHING and self._gl is not None:
            self._gl.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        elif before.context != self._own.context and not self._egl.make_current(before):
            self._egl.make_current(NOTHING._replace(display=self._own.display))


class _Current(AbstractContextManager[moderngl.Context]):
    """A context while it is current; a generator would take ten times as long."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> moderngl.Context:
        return self._context.begin()

    def __exit__(self, *_: object) -> None:
        self._context.end()


def _check_unforked() -> None:
    """Drawing in a child of a process that has used GL hangs in the driver, whoever made it."""
    first = _started.setdefault("pid", os.getpid())
    if first != os.getpid():
        raise ContextError(f"this process was forked from one that had used GL; {_FORKED}")


def _create(device: int | None) -> moderngl.Context:
    chosen: dict[str, Any] = {"backend": "egl"}
    if device is not None:
        chosen["device_index"] = device
    try:
        return moderngl.create_context(standalone=True, require=GL_VERSION, **chosen)
    except Exception as error:  # noqa: BLE001 -- the binding raises bare Exceptions
        other = f"EGL device {device} was asked for: try another, or none"
        raise ContextError(
            f"no OpenGL {GL_VERSION // 100}.{GL_VERSION // 10 % 10} over EGL here ({error}); "
            f"{egl.INSTALL if device is None else other}"
        ) from None
