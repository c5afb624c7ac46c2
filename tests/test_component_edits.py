# mypy: allow-untyped-defs, allow-untyped-calls
"""The edits that every engine takes, on scenes of components."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.errors import UnknownNameError
from heliograph.passes import PASSES

pytestmark = pytest.mark.usefixtures("backend")

WALL = hg.Box(key="wall", args=[4, 0.2, 4], position=[0, 2, 0], material={"color": "gray"})
CUBE = hg.Box(key="cube", args=[0.6, 0.6, 0.6], material={"color": "gray"})
EYE = hg.CameraView(key="eye", position=[0, -3, 0], lookAt=[0, 0, 0], width=60, height=60)


@pytest.fixture(scope="module")
def renderer(backend):
    with hg.open(hg.Scene(WALL, CUBE, EYE)) as made:
        yield made


def shot(renderer, *edits):
    return renderer.render(hg.View(("eye",), PASSES, edits=edits))["eye"]


def at_middle(frame, name):
    return frame[name][30, 30]


def test_colours_and_textures_change_rgb_alone(renderer):
    before = shot(renderer)
    red = shot(renderer, hg.EditMaterial(("cube",), rgba=(1.0, 0.0, 0.0, None), specular=0.0))
    assert at_middle(red, "rgb")[0] > 100
    assert at_middle(red, "rgb")[1:].max() < 60
    green = np.tile(np.array([0, 255, 0], np.uint8), (8, 8, 1))
    laid = shot(renderer, hg.EditMaterial(("cube",), texture=green, specular=0.0))
    assert at_middle(laid, "rgb")[1] > 2 * at_middle(laid, "rgb")[0]
    for changed in (red, laid):
        assert all(np.array_equal(changed[name], before[name]) for name in PASSES if name != "rgb")
    assert np.array_equal(shot(renderer).rgb, before.rgb)


def test_things_move_and_hide_after_the_tree_was_edited(renderer):
    pose = np.eye(4)
    pose[1, 3] = -0.5
    assert at_middle(shot(renderer, hg.MoveObject("cube", pose)), "depth") == pytest.approx(2.2)
    hidden = shot(renderer, hg.Hide(("cube",)))
    assert at_middle(hidden, "depth") == pytest.approx(4.9)
    ball = hg.Add(hg.Sphere(key="ball", args=[0.5], position=[0, -1, 0]))
    both = shot(renderer, hg.Hide(("ball",)), ball)
    assert np.array_equal(both.depth, shot(renderer).depth)


def test_moves_of_one_object_follow_each_other(renderer):
    there, turn = np.eye(4), np.eye(4)
    there[:3, 3] = 0.3, -0.5, 0.2
    turn[:3, :3] = [[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]
    turn[0, 3] = 0.2
    absolute = hg.MoveObject("cube", there, relative=False)
    alone = shot(renderer, absolute)
    for before in (turn, there):
        for relative in (True, False):
            first = hg.MoveObject("cube", before, 1.5, relative=relative)
            after = shot(renderer, first, absolute)
            assert all(np.array_equal(after[name], alone[name]) for name in PASSES)
    both = shot(renderer, absolute, hg.MoveObject("cube", turn))
    composed = shot(renderer, hg.MoveObject("cube", there @ turn, relative=False))
    assert all(np.array_equal(both[name], composed[name]) for name in PASSES)
    assert not np.array_equal(both.depth, alone.depth)


def test_lights_and_cameras(renderer):
    assert [item.name for item in renderer.scene.lights] == ["head"]
    dark = shot(renderer, hg.EditLight("head", active=False))
    assert dark.rgb.mean() < 0.7 * shot(renderer).rgb.mean()
    step = np.eye(4)
    step[2, 3] = -1.0
    move = hg.MoveCamera("eye", renderer.cameras["eye"].moved(step), relative=True)
    frame = shot(renderer, move)
    assert at_middle(frame, "depth") == pytest.approx(1.7)
    assert frame.camera.world_from_camera[1, 3] == pytest.approx(-2)


def test_backgrounds(renderer):
    frame = shot(renderer, hg.Hide(("cube", "wall")), hg.EditBackground((1.0, 0.0, 0.5)))
    assert frame.rgb[0, 0].tolist() == [255, 0, 128]


NARROW = hg.Camera.perspective(fov_y=1, width=9, height=9)


@pytest.mark.parametrize(
    "edit", [hg.Hide(("cub",)), hg.EditLight("had"), hg.MoveCamera("ey", NARROW)]
)
def test_unknown_names_are_told(renderer, edit):
    with pytest.raises(UnknownNameError, match="did you mean"):
        shot(renderer, edit)


def test_randomization_runs_on_components():
    config = {"randomizers": [{"type": "materials"}, {"type": "lights"}, {"type": "camera_jitter"}]}
    with hg.open(hg.Scene(WALL, CUBE, EYE), randomize=config, seed=3) as made:
        first, second = hg.samples(made, count=2, cameras=["eye"])
        again = made.render(hg.View(["eye"], seed=3, index=1))
    assert not np.array_equal(first["eye"].rgb, second["eye"].rgb)
    assert np.array_equal(again["eye"].rgb, second["eye"].rgb)


@pytest.mark.parametrize("kind", [hg.DirectionalLight, hg.SpotLight, hg.PointLight])
@pytest.mark.parametrize("edited", [False, True])
def test_what_an_edit_moves_far_away_casts_its_shadow(kind, edited):
    there, pose = np.eye(4), np.eye(4)
    there[:3, 3], pose[2, 3] = (3, 0, 6.5), 6
    light = kind(key="sun", position=[6, 0, 13], castShadow=True, intensity=200)
    if kind is hg.DirectionalLight:
        light = kind(key="sun", position=[2, 0, 4], castShadow=True)
    floor, ball = hg.Plane(key="floor", args=[2, 2]), hg.Sphere(key="ball", args=[0.4])
    camera = hg.Camera.perspective(fov_y=0.8, world_from_camera=pose, width=64, height=64)
    lit = [hg.EditLight("sun", casts_shadow=True)] * edited
    moves: dict[str, Any] = {
        "edit": {"edits": [*lit, hg.MoveObject("ball", pose=there, relative=False)]},
        "state": {"edits": lit, "state": {"ball": [3, 0, 6.5]}},
        "none": {"edits": [*lit, hg.Hide(["ball"])]},
    }
    with hg.open(hg.Scene(floor, ball, light)) as renderer:
        shots = {
            name: renderer.render(hg.View([camera], ("rgb",), **how))["camera"].rgb.astype(int)
            for name, how in moves.items()
        }
    assert (abs(shots["state"] - shots["none"]) > 10).any(-1).sum() > 50
    assert np.array_equal(shots["edit"], shots["state"])


HALF = np.full((8, 8, 4), 200, np.uint8)
HALF[:, :4, 3], HALF[:, 4:, 3] = 0, 255


@pytest.mark.parametrize("kind", [hg.Box, hg.Sphere, hg.Plane, hg.Cylinder])
@pytest.mark.parametrize("many", [False, True])
def test_alpha_of_an_edits_texture_makes_holes_as_a_map_does(kind, many):
    edit: hg.Edit = hg.EditMaterial("o", texture=HALF)
    if many:
        edit = hg.EditMaterials([["o"]], texture=[0], images=[HALF])
    view = hg.View(["fit"], passes=PASSES)
    with hg.open(hg.Scene(kind(key="o", material={"map": HALF})), size=(64, 64)) as mapped:
        solid, holed = (
            mapped.render(hg.View(["fit"], PASSES, edits=edits))["fit"]
            for edits in ([hg.EditMaterial("o", texture=HALF[..., :3])], [])
        )
    with hg.open(hg.Scene(kind(key="o")), size=(64, 64)) as plain:
        before = plain.render(view)["fit"]
        cut = plain.render(hg.View(["fit"], PASSES, edits=[edit]))["fit"]
        clear = hg.EditMaterial("o", texture=HALF[:, :4])
        gone = plain.render(hg.View(["fit"], PASSES, edits=[clear]))["fit"]
        back = [edit, hg.EditMaterial("o", texture=HALF[..., :3])]
        whole = plain.render(hg.View(["fit"], PASSES, edits=back))["fit"]
        again = [edit, hg.EditMaterial("o", rgba=(1, 1, 1, 1))]
        kept = plain.render(hg.View(["fit"], PASSES, edits=again))["fit"]
    seen = (before.segmentation > 0).sum()
    assert 0 < (cut.segmentation > 0).sum() < seen
    assert 0 < (holed.segmentation > 0).sum() < seen
    assert (gone.segmentation == 0).all()
    for opaque in (whole, solid):
        assert np.array_equal(opaque.segmentation > 0, before.segmentation > 0)
    assert np.array_equal(kept.segmentation, cut.segmentation)
