"""A condition that a signal handler's exception leaves free."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager


class Condition(threading.Condition):
    """A `threading.Condition` whose lock no interrupt leaves behind.

    The `with` of `threading.Condition` calls methods in Python, in which Ctrl-C may come after the
    lock was taken or before it was freed; other threads would wait for ever. Here it calls those of
    the lock itself, in C.
    """

    _lock: AbstractContextManager[bool]

    @property
    def __enter__(self) -> Callable[[], bool]:
        """The lock's own."""
        return self._lock.__enter__

    @property
    def __exit__(self) -> Callable[..., bool | None]:  # type: ignore[override]
        """The lock's own."""
        return self._lock.__exit__
