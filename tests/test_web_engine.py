# mypy: disable-error-code="arg-type"
"""The web engine in a real Chromium: what it promises, what it agrees on, and how it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from engine_contract import Case
from heliograph.engines.components import ComponentEngine
from heliograph.engines.web import chromium
from heliograph.engines.web.chromium import ENV, find_chromium
from heliograph.engines.web.engine import WebEngine
from heliograph.errors import (
    ClosedError,
    EngineError,
    InvalidValueError,
    SceneError,
    UnknownNameError,
)
from heliograph.frame import Frame
from heliograph.passes import KNOWN_PASSES
from heliograph.scene import (
    Add,
    Edit,
    EditBackground,
    EditLight,
    EditMaterial,
    EditMaterials,
    Hide,
    MoveCamera,
    MoveObject,
    Remove,
    Set,
    Update,
)
from heliograph.view import View

pytestmark = pytest.mark.web

SEEN = (
    hg.Plane(key="floor", args=[8, 8], color="#888888"),
    hg.Box(
        key="box",
        args=[1, 0.6, 0.8],
        position=[-1.2, 0, 0.4],
        rotation=[0.2, 0.1, 0.5],
        material={"color": "#cc4433", "roughness": 0.4},
    ),
    hg.Sphere(
        key="ball",
        args=[0.5],
        position=[0.2, 0.3, 0.5],
        material={"color": "#3366dd", "shininess": 60, "specular": "#555555"},
        materialType="phong",
    ),
    hg.Cylinder(
        key="can",
        args=[0.3, 0.4, 0.9],
        position=[1.3, 0.2, 0.5],
        rotation=[1.57, 0, 0],
        materialType="lambert",
        color="#44aa55",
    ),
    hg.Group(
        hg.Torus(
            hg.Box(key="stone", args=[0.2, 0.2, 0.2], position=[0.4, 0, 0.1], color="aqua"),
            key="ring",
            args=[0.4, 0.12],
            position=[0, 0, 0.3],
            color="gold",
        ),
        hg.Capsule(key="pill", args=[0.15, 0.4], position=[0, 0, 0.9]),
        key="group",
        position=[0.4, -1.2, 0.2],
        rotation=[0, 0.3, 0],
    ),
    hg.Cone(
        key="cone",
        args=[0.4, 0.8],
        position=[-0.6, -1.3, 0.4],
        rotation=[1.57, 0, 0],
        materialType="basic",
        color="orange",
    ),
    hg.CameraView(key="ego", position=[0.6, -4.5, 2.6], lookAt=[0, 0, 0.4]),
)
LIT = hg.Scene(
    *SEEN,
    hg.AmbientLight(key="all", intensity=0.4),
    hg.DirectionalLight(key="sun", position=[2, -1, 4], intensity=2),
    hg.PointLight(key="lamp", position=[-2, -2, 2], intensity=6, color="#ffddaa"),
    background="#203040",
)
SCENES = {
    "lit": LIT,
    "from the camera": hg.Scene(*SEEN),
    "hemisphere, spot and tone mapping": hg.Scene(
        *SEEN,
        hg.HemisphereLight(key="sky", intensity=1.5, groundColor="#443322"),
        hg.SpotLight(key="spot", position=[0, -2, 4], intensity=30, angle=0.5, penumbra=0.4),
        toneMapping="aces",
        exposure=1.2,
    ),
}
_NOISE = np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8)
_TURNED = np.array([[1, 0, 0, 0.3], [0, 0, -1, 0.1], [0, 1, 0, 0.9], [0, 0, 0, 1.0]])
EDITS: dict[str, Sequence[Edit]] = {
    "colour": [EditMaterial(("box", "ball"), rgba=(0.1, 0.8, 0.3, None))],
    "opacity": [EditMaterial("ball", rgba=(0.1, 0.8, 0.3, 0.4))],
    "many": [EditMaterials((("box",), ("can", "cone")), rgba=[[0, 1, 0, 1], [1, 0, 1, 1]])],
    "metal": [EditMaterial("box", metallic=0.8, roughness=0.3)],
    "shininess": [EditMaterial(("box", "ball"), shininess=0.5)],
    "glow": [EditMaterial("box", emissive=(0.2, 0.3, 0.1)), EditMaterial("can", emission=0.5)],
    "texture": [EditMaterial("floor", texture=_NOISE, repeat=(2, 3), offset=(0.1, 0.2))],
    "hidden": [Hide(("ring", "can"))],
    "moved": [MoveObject("ring", _TURNED, scale=(1.2, 0.8, 1.0))],
    "moved twice": [MoveObject("box", _TURNED), MoveObject("box", _TURNED)],
    "moved with what it stood on": [
        MoveObject("ring", _TURNED),
        MoveObject("stone", _TURNED, relative=False),
        MoveObject("stone", _TURNED, scale=(2, 2, 2)),
    ],
    "moved in the world": [MoveObject("pill", _TURNED, relative=False)],
    "lights": [
        EditLight("sun", diffuse=(0.5, 1.5, 1), direction=(1, 1, -2)),
        EditLight("lamp", position=(2, -2, 1.5)),
        EditLight("all", diffuse=(0.1, 0.1, 0.3)),
    ],
    "light off": [EditLight("sun", active=False)],
    "new light": [
        EditLight(
            "new",
            kind="spot",
            position=(0, -3, 3),
            direction=(0, 1, -1),
            diffuse=(20, 18, 10),
            cutoff=0.4,
            softness=0.3,
        )
    ],
    "background": [EditBackground((0.5, 0.2, 0.1))],
    "tree": [
        Add(hg.Sphere(key="more", args=[0.3], position=[0, -1, 1.2], color="purple")),
        Remove("group"),
        EditMaterial("more", rgba=(0, 1, 1, None)),
    ],
}
REFUSED: dict[str, Sequence[Edit]] = {
    "reflectance": [EditMaterial("box", reflectance=0.5)],
    "specular": [EditMaterial("box", specular=0.9)],
    "exponent": [EditLight("sun", exponent=3.0)],
    "angle|cutoff": [EditLight("sun", cutoff=0.3)],
    "ambient": [EditLight("lamp", ambient=(0.1, 0.1, 0.1))],
}
ALL = KNOWN_PASSES
NO_GL = "--disable-gpu --disable-software-rasterizer"


@pytest.fixture(scope="module")
def engine() -> Iterator[WebEngine]:
    opened = WebEngine(LIT)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def components() -> Iterator[ComponentEngine]:
    opened = ComponentEngine(LIT)
    yield opened
    opened.close()


def _contract() -> WebEngine:
    tree = hg.Scene(
        hg.Box(key="ground", args=[6, 6, 0.1], position=[0, 0, -0.05]),
        hg.Box(key="rod", args=[1.4, 0.4, 0.5], position=[0.3, 0, 0.4]),
        hg.Sphere(key="ball", args=[0.4], position=[-0.7, 0.5, 0.5]),
        hg.CameraView(
            key="ego", position=[0.4, -3.2, 1.6], lookAt=[0, 0, 0.4], width=120, height=90
        ),
    )
    return WebEngine(tree)


def test_it_keeps_the_promises_of_engines() -> None:
    moved = Update(hg.Box(key="rod", position=[0.5, -0.2, 0.6]))
    Case(
        _contract,
        {
            "other_state": {"ball": (-0.2, -0.6, 0.5)},
            "edits": (Remove("ball"),),
            "changes": (moved,),
        },
    ).check()


def test_scenes_look_as_the_component_engine_draws_them(
    engine: WebEngine, components: ComponentEngine
) -> None:
    for scene in SCENES.values():
        for each in (engine, components):
            each.advance([Set(scene)])
        ours, theirs = engine.scene, components.scene
        assert ours.hash == theirs.hash
        assert (ours.materials, ours.lights, ours.state) == (
            theirs.materials,
            theirs.lights,
            theirs.state,
        )
        for column in ("ids", "parents", "seen", "poses"):
            assert np.array_equal(getattr(ours.objects, column), getattr(theirs.objects, column))
        assert ours.objects.names == theirs.objects.names
        assert ours.objects.materials == theirs.objects.materials
        assert np.allclose(ours.objects.boxes, theirs.objects.boxes, 0, 1e-6, equal_nan=True)
        assert engine.cameras == components.cameras
        for camera in ("ego", "fit"):
            view = View(camera, ALL, {"box": (-1.0, 0.1, 0.6), "group.rotation": (0, 0, 1.0)})
            expect_alike(engine.render(view)[camera], components.render(view)[camera])


@pytest.mark.parametrize("name", EDITS)
def test_edits_look_as_the_component_engine_draws_them(
    name: str, engine: WebEngine, components: ComponentEngine
) -> None:
    for each in (engine, components):
        each.advance([Set(LIT)])
    plain, edited = View("ego", ALL), View("ego", ALL, edits=EDITS[name])
    ours, theirs = engine.render(edited), components.render(edited)
    assert ours.labels == theirs.labels
    expect_alike(ours["ego"], theirs["ego"])
    before = components.render(plain)["ego"]
    assert any((before[n] != theirs["ego"][n]).any() for n in ALL), "the edit shows nothing"
    expect_alike(engine.render(plain)["ego"], before)


def test_moved_cameras_are_used(engine: WebEngine, components: ComponentEngine) -> None:
    for each in (engine, components):
        each.advance([Set(LIT)])
    camera = hg.Camera.look_at(eye=(2, -3, 3), target=(0, 0, 0.5), fov_y=0.7, width=320, height=240)
    view = View("ego", ALL, edits=[MoveCamera("ego", camera)])
    ours, theirs = (each.render(view)["ego"] for each in (engine, components))
    assert ours.camera == theirs.camera
    expect_alike(ours, theirs)


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_page_cannot_show_is_refused_by_name(name: str, engine: WebEngine) -> None:
    engine.advance([Set(LIT)])
    with pytest.raises(InvalidValueError, match=name):
        engine.render(View("ego", edits=REFUSED[name]))


@pytest.mark.parametrize(
    ("edit", "near"),
    [
        (EditMaterial("bax", rgba=(1, 0, 0, 1)), "box"),
        (Hide("group"), "known: 'floor'"),
        (EditLight("sum", diffuse=(1, 1, 1)), "sun"),
    ],
)
def test_unknown_names_are_refused(edit: Edit, near: str, engine: WebEngine) -> None:
    engine.advance([Set(LIT)])
    with pytest.raises(UnknownNameError, match=near):
        engine.render(View("ego", edits=[edit]))


def test_a_light_at_the_camera_is_not_edited(engine: WebEngine) -> None:
    engine.advance([Set(SCENES["from the camera"])])
    with pytest.raises(InvalidValueError, match="give the scene lights"):
        engine.render(View("ego", edits=[EditLight("head", diffuse=(1, 0, 0))]))


WEDGE = """v 0 0 0
v {0} 0 0
v {0} {0} 0
v 0 {0} 0
v 0.5 0.5 1
f 1 4 3 2
f 1 2 5
f 2 3 5
f 3 4 5
f 4 1 5
"""


def test_files_look_as_the_component_engine_draws_them(tmp_path: Path) -> None:
    path = tmp_path / "wedge.obj"
    path.write_text(WEDGE.format(1))
    engines = [each(path, size=(160, 120)) for each in (WebEngine, ComponentEngine)]
    try:
        assert engines[0].cameras == engines[1].cameras
        camera = engines[0].cameras["fit"]
        view = View(camera, ALL)
        before = engines[0].render(view)["fit"]
        expect_alike(before, engines[1].render(view)["fit"])
        path.write_text(WEDGE.format(0.5))  # shown as it was until an edit names it
        expect_same(engines[0].render(view)["fit"], before)
        with pytest.raises(SceneError, match=r"wedge.obj: .* it has changed"):
            engines[0].render(View(camera, edits=[EditMaterial("wedge", rgba=(1, 0, 0, 1))]))
        expect_same(engines[0].render(view)["fit"], before)
        for each in engines:
            each.advance([Update(hg.Mesh(key="wedge", src=str(path)))])
        ours, theirs = (each.render(view)["fit"] for each in engines)
        assert (ours.segmentation != before.segmentation).any()
        expect_alike(ours, theirs)
    finally:
        for each in engines:
            each.close()


def test_two_engines_at_once_and_both_ways_for_pictures() -> None:
    socket, file = WebEngine(LIT, transport="socket"), WebEngine(LIT, transport="file")
    try:
        assert (socket.page.shares, file.page.shares) == (False, True)
        for size in ((8, 5), (320, 240), (33, 47), (640, 480), (1, 1)):
            cameras = [
                socket.cameras["ego"].resized(*size),
                socket.cameras["fit"].resized(*size[::-1]),
            ]
            view = View(cameras, ALL)
            ours, theirs = socket.render(view), file.render(view)
            for name in ("ego", "fit"):
                expect_same(ours[name], theirs[name])
    finally:
        for engine in (socket, file):
            engine.close()
            engine.close()
    with pytest.raises(ClosedError):
        socket.render(View("ego"))


def test_four_samples_smooth_rgb_alone(engine: WebEngine) -> None:
    engine.advance([Set(LIT)])
    smooth = WebEngine(LIT, msaa=4)
    try:
        plain, fine = (each.render(View("ego", ALL))["ego"] for each in (engine, smooth))
        alone = smooth.render(View("ego"))["ego"]
    finally:
        smooth.close()
    for name in ("depth", "normals", "segmentation"):
        assert np.array_equal(plain[name], fine[name])
    assert np.array_equal(alone.rgb, fine.rgb)
    edges = np.zeros(plain.depth.shape, bool)
    for axis in (0, 1):
        for step in (-1, 1):
            edges |= np.roll(plain.segmentation, step, axis) != plain.segmentation
    differ = np.abs(plain.rgb.astype(int) - fine.rgb).max(-1) > 8
    assert differ.sum() > 500
    assert differ[edges].mean() > 0.2
    assert differ[~edges].mean() < 0.02


@pytest.mark.parametrize(
    "options", [{"msaa": 2}, {"transport": "pigeon"}, {"timeout": 0.0}, {"timeout": np.inf}]
)
def test_options_that_are_none_are_refused(options: Any) -> None:
    with pytest.raises(InvalidValueError, match=f"{next(iter(options))}: expected"):
        WebEngine(LIT, **options)


def test_another_browser_takes_the_place_of_one_that_died(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = [flag for flag in chromium._FLAGS if flag != "--in-process-gpu"]  # as a person's
    monkeypatch.setattr(chromium, "_FLAGS", apart)
    engine = WebEngine(LIT)
    view = View("ego", ALL)
    try:
        before = engine.render(view)["ego"]
        assert engine.failure == ""
        for kill in (_kill, _kill_part("gpu-process"), _kill_part("renderer")):
            kill(engine.page.browser.pid)
            with pytest.raises(EngineError, match="camera 'ego'"):
                _draw_on(engine, view, before)
            assert "browser" in engine.failure
            expect_same(engine.render(view)["ego"], before)
    finally:
        engine.close()


def _draw_on(engine: WebEngine, view: View, expected: Frame) -> None:
    """For a moment what is left of a browser may still draw; and rightly, then."""
    for _ in range(100):
        expect_same(engine.render(view)["ego"], expected)


def test_a_pool_replaces_dead_browsers_and_loses_nothing() -> None:
    views = [View("ego", ("rgb",), {"ball": (0.01 * (i % 9), 0, 0.5)}, index=i) for i in range(300)]
    killed = []
    with hg.open(LIT, engine="web", workers=2) as pool:
        expected = [pool.render(view)["ego"].rgb for view in views[:9]]
        for count, sample in enumerate(pool.map(views)):
            assert sample.index == count
            assert np.array_equal(sample["ego"].rgb, expected[count % 9])
            if count in (50, 150):
                killed.append(_browsers_of_workers()[0])
                _kill(killed[-1])
        states = np.array([[0.01 * (i % 9), 0, 0.5] for i in range(200)])
        future = pool.submit_batch({"seed": 0, "cameras": ["ego"], "ball": states})
        killed.append(_browsers_of_workers()[0])
        _kill(killed[-1])
        assert all(map(np.array_equal, future.result()["ego"], expected * 23))
    assert len(set(killed)) == 3
    assert not any(_alive(pid) for pid in killed)


def test_a_browser_that_cannot_draw_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\nexec {find_chromium()} {NO_GL} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv(ENV, str(program))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(EngineError, match="no browser here can draw with WebGL 2; gl-egl: "):
        WebEngine(LIT)
    _until(lambda: not _processes_with(NO_GL.split()[-1]))


def test_where_a_gpu_does_not_draw_software_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(chromium, "_has_gpu", lambda: True)
    monkeypatch.setattr(chromium, "VULKAN", chromium.SWIFTSHADER._replace(name="vulkan"))
    engine = WebEngine(LIT)
    engine.close()
    assert "llvmpipe" in engine.provenance.device
    assert chromium.gl_choices()[0].name == "gl-egl"


PROGRAM = """
    import heliograph as hg
    from heliograph.engines.web.engine import WebEngine

    engine = WebEngine(hg.Scene(hg.Box(key="box")))
    engine.render(hg.View())
    print(engine.page.browser.profile, flush=True)
    input()
"""


def test_nothing_of_a_browser_outlives_a_killed_program() -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdin is not None
    profile = Path(program.stdout.readline().strip())
    assert profile.is_dir()
    assert len(_processes_with(str(profile))) > 3
    program.kill()
    program.wait()
    program.stdin.close()
    program.stdout.close()
    _until(lambda: not profile.exists() and not _processes_with(str(profile)))


def expect_same(ours: Frame, theirs: Frame) -> None:
    """The same bits in all passes."""
    for name in theirs.passes:
        assert np.array_equal(ours[name], theirs[name]), name


def expect_alike(ours: Frame, theirs: Frame) -> None:
    """Ids, depth and colours of two engines: apart at silhouettes alone."""
    assert (ours.segmentation == theirs.segmentation).mean() >= 0.995
    seen = np.isfinite(ours.depth) & np.isfinite(theirs.depth)
    near = np.abs(ours.depth[seen] - theirs.depth[seen]) <= 1e-3 * theirs.depth[seen]
    assert near.mean() >= 0.99
    assert np.isclose(ours.distance[seen], theirs.distance[seen], 1e-3).mean() >= 0.99
    inside = np.ones(seen.shape, bool)
    for axis in (0, 1):
        for step in (-2, -1, 1, 2):
            inside &= np.roll(theirs.segmentation, step, axis) == theirs.segmentation
    apart = np.abs(ours.rgb.astype(int) - theirs.rgb)[inside]
    assert apart.mean() <= 1, f"rgb differs by {apart.mean():.2f}"
    cosines = (ours.normals * theirs.normals).sum(-1)[inside & seen]
    assert np.quantile(cosines, 0.01) > 0.999
    assert (np.abs(ours.alpha.astype(int) - theirs.alpha) <= 1).mean() >= 0.995


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    _until(lambda: not _alive(pid))


def _kill_part(kind: str) -> Callable[[int], None]:
    def kill(browser: int) -> None:
        for pid in _processes_with(f"--type={kind}"):
            if os.getpgid(pid) == browser:
                _kill(pid)

    return kill


def _browsers_of_workers() -> list[int]:
    """The browsers of our children."""
    browsers = [each for each in _processes_with("heliograph-chromium") if os.getpgid(each) == each]
    return [each for each in browsers if _parent(_parent(each)) == os.getpid()]


def _processes_with(text: str) -> list[int]:
    """Processes, without zombies, whose command line has a text in it; not shells that watch."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and folder.name != str(os.getpid()):
            try:
                line = (folder / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if text in line and not line.startswith("/bin/sh\0-c"):
                found.append(int(folder.name))
    return found


def _parent(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(status.split("PPid:")[1].split()[0])


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
