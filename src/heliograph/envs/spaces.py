"""Gymnasium's spaces, from what an environment says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from heliograph.envs.protocol import Space as Described
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.requires import Requires

with Requires("gymnasium"):
    from gymnasium import spaces

Space: TypeAlias = spaces.Space[Any]


def space_of(given: Space | None, described: Described | None, what: str) -> Space:
    """The space that was given, or else the one that the environment described.

    Args:
        given: by the program that trains.
        described: by the environment; see `heliograph.envs.protocol`.
        what: "observation" or "action", for errors.

    Raises:
        InvalidValueError: neither is there.
    """
    if given is not None:
        return given
    if described is None:
        raise InvalidValueError(
            f"the environment does not say what its {what}s are: set {what}_space in its script "
            f"(heliograph.envs.protocol.box(low, high, shape)), or give {what}_space= here"
        )
    return made_of(described)


def made_of(described: Described) -> Space:
    """A space as described.

    Raises:
        UnknownNameError: it is of a kind that is not known.
    """
    kind = described.get("kind")
    if kind not in _MAKERS:
        raise UnknownNameError.of("kind of space", kind, _MAKERS)
    return _MAKERS[kind](described)


def _box(described: Described) -> Space:
    low, high = np.asarray(described["low"]), np.asarray(described["high"])
    return spaces.Box(low, high, dtype=low.dtype.type)


def _discrete(described: Described) -> Space:
    return spaces.Discrete(int(described["n"]), start=int(described["start"]))


def _dict(described: Described) -> Space:
    return spaces.Dict({name: made_of(each) for name, each in described["spaces"].items()})


_MAKERS: Mapping[Any, Callable[[Described], Space]] = {
    "box": _box,
    "discrete": _discrete,
    "dict": _dict,
}


def fitted(space: Space, value: Any) -> Any:
    """A value as the space would have it: arrays of its dtype and shape, plain integers.

    Args:
        space: that of the observations.
        value: what the environment sent: numbers, lists, arrays or dicts of them.

    Raises:
        InvalidValueError: a value of another shape, or a dict without a key of the space.
    """
    if isinstance(space, spaces.Dict):
        return _fitted_dict(space, value)
    if isinstance(space, spaces.Discrete):
        return np.int64(value)
    if not isinstance(space, spaces.Box):
        return value
    array = np.array(value, space.dtype)  # a copy: what came may share the message's memory
    if array.shape != space.shape:
        raise InvalidValueError(
            f"the environment said that its observations have the shape {space.shape}, "
            f"but sent one of {array.shape}"
        )
    return array


def _fitted_dict(space: spaces.Dict, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or space.keys() - value.keys():
        raise InvalidValueError(
            f"the environment's observations are dicts with the keys {sorted(space.keys())}, "
            f"but {sorted(value) if isinstance(value, Mapping) else type(value).__name__} came"
        )
    return {name: fitted(each, value[name]) for name, each in space.items()}


def plain(action: Any) -> Any:
    """An action as the framing carries it: numpy's scalars become Python's."""
    if isinstance(action, np.generic):
        return action.item()
    if isinstance(action, Mapping):
        return {name: plain(each) for name, each in action.items()}
    if isinstance(action, tuple):
        return [plain(each) for each in action]
    return action
