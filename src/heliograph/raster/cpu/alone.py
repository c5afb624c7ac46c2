"""One call at a time: the native scene is drawn from without the GIL, so calls must not meet."""

from __future__ import annotations

import os
import threading

from heliograph.errors import EngineError


class OneAtATime:
    """Stands around what must not meet: other threads wait.

    Raises:
        EngineError: it is in the middle of such a call of the same thread: in a signal handler.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._process = os.getpid()

    def __enter__(self) -> None:
        if self._process != os.getpid():  # forked while another thread was in a call
            self._lock, self._owner = threading.Lock(), None
            self._process = os.getpid()
        me = threading.get_ident()
        if self._owner == me:
            raise EngineError(
                "this renderer is in the middle of another call, which a signal handler "
                "interrupted; have the handler set a flag, and call when that call has returned"
            )
        self._lock.acquire()
        self._owner = me

    def __exit__(self, *_: object) -> None:
        self._owner = None
        self._lock.release()
