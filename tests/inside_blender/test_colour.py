"""Light as Blender's view transforms show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from PIL import Image

import blender_shapes as made
from heliograph.engines.blender.colour import as_shown

BLACK = (0.0, 0.0, 0.0)


def light(height: int = 5, width: int = 7) -> np.ndarray:
    """Opaque, some of it below black and beyond white."""
    numbers = np.random.default_rng(0).uniform(-0.1, 1.5, (height, width, 4)) ** 3
    numbers[..., 3] = 1
    return numbers.astype(np.float32)


def by_file(scene: Any, linear: np.ndarray, path: Path) -> np.ndarray:
    """What Blender itself writes to a PNG of 8 bits, without dither."""
    height, width = linear.shape[:2]
    image = bpy.data.images.new("Light", width, height, float_buffer=True)
    image.pixels.foreach_set(linear[::-1].ravel())
    scene.render.image_settings.file_format, scene.render.dither_intensity = "PNG", 0.0
    scene.render.image_settings.color_mode = "RGB"
    image.save_render(str(path), scene=scene)
    bpy.data.images.remove(image)
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize("transform", ["Standard", "Raw"])
@pytest.mark.parametrize(("exposure", "gamma"), [(0.0, 1.0), (1.5, 1.0), (-0.5, 2.2)])
def test_formulas_are_blender_s(
    transform: str, exposure: float, gamma: float, tmp_path: Path
) -> None:
    scene = made.empty_scene()
    view = scene.view_settings
    view.view_transform, view.exposure, view.gamma = transform, exposure, gamma
    given = light(40, 41)
    theirs = by_file(scene, given, tmp_path / "a.png")
    assert np.abs(as_shown(scene, given, BLACK) - theirs).max() <= 1
    assert (as_shown(scene, given, BLACK) == theirs).mean() > 0.99


@pytest.mark.parametrize("change", ["AgX", "Filmic", "look", "curves"])
def test_others_are_blender_s_own(change: str, tmp_path: Path) -> None:
    scene = made.empty_scene()
    view = scene.view_settings
    if change == "curves":
        view.use_curve_mapping = True
        view.curve_mapping.curves[3].points[1].location = (1.0, 0.5)
        view.curve_mapping.update()
    else:
        view.view_transform = "AgX" if change == "look" else change
    if change == "look":
        view.look = "AgX - Punchy"
    plain = light()
    theirs = by_file(scene, plain, tmp_path / "a.png")
    assert np.array_equal(as_shown(scene, plain, BLACK), theirs)
    scene.view_settings.view_transform, view.look = "Standard", "None"
    view.use_curve_mapping = False
    assert np.abs(as_shown(scene, plain, BLACK) - theirs).max() > 5


@pytest.mark.parametrize("transform", ["Standard", "Raw", "AgX"])
def test_a_background_is_seen_as_it_is_given(transform: str) -> None:
    scene = made.empty_scene()
    view = scene.view_settings
    view.view_transform, view.exposure, view.gamma = transform, 2.0, 1.7
    half = light()
    half[0] = 0.0
    half[1] *= 0.5
    shown = as_shown(scene, half, (0.2, 0.4, 1.0))
    assert (shown[0] == (51, 102, 255)).all()
    assert np.array_equal(shown[2:], as_shown(scene, half, BLACK)[2:])
    assert (shown[1, :, 2] > as_shown(scene, half, BLACK)[1, :, 2]).any()


def test_nothing_of_it_stays() -> None:
    scene = made.empty_scene()
    scene.view_settings.view_transform = "AgX"
    written = scene.render.image_settings
    written.file_format, written.color_mode, written.color_depth = "OPEN_EXR", "RGBA", "32"
    given = light()
    kept = given.copy()
    as_shown(scene, given, (1.0, 0.0, 0.0))
    assert np.array_equal(given, kept)
    assert (written.file_format, written.color_mode, written.color_depth) == (
        "OPEN_EXR",
        "RGBA",
        "32",
    )
    assert len(bpy.data.images) == 0
    assert scene.render.dither_intensity == 1.0


def test_zeros_with_a_sign_and_what_is_no_number_are_black() -> None:
    scene = made.empty_scene()
    odd = light()
    odd[..., :3] = (-0.0, np.nan, -np.inf)
    odd[0, ..., :3] = np.inf
    shown = as_shown(scene, odd, BLACK)
    assert (shown[0] == 255).all()
    assert (shown[1:] == 0).all()
