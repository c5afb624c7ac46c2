"""The state of a scene of components: what moves.

`View.state` may hold, for a component with key `arm`,

- `arm`: its whole placement as a map (4, 4) from the component to its parent, or just its position,
  (3,) metres, which keeps its rotation and scale;
- `arm.position`, `arm.rotation`, `arm.quaternion`, `arm.scale`, `arm.matrix`: one property, as the
  component takes it (`matrix` is 16 numbers, column after column).

Many components move at once, in a fraction of the time, with `poses`: a pair of their keys and
their placements, (K, 4, 4), or positions, (K, 3). What else is said of a component comes after it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.scene import Component, Item
from heliograph.scene.placement import PLACEMENT
from heliograph.scene.tree import Tree
from heliograph.view import POSE_KEYS, POSES, SEPARATOR

PARTS = ("position", "rotation", "quaternion", "scale", "matrix")
TAKEN = (POSES, POSE_KEYS)
"""Keys that no component may have."""


def items(keys: Iterable[str]) -> tuple[Item, ...]:
    """What a scene's state may hold: a row for each component, and one for many at once."""
    meaning = f"(4, 4) parent_from_component or (3,) metres; also .{', .'.join(PARTS)}"
    many = Item(POSES, "poses", "(keys, (K, 4, 4) parent_from_component or (K, 3) metres)")
    return (*(Item(key, "pose", meaning) for key in keys), many)


def check_keys(keys: Container[str]) -> None:
    """Refuse keys of components that mean something else in a state.

    Raises:
        InvalidValueError: there is one.
    """
    for key in TAKEN:
        if key in keys:
            raise InvalidValueError(
                f"key {key!r}: expected another one, as state[{key!r}] moves many components at "
                "once; rename the component"
            )


def moved_rows(
    state: Mapping[str, NDArray[Any]], tree: Tree, local: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The rows (K,) that a state moves, and their parent_from_component (K, 4, 4).

    Args:
        state: of a view.
        tree: the scene.
        local: (N, 4, 4) parent_from_component of every row of the tree without the state.

    Raises:
        UnknownNameError: no such component, or nothing of it has this name.
        InvalidValueError: a value of another shape.
    """
    rest = {name: state[name] for name in state if name not in TAKEN}
    rows, moved = np.empty(0, np.intp), np.empty((0, 4, 4))
    if POSES in state:
        rows, moved = _columns(state, tree, local)
    if not rest:
        return rows, moved
    changes: dict[int, dict[str, Any]] = {}
    for name, value in rest.items():
        row, part = _split(name, tree)
        changes.setdefault(row, {})[part] = _checked(name, part, value)
    others = ~np.isin(rows, [*changes])
    maps = [_local(tree.node(row), props) for row, props in changes.items()]
    return (
        np.concatenate([rows[others], np.array([*changes], np.intp)]),
        np.concatenate([moved[others], np.array(maps)]),
    )


def _columns(
    state: Mapping[str, NDArray[Any]], tree: Tree, local: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    poses = state[POSES]
    keys = _keys(state[POSE_KEYS].tobytes()) if POSE_KEYS in state else ()
    if poses.shape not in ((len(keys), 3), (len(keys), 4, 4)):
        raise InvalidValueError(
            f"state[{POSES!r}]: expected keys, and (K, 4, 4) placements or (K, 3) positions, one "
            f"for each, got {len(keys)} keys and {poses.shape}"
        )
    rows = tree.rows(keys)
    if poses.ndim == 2:
        moved = local[rows]
        moved[:, :3, 3] = poses
        return rows, moved
    if (poses[:, 3] != (0, 0, 0, 1)).any():
        raise InvalidValueError(f"state[{POSES!r}]: expected (0, 0, 0, 1) as last row of each map")
    return rows, poses.astype(float)


@lru_cache(maxsize=16)
def _keys(data: bytes) -> tuple[str, ...]:
    try:
        return tuple(data.decode().split(SEPARATOR)) if data else ()
    except UnicodeDecodeError:
        raise InvalidValueError(
            f"state[{POSE_KEYS!r}]: expected keys as View writes them, got bytes that are no text"
        ) from None


def _split(name: str, tree: Tree) -> tuple[int, str]:
    """A row, and what is given of its component; empty for the value without a name."""
    if name in tree.index:
        return tree.index[name], ""
    key, dot, part = name.rpartition(".")
    if not dot or key not in tree.index:
        raise UnknownNameError(
            f"unknown state {name!r}: no component of the scene has this key; `scene.state` lists "
            "what there is"
        )
    if part not in PARTS:
        raise UnknownNameError.of(f"state of component {key!r}", part, PARTS)
    return tree.index[key], part


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


def _local(component: Component, props: dict[str, Any]) -> NDArray[np.float64]:
    whole = props.pop("", None)
    if whole is not None:
        props["matrix" if len(whole) == 16 else "position"] = whole
    return component.merged(props).local
