"""Blender's lights and world as the rasterizer's, in linear light.

Radiance of a white matt surface that faces the light: of a sun its strength / pi; of a lamp of P
watts at d metres P / (4 pi^2 d^2); of a small area light P / (pi^2 d^2). Shadows have hard rims.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.engines.shared.lights import fading
from heliograph.raster import Light, LightKind
from heliograph.raster.types import Colour

_SQUARE = 2.0


def light(lamp: Any, world: NDArray[np.float64]) -> Light | None:
    """A light; None for one that sheds none.

    Args:
        lamp: an evaluated `bpy.types.Light`.
        world: world_from_lamp, (4, 4).
    """
    strength = lamp.energy * 2.0 ** getattr(lamp, "exposure", 0.0)
    colour = np.array(lamp.color[:]) * _temperature(lamp)
    if strength <= 0 or not colour.any():
        return None
    common: dict[str, Any] = {
        "position": _triple(world[:3, 3]),
        "direction": _triple(-world[:3, 2] / (np.linalg.norm(world[:3, 2]) or 1.0)),
        "exponent": 0.0,
        "casts_shadow": lamp.use_shadow,
    }
    if lamp.type == "SUN":
        return Light(
            LightKind.DIRECTIONAL,
            diffuse=_triple(colour * strength),
            **common,
        )
    if lamp.type == "AREA":
        return _area(lamp, world, colour * strength, common)
    decay = float(lamp.get("decay", _SQUARE))  # custom properties of ours
    common |= {"attenuation": fading(decay), "decay": decay}
    common["distance"] = float(lamp.get("distance", 0.0))
    diffuse = _triple(colour * strength / (4 * math.pi))
    if lamp.type == "SPOT":
        half = lamp.spot_size / 2
        return Light(
            LightKind.SPOT,
            diffuse=diffuse,
            cutoff=half,
            softness=1 - math.acos(_rim(half, lamp.spot_blend)) / half,
            **common,
        )
    return Light(LightKind.POINT, diffuse=diffuse, **common)


def _rim(half: float, blend: float) -> float:
    """Cosine of where a spot begins to fade, which Cycles reckons in cosines."""
    edge = math.cos(half)
    return edge + (1 - edge) * blend


def _area(
    lamp: Any, world: NDArray[np.float64], power: NDArray[np.float64], common: dict[str, Any]
) -> Light | None:
    """A rectangle; discs and ellipses become one of the same area."""
    width = lamp.size
    height = lamp.size_y if lamp.shape in ("RECTANGLE", "ELLIPSE") else width
    right, up = world[:3, 0] * width / 2, world[:3, 1] * height / 2
    if lamp.shape in ("DISK", "ELLIPSE"):
        right, up = (side * math.sqrt(math.pi) / 2 for side in (right, up))
    area = 4 * float(np.linalg.norm(np.cross(right, up)))
    if area <= 0:
        return None
    radiance = power / (math.pi * area)
    return Light(
        LightKind.AREA,
        diffuse=_triple(radiance),
        sides=(_triple(right), _triple(up)),
        **common | {"casts_shadow": False},
    )


def _temperature(lamp: Any) -> NDArray[np.float64]:
    if not getattr(lamp, "use_temperature", False):
        return np.ones(3)
    return np.array(lamp.temperature_color[:])


def _triple(values: NDArray[np.float64]) -> Colour:
    x, y, z = values.tolist()
    return x, y, z
