"""Pictures of linear light as a scene of Blender's shows them: its view transform and background.

'Standard' and 'Raw', which are formulas, are worked out here. Others (AgX, Filmic, looks, curves)
are Blender's own; it applies them to nothing but files, so a bitmap is written into memory.
"""

from __future__ import annotations

import functools
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from heliograph.colour import encoded, linear
from heliograph.engines.blender.ram_file import contents, ram_file
from heliograph.engines.blender.settings import image_settings

Light = NDArray[np.float32]

NAME = ".heliograph picture"

_DROPPED_BITS = 11  # of float32: 12 bits of mantissa stay, 1/40 of a step of 255
_FORMULAS = {"Standard": True, "Raw": False}


def as_shown(scene: Any, light: Light, background: tuple[float, float, float]) -> NDArray[np.uint8]:
    """A picture as the scene's colour management shows it, in sRGB and without dither.

    Args:
        scene: whose view transform, look, exposure and gamma count.
        light: (H, W, 4), linear, alpha premultiplied; not changed.
        background: sRGB, 0 to 1, what is seen where alpha is below 1. It is mixed in linear light,
            or after the view transform where that is not a formula, and is shown as it is.

    Returns:
        (H, W, 3).
    """
    view = scene.view_settings
    hidden = 1 - np.clip(light[..., 3:], 0, 1)
    if _is_formula(view, scene.display_settings.display_device):
        curved = _FORMULAS[view.view_transform]
        exposed = light[..., :3] * np.float32(2.0**view.exposure)
        if any(background):
            behind = np.array(background) ** view.gamma
            behind = linear(behind) if curved else behind
            exposed += hidden * behind.astype(np.float32)
        return _by_table(exposed, _table(curved, view.gamma))
    if not hidden.any():
        return _by_blender(scene, light)
    alpha, straight = light[..., 3:], light.copy()
    np.divide(light[..., :3], alpha, where=alpha > 0, out=straight[..., :3])
    straight[..., 3] = 1
    covered = np.where(alpha > 0, 1 - hidden, 1)
    seen = _by_blender(scene, straight) * covered + hidden * 255 * np.array(background, np.float32)
    return np.asarray(np.rint(np.minimum(seen, 255)).astype(np.uint8))


def _is_formula(view: Any, display: str) -> bool:
    plain = view.look == "None" and not view.use_curve_mapping
    balanced = getattr(view, "use_white_balance", False)
    return plain and not balanced and display == "sRGB" and view.view_transform in _FORMULAS


def _by_table(light: Light, table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    np.fmin(np.fmax(light, 0, out=light), 1, out=light)  # what is no number is black
    np.abs(light, out=light)  # zeros may have a sign
    return np.asarray(table[light.view(np.uint32) >> _DROPPED_BITS])


@functools.lru_cache(4)
def _table(curved: bool, gamma: float) -> NDArray[np.uint8]:
    """What is shown of each share of light from 0 to 1, by the upper bits of its float32."""
    last = int(np.float32(1).view(np.uint32)) >> _DROPPED_BITS
    bits = (np.arange(last + 1, dtype=np.uint32) << _DROPPED_BITS) + (1 << (_DROPPED_BITS - 1))
    shares = np.minimum(bits.view(np.float32).astype(float), 1)
    shares = (encoded(shares) if curved else shares) ** (1 / gamma)
    return np.rint(255 * shares).astype(np.uint8)


def _by_blender(scene: Any, light: Light) -> NDArray[np.uint8]:
    """(H, W, 3), as Blender's colour management shows light (H, W, 4), opaque."""
    height, width = light.shape[:2]
    image = bpy.data.images.new(NAME, width, height, float_buffer=True)
    try:
        image.pixels.foreach_set(light[::-1].ravel())  # no copy of what Blender gave
        with ram_file() as file, image_settings(scene, "BMP", "RGB", "8"):
            image.save_render(f"/dev/fd/{file}", scene=scene)
            data = contents(file)
    finally:
        bpy.data.images.remove(image)
    return _bitmap(data, width, height)


def _bitmap(data: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """The pixels of an uncompressed bitmap of 24 bits: rows from below, each of whole words."""
    start = int.from_bytes(data[10:14], "little")
    stride = (3 * width + 3) // 4 * 4
    rows = np.frombuffer(data, np.uint8, height * stride, start).reshape(height, stride)
    return rows[::-1, : 3 * width].reshape(height, width, 3)[..., ::-1]
