"""Light components to the rasterizer's lights, in linear light and three.js's units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.colour import linear
from heliograph.engines.shared.lights import (
    SceneLight,
    Sphere,
    check_light,
    covering,
    fading,
    hemisphere,
    triple,
)
from heliograph.raster import Light, LightKind
from heliograph.raster.types import Colour
from heliograph.scene import Component, SpotLight

Placed = tuple[Component, NDArray[np.float64]]
"""A component and its world_from_component (4, 4)."""

_DARK: Colour = (0.0, 0.0, 0.0)
DEFAULT = (Light(LightKind.HEAD, exponent=0.0, diffuse=(1.1, 1.1, 1.1)),)
DEFAULT_AMBIENT: Colour = (0.91, 0.91, 0.91)
DEFAULT_GRADIENT: tuple[Colour, Colour, Colour] = (_DARK, _DARK, (0.65, 0.65, 0.65))
STUDIO_AMBIENT: Colour = (0.25, 0.25, 0.25)
STUDIO_GRADIENT: tuple[Colour, Colour, Colour] = (_DARK, _DARK, (0.15, 0.15, 0.15))
STUDIO: Mapping[str, Colour] = MappingProxyType(
    {"sky": (0.72, 0.72, 0.72), "horizon": (0.45, 0.45, 0.45), "ground": (0.15, 0.15, 0.15)}
)
"""What lights a scene that has no light of its own: from the camera, and more from above than from
below. White becomes about 220 where it faces both. Where there is metal, a plain studio that it
reflects sheds most of the light from all sides; it costs more, and what is no metal looks alike."""


def lights(placed: Sequence[Placed], sphere: Sphere | None) -> dict[str, SceneLight]:
    """The scene's lights by key.

    Args:
        placed: the light components that shine.
        sphere: what is seen, for shadows; None where none are wanted.

    Raises:
        InvalidValueError: farther away or stronger than can be drawn.
    """
    found = {}
    for component, world in placed:
        name, aim = f"{component.kind} {component.key!r}", component.props.get("target", ())
        distance, size = (component.props.get(each, 0.0) for each in ("distance", "size"))
        sides = (component.props.get(each, 0.0) for each in ("width", "height"))
        lengths = (*world[:3, 3].tolist(), *aim, distance, size, *sides)
        check_light(name, lengths, (component.get("intensity"),), distance)
        made = _MAKERS[type(component).__name__](component, world)
        if sphere is not None and component.props.get("castShadow"):
            made = replace(made, lights=(covering(made.lights[0], sphere),))
        found[str(component.key)] = made
    return found


def _strength(component: Component, name: str = "color") -> NDArray[np.float64]:
    return linear(component.get(name)[:3]) * float(component.get("intensity"))


def _ambient(component: Component, _: Any) -> SceneLight:
    return SceneLight(ambient=triple(_strength(component)))


def _hemisphere(component: Component, world: NDArray[np.float64]) -> SceneLight:
    ground = _strength(component, "groundColor")
    return hemisphere(_strength(component), ground, world[:3, 2])


def _common(component: Component) -> dict[str, Any]:
    return {
        "diffuse": triple(_strength(component)),
        "exponent": 0.0,
        "size": component.get("size"),
        "casts_shadow": component.get("castShadow"),
    }


def _fading(component: Component) -> dict[str, Any]:
    decay = component.get("decay")
    distance = component.get("distance")
    return {"attenuation": fading(decay), "decay": decay, "distance": distance}


def _directional(component: Component, world: NDArray[np.float64]) -> SceneLight:
    way = triple(_towards(component, world))
    return SceneLight((Light(LightKind.DIRECTIONAL, direction=way, **_common(component)),))


def _point(component: Component, world: NDArray[np.float64]) -> SceneLight:
    light = Light(
        LightKind.POINT,
        position=triple(world[:3, 3]),
        **_fading(component),
        **_common(component),
    )
    return SceneLight((light,))


def _spot(component: Component, world: NDArray[np.float64]) -> SceneLight:
    light = Light(
        LightKind.SPOT,
        position=triple(world[:3, 3]),
        direction=triple(_towards(component, world)),
        cutoff=component.get("angle"),
        softness=component.get("penumbra"),
        **_fading(component),
        **_common(component),
    )
    return SceneLight((light,))


def _towards(component: Component, world: NDArray[np.float64]) -> NDArray[np.float64]:
    way = np.array(component.get("target")) - world[:3, 3]
    length = float(np.linalg.norm(way))
    return way / length if length > 0 else np.array([0.0, 0.0, -1.0])


def _rectangle(component: Component, world: NDArray[np.float64]) -> SceneLight:
    axes = world[:3, :2] / np.linalg.norm(world[:3, :2], axis=0)  # as in three.js it has no scale
    light = Light(
        LightKind.AREA,
        position=triple(world[:3, 3]),
        direction=triple(-np.cross(axes[:, 0], axes[:, 1])),
        diffuse=triple(_strength(component)),
        exponent=0.0,
        sides=(
            triple(axes[:, 0] * component.get("width") / 2),
            triple(axes[:, 1] * component.get("height") / 2),
        ),
    )
    return SceneLight((light,))


_MAKERS: Mapping[str, Callable[[Component, Any], SceneLight]] = MappingProxyType(
    {
        "AmbientLight": _ambient,
        "HemisphereLight": _hemisphere,
        "DirectionalLight": _directional,
        "PointLight": _point,
        "SpotLight": _spot,
        "RectAreaLight": _rectangle,
    }
)
NEW = _spot(SpotLight(), SpotLight().local).lights[0]
"""What edits add, as far as they do not say."""
