"""Signals wait while C code runs that does not expect their handlers to raise."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def held_back() -> Iterator[None]:
    """Have handlers that are written in Python run when this is left, not within.

    Python runs them in the main thread, between any two steps. To block signals there would not
    do: another thread would take them, and the handler still run in the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[Any, ...]] = []
    found = {number: signal.getsignal(number) for number in signal.valid_signals()}
    handlers: dict[int, Any] = {number: each for number, each in found.items() if callable(each)}
    try:
        for number in handlers:
            signal.signal(number, lambda *arguments: came.append(arguments))
        yield
    finally:
        _put_back(list(handlers.items()))
        for arguments in came:
            handlers[arguments[0]](*arguments)


def _put_back(handlers: list[tuple[int, Any]]) -> None:
    """Put all handlers back, though one that is in its place again may raise meanwhile."""
    try:
        while handlers:
            signal.signal(*handlers[-1])
            handlers.pop()
    finally:
        if handlers:
            _put_back(handlers)
