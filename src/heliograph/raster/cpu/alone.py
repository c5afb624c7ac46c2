"""One call at a time: the native scene is drawn from without the GIL, so calls must not meet."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from heliograph.errors import EngineError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class OneAtATime:
    """Makes calls that must not meet: those of other threads wait.

    An interrupt (Ctrl-C) may come at any line and leaves it as it was.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._waiting = threading.RLock()  # of other threads
        self._inside = threading.Lock()
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
        with self._waiting:
            if self._inside.locked():
                raise EngineError(
                    "this renderer is in the middle of another call, which a signal handler "
                    "interrupted; have the handler set a flag, and call when that call has returned"
                )
            with self._inside:
                return function(*args, **kwargs)
