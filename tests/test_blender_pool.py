"""Blender in worker processes under an interpreter of its own, driven from this one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

import heliograph as hg
from heliograph.cli import main
from heliograph.frame import Sample

SCENE = Path(__file__).with_name("blender_scene.py")
SIZE = (48, 36)
COUNT = 12


def views(count: int = COUNT) -> list[hg.View]:
    return [
        hg.View(
            passes=("rgb", "depth", "normals", "segmentation"),
            state={"frame": 1 + index % 5, 'objects["Cube"].location': [0.1 * index, 0.0, 0.5]},
            edits=[hg.EditMaterial("Cube", rgba=(index / count, 0.4, 0.2, 1.0))],
            seed=7,
            index=index,
        )
        for index in range(count)
    ]


def bits(sample: Sample) -> list[bytes]:
    return [array.tobytes() for frame in sample for array in frame.passes.values()]


@pytest.mark.parametrize("style", ["fast", "cycles"])
def test_killed_blenders_lose_nothing_and_change_no_pixel(style: str) -> None:
    options = {"style": style, "samples": 2}
    with hg.Pool("blender", str(SCENE), 1, {"size": SIZE, **options}) as pool:
        undisturbed = [bits(sample) for sample in pool.map(views())]
    with hg.Pool("blender", str(SCENE), 2, {"size": SIZE, **options}, max_kills=5) as pool:
        found = []
        for number, sample in enumerate(pool.map(views(), window=4)):
            if number in (2, 6):
                os.kill(pool.pids[0], signal.SIGKILL)
            found.append(sample)
        stats = pool.stats()
    assert [sample.index for sample in found] == list(range(COUNT))
    assert stats.died >= 1
    for sample, expected in zip(found, undisturbed, strict=True):
        assert bits(sample) == expected, sample.index
    assert len({each[0] for each in undisturbed}) == COUNT  # and they differ


def test_what_is_random_is_drawn_in_blender_whose_numpy_is_another_one() -> None:
    paint = {"type": "materials", "colour": {"hsv": [{"uniform": [0, 1]}, 0.5, 0.9]}}
    around = {"type": "camera_orbit"}
    found = []
    for workers in (0, 1, 2):
        with hg.open(
            SCENE,
            engine="blender",
            size=SIZE,
            workers=workers,
            seed=5,
            randomize={"randomizers": [paint, around]},
        ) as renderer:
            found.append([bits(each) for each in hg.samples(renderer, count=3)])
    assert found[0] == found[1] == found[2]
    assert len({each[0] for each in found[0]}) == 3


def test_without_workers_blender_draws_in_a_process_beside_this_one() -> None:
    view = views()[3]
    with hg.open(SCENE, engine="blender", size=SIZE) as renderer:
        assert isinstance(renderer, hg.LocalRenderer)
        alone = renderer.render(view)
        out = [{"rgb": np.zeros((*SIZE[::-1], 3), np.uint8)}]
        rgb = hg.View(
            passes=("rgb",), state=view.state, edits=view.edits, seed=view.seed, index=view.index
        )
        drawn = renderer.engine.render(rgb, out)
        assert drawn[next(iter(drawn.frames))].rgb is out[0]["rgb"]
        levels = [next(iter(each)).rgb.shape for each in renderer.refine(rgb)]
        many = renderer.engine.render_many([rgb, view, hg.View(cameras=["nobody"])])
        assert "Cube" in renderer.scene.objects.names
        assert renderer.provenance.engine == "blender"
        with pytest.raises(hg.InvalidValueError, match="its scene does not change"):
            renderer.advance([hg.Hide("Cube")])
    assert np.array_equal(next(iter(alone)).rgb, out[0]["rgb"])
    assert levels[-1] == out[0]["rgb"].shape
    assert isinstance(many[0], Sample)
    assert isinstance(many[1], Sample)
    assert bits(many[1]) == bits(alone)
    assert isinstance(many[2], hg.UnknownNameError)


def test_a_scene_of_components_is_drawn_as_the_component_engine_draws_it() -> None:
    tree = hg.Scene(
        hg.Box(key="crate", args=[1, 1, 1], position=[0, 0, 0.5]),
        hg.Sphere(key="ball", args=[0.5], position=[1.2, 0, 0.5]),
        hg.DirectionalLight(key="sun", position=[2, -1, 4], intensity=2.0),
    )
    camera = hg.Camera.look_at(
        eye=(3, -4, 2.5), target=(0.5, 0, 0.4), fov_y=0.7, width=96, height=72
    )
    view = hg.View(cameras=[camera], passes=("rgb", "depth", "segmentation"))
    with hg.open(tree) as ours, hg.open(tree, engine="blender") as blender:
        expected, found = (each.render(view)["camera"] for each in (ours, blender))
        assert blender.labels == ours.labels
    same = found.segmentation == expected.segmentation
    assert same.mean() >= 0.995
    hit = same & (expected.segmentation > 0)
    close = np.isclose(found.depth[hit], expected.depth[hit], rtol=1e-3)
    assert close.mean() >= 0.99
    assert 0.1 < hit.mean() < 0.9


def test_a_file_that_is_no_blender_s_is_refused_by_name(tmp_path: Path) -> None:
    broken = tmp_path / "broken.blend"
    broken.write_bytes(b"BLENDER-v404" + bytes(100))
    with pytest.raises(hg.SceneError, match=r"broken\.blend"):
        hg.open(broken)
    with pytest.raises(hg.UnknownNameError, match="option of the blender engine 'smaples'"):
        hg.open(SCENE, engine="blender", engine_options={"smaples": 3})


def test_pictures_from_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "pictures"
    drawn = ["--option", "style=cycles", "samples=1", "--msaa", "0", "--size", "48x36"]
    with pytest.raises(SystemExit) as left:
        main(["render", str(SCENE), "--engine", "blender", "--out", str(out), *drawn])
    assert left.value.code == 0
    assert len(list(out.rglob("*.png"))) > 2
