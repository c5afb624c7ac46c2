"""A condition that a signal handler's exception leaves free."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

import heliograph.condition as condition_module
from heliograph.condition import Condition


class Interrupt(BaseException):
    """What a signal handler raises, as Ctrl-C does."""


CODE = (threading.__file__, condition_module.__file__)


class Interrupter:
    """Raises at the n-th event in a condition's own Python code, where signals come."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, frame: Any, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in CODE or event == "exception":
            return None
        self.left -= 1
        if self.left == 0:
            raise Interrupt
        return self


def is_free(condition: threading.Condition) -> bool:
    """Whether another thread can take it."""
    taken: list[bool] = []
    other = threading.Thread(target=lambda: taken.append(condition.acquire(blocking=False)))
    other.start()
    other.join()
    return taken[0]


def free_after_any_interrupt(kind: type[threading.Condition]) -> bool:
    at, interrupted = 1, True
    while interrupted:
        condition, interrupter = kind(), Interrupter(at)
        sys.settrace(interrupter)
        try:
            with condition:
                condition.notify_all()
        except Interrupt:
            pass
        finally:
            sys.settrace(None)
        if not is_free(condition):
            return False
        interrupted, at = interrupter.left <= 0, at + 1
    return at > 5


def test_no_interrupt_leaves_it_taken() -> None:
    assert free_after_any_interrupt(Condition)


def test_those_of_the_standard_library_may_stay_taken() -> None:
    assert not free_after_any_interrupt(threading.Condition)


def test_it_waits_and_tells_like_any_other() -> None:
    condition, told = Condition(), threading.Event()

    def tell() -> None:
        told.wait(10)
        with condition:
            condition.notify_all()

    with condition:
        thread = threading.Thread(target=tell)
        thread.start()
        told.set()
        assert condition.wait(10)
    thread.join()
    with pytest.raises(RuntimeError, match="un-acquired"):
        condition.notify()
