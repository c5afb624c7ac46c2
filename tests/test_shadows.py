"""Shadows of linear light: where they fall, how soft they are, and that nothing shades itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.shared.lights import covering
from heliograph.raster import (
    DrawList,
    Environment,
    Instances,
    Light,
    Lighting,
    LightKind,
    Rasterizer,
    Shading,
    Shape,
)

pytestmark = pytest.mark.usefixtures("backend")

HEIGHT, EDGE, SPAN = 4.0, 2.0, 400
DOWN = Camera.orthographic(
    extent_y=2.0,
    world_from_camera=np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1.0], [0, 0, 0, 1]]),
    width=SPAN,
    height=SPAN,
    near=0.1,
    far=3.0,
)
"""Looks straight down at the floor from below what casts the shadow."""


def light(kind: LightKind, size: float = 0.0) -> Light:
    """A light straight above, as bright as 1 on the floor in its middle; others are corrected."""
    made = Light(
        kind,
        position=(0.0, 0.0, HEIGHT),
        diffuse=(2.0, 2.0, 2.0),
        cutoff=0.9,
        exponent=0.0,
        casts_shadow=True,
        size=size,
    )
    return covering(made, (np.zeros(3), 5.0))


def shaded(rasterizer: Rasterizer, instances: Instances, shining: Light) -> NDArray[np.float64]:
    """How much of the light arrives at each pixel (H, W) of the floor."""
    pictures = []
    for casts in (True, False):
        scene = DrawList(
            instances, (replace(shining, casts_shadow=casts),), lighting=Lighting.STANDARD
        )
        out = {"rgb": np.zeros((SPAN, SPAN, 3), np.uint8)}
        rasterizer.draw(scene, [DOWN], ("rgb",), [out])
        pictures.append(linear(out["rgb"][..., 0]))
    share: NDArray[np.float64] = pictures[0] / pictures[1]
    return share


def linear(shown: NDArray[np.uint8]) -> NDArray[np.float64]:
    part = shown / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def half_covered() -> Instances:
    """A floor, and a slab over all of it that is left of x = 0."""
    made = Instances.blank(2)
    made.table.geometry[:] = np.array([Shape.PLANE, Shape.BOX])
    made.table.shading[:] = Shading.LAMBERT
    made.materials.rgba[:] = 1.0
    made.transforms.world_from_object[0, :, :3] *= 3.0
    made.transforms.world_from_object[1] = [
        [1.5, 0.0, 0.0, -1.5],
        [0.0, 3.0, 0.0, 0.0],
        [0.0, 0.0, 0.001, EDGE],
    ]
    return made


def covered_disk(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of a disk of radius 1 is beyond a line at `offset` from its middle."""
    at = np.clip(offset, -1.0, 1.0)
    part: NDArray[np.float64] = (np.arccos(at) - at * np.sqrt(1 - at * at)) / np.pi
    return part


KINDS = (LightKind.DIRECTIONAL, LightKind.POINT, LightKind.SPOT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_point_s_shadow_ends_where_the_ray_past_an_edge_meets_the_floor(
    rasterizer: Rasterizer, kind: LightKind
) -> None:
    share = shaded(rasterizer, half_covered(), light(kind))
    x = (np.arange(SPAN) + 0.5) / SPAN * 2 - 1
    middle = share[SPAN // 2 - 40 : SPAN // 2 + 40]
    assert (middle[:, x < -0.03] < 0.02).all()
    assert (middle[:, x > 0.03] > 0.98).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_rim_is_as_soft_as_the_light_is_large(rasterizer: Rasterizer, kind: LightKind) -> None:
    size = 0.15
    shining = light(kind, size)
    # The light seen past the edge, on the floor: of parallel light it grows with the distance.
    wide = size * EDGE if kind is LightKind.DIRECTIONAL else size * (HEIGHT - EDGE) / EDGE
    share = shaded(rasterizer, half_covered(), shining)
    x = (np.arange(SPAN) + 0.5) / SPAN * 2 - 1
    got = share[SPAN // 2 - 40 : SPAN // 2 + 40].mean(0)
    want = covered_disk(-x / wide)
    inside = np.abs(x) < 0.9
    assert np.abs(got - want)[inside].mean() < 0.02
    assert np.abs(got - want)[inside].max() < 0.12
    soft = (got > 0.05) & (got < 0.95)
    assert soft.sum() / SPAN * 2 > wide


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0.0, 0.1])
def test_nothing_convex_shades_itself(rasterizer: Rasterizer, kind: LightKind, size: float) -> None:
    random = np.random.default_rng(7)
    camera = Camera.look_at(eye=(2, -3, 2), target=(0, 0, 0), fov_y=0.5, width=200, height=150)
    wrong = seen = 0
    for shape in (Shape.SPHERE, Shape.BOX, Shape.CYLINDER, Shape.CAPSULE) * 2:
        turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
        turn[:, 0] *= np.sign(np.linalg.det(turn))
        made = Instances.blank(1)
        made.table.geometry[:], made.table.shading[:] = shape, Shading.LAMBERT
        made.transforms.world_from_object[0, :, :3] = 0.5 * turn
        shining = replace(light(kind, size), position=(2.0, -1.0, 3.0), direction=(-2.0, 1.0, -3.0))
        shining = covering(shining, (np.zeros(3), 2.0))
        pictures = []
        for casts in (True, False):
            lights = (replace(shining, casts_shadow=casts),)
            scene = DrawList(made, lights, Environment((0, 0, 1)), lighting=Lighting.STANDARD)
            out = {"rgb": np.zeros((150, 200, 3), np.uint8)}
            rasterizer.draw(scene, [camera], ("rgb",), [out])
            pictures.append(out["rgb"][..., 0].astype(int))
        wrong += int((pictures[1] - pictures[0] > 8).sum())
        seen += int((pictures[1] > 8).sum())
    assert seen > 20_000
    assert wrong / seen < 2e-3


def test_a_one_sided_floor_stops_light_from_below(rasterizer: Rasterizer) -> None:
    made = Instances.blank(2)
    made.table.geometry[:] = np.array([Shape.PLANE, Shape.SPHERE])
    made.table.shading[:] = Shading.LAMBERT
    made.transforms.world_from_object[0, :, :3] *= 5.0
    made.transforms.world_from_object[1, :, :3] *= 0.5
    made.transforms.world_from_object[1, 2, 3] = 1.0
    camera = Camera.look_at(eye=(0, -4, 1), target=(0, 0, 1), fov_y=0.5, width=64, height=64)
    for kind in KINDS:
        below = replace(light(kind), position=(0.0, 0.0, -2.0), direction=(0.0, 0.0, 1.0))
        shining = covering(below, (np.zeros(3), 5.0))
        out = {"rgb": np.zeros((64, 64, 3), np.uint8)}
        scene = DrawList(made, (shining,), lighting=Lighting.STANDARD)
        rasterizer.draw(scene, [camera], ("rgb",), [out])
        assert out["rgb"].max() == 0
