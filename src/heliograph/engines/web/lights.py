"""Edits of lights, as the light components that show them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from heliograph.colour import encoded, linear
from heliograph.engines.shared.lights import check_light
from heliograph.errors import InvalidValueError
from heliograph.scene import (
    AmbientLight,
    Component,
    DirectionalLight,
    EditLight,
    HemisphereLight,
    PointLight,
    SpotLight,
)

Matrix = NDArray[np.float64]

_KINDS: Final[Mapping[str, type[Component]]] = MappingProxyType(
    {"directional": DirectionalLight, "point": PointLight, "spot": SpotLight}
)
_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cutoff": "angle",
        "softness": "penumbra",
        "decay": "decay",
        "distance": "distance",
        "size": "size",
        "casts_shadow": "castShadow",
    }
)
"""Fields of `EditLight` that are properties of components, and their names there."""
_EVEN: Final = (AmbientLight, HemisphereLight)


def new_light(edit: EditLight) -> Component:
    """The light that an edit adds to a scene."""
    return edited_light(SpotLight(key=edit.name), np.eye(4), edit)


def edited_light(node: Component, above: Matrix, edit: EditLight) -> Component:
    """A light as an edit shows it.

    Args:
        node: the light.
        above: (4, 4) world_from_parent.
        edit: what changes.

    Raises:
        InvalidValueError: what a light of its kind does not have, or no picture can show.
    """
    lengths = (*(edit.position or ()), *(edit.direction or ()), edit.distance or 0.0)
    strengths = (*(edit.diffuse or ()), *(edit.ambient or ()))
    check_light(f"EditLight {edit.name!r}", lengths, strengths, edit.distance or 0.0)
    if edit.kind is not None and not isinstance(node, _KINDS[edit.kind]):
        base = SpotLight(key=node.key) if isinstance(node, _EVEN) else node
        node = _as_kind(base, _KINDS[edit.kind])
    props = dict(node.props)
    for name, prop in _NAMES.items():
        value = getattr(edit, name)
        if value is not None:
            _check_has(edit, node, prop, name)
            props[prop] = value
    if edit.exponent:
        raise _refused(edit, node, "exponent")
    if edit.active is not None:
        props["visible"] = edit.active
    _colour(props, node, edit)
    _aim(props, node, above, edit)
    return node.changed(props=props)


def _as_kind(node: Component, kind: type[Component]) -> Component:
    """A light of another kind, with what of its properties that has."""
    kept = {name: node.props[name] for name in node.props if name in kind.SPEC}
    if "size" in kept and DirectionalLight in (kind, type(node)):
        del kept["size"]  # metres of one, radians of the other
    return kind(key=node.key).changed(props=kept)


def _colour(props: dict[str, Any], node: Component, edit: EditLight) -> None:
    if edit.ambient is not None:
        if isinstance(node, HemisphereLight):
            _shed(props, node, edit.diffuse, edit.ambient)
            return None
        if not isinstance(node, AmbientLight):
            if any(edit.ambient):
                raise _refused(edit, node, "ambient")
            return _set_colour(props, edit.diffuse)
        return _set_colour(props, edit.ambient)
    if isinstance(node, HemisphereLight):
        _shed(props, node, edit.diffuse, None)
        return None
    return _set_colour(props, edit.diffuse)


def _set_colour(props: dict[str, Any], light: tuple[float, ...] | None) -> None:
    if light is not None:
        most = max(*light, 1e-30)
        props["color"] = tuple(encoded(np.array(light) / most).tolist())
        props["intensity"] = most if max(light) > 0 else 0.0


def _shed(
    props: dict[str, Any],
    node: Component,
    sky: tuple[float, ...] | None,
    ground: tuple[float, ...] | None,
) -> None:
    """Light from above and from below, which have one intensity."""
    strength = node.get("intensity")
    above = linear(node.get("color")[:3]) * strength if sky is None else np.array(sky)
    below = linear(node.get("groundColor")[:3]) * strength if ground is None else np.array(ground)
    most = max(float(above.max()), float(below.max()), 1e-30)
    props["color"] = tuple(encoded(above / most).tolist())
    props["groundColor"] = tuple(encoded(below / most).tolist())
    props["intensity"] = most


def _aim(props: dict[str, Any], node: Component, above: Matrix, edit: EditLight) -> None:
    """Where it stands and shines, which edits say in the world."""
    if isinstance(node, AmbientLight) or (edit.position is None and edit.direction is None):
        return
    before = above @ node.local
    world = before.copy()
    if edit.position is not None:
        world[:3, 3] = edit.position
    if "target" in node.SPEC:
        way = _way(node, before) if edit.direction is None else np.array(edit.direction)
        props["target"] = tuple((world[:3, 3] + way / np.linalg.norm(way)).tolist())
    elif edit.direction is not None and isinstance(node, HemisphereLight):
        world = _upright(-np.array(edit.direction), world[:3, 3])
    elif edit.direction is not None and not isinstance(node, PointLight):
        raise _refused(edit, node, "direction")
    for name in ("position", "rotation", "quaternion", "scale"):
        props.pop(name, None)
    local = np.linalg.solve(above, world)
    local[3] = 0, 0, 0, 1
    props["matrix"] = tuple(local.T.ravel().tolist())


def _way(node: Component, world: Matrix) -> NDArray[np.float64]:
    way = np.array(node.get("target")) - world[:3, 3]
    return way if way.any() else np.array([0.0, 0.0, -1.0])


def _upright(up: NDArray[np.float64], place: NDArray[np.float64]) -> Matrix:
    """A pose whose z axis is `up`."""
    z = up / np.linalg.norm(up)
    x = np.cross((0.0, 1.0, 0.0) if abs(z[1]) < 0.9 else (1.0, 0.0, 0.0), z)
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([x, np.cross(z, x), z])
    pose[:3, 3] = place
    return pose


def _check_has(edit: EditLight, node: Component, prop: str, name: str) -> None:
    if prop not in node.SPEC:
        raise _refused(edit, node, name)


def _refused(edit: EditLight, node: Component, field: str) -> InvalidValueError:
    return InvalidValueError(
        f"EditLight {edit.name!r} {field}: the web engine cannot show it, as a "
        f"{type(node).__name__} has none; leave it out"
    )
