"""The end of a process that has Blender in it.

Blender 4.5 hangs when an interpreter ends that has drawn on its GPU interface, so such a process
leaves by `os._exit`, which runs nothing that was registered with `atexit`. What must be done before
it goes (a socket that still holds pictures, say) is registered here.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from typing import NoReturn

_closing: list[Callable[[], None]] = []


def at_leaving(close: Callable[[], None]) -> None:
    """Have `close` called when this process ends, whichever way; the last registered goes first."""
    if not _closing:
        atexit.register(_run)  # an installed Blender ends without `leave`
    _closing.append(close)


def leave(code: int) -> NoReturn:
    """Do what was registered, write out what was printed and end this process with `code`."""
    try:
        _run()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run() -> None:
    while _closing:
        _closing.pop()()
