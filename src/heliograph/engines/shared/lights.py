"""A scene's lights by name, and what edits make of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.raster.types import LARGEST, SMALLEST, Colour, Light, LightKind
from heliograph.scene import EditLight
from heliograph.scene.appearance import BRIGHTEST

HEAD = "head"
"""Name of the light at the camera, of a scene of components that has none of its own."""

_FIELDS = (
    *("position", "direction", "diffuse", "specular", "ambient"),
    *("cutoff", "exponent", "softness", "decay", "distance", "size", "casts_shadow"),
)
_LENGTHS, _STRENGTHS = ("position", "direction"), ("diffuse", "specular", "ambient")
_PLACED = ("kind", "position", "direction", "casts_shadow")
_OPPOSITE = 1e-12
_LEAST, _NEAR = 0.01, 0.01  # metres; part of the range
_BLACK: Colour = (0.0, 0.0, 0.0)
_UP: Colour = (0.0, 0.0, 1.0)
_NEW = Light()
_LEVEL = (_BLACK, _BLACK, _BLACK)

Gradient = tuple[Colour, Colour, Colour]
"""Irradiance per part of a normal along x, y and z, as `DrawList` has it."""

Sphere = tuple[NDArray[np.float64], float]
"""Centre (3,) and radius in metres of what is seen."""


@dataclass(frozen=True)
class SceneLight:
    """One light of a scene.

    Attributes:
        lights: one light, or none for light from everywhere.
        ambient: what it adds everywhere.
        slope: what a hemisphere adds to that where a surface faces `up`, and takes away where one
            faces down; None of other lights.
        up: world direction, of length 1.
    """

    lights: tuple[Light, ...] = ()
    ambient: Colour = _BLACK
    slope: Colour | None = None
    up: Colour = _UP

    def edited(
        self, given: Mapping[str, Any], sphere: Callable[[], Sphere], new: Light
    ) -> SceneLight:
        """The same light with other fields, as `EditLight` names them.

        `diffuse` is the colour of light from everywhere, and a hemisphere's from above; `ambient`
        is its colour from below. Either with a kind is a light of this kind and nothing else,
        `new` but for what is given.
        """
        if self.lights or "kind" in given:
            light = self.lights[0] if self.lights else new
            if light.kind is LightKind.AREA and "direction" in given:
                light = replace(light, sides=_turned(light, np.array(given["direction"], float)))
            light = replace(light, **_fading(given))
            placed = any(name in given for name in _PLACED)
            return SceneLight((covering(light, sphere()) if placed else light,))
        if self.slope is None:
            colour = given.get("ambient", given.get("diffuse", self.ambient))
            return replace(self, ambient=colour)
        mean, half = np.array(self.ambient), np.array(self.slope)
        return hemisphere(
            np.array(given.get("diffuse", mean + half), float),
            np.array(given.get("ambient", mean - half), float),
            -np.array(given["direction"]) if "direction" in given else np.array(self.up),
        )


def _turned(light: Light, way: NDArray[np.float64]) -> tuple[Colour, Colour]:
    """The sides of an area light that is turned the shortest way to shine another way."""
    sides = np.array(light.sides)
    old = -np.cross(*sides)
    old, new = old / np.linalg.norm(old), way / np.linalg.norm(way)
    half = old + new
    if half @ half < _OPPOSITE:  # about its own width
        return triple(sides[0]), triple(-sides[1])
    # Two mirrors, across what is halfway and across the old way, turn one way into the other.
    sides = sides - 2 * np.outer(sides @ old, old)
    sides = sides - 2 * np.outer(sides @ half, half) / (half @ half)
    return triple(-sides[0]), triple(-sides[1])


def _fading(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fields of a light; one that says its decay fades so and not otherwise."""
    if "decay" not in given:
        return given
    return {**given, "attenuation": fading(given["decay"])}


def fading(decay: float) -> Colour:
    """The `attenuation` of a light that fades with a power of the distance alone."""
    return (0.0, 0.0, 0.0) if decay > 0 else (1.0, 0.0, 0.0)


def hemisphere(
    sky: NDArray[np.float64], ground: NDArray[np.float64], up: NDArray[np.float64]
) -> SceneLight:
    """Light that is mix(ground, sky, 0.5 n.up + 0.5) on a surface with normal n.

    Args:
        sky: (3,) irradiance of what faces up.
        ground: (3,) irradiance of what faces down.
        up: (3,) world, of any length but 0.
    """
    unit = up / np.linalg.norm(up)
    return SceneLight((), triple((sky + ground) / 2), triple((sky - ground) / 2), triple(unit))


def covering(light: Light, sphere: Sphere) -> Light:
    """The same light with a shadow map that holds all that is in a sphere."""
    (x, y, z), radius = sphere[0].tolist(), sphere[1] or _LEAST
    if light.kind is LightKind.DIRECTIONAL:
        u, v, w = light.direction
        back = 2 * radius / max(math.hypot(u, v, w), 1e-12)
        return replace(
            light,
            position=(x - back * u, y - back * v, z - back * w),
            shadow_extent=1.05 * radius,
            shadow_range=(_NEAR * radius, 4 * radius),
        )
    far = math.dist(light.position, (x, y, z)) + radius
    return replace(light, shadow_range=(_NEAR * far, 1.01 * far))


def check_light(
    where: str, lengths: Iterable[float], strengths: Iterable[float], distance: float = 0.0
) -> None:
    """Refuse what no picture can show of a light: where it stands and ends, and how strong it is.

    Raises:
        InvalidValueError: a number that is too large or too small, or no number.
    """
    if 0 < distance < SMALLEST:
        raise InvalidValueError(
            f"{where}: expected a distance from {SMALLEST:g} m, or 0 for a light that does not "
            f"end, got {distance:g}; give all lengths in another unit"
        )
    for values, most, expected, remedy in (
        (
            lengths,
            LARGEST,
            f"lengths up to {LARGEST:g} m",
            "give all lengths in another unit",
        ),
        (strengths, BRIGHTEST, f"an intensity up to {BRIGHTEST:g}", "make it dimmer"),
    ):
        for value in values:
            if not abs(value) <= most:
                raise InvalidValueError(f"{where}: expected {expected}, got {value:g}; {remedy}")


class LightEdits:
    """The lights of one state, while edits change them.

    Args:
        on: the lights that shine, by name.
        dark: those that are off; an edit may switch them on.
        sphere: what is seen; asked for where an edit places a light.
        new: a light that an edit adds, as far as it does not say.
    """

    def __init__(
        self,
        on: Mapping[str, SceneLight],
        dark: Mapping[str, SceneLight],
        sphere: Callable[[], Sphere],
        new: Light = _NEW,
    ) -> None:
        self._on, self._dark, self._sphere, self._new = dict(on), dict(dark), sphere, new
        self._before = ambient_of(on.values())
        self._gradient = gradient_of(on.values())

    def apply(self, edit: EditLight) -> None:
        """Change, add or switch a light.

        Raises:
            UnknownNameError: a light that is not there, and no kind for a new one.
            InvalidValueError: farther away or stronger than can be drawn.
        """
        known = self._on.get(edit.name) or self._dark.get(edit.name)
        if known is None and edit.kind is None:
            raise UnknownNameError.of("light", edit.name, (*self._on, *self._dark))
        given = {name: getattr(edit, name) for name in _FIELDS}
        given["kind"] = None if edit.kind is None else _kind(edit.kind)
        given = {name: value for name, value in given.items() if value is not None}
        lengths, strengths = (
            chain.from_iterable(given.get(name, ()) for name in names)
            for names in (_LENGTHS, _STRENGTHS)
        )
        distance, size = (given.get(name, 0.0) for name in ("distance", "size"))
        check_light(f"EditLight {edit.name!r}", (*lengths, distance, size), strengths, distance)
        on = edit.name not in self._dark if edit.active is None else edit.active
        here, there = (self._on, self._dark) if on else (self._dark, self._on)
        here[edit.name] = (known or SceneLight()).edited(given, self._sphere, self._new)
        there.pop(edit.name, None)

    @property
    def lights(self) -> tuple[Light, ...]:
        """What the rasterizer draws."""
        return flat(self._on.values())

    def gradient(self, before: Gradient | None) -> Gradient | None:
        """What is added to the light from everywhere, where it was so before the edits."""
        now = gradient_of(self._on.values())
        if now == self._gradient:
            return before
        first, own, then = (np.array(each or _LEVEL) for each in (before, self._gradient, now))
        x, y, z = slopes = first - own + then
        return (triple(x), triple(y), triple(z)) if slopes.any() else None

    def ambient(self, before: Colour) -> Colour:
        """The light from everywhere, where it was so before the edits."""
        now = ambient_of(self._on.values())
        if now == self._before:
            return before
        return triple(np.maximum(np.array(before) - self._before + now, 0.0))


def flat(lights: Iterable[SceneLight]) -> tuple[Light, ...]:
    """The rasterizer's lights of a scene's."""
    return tuple(chain.from_iterable(light.lights for light in lights))


def ambient_of(lights: Iterable[SceneLight]) -> Colour:
    """What lights add everywhere."""
    return triple(np.sum([_BLACK, *(light.ambient for light in lights)], axis=0))


def gradient_of(lights: Iterable[SceneLight]) -> Gradient | None:
    """What hemispheres among the lights add to their light from everywhere; None without any."""
    sloping = [(light.up, light.slope) for light in lights if light.slope is not None]
    if not sloping:
        return None
    x, y, z = np.sum([np.outer(up, slope) for up, slope in sloping], axis=0)
    return triple(x), triple(y), triple(z)


def triple(values: NDArray[np.float64]) -> Colour:
    """Three numbers of an array (3,)."""
    x, y, z = values.tolist()
    return x, y, z


def _kind(name: str) -> LightKind:
    known = {kind.value: kind for kind in LightKind}
    if name not in known:
        raise UnknownNameError.of("kind of light", name, known)
    return known[name]
