"""Light components to the rasterizer's lights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.raster import Light, LightKind
from heliograph.scene import Component

Colour = tuple[float, float, float]
Placed = tuple[Component, NDArray[np.float64]]
"""A component and its world_from_component (4, 4)."""

_FADING: tuple[Colour, ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_GLINT = 0.5
_NEAR = 0.01

HEAD = "head"
DEFAULT = (Light(LightKind.HEAD, diffuse=(0.6, 0.6, 0.6), specular=(0.3, 0.3, 0.3)),)
DEFAULT_AMBIENT: Colour = (0.4, 0.4, 0.4)
"""What lights a scene that has no light of its own."""


def lights(
    placed: Sequence[Placed], centre: NDArray[np.float64], radius: float
) -> tuple[tuple[Light, ...], Colour, tuple[str, ...]]:
    """The rasterizer's lights, the light from everywhere, and the lights' names.

    A component that makes several lights gives the further ones its key and their number.

    Args:
        placed: the light components that shine.
        centre: (3,) middle of what is seen, for shadows.
        radius: metres from it to the farthest corner.
    """
    made: list[Light] = []
    names: list[str] = []
    ambient = np.zeros(3)
    for component, world in placed:
        found, around = _MAKERS[type(component).__name__](component, world, centre, radius)
        made += found
        key = str(component.key)
        names += [f"{key}{number or ''}" for number in range(len(found))]
        ambient += around
    return tuple(made), _triple(ambient), tuple(names)


Made = tuple[list[Light], NDArray[np.float64]]


def _strength(component: Component, name: str = "color") -> NDArray[np.float64]:
    return np.array(component.get(name)[:3]) * float(component.get("intensity"))


def _ambient(component: Component, _: Any, __: Any, ___: float) -> Made:
    return [], _strength(component)


def _hemisphere(component: Component, world: NDArray[np.float64], _: Any, __: float) -> Made:
    """Exactly mix(ground, sky, 0.5 n.z + 0.5): a mean, and light from above less one from below."""
    sky, ground = _strength(component), _strength(component, "groundColor")
    up, half = world[:3, 2], (sky - ground) / 2
    pair = [
        Light(direction=_triple(-up), diffuse=_triple(half), specular=(0.0, 0.0, 0.0)),
        Light(direction=_triple(up), diffuse=_triple(-half), specular=(0.0, 0.0, 0.0)),
    ]
    return pair, (sky + ground) / 2


def _common(component: Component) -> dict[str, Any]:
    colour = _strength(component)
    return {
        "diffuse": _triple(colour),
        "specular": _triple(colour * _GLINT),
        "casts_shadow": component.get("castShadow"),
    }


def _directional(
    component: Component, world: NDArray[np.float64], centre: NDArray[np.float64], radius: float
) -> Made:
    way = _towards(component, world)
    reach = radius or _NEAR
    light = Light(
        LightKind.DIRECTIONAL,
        position=_triple(centre - 2 * reach * way),
        direction=_triple(way),
        shadow_extent=1.05 * reach,
        shadow_range=(_NEAR * reach, 4 * reach),
        **_common(component),
    )
    return [light], np.zeros(3)


def _point(
    component: Component, world: NDArray[np.float64], centre: NDArray[np.float64], radius: float
) -> Made:
    light = Light(
        LightKind.POINT,
        position=_triple(world[:3, 3]),
        attenuation=_FADING[component.get("decay")],
        shadow_range=_range(world, centre, radius),
        **_common(component),
    )
    return [light], np.zeros(3)


def _spot(
    component: Component, world: NDArray[np.float64], centre: NDArray[np.float64], radius: float
) -> Made:
    light = Light(
        LightKind.SPOT,
        position=_triple(world[:3, 3]),
        direction=_triple(_towards(component, world)),
        attenuation=_FADING[component.get("decay")],
        cutoff=component.get("angle"),
        exponent=0.0,
        softness=component.get("penumbra"),
        shadow_range=_range(world, centre, radius),
        **_common(component),
    )
    return [light], np.zeros(3)


def _towards(component: Component, world: NDArray[np.float64]) -> NDArray[np.float64]:
    way = np.array(component.get("target")) - world[:3, 3]
    length = float(np.linalg.norm(way))
    return way / length if length > 0 else np.array([0.0, 0.0, -1.0])


def _range(
    world: NDArray[np.float64], centre: NDArray[np.float64], radius: float
) -> tuple[float, float]:
    far = float(np.linalg.norm(world[:3, 3] - centre)) + (radius or _NEAR)
    return _NEAR * far, 1.01 * far


def _triple(values: NDArray[np.float64]) -> Colour:
    x, y, z = values.tolist()
    return x, y, z


_MAKERS: Mapping[str, Callable[[Component, Any, Any, float], Made]] = MappingProxyType(
    {
        "AmbientLight": _ambient,
        "HemisphereLight": _hemisphere,
        "DirectionalLight": _directional,
        "PointLight": _point,
        "SpotLight": _spot,
    }
)
