"""The state of a scene of components: what moves.

`View.state` may hold, for a component with key `arm`,

- `arm`: its whole placement as a map (4, 4) from the component to its parent, or just its position,
  (3,) metres, which keeps its rotation and scale;
- `arm.position`, `arm.rotation`, `arm.quaternion`, `arm.scale`, `arm.matrix`: one property, as the
  component takes it (`matrix` is 16 numbers, column after column).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.scene import Component, Item, Scene
from heliograph.scene.placement import PLACEMENT

PARTS = ("position", "rotation", "quaternion", "scale", "matrix")


def items(scene: Scene) -> tuple[Item, ...]:
    """What a scene's state may hold, a row for each component."""
    meaning = f"(4, 4) parent_from_component or (3,) metres; also .{', .'.join(PARTS)}"
    return tuple(Item(str(node.key), "pose", meaning) for node in scene.walk())


def moved(
    state: Mapping[str, NDArray[Any]], find: Callable[[str], Component | None]
) -> dict[str, NDArray[np.float64]]:
    """parent_from_component (4, 4) by key of the components that a state moves.

    Args:
        state: arrays as this module says.
        find: the component with a key, or None.

    Raises:
        UnknownNameError: no such component, or nothing of it has this name.
        InvalidValueError: a value of another shape.
    """
    changes: dict[str, dict[str, Any]] = {}
    for name, value in state.items():
        key, part = _split(name, find)
        changes.setdefault(key, {})[part] = _checked(name, part, value)
    return {key: _local(find(key), props) for key, props in changes.items()}


def _split(name: str, find: Callable[[str], Component | None]) -> tuple[str, str]:
    """A key, and what is given of the component; empty for the value without a name."""
    if find(name) is not None:
        return name, ""
    key, dot, part = name.rpartition(".")
    if not dot or find(key) is None:
        raise UnknownNameError(
            f"unknown state {name!r}: no component of the scene has this key; `scene.state` lists "
            "what there is"
        )
    if part not in PARTS:
        raise UnknownNameError.of(f"state of component {key!r}", part, PARTS)
    return key, part


def _checked(name: str, part: str, value: NDArray[Any]) -> Any:
    where = f"state[{name!r}]"
    if part:
        return PLACEMENT[part].check(value if value.ndim else value.item(), where)
    if value.shape == (3,):
        return PLACEMENT["position"].check(value, where)
    if value.shape != (4, 4) or value[3].tolist() != [0, 0, 0, 1]:
        raise InvalidValueError(
            f"{where}: expected a map (4, 4) with (0, 0, 0, 1) as last row, or a position (3,), "
            f"got {value.shape if value.shape != (4, 4) else value[3].tolist()}"
        )
    return PLACEMENT["matrix"].check(value.T.ravel(), where)


def _local(component: Component | None, props: dict[str, Any]) -> NDArray[np.float64]:
    if component is None:
        raise InvalidValueError("state: expected the key of a component")
    whole = props.pop("", None)
    if whole is not None:
        props["matrix" if len(whole) == 16 else "position"] = whole
    return component.merged(props).local
