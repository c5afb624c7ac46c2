"""Cameras that edits bring are drawn once a view: what the driver does not know, it learns."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

import heliograph as hg
from heliograph.pool import Pool

ENGINE = '''
from dataclasses import replace

from heliograph.engines.components import ComponentEngine


class CountingEngine(ComponentEngine):
    """Tells in each sample how often it has drawn."""

    def __init__(self, source, *, size=(320, 240)):
        super().__init__(source, size=size)
        self.calls = 0

    def render(self, view, out=None):
        self.calls += 1
        return replace(super().render(view, out), annotations={"calls": self.calls})
'''
SCENE = hg.Scene(
    hg.Sphere(key="ball", radius=0.4),
    hg.CameraView(key="eye", position=[0, -3, 0], width=16, height=12),
)


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`counting` is an engine of this process and of those it starts."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "counting_engine.py").write_text(ENGINE)
    facts = folder / "counting_engine-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: counting-engine\nVersion: 1.0\n")
    entry = "[heliograph.engines]\ncounting = counting_engine:CountingEngine\n"
    (facts / "entry_points.txt").write_text(entry)
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        yield


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool("counting", SCENE, 1) as opened:
        yield opened


def view(x: float, width: int = 700, name: str = "new", index: int = 0) -> hg.View:
    camera = hg.CameraView(key=name, position=[x, -2, 0.5], width=width, height=300)
    return hg.View([name], ("rgb", "depth"), edits=[hg.Add(camera)], seed=0, index=index)


def calls(sample: hg.Sample) -> int:
    return int(sample.annotations["calls"])


def test_a_camera_of_a_size_seen_before_is_drawn_once(pool: Pool) -> None:
    views = [view(0.1 * i, index=i) for i in range(12)]
    samples = [pool.render(each) for each in views]
    assert samples[-1]["new"].rgb.shape == (300, 700, 3)
    # The first may be drawn twice: nobody knew the size.
    assert calls(samples[0]) <= 2
    assert np.diff([calls(sample) for sample in samples]).tolist() == [1] * 11


def test_so_are_many_in_flight(pool: Pool) -> None:
    pool.render(view(0))
    before = calls(pool.render(view(0)))
    samples = list(pool.map([view(0.01 * i, index=i) for i in range(40)]))
    assert sorted(calls(sample) - before for sample in samples) == list(range(1, 41))
    assert [sample.index for sample in samples] == list(range(40))


def test_two_sizes_in_turn_are_both_remembered(pool: Pool) -> None:
    for width in (700, 500, 700, 500):
        sample = pool.render(view(0, width=width, name=f"new{width}"))
        assert sample[f"new{width}"].rgb.shape == (300, width, 3)
    before = calls(sample)
    for turn, width in enumerate((700, 500, 700, 500), 1):
        assert calls(pool.render(view(0, width=width, name=f"new{width}"))) == before + turn


def test_a_camera_that_grew_is_whole(pool: Pool) -> None:
    sizes = (40, 700, 20, 900, 40)
    with hg.open(SCENE, engine="counting") as here:
        for width in sizes:
            made, expected = (each.render(view(0, width=width))["new"] for each in (pool, here))
            assert made.camera == expected.camera
            assert np.array_equal(made.rgb, expected.rgb)
            assert np.array_equal(made.depth, expected.depth)


def test_a_frame_of_the_scene_s_own_camera_beside_it_is_drawn_once(pool: Pool) -> None:
    def both(index: int) -> hg.View:
        camera = hg.CameraView(key="new", position=[0, -2, 0.5], width=700, height=500)
        return hg.View(["eye", "new"], edits=[hg.Add(camera)], seed=0, index=index)

    before = calls(pool.render(both(0)))
    assert [calls(pool.render(both(index))) - before for index in range(1, 6)] == [1, 2, 3, 4, 5]


def test_a_camera_that_replaces_one_of_the_scene_s_is_drawn_once(pool: Pool) -> None:
    def replaced(index: int) -> hg.View:
        eye = hg.CameraView(key="eye", position=[0, -3, 0], width=90, height=70)
        return hg.View(["eye"], edits=[hg.Upsert(eye)], seed=0, index=index)

    first = pool.render(replaced(0))
    assert first["eye"].rgb.shape == (70, 90, 3)
    found = [calls(pool.render(replaced(index))) - calls(first) for index in range(1, 6)]
    assert found == [1, 2, 3, 4, 5]
