"""Checks of integers that users give."""

from __future__ import annotations

import operator
from typing import SupportsIndex, TypeGuard

from heliograph.errors import InvalidValueError, shown

MAX_INTEGER = 2**63 - 1
"""The largest integer that is taken: seeds, indices and counts are kept in 64 bits."""


def is_integer(value: object, least: int = 0, most: int = MAX_INTEGER) -> TypeGuard[SupportsIndex]:
    """Whether a value is an integer from `least` to `most`; true and false are none."""
    if type(value) is int:  # which is quicker than to ask a protocol
        return least <= value <= most
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return False
    try:
        return least <= operator.index(value) <= most
    except TypeError:  # an array, or a tensor, of more than one number or of no integers
        return False


def check_integer(
    name: str,
    value: object,
    least: int = 0,
    most: int = MAX_INTEGER,
    *,
    what: str = "an integer",
) -> int:
    """An integer from `least` to `most`, as Python's own.

    Args:
        name: what the message begins with.
        value: what came.
        least: the smallest that is taken.
        most: the largest that is taken.
        what: what the message says was expected.

    Raises:
        InvalidValueError: it is not.
    """
    if is_integer(value, least, most):
        return operator.index(value)
    end = "2**63 - 1" if most == MAX_INTEGER else most
    raise InvalidValueError(f"{name}: expected {what} from {least} to {end}, got {shown(value)}")
