# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""The component engine: cameras, labels, state, edits, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

import heliograph
from component_scenes import ALL, FRONT, shown
from heliograph.camera import Camera
from heliograph.engine import Engine
from heliograph.engines.components import ComponentEngine
from heliograph.errors import ClosedError, InvalidValueError, SceneError, UnknownNameError
from heliograph.scene import (
    Add,
    Box,
    CameraView,
    Cone,
    Edit,
    Group,
    Mesh,
    Plane,
    Remove,
    Scene,
    Set,
    Sphere,
    Torus,
    Update,
    Upsert,
)
from heliograph.view import View

ASKEW = Camera.look_at(
    eye=(2, -3, 1.5), target=(0, 0, 0), fov_y=0.7, width=160, height=120, name="askew", far=100
)
EDITS = (
    Add(Box(key="new", position=[0.5, 0, 0])),
    Update(Sphere(key="ball", scale=0.5)),
    Upsert(Sphere(key="other", position=[-1, 0, 0])),
    Remove("ball"),
    Set(Scene(Box(key="box"))),
)


@pytest.fixture
def engine():
    scene = Scene(
        Sphere(key="ball", args=[0.5], material={"color": "red"}),
        Group(
            Box(key="box", position=[1, 0, 0]), key="arm", position=[0, 0, 1], rotation=[0, 0, 0.5]
        ),
        CameraView(key="ego", position=[0, -5, 0], lookAt=[0, 0, 0], width=120, height=90),
    )
    made = ComponentEngine(scene, size=(120, 90))
    yield made
    made.close()


def test_cameras_stand_on_their_parents():
    scene = Scene(
        Sphere(),
        Group(
            CameraView(key="ego", position=[0, 0, 5], fov=40, width=64, height=48),
            CameraView(key="eye", position=[1, 0, 0], lookAt=[0, 0, 0]),
            rotation=[math.pi / 2, 0, 0],
            position=[1, 0, 0],
            scale=2,
        ),
        CameraView(key="map", position=[0, 0, 5], ctype="orthographic", extent=3, far=10),
    )
    engine = ComponentEngine(scene)
    try:
        cameras = engine.cameras
        assert list(cameras) == ["ego", "eye", "map", "fit"]
        ego = cameras["ego"]
        assert np.allclose(ego.world_from_camera[:3, 3], [1, -10, 0])
        assert np.allclose(ego.world_from_camera[:3, 2], [0, -1, 0])
        assert ego.fov_y == pytest.approx(math.radians(40))
        assert (ego.size, ego.near, ego.far) == ((64, 48), 0.1, 20.0)
        assert np.allclose(cameras["eye"].project(np.zeros(3)), [160, 120])
        sample = engine.render(View(("map", "ego"), ("depth",)))
        assert sample["map"].depth.min() == pytest.approx(4, abs=1e-4)
        assert (sample["map"].depth < 10).sum() == pytest.approx(math.pi * 80**2, rel=0.01)
        assert sample["ego"].depth.shape == (48, 64)
        turned = engine.render(View(("ego",), ("depth",), {"ego": [0.0, 0, 7]}))
        assert np.allclose(turned["ego"].camera.world_from_camera[:3, 3], [1, -14, 0])
    finally:
        engine.close()


@pytest.mark.parametrize("size", [(160, 120), (60, 120)])
def test_the_fit_camera_frames_everything(size):
    scene = Scene(Box(position=[5, 5, 0], args=[3, 1, 1]), Sphere(position=[1, 5, 2], scale=0.1))
    engine = ComponentEngine(scene, size=size)
    try:
        frame = engine.render(View(("fit",), ALL))["fit"]
    finally:
        engine.close()
    rows, columns = np.nonzero(frame.segmentation)
    width, height = size
    assert columns.min() > 0
    assert columns.max() < width - 1
    assert rows.min() > 0
    assert rows.max() < height - 1
    assert max(np.ptp(rows) / height, np.ptp(columns) / width) > 0.75
    assert set(np.unique(frame.segmentation)) == {0, 1, 2}


def test_the_fit_camera_comes_near_what_is_small():
    ball = Sphere(key="ball", radius=0.005, position=[0, 0, 0.005])
    with heliograph.open(Scene(Plane(size=[0.05, 0.05]), ball), size=(160, 160)) as renderer:
        seen = renderer.render(View(("fit",), ALL))["fit"].segmentation > 0
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    assert max(np.ptp(rows), np.ptp(columns)) > 0.9 * 160


def test_hidden_things_and_what_is_below_them_do_not_show(engine):
    sample = engine.render(View((FRONT,), ALL, edits=(Update(Group(key="arm", visible=False)),)))
    assert set(np.unique(sample["front"].segmentation)) == {0, 1}
    assert sample.labels[2] == ("box", "box")


def test_labels_number_things_in_order(engine):
    assert isinstance(engine, Engine)
    assert {i: tuple(label) for i, label in engine.labels.items()} == {
        0: ("background", "background"),
        1: ("ball", "sphere"),
        2: ("box", "box"),
    }
    assert engine.scene.objects.seen_names == ("ball", "box")
    assert {"ball", "arm", "ego"} <= {item.name for item in engine.scene.state}
    added = engine.render(View((FRONT,), ALL, edits=(Add(Cone(key="a"), to="arm"), Remove("ball"))))
    assert {i: label.name for i, label in added.labels.items()} == {
        0: "background",
        2: "box",
        4: "a",
    }
    assert added["front"].labels == added.labels
    assert len(engine.labels) == 3


def test_state_moves_things(engine):
    def centre(state, number=1):
        frame = engine.render(View((FRONT,), ("segmentation",), state))["front"]
        rows, columns = np.nonzero(frame.segmentation == number)
        return np.array([columns.mean() + 0.5, rows.mean() + 0.5]), len(rows)

    pose = np.eye(4)
    pose[:3, 3] = [0.8, 0, 0.2]
    goal = FRONT.project(np.array([0.8, 0, 0.2]))
    for state in ({"ball": pose}, {"ball": [0.8, 0, 0.2]}, {"ball.position": [0.8, 0, 0.2]}):
        assert np.abs(centre(state)[0] - goal).max() < 1
    assert np.abs(centre({"ball.matrix": pose.T.ravel()})[0] - goal).max() < 1
    assert centre({"ball.scale": 2})[1] > 3.5 * centre({})[1]
    below, _ = centre({"arm.rotation": [0, math.pi / 2, 0], "arm.position": [0, 0, 1.2]}, 2)
    assert np.abs(below - FRONT.project(np.array([0, 0, 0.2]))).max() < 8
    swung, _ = centre({"arm.quaternion": [0, 0, 1, 0]}, 2)
    assert np.abs(swung - FRONT.project(np.array([-1, 0, 1]))).max() < 8


@pytest.mark.parametrize(
    ("state", "error", "says"),
    [
        ({"bal": [0, 0, 0]}, UnknownNameError, "'bal'"),
        ({"ball.color": [0, 0, 0]}, UnknownNameError, "known: 'position'"),
        ({"ball": [0.0, 0]}, InvalidValueError, r"map \(4, 4\)"),
        ({"ball": np.ones((4, 4))}, InvalidValueError, "last row"),
        ({"ball.scale": 0}, InvalidValueError, "not 0"),
        ({"ball.quaternion": [1, 0, 0]}, InvalidValueError, r"\(4,\)"),
    ],
)
def test_bad_state_is_named(engine, state, error, says):
    with pytest.raises(error, match=says):
        engine.render(View((FRONT,), ALL, state))
    engine.render(View((FRONT,), ALL))


@pytest.mark.parametrize("edit", EDITS, ids=lambda each: type(each).__name__)
def test_edits_show_what_the_edited_scene_shows(engine, edit):
    sample = engine.render(View((FRONT,), ALL, edits=(edit,)))
    fresh = ComponentEngine(heliograph.scene.apply(engine._tree._versions[0].tree.scene(), [edit]))
    try:
        truth = fresh.render(View((FRONT,), ALL))
    finally:
        fresh.close()
    for name in ("rgb", "depth", "normals"):
        assert np.array_equal(sample["front"][name], truth["front"][name])
    names = [{i: label.name for i, label in each.labels.items()} for each in (sample, truth)]
    ours, theirs = (
        np.vectorize(dict(mine).get)(each["front"].segmentation)
        for mine, each in zip(names, (sample, truth), strict=True)
    )
    assert np.array_equal(ours, theirs)


def test_edits_and_state_leave_no_trace(engine):
    rest = engine.render(View((FRONT, "ego", "fit"), ALL))
    for edit in EDITS:
        state = {} if isinstance(edit, (Remove, Set)) else {"ball": [0.1, 0, 0]}
        engine.render(View((FRONT,), ALL, state, (edit,)))
    engine.render(View((ASKEW,), ("rgb",), {"arm.scale": 3.0}))
    again = engine.render(View((FRONT, "ego", "fit"), ALL))
    for frame, other in zip(rest, again, strict=True):
        for name in ALL:
            assert np.array_equal(frame[name], other[name])


def test_edits_bring_cameras_and_move_them(engine):
    camera = CameraView(key="new", position=[0, 0, 9], width=32, height=24)
    sample = engine.render(View(("new",), ("depth",), edits=(Add(camera),)))
    assert sample["new"].depth.min() == pytest.approx(8, abs=0.6)
    moved = Update(CameraView(key="ego", lookAt=[0, 0, 1], width=40))
    ego = engine.render(View(("ego",), ("depth",), edits=(moved,)))["ego"].camera
    assert ego.size == (40, 90)
    assert np.allclose(ego.project(np.array([0, 0, 1.0])), [20, 45])
    with pytest.raises(UnknownNameError, match="camera 'new'"):
        engine.render(View(("new",)))


def test_assets_are_uploaded_once(engine):
    store = engine._rasterizer._geometries
    mesh = Mesh(key="m", vertices=np.eye(3), faces=[[0, 1, 2]])
    for step in range(4):
        edits = (Add(mesh), Add(Torus(key="t", args=[2.0 * (step + 1), 0.5 * (step + 1)])))
        engine.render(View((FRONT,), edits=edits))
        engine.render(View((FRONT,), edits=(*edits, Update(Mesh(key="m", scale=step + 1)))))
    assert len(store._rows) == len(heliograph.raster.Shape) + 2


def test_files_that_are_not_there(tmp_path, engine):
    with pytest.raises(SceneError, match="no such file"):
        ComponentEngine(tmp_path / "gone.glb")
    with pytest.raises(SceneError, match="expected a file of"):
        ComponentEngine("a.fbx")
    with pytest.raises(InvalidValueError, match="component or the path"):
        ComponentEngine(5)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    for bad, says in (
        (Mesh(src=tmp_path / "gone.ply"), "no such file"),
        (Box(material={"map": str(tmp_path / "gone.png")}), "no such file"),
        (Box(material={"map": str(tmp_path / "bad.png")}), "not a readable image"),
    ):
        with pytest.raises(SceneError, match=says):
            engine.render(View((FRONT,), edits=(Add(bad),)))
    engine.render(View((FRONT,)))


def test_edits_of_others_are_refused(engine):
    with pytest.raises(InvalidValueError, match="expected Set, Add"):
        engine.render(View((FRONT,), edits=(Edit(),)))


def test_an_empty_scene_and_the_background():
    frame = shown(Scene(background="#102030"))
    assert np.unique(frame.rgb.reshape(-1, 3), axis=0).tolist() == [[16, 32, 48]]
    assert np.isinf(frame.depth).all()
    engine = ComponentEngine(Scene())
    try:
        assert list(engine.cameras) == ["fit"]
    finally:
        engine.close()


def test_it_opens_by_name_and_closes():
    with heliograph.open(Scene(Box(), CameraView(key="ego", position=[0, 0, 3])), msaa=4) as made:
        assert set(made.cameras) == {"ego", "fit"}
        assert made.render(View(("ego",)))["ego"].rgb.max() > 0
        hashed = made.scene.hash
    assert hashed == Scene(Box(), CameraView(key="ego", position=[0, 0, 3])).digest()
    with pytest.raises(ClosedError):
        made.render(View(("ego",)))
    made.close()


def test_buffers_of_the_caller_are_filled(engine):
    buffers = [{"depth": np.zeros((120, 160), np.float32)}]
    sample = engine.render(View((FRONT,), ("depth",)), out=buffers)
    assert sample["front"].depth is buffers[0]["depth"]
    assert buffers[0]["depth"].min() > 1
    with pytest.raises(InvalidValueError, match="1 cameras"):
        engine.render(View((FRONT,), ("depth",)), out=[])
