"""One call at a time: the native scene is drawn from without the GIL, so calls must not meet."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import ParamSpec, TypeVar

from heliograph.errors import EngineError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class OneAtATime:
    """Makes calls that must not meet: those of other threads wait.

    An interrupt (Ctrl-C) may end a call at any line, also where it lets go of the lock.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None
        self._frame: FrameType | None = None  # of the call that is under way
        self._process = os.getpid()

    def call(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """What the function returns.

        Raises:
            EngineError: such a call of the same thread is under way: this is a signal handler.
        """
        if self._process != os.getpid():  # forked while another thread was in a call
            self._begin()
        me = threading.get_ident()
        if self._owner == me:
            self._check_ended()
        with self._lock:
            self._owner, self._frame = me, sys._getframe()
            try:
                return function(*args, **kwargs)
            finally:
                self._owner = self._frame = None

    def _check_ended(self) -> None:
        """Whether the last call of this thread is over; if so, what it has kept is let go."""
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            if frame is self._frame:
                raise EngineError(
                    "this renderer is in the middle of another call, which a signal handler "
                    "interrupted; have the handler set a flag, and call when that call has returned"
                )
            frame = frame.f_back
        self._owner = self._frame = None
        with suppress(RuntimeError):  # not this thread's any more
            while True:
                self._lock.release()
