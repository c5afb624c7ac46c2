"""Controls of a page's side panel, as the maps that stand in `Panel`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from heliograph.errors import InvalidValueError, UnknownNameError, shown

Control: TypeAlias = dict[str, Any]


def select(name: str, label: str, value: str, options: Sequence[str], group: str = "") -> Control:
    """One of several."""
    return _control("select", name, label, value, group, options=_options(options))


def toggle(name: str, label: str, value: bool, group: str = "") -> Control:
    """On or off."""
    return _control("toggle", name, label, value, group)


def button(name: str, label: str, group: str = "") -> Control:
    """Something to do."""
    return _control("button", name, label, None, group)


def slider(
    name: str, label: str, value: float, limits: tuple[float, float, float], **more: Any
) -> Control:
    """A number between limits: least, greatest, step; `more` is `unit`, `rest`, `group`."""
    least, greatest, step = limits
    return _control(
        "slider", name, label, value, **{"group": "", **more}, min=least, max=greatest, step=step
    )


def number(name: str, label: str, value: int, limits: tuple[int, int], group: str = "") -> Control:
    """A whole number that is typed."""
    return _control("number", name, label, value, group, min=limits[0], max=limits[1], step=1)


def text(name: str, label: str, value: str, placeholder: str, group: str = "") -> Control:
    """A text that is typed."""
    return _control("text", name, label, value, group, placeholder=placeholder)


def listing(name: str, label: str, items: Sequence[Mapping[str, Any]], group: str = "") -> Control:
    """Things to choose from, each with `value`, `label` and `detail`."""
    return _control("list", name, label, None, group, items=list(items))


def check_whole(name: str, value: object, least: int, greatest: int) -> int:
    """A whole number that a page sent.

    Raises:
        InvalidValueError: something else, or beyond the limits.
    """
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not real or value != value or not least <= value <= greatest:  # type: ignore[operator]
        raise InvalidValueError(
            f"{name}: expected a whole number from {least} to {greatest}, got {shown(value)}"
        )
    return int(value)  # type: ignore[call-overload, no-any-return]


def check_number(name: str, value: object) -> float:
    """A finite number that a page sent.

    Raises:
        InvalidValueError: something else.
    """
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not real or not abs(value) < float("inf"):  # type: ignore[arg-type]
        raise InvalidValueError(f"{name}: expected a finite number, got {shown(value)}")
    return float(value)  # type: ignore[arg-type]


def check_choice(kind: str, value: object, known: Sequence[str]) -> str:
    """One of the names there are.

    Raises:
        UnknownNameError: another one.
    """
    if not isinstance(value, str) or value not in known:
        raise UnknownNameError.of(kind, value, known)
    return value


def check_switch(name: str, value: object) -> bool:
    """True or false.

    Raises:
        InvalidValueError: neither.
    """
    if not isinstance(value, bool):
        raise InvalidValueError(f"{name}: expected true or false, got {shown(value)}")
    return value


def _control(kind: str, name: str, label: str, value: object, group: str, **more: Any) -> Control:
    made = {"kind": kind, "name": name, "label": label, "value": value, "group": group, **more}
    return {key: each for key, each in made.items() if each is not None or key == "value"}


def _options(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"value": name, "label": name} for name in names]
