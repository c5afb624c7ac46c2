"""Choosing names by prefix, and saying so where a prefix chooses nothing."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Prefixes: TypeAlias = Sequence[str]
_LISTED = 20


def split(text: str) -> tuple[str, ...]:
    """The prefixes of a comma list; none of an empty text."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def choose(names: Iterable[str], include: Prefixes, exclude: Prefixes) -> tuple[str, ...]:
    """Names that start with one of `include` (all, where it is empty) and none of `exclude`."""
    wanted, unwanted = tuple(include), tuple(exclude)
    return tuple(
        name
        for name in names
        if (not wanted or name.startswith(wanted)) and not name.startswith(unwanted)
    )


def warn_of_nothing(kind: str, prefixes: Prefixes, names: Sequence[str]) -> None:
    """Warn of each prefix that no name starts with, and name the prefixes there are."""
    for prefix in prefixes:
        if not any(name.startswith(prefix) for name in names):
            stems = list(dict.fromkeys(_stem(name) for name in names))
            listed = ", ".join(stems[:_LISTED]) or "none"
            more = f", ... and {len(stems) - _LISTED} more" if len(stems) > _LISTED else ""
            warnings.warn(
                f"no {kind} starts with {prefix!r}; there are {listed}{more}", stacklevel=_outside()
            )


def _outside() -> int:
    """The `stacklevel` at which a warning points at who called this package."""
    level, frame = 0, inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("heliograph."):
        level, frame = level + 1, frame.f_back
    return level


def _stem(name: str) -> str:
    """What comes before the first colon or slash, without digits at its end."""
    return re.sub(r"\d+$", "", re.split(r"[:/]", name, maxsplit=1)[0]) or name
