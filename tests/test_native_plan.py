# mypy: allow-untyped-calls
"""What is drawn, in which order and how finely is the same natively as in `raster/plan.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.raster import RasterOptions
from heliograph.raster import plan as planning
from heliograph.raster.cpu.numbers import camera_numbers
from heliograph.raster.cpu.rasterizer import CpuRasterizer
from heliograph.raster.plan import LodPolicy
from heliograph.raster.prepared import PlacedInstances, place
from heliograph.raster.sort_keys import BOXED
from random_draw_lists import SceneMaker

POLICIES = (
    LodPolicy(vertex_lit=False, cast=True, reflected=False),
    LodPolicy(vertex_lit=True, cast=True, reflected=False),
    LodPolicy(vertex_lit=False, cast=True, reflected=True),
    LodPolicy(vertex_lit=False, cast=False, reflected=False),
    LodPolicy(vertex_lit=False, cast=False, reflected=True),
)
SEEDS = range(0, 60, 5)


@pytest.fixture(scope="module")
def drawer() -> Iterator[CpuRasterizer]:
    made = CpuRasterizer(RasterOptions(backend="cpu"))
    yield made
    made.close()


def agree(drawer: CpuRasterizer, seed: int, *, tame: bool) -> int:
    """How many things are drawn of a random scene, checked to be the same ones on both ways."""
    maker = SceneMaker(seed, drawer, tame=tame)
    scene, count = maker.scene(), 0
    prepared, scaling = drawer._place(scene)
    with np.errstate(all="ignore"):
        placed = place(prepared, scaling, scene.instances.transforms, drawer._geometries.tables)
        for camera in maker.cameras():
            for seen in (camera, replace(camera, near=min(1.0, camera.far / 2))):
                for policy in POLICIES:
                    count += _compare(drawer, placed, seen, policy)
    maker.release(scene)
    return count


def _drawn_of_all(drawer: CpuRasterizer) -> int:
    return sum(agree(drawer, seed, tame=True) for seed in SEEDS)


def _compare(
    drawer: CpuRasterizer, placed: PlacedInstances, camera: Camera, policy: LodPolicy
) -> int:
    mask = np.arange(len(placed.pose)) % 3 > 0 if policy.reflected else None
    facing = planning.facing(placed, camera) if policy.cast else None
    both = [each for each in (mask, facing) if each is not None]
    with pytest.MonkeyPatch.context() as patched:
        if policy.cast and not policy.vertex_lit:  # natively near planes may cut boxes then
            patched.setattr(planning, "_ROOM", -np.inf)
        wanted = np.logical_and.reduce(both) if both else None
        planned = planning.plan(placed, camera, wanted, policy)
    native, (first, last) = drawer._native.plan(
        drawer._instances,
        camera_numbers(camera),
        *camera.size,
        camera.projection is Projection.ORTHOGRAPHIC,
        [policy.vertex_lit, policy.reflected, not policy.cast],
        mask,
    )
    expected = _rows(planned)
    order = {row[0]: number for number, row in enumerate(expected.tolist())}
    numbers = [order[row[0]] for row in native]
    assert numbers == sorted(numbers)
    assert native == expected[numbers].tolist()
    beside = np.setdiff1d(np.arange(len(expected)), numbers)  # their boxes are not in the picture
    assert not any(_in_picture(placed, camera, row) for row in expected[beside, 0].tolist())
    if not len(beside):
        assert np.allclose((first, last), planning.reach(planned, placed, camera), rtol=1e-9)
    return len(native)


def _rows(planned: planning.Plan) -> NDArray[np.int64]:
    """Instance, first index, indices (0 of what is a box) and whether it is one."""
    commands = planned.commands.astype(np.int64)
    boxed = np.zeros(len(commands), np.int64)
    for group in (*planned.opaque, *planned.transparent):
        boxed[group.first : group.first + group.number] = group.kind.boxed
    counts = np.where(boxed > 0, 0, commands[:, 0])
    return np.stack([commands[:, 4], commands[:, 2], counts, boxed], axis=1)


def _in_picture(placed: PlacedInstances, camera: Camera, row: int) -> bool:
    """Whether a thing's box comes before the eye, or its corners' rectangle into the picture."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    axes = placed.pose[row, :, :3] @ (signs * placed.half[row]).T
    corners = placed.centre[row] + axes.T
    if placed.prepared.commands[row, :, 0].max() == 0:
        return False  # nothing is left of it
    view = camera.camera_from_world
    seen = corners @ view[:3, :3].T + view[:3, 3]
    if camera.projection is Projection.PERSPECTIVE and (-seen[:, 2] <= camera.near).any():
        return True
    pixels = camera.project(corners)
    width, height = camera.size
    outside = (pixels < 0).all(0) | (pixels > (width, height)).all(0)
    return not outside.any()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("tame", [True, False])
def test_both_plan_alike(drawer: CpuRasterizer, seed: int, tame: bool) -> None:
    agree(drawer, seed, tame=tame)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("REFLECTED", lambda value: value * 1.2),
        ("_ROOM", lambda value: value * 1.2),
        ("_ROUNDING", lambda value: value * 1.2),
        ("_BOXED", lambda value: np.roll(value, -1)),
    ],
)
def test_another_constant_would_show(
    name: str,
    change: Callable[[Any], Any],
    drawer: CpuRasterizer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, name, change(getattr(planning, name)))
    with pytest.raises(AssertionError):
        _drawn_of_all(drawer)


def test_there_is_something_to_plan(drawer: CpuRasterizer) -> None:
    assert _drawn_of_all(drawer) > 1000
    assert BOXED in planning._BOXED
