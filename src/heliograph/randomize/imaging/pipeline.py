"""Running steps over a picture, with all linear changes of colour in a row folded into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.randomize.imaging import blur, colour, light, noise
from heliograph.randomize.imaging.step import Affine, Kind, Planes, Shot, Step

STEPS: Mapping[str, Step] = {
    step.name: step
    for step in (
        *(light.ambient_occlusion, light.bloom, light.vignette),
        *(colour.white_balance, colour.hue, colour.saturation, colour.contrast),
        *(colour.brightness, colour.gamma, colour.tone_map),
        *(colour.linear_light, colour.light_contrast, colour.filmic, colour.display),
        *(blur.gaussian_blur, blur.motion_blur, blur.jpeg),
        *(noise.grain, noise.sensor),
    )
}
_CURVE = 1023
"""Values of a curve's table from 0 to 1; it goes on to 4."""
_REACH = 4
_PLACES = np.linspace(0.0, _REACH, _CURVE * _REACH + 1, dtype=np.float32)
_BLOCK = 32768
"""Values worked on at a time: in place and in blocks costs a quarter of whole new arrays."""


def find_step(name: str) -> Step:
    """Return a step by name.

    Raises:
        UnknownNameError: names the nearest there is.
    """
    if name not in STEPS:
        raise UnknownNameError.of("step", name, STEPS)
    return STEPS[name]


def check_step(name: str, parameters: Mapping[str, float]) -> dict[str, float]:
    """Return all parameters of a step, the defaults among them, or say what is wrong with one."""
    step = find_step(name)
    try:
        return step.complete(parameters)
    except (InvalidValueError, UnknownNameError) as error:
        raise type(error)(f"step {name!r}: {error.message}") from None


def needed_passes(steps: Sequence[tuple[str, Mapping[str, float]]]) -> tuple[str, ...]:
    """Return the passes that steps read: rgb, and maybe depth and normals."""
    more = any(name == "ambient_occlusion" for name, _ in steps)
    return ("rgb", "depth", "normals") if more else ("rgb",)


def apply(
    steps: Sequence[tuple[str, Mapping[str, float]]],
    rgb: NDArray[np.uint8],
    *,
    depth: NDArray[Any] | None = None,
    normals: NDArray[Any] | None = None,
    camera: Camera | None = None,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """Return a new picture (H, W, 3) uint8 with these steps done, in order.

    Args:
        steps: (name, parameters); parameters left out have their defaults.
        rgb: (H, W, 3) uint8, sRGB; left as it is.
        depth: (H, W) metres, for `ambient_occlusion`; only read.
        normals: (H, W, 3) camera axes, for `ambient_occlusion`; only read.
        camera: the camera as used, for `ambient_occlusion`.
        seed: what noise is drawn from; equal seed, equal noise.

    Raises:
        UnknownNameError: no such step or parameter.
        InvalidValueError: a parameter out of range, a picture of another shape, or no depth,
            normals or camera for a step that needs them.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
        raise InvalidValueError(f"rgb: expected (H, W, 3) uint8, got {rgb.shape} {rgb.dtype}")
    todo = [(i, find_step(name), check_step(name, given)) for i, (name, given) in enumerate(steps)]
    todo = [each for each in todo if not each[1].does_nothing(each[2])]
    if not todo:
        return rgb.copy()
    planes, pending = _planes(rgb), None
    for number, step, values in todo:
        if step.kind is Kind.COLOUR:
            change = step.work(**values)
            pending = change if pending is None else pending.then(change)
            continue
        planes = _linear(planes, pending)
        pending = None
        if step.kind in (Kind.CURVE, Kind.LIGHT_CURVE):
            light = step.kind is Kind.LIGHT_CURVE
            table = step.work(np.square(_PLACES) if light else _PLACES, **values)
            planes = _looked_up(planes, table, light=light)
        else:
            shot = Shot(depth, normals, camera, seed, number)
            # What works in place must not meet a copy.
            planes = np.ascontiguousarray(step.work(planes, shot, **values))
    return _picture(_linear(planes, pending))


def _looked_up(planes: Planes, table: NDArray[np.float32], *, light: bool) -> Planes:
    """The values of a table; of light its places are square roots, as the dark needs more."""
    for rows in _blocks(planes):
        places = np.maximum(rows, 0)
        if light:
            np.sqrt(places, out=places)
        places *= np.float32(_CURVE)
        places += np.float32(0.5)
        table.take(places.astype(np.intp), out=rows, mode="clip")
    return planes


def _linear(planes: Planes, change: Affine | None) -> Planes:
    if change is None:
        return planes
    matrix = change.matrix.astype(np.float32)
    offset = change.offset.astype(np.float32)[:, None]
    flat = planes.reshape(3, -1)
    for start in range(0, flat.shape[1], _BLOCK):
        part = flat[:, start : start + _BLOCK]
        mixed = matrix @ part
        np.add(mixed, offset, out=part)
    return planes


def _blocks(planes: Planes) -> list[NDArray[np.float32]]:
    flat = planes.reshape(-1)
    return [flat[start : start + _BLOCK] for start in range(0, flat.size, _BLOCK)]


def _planes(rgb: NDArray[np.uint8]) -> Planes:
    planes = np.empty((3, *rgb.shape[:2]), np.float32)
    for channel in range(3):
        np.multiply(rgb[..., channel], np.float32(1 / 255), out=planes[channel])
    return planes


def _picture(planes: Planes) -> NDArray[np.uint8]:
    for values in _blocks(planes):
        np.multiply(values, np.float32(255), out=values)
        np.add(values, np.float32(0.5), out=values)
        np.clip(values, 0, 255, out=values)
    rgb = np.empty((*planes.shape[1:], 3), np.uint8)
    for channel in range(3):
        rgb[..., channel] = planes[channel]
    return rgb
