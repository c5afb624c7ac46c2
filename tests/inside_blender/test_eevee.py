"""Style `eevee`: its rgb, and the passes that it has of style `fast`."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest

import blender_shapes as made
from heliograph.camera import Camera
from heliograph.colour import encoded
from heliograph.engines.blender.eevee import EeveeStyle
from heliograph.engines.blender.fast import FastStyle
from heliograph.errors import ClosedError
from heliograph.frame import allocate
from heliograph.passes import KNOWN_PASSES, RGB, specs

OTHERS = {name: spec for name, spec in KNOWN_PASSES.items() if name != "rgb"}


def draw(style: Any, wanted: Any, **changes: Any) -> dict[str, np.ndarray]:
    pose = np.eye(4)
    pose[2, 3] = 9.0
    camera = Camera.orthographic(extent_y=4.0, world_from_camera=pose, width=12, height=9)
    arrays = allocate(camera, wanted)
    style.draw(made.shown(bpy.context.scene, **changes), [camera], wanted, [arrays])
    return arrays


def test_rgb_is_eevee_s_and_the_rest_that_of_fast() -> None:
    scene = made.empty_scene()
    made.plane(scene, "Card", 1.0, 0.5, made.material("White"))
    made.sun(scene, 2.0)
    fast = FastStyle()
    expected = draw(fast, OTHERS)
    style = EeveeStyle(1)
    assert set(style.passes) == set(KNOWN_PASSES)
    first = draw(style, KNOWN_PASSES)
    again = draw(fast, OTHERS)  # contexts of Blender's and of ours take turns
    edited = draw(style, specs(RGB), background=(0.2, 0.4, 1.0))
    last = draw(style, OTHERS)
    for name, array in expected.items():
        for other in (first, again, last):
            assert np.array_equal(array, other[name]), name
    assert np.abs(first["rgb"][4, 6] - 255 * encoded(2.0 / np.pi)).max() <= 1.0
    assert first["rgb"][0, 0].tolist() == [0, 0, 0]
    assert edited["rgb"][0, 0].tolist() == [51, 102, 255]
    assert edited["rgb"][4, 6].tolist() == first["rgb"][4, 6].tolist()
    for each in (style, fast):
        each.close()
    with pytest.raises(ClosedError):
        draw(style, KNOWN_PASSES)
