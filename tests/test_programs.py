# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Programs: the same bits from those to measure and those that are shared, and never many."""

from __future__ import annotations

import gc
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import heliograph as hg
from heliograph.engines.components import ComponentEngine
from heliograph.passes import KNOWN_PASSES
from heliograph.poses import look_at
from heliograph.raster import RasterOptions
from heliograph.raster.gl import programs
from heliograph.scene import EditLight
from heliograph.view import View

pytestmark = pytest.mark.usefixtures("gl")

NAMES = ("rgb", "alpha", "depth", "normals", "segmentation", "distance")
TEXTURE = np.random.default_rng(0).integers(0, 255, (8, 8, 4), np.uint8)
LIGHTS = (
    hg.DirectionalLight(key="sun", position=[1, -1, 3], castShadow=True, intensity=0.4),
    hg.PointLight(key="lamp", position=[1, 0, 2.5], castShadow=True, intensity=0.5),
    hg.SpotLight(key="spot", position=[-1, 0, 3], angle=0.5, intensity=2.0),
)
FEW = (
    hg.Plane(key="floor", args=[6, 6]),
    hg.Sphere(key="ball", args=[0.4], position=[1, 0.5, 0.5]),
)
MANY = (
    *FEW,
    hg.Box(key="box", args=[0.6, 0.6, 0.6], material={"map": TEXTURE, "alphaTest": 0.5}),
    hg.Capsule(key="glass", position=[-1, 0, 0.5], scale=0.4, material={"opacity": 0.4}),
    hg.Cylinder(key="can", position=[0, 1, 0.4], scale=0.3, material={"emissive": "red"}),
    hg.Torus(key="ring", args=[0.5, 0.1], position=[-1, 1, 0.4]),
)


def camera(ortho=False, width=48, height=36):
    pose = look_at((0.4, -2.1, 3.3), (0.1, 0.2, 0.0))
    common = {"world_from_camera": pose, "width": width, "height": height, "name": "eye"}
    if ortho:
        return hg.Camera.orthographic(extent_y=3.5, near=0.1, far=20, **common)
    return hg.Camera.perspective(fov_y=0.9, near=0.1, far=20, **common)


def drawn(engine, view):
    frame = next(iter(engine.render(view)))
    return {name: np.array(frame[name]) for name in view.passes}


def sets():
    return [chosen for number in (1, 2, 6) for chosen in combinations(NAMES, number)]


@pytest.mark.parametrize("ortho", [False, True])
@pytest.mark.parametrize("msaa", [0, 4])
def test_each_pass_has_the_same_bits_in_any_company(ortho, msaa):
    assert set(NAMES) == set(KNOWN_PASSES)
    engine = ComponentEngine(hg.Scene(*MANY, *LIGHTS), options=RasterOptions(msaa=msaa))
    every = drawn(engine, View((camera(ortho),), passes=NAMES))
    assert every["rgb"].std() > 10
    for passes in sets():
        alone = drawn(engine, View((camera(ortho),), passes=passes))
        for name in passes:
            assert np.array_equal(alone[name], every[name]), (passes, name)
    engine.close()


def resident():
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


@pytest.mark.parametrize("msaa", [0, 4])
def test_views_of_all_sorts_need_few_programs_and_leave_nothing_behind(msaa, monkeypatch):
    most, shapes = 12, len(FEW)
    monkeypatch.setattr(programs, "_MOST", most)
    rng = np.random.default_rng(0)
    passes = sets()

    def a_view():
        edits = tuple(
            EditLight(light.key, active=bool(on), casts_shadow=bool(casts))
            for light, on, casts in zip(
                LIGHTS, rng.random(3) < 0.8, rng.random(3) < 0.5, strict=True
            )
        )
        eye = camera(rng.random() < 0.5, *rng.integers(1, 50, 2).tolist())
        return View((eye,), passes=passes[rng.integers(len(passes))], edits=edits)

    views = [a_view() for _ in range(30)]
    scene = hg.Scene(*FEW, *LIGHTS)
    engine = ComponentEngine(scene, options=RasterOptions(msaa=msaa))
    compiled = engine._rasterizer._pipeline._programs
    pictures, memory = [], []
    for view in views:
        pictures.append(drawn(engine, view))
        assert len(compiled._compiled) <= most + 2 * (shapes + 1) + 1
        memory.append(resident())
    assert memory[-1] - memory[len(memory) // 2] < 20
    engine.close()
    other = ComponentEngine(scene, options=RasterOptions(msaa=msaa))
    for view, before in [*zip(views, pictures, strict=True)][::-9]:
        again = drawn(other, view)
        assert all(np.array_equal(again[name], before[name]) for name in view.passes)
    other.close()
