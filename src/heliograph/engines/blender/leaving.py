"""The end of a process that has Blender in it.

Blender 4.5 hangs when an interpreter ends that has drawn on its GPU interface, so such a process
leaves by `os._exit`, which runs nothing that was registered with `atexit`. What must be done before
it goes (a socket that still holds pictures, say) is registered here.
"""

from __future__ import annotations

import atexit
import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn, TypeAlias

Closer: TypeAlias = Callable[[bool], object]
"""Is told whether all went well."""

_closers: list[Closer] = []


def at_leaving(close: Closer) -> None:
    """Have `close` called when this process ends; those registered last go first."""
    if not _closers:
        atexit.register(_run, well=True)  # an installed Blender ends without `leave`
    _closers.append(close)


def leave(code: int) -> NoReturn:
    """Do what was registered, write out what was printed and end this process with `code`."""
    try:
        _run(well=code == 0)
    except BaseException:  # noqa: BLE001 - told, and the process ends all the same
        traceback.print_exc()
        code = code or 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(*, well: bool) -> None:
    while _closers:
        _closers.pop()(well)
