"""Nerfstudio Renderer's two calls: each fault of the original has a test here."""

from __future__ import annotations

import gc
import json
import math
import mmap
import os
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import heliograph as hg
import nerf_scene
from heliograph import poses
from heliograph.compat.nerfstudio_renderer import Connection, NerfStudioRenderQueue, connect
from heliograph.compat.nerfstudio_renderer.cameras import CAMERAS, read_cameras
from heliograph.compat.nerfstudio_renderer.pose import RotationUnit, camera_pose
from heliograph.compat.nerfstudio_renderer.queue import ModelImages, PoseQueue
from heliograph.delivery.progressive import Level
from heliograph.engine import CancelToken, Outs
from heliograph.engines.fake import FakeEngine
from heliograph.engines.nerf.model import NerfactoModel
from heliograph.errors import (
    ClosedError,
    EngineError,
    HeliographError,
    InvalidValueError,
    UnknownNameError,
)
from heliograph.scene import Description
from serving import parts, serving

TOKEN = "a-token-of-these-tests"
SIZES = [(level.width, level.height) for level in CAMERAS["default"]]
COARSE = [{"width": 8, "height": 4, "fov": 40}, {"width": 16, "height": 8, "fov": 40}]


class Numbers(FakeEngine):
    """Pictures of one grey: that of the camera's x. It fails where x is negative."""

    def __init__(self) -> None:
        super().__init__("blank")
        self.seen: list[hg.Camera] = []

    def render(self, view: hg.View, out: Outs = None) -> hg.Sample:
        camera = view.cameras[0]
        assert isinstance(camera, hg.Camera)
        self.seen.append(camera)
        x = float(camera.world_from_camera[0, 3])
        if x < 0:
            raise EngineError(f"nothing to see from {x:g}")
        sample = super().render(view, out)
        sample[camera.name].rgb[...] = round(x)
        return sample

    def refine(
        self,
        view: hg.View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
    ) -> Iterator[hg.Sample]:
        del cancel, levels  # a picture that is begun is drawn to its end
        yield self.render(view)


def queue_over(engine: FakeEngine, folder: Path | None = None, **options: str) -> PoseQueue:
    """A checkpoint's queue over another engine; with coarse cameras where there is a folder."""
    path = None
    if folder is not None:
        path = folder / "cameras.json"
        path.write_text(json.dumps(COARSE))
    renderer = hg.LocalRenderer(engine)
    return PoseQueue(lambda levels: ModelImages(renderer, levels), path, **options)


def next_image(queue: PoseQueue) -> np.ndarray:
    """The next picture."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        image = queue.get_rgb_image()
        if image is not None:
            return image
        time.sleep(0.001)
    raise TimeoutError("no picture")


def grey(image: np.ndarray) -> int:
    return round(float(image[0, 0, 0]) * 255)


# What the two calls say of themselves.


def test_pictures_are_floats_from_coarse_to_fine_each_given_once(tmp_path: Path) -> None:
    with queue_over(FakeEngine("fake"), tmp_path) as queue:
        assert queue.get_rgb_image() is None
        assert queue.update_camera([0.0, -3.0, 0.5], [90.0, 0.0, 0.0]) == 1
        shapes: list[tuple[int, ...]] = []
        while not shapes or shapes[-1] != (8, 16, 3):
            image = next_image(queue)
            assert image.dtype == np.float32
            assert 0 <= image.min() < image.max() <= 1
            shapes.append(image.shape)
        assert shapes in ([(4, 8, 3), (8, 16, 3)], [(8, 16, 3)])
        assert queue.get_rgb_image() is None
        queue.update_camera([0.0, -3.0, 0.5], [90.0, 0.0, 0.0])
        next_image(queue)


def test_levels_have_their_own_size_and_angle(tmp_path: Path) -> None:
    engine = Numbers()
    path = tmp_path / "cameras.json"
    path.write_text(
        '[{"width": 8, "height": 6, "fov": 30}, {"width": 20, "height": 10, "fov": 50}]'
    )
    renderer = hg.LocalRenderer(engine)
    with PoseQueue(lambda levels: ModelImages(renderer, levels), path) as queue:
        queue.update_camera((1, 2, 3), (0, 0, 0))
        while next_image(queue).shape != (10, 20, 3):
            continue
    assert [each.size for each in engine.seen] == [(8, 6), (20, 10)]
    assert [math.degrees(each.fov_y) for each in engine.seen] == pytest.approx([30, 50])
    assert [each.fx == each.fy for each in engine.seen] == [True, True]
    assert all((each.world_from_camera[:3, 3] == (1, 2, 3)).all() for each in engine.seen)


def test_the_lists_of_the_program_are_known_by_name() -> None:
    assert SIZES == [(64, 36), (128, 72), (320, 180), (640, 360), (1280, 720)]
    assert {math.degrees(each.fov_y or 0) for each in CAMERAS["default"]} == {35.983}
    assert [(each.width, each.height) for each in CAMERAS["document"]] == [
        (90, 42),
        (180, 84),
        (450, 210),
    ]
    assert {math.degrees(each.fov_y or 0) for each in CAMERAS["document"]} == {72.0}
    engine = Numbers()
    with queue_over(engine, cameras="document") as queue:
        queue.update_camera((0, 0, 0), (0, 0, 0))
        while next_image(queue).shape != (210, 450, 3):
            continue
    assert engine.seen[0].size == (90, 42)
    with pytest.raises(
        UnknownNameError, match="list of cameras 'documnt'; did you mean 'document'"
    ):
        queue_over(Numbers(), cameras="documnt")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "expected a list of cameras"),
        ('{"width": 3}', "expected a list of cameras"),
        ("[3]", 'camera 0: expected {"width", "height", "fov"}'),
        ('[{"width": 0, "height": 3, "fov": 40}]', "camera 0: width: expected pixels from 1"),
        ('[{"width": 3, "height": 0, "fov": 40}]', "camera 0: height: expected pixels from 1"),
        ('[{"width": 3, "height": 2.5, "fov": 40}]', "height: expected pixels"),
        ('[{"width": 3, "height": 3, "fov": 0}]', "fov: expected degrees, above 0 and below 180"),
        ('[{"width": 3, "height": 3, "fov": "wide"}]', "fov: expected degrees"),
        ('[{"width": 3, "height": 3, "fov": NaN}]', "fov: expected degrees"),
        (
            '[{"width": 9, "height": 9, "fov": 40}, {"width": 3, "height": 3, "fov": 40}]',
            "camera 1 (3x3) is coarser",
        ),
        ("[", "not JSON"),
    ],
)
def test_other_camera_files_are_refused(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "cameras.json"
    path.write_text(content)
    with pytest.raises(InvalidValueError) as refused:
        read_cameras(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_camera_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"camera_config_path: .*none\.json"):
        read_cameras(tmp_path / "none.json")


# Poses.


@pytest.mark.parametrize("seed", range(5))
def test_angles_are_those_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    position, angles = rng.normal(size=3), rng.uniform(-180, 180, 3)
    expected = np.eye(4)
    expected[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    expected[:3, 3] = position
    np.testing.assert_allclose(
        camera_pose(position, angles, RotationUnit.DEGREES), expected, atol=1e-14
    )
    np.testing.assert_allclose(
        camera_pose(position, np.deg2rad(angles), RotationUnit.RADIANS), expected, atol=1e-14
    )
    np.testing.assert_array_equal(
        camera_pose(position, expected[:3, :3], RotationUnit.DEGREES), expected
    )
    np.testing.assert_array_equal(camera_pose(expected, None, RotationUnit.RADIANS), expected)


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda x: np.array(x, np.float32)])
def test_tuples_lists_and_arrays_are_poses(tmp_path: Path, kind: type) -> None:
    engine = Numbers()
    with queue_over(engine, tmp_path) as queue:
        queue.update_camera(kind([5.0, 0.0, 1.0]), kind([0.0, -152.0, 0.0]))
        assert grey(next_image(queue)) == 5


@pytest.mark.parametrize(
    ("position", "rotation", "words"),
    [
        ((0, 0), (0, 0, 0), "position: expected shape (3,)"),
        ((0, 0, math.nan), (0, 0, 0), "position: expected finite"),
        ((0, 0, 0), (0, 0), "rotation: expected shape (3,)"),
        ((0, 0, 0), np.eye(4), "update_camera(pose)"),
        ((0, 0, 0), 2 * np.eye(3), "rotation: expected a rotation"),
        (np.eye(3), None, "a pose without a rotation: expected shape (4, 4)"),
        ("here", (0, 0, 0), "position: expected real numbers"),
    ],
)
def test_other_poses_are_refused_and_the_queue_goes_on(
    tmp_path: Path, position: object, rotation: object, words: str
) -> None:
    with queue_over(Numbers(), tmp_path) as queue:
        with pytest.raises(InvalidValueError) as refused:
            queue.update_camera(position, rotation)  # type: ignore[arg-type]
        assert words in str(refused.value)
        queue.update_camera((7, 0, 0), (0, 0, 0))
        assert grey(next_image(queue)) == 7


def test_degrees_given_as_radians_are_noticed(tmp_path: Path) -> None:
    with queue_over(Numbers(), tmp_path, rotation_unit="radians") as queue:
        with pytest.warns(UserWarning, match=r"\(0, -152, 0\) are more than .* radians") as told:
            queue.update_camera((0, 0, 0), (0, -152, 0))
        assert told[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            queue.update_camera((0, 0, 0), (0, -2.65, 2 * math.pi))
    with queue_over(Numbers(), tmp_path) as queue, warnings.catch_warnings():
        warnings.simplefilter("error")
        queue.update_camera((0, 0, 0), (0, -152, 0))
    with pytest.raises(UnknownNameError, match="rotation_unit 'degree'; did you mean 'degrees'"):
        queue_over(Numbers(), rotation_unit="degree")


# The original's faults.


def test_pictures_never_go_back(tmp_path: Path) -> None:
    engine = Numbers()
    shown: list[tuple[int, int]] = []
    with queue_over(engine, tmp_path) as queue:
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                image = queue.get_rgb_image()
                if image is not None:
                    shown.append((grey(image), image.size))

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(1, 201):
            queue.update_camera((number, 0, 0), (0, 0, 0))
            time.sleep(0.0005 * (number % 3))
        end = time.monotonic() + 20
        while (not shown or shown[-1] != (200, 8 * 16 * 3)) and time.monotonic() < end:
            time.sleep(0.002)
        done.set()
        reader.join()
    assert shown == sorted(set(shown))
    assert shown[-1] == (200, 8 * 16 * 3)


def test_errors_reach_the_caller_and_the_queue_lives_on(tmp_path: Path) -> None:
    with queue_over(Numbers(), tmp_path) as queue:
        for number in range(1, 6):  # three were enough to end the original
            queue.update_camera((-number, 0, 0), (0, 0, 0))
            with pytest.raises(EngineError, match=f"nothing to see from -{number}"):
                next_image(queue)
            assert queue.get_rgb_image() is None
        queue.update_camera((9, 0, 0), (0, 0, 0))
        assert grey(next_image(queue)) == 9


class TenSteps(Numbers):
    """Draws a picture in ten steps, and looks before each whether anybody still waits."""

    def __init__(self) -> None:
        super().__init__()
        self.may_step = threading.Semaphore(0)
        self.stepped = threading.Semaphore(0)

    def refine(
        self,
        view: hg.View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
    ) -> Iterator[hg.Sample]:
        for _ in range(10):
            self.may_step.acquire()
            self.stepped.release()
            if cancel is not None and cancel.cancelled:
                return
        yield from super().refine(view, cancel, levels)


def test_updates_that_come_faster_than_pictures_do_not_starve(tmp_path: Path) -> None:
    engine, shown = TenSteps(), []
    with queue_over(engine, tmp_path) as queue:
        for number in range(1, 101):
            queue.update_camera((number, 0, 0), (0, 0, 0))
            engine.may_step.release()
            assert engine.stepped.acquire(timeout=20)  # a tenth of a picture for each update
            image = queue.get_rgb_image()
            if image is not None:
                shown.append(grey(image))
        engine.may_step.release(40)
    assert len(shown) >= 8
    assert shown == sorted(set(shown))


@pytest.mark.parametrize("step", [-1e9, 1e9])
def test_a_clock_that_is_set_does_not_stop_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    with queue_over(Numbers(), tmp_path) as queue:
        queue.update_camera((1, 0, 0), (0, 0, 0))
        assert grey(next_image(queue)) == 1
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + step)
        queue.update_camera((2, 0, 0), (0, 0, 0))
        image = next_image(queue)
        while grey(image) != 2:
            image = next_image(queue)


def test_an_idle_queue_does_not_wake_up(tmp_path: Path) -> None:
    with queue_over(Numbers(), tmp_path) as queue:
        queue.update_camera((1, 0, 0), (0, 0, 0))
        while next_image(queue).shape != (8, 16, 3):
            continue
        (worker,) = (each for each in threading.enumerate() if each.name == "heliograph-queue")
        time.sleep(0.1)  # it goes to sleep
        before = _switches(worker)
        time.sleep(0.3)
        assert _switches(worker) == before


def _switches(thread: threading.Thread) -> list[str]:
    """How often a thread of this process was given the processor."""
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    return [line for line in status.splitlines() if "ctxt_switches" in line]


@pytest.mark.parametrize("way", ["del", "close"])
@pytest.mark.parametrize("busy", [False, True])
def test_the_model_is_freed(tmp_path: Path, way: str, busy: bool) -> None:
    engine = Numbers()
    # Memory of its own, which the system has back when it is freed; touched, so it is resident.
    weights = np.frombuffer(mmap.mmap(-1, 64 << 20), np.uint8)
    weights[:] = 1
    engine.weights = weights  # type: ignore[attr-defined]
    gone, before = weakref.ref(engine), _resident()
    queue = queue_over(engine, tmp_path)
    queue.update_camera((1, 0, 0), (0, 0, 0))
    next_image(queue)
    if busy:
        queue.update_camera((2, 0, 0), (0, 0, 0))
    del engine, weights
    if way == "close":
        queue.close()
        queue.close()
        with pytest.raises(ClosedError):
            queue.get_rgb_image()
        with pytest.raises(ClosedError):
            queue.update_camera((1, 0, 0), (0, 0, 0))
    del queue
    gc.collect()
    assert gone() is None
    assert before - _resident() > 60 << 20
    assert not [each for each in threading.enumerate() if each.name == "heliograph-queue"]


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


# Checkpoints.


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config of a run whose geometry is known."""
    model = nerf_scene.known_model(nerf_scene.FAST)
    return nerf_scene.write_run(tmp_path_factory.mktemp("compat") / "run", model)


@pytest.fixture
def coarse(tmp_path: Path) -> Path:
    path = tmp_path / "cameras.json"
    path.write_text(
        '[{"width": 12, "height": 8, "fov": 50}, {"width": 48, "height": 32, "fov": 50}]'
    )
    return path


POSE = poses.look_at((1.0, -0.9, 0.8), (0.0, 0.0, -0.2))
"""In the model's own frame."""


def last_image(queue: PoseQueue) -> np.ndarray:
    image = next_image(queue)
    while image.shape != (32, 48, 3):
        image = next_image(queue)
    return image


def test_poses_of_a_checkpoint_are_in_its_own_frame(run: Path, coarse: Path) -> None:
    angles = Rotation.from_matrix(POSE[:3, :3]).as_euler("xyz", degrees=True)
    checkpoint = run.parent / "nerfstudio_models" / "step-000029999.ckpt"
    with NerfStudioRenderQueue(run, checkpoint, torch.device("cpu"), 3, coarse) as queue:
        queue.update_camera(POSE[:3, 3].tolist(), angles.tolist())
        image = last_image(queue)
    assert image.std() > 0.1  # there is something
    # The same picture, ordered in metres of the capture: dataparser_transforms.json is applied.
    capture = np.eye(4)
    capture[:3, :3] = nerf_scene.TURN[:, :3].T @ POSE[:3, :3]
    capture[:3, 3] = nerf_scene.to_capture(POSE[:3, 3])
    camera = hg.Camera.perspective(
        fov_y=math.radians(50), width=48, height=32, world_from_camera=capture
    )
    with hg.open(run, engine="nerf") as renderer:
        frame = renderer.render(hg.View([camera], ("rgb", "depth")))["camera"]
    assert np.abs(frame.rgb / 255 - image).max() <= 2 / 255
    # And its depth is metric: that of the box's nearest upper corner's surroundings.
    middle = frame.depth[16, 24] * nerf_scene.SCALE
    assert 1.0 < middle < np.linalg.norm(POSE[:3, 3])


@pytest.mark.parametrize("way", ["del", "close"])
def test_a_checkpoint_is_freed(run: Path, coarse: Path, way: str) -> None:
    before = _models()  # one of them may be served
    queue = NerfStudioRenderQueue(run, None, "cpu", camera_config_path=coarse)
    queue.update_camera(POSE)
    next_image(queue)
    assert _models() == before + 1
    if way == "close":
        queue.close()
    else:
        del queue
    gc.collect()
    assert _models() == before


def _models() -> int:
    """Models that are alive."""
    return sum(type(each) is NerfactoModel for each in gc.get_objects())


def test_arguments_are_checked_before_the_model_is_loaded(tmp_path: Path, run: Path) -> None:
    with pytest.raises(InvalidValueError, match="camera_config_path"):
        NerfStudioRenderQueue("none.yml", None, "cpu", camera_config_path=tmp_path / "none.json")
    with pytest.raises(InvalidValueError, match="thread_count"):
        NerfStudioRenderQueue(run, None, "cpu", thread_count=0)
    with pytest.raises(HeliographError, match=r"none\.ckpt"):
        NerfStudioRenderQueue(run, tmp_path / "none.ckpt", "cpu")
    with pytest.raises(HeliographError, match=r"none\.yml"):
        NerfStudioRenderQueue(tmp_path / "none.yml", None, "cpu")
    with pytest.raises(InvalidValueError, match="device"):
        NerfStudioRenderQueue(run, None, "abacus")


# Connections.


class Served:
    """A renderer on another machine, as far as a connection needs it."""

    def __init__(self, source: str = "/data/poster/now/config.yml", **options: str) -> None:
        self.scene = Description(source, "")
        self.opened = {"engine": "nerf", "options": options}
        self.renderer = hg.LocalRenderer(Numbers())
        self.closed = False

    def queue(self, *, levels: Sequence[Level]) -> hg.RenderQueue:
        return hg.RenderQueue(self.renderer, levels=levels)

    def close(self) -> None:
        self.closed = True


def test_a_connection_has_the_two_calls(coarse: Path) -> None:
    served = Served(frame="nerfstudio")
    with Connection(served) as conn:
        rq = conn.NerfStudioRenderQueue(
            model_config_path=Path("/workspace/outputs/now/config.yml"),
            checkpoint_path="/workspace/outputs/now/nerfstudio_models/step-000029999.ckpt",
            device=torch.device("cpu"),
            camera_config_path=coarse,
        )
        rq.update_camera([4.0, 0.0, 0.0], [0.0, -152, 0.0])
        assert grey(next_image(rq)) == 4
        one, two = conn.NerfStudioRenderQueue(), conn.NerfStudioRenderQueue()
        one.update_camera((5, 0, 0), (0, 0, 0))
        two.update_camera((6, 0, 0), (0, 0, 0))
        assert (grey(next_image(one)), grey(next_image(two))) == (5, 6)
        del rq
        assert not served.closed
    assert served.closed


def test_another_model_or_frame_than_is_served_is_refused() -> None:
    conn = Connection(Served(frame="nerfstudio"))
    with pytest.raises(InvalidValueError, match=r"yesterday/config\.yml: this server shows /data"):
        conn.NerfStudioRenderQueue("/workspace/outputs/yesterday/config.yml")
    with pytest.raises(InvalidValueError, match="--option frame=nerfstudio"):
        Connection(Served()).NerfStudioRenderQueue()
    with pytest.raises(InvalidValueError, match="port: expected an integer from 1 to 65535"):
        connect("localhost", 0, "token")


@pytest.fixture(scope="module")
def server(run: Path) -> Iterator[tuple[hg.LocalRenderer, int]]:
    """The checkpoint, served."""
    with (
        hg.open(run, engine="nerf", engine_options={"frame": "nerfstudio"}) as renderer,
        serving(renderer, token=TOKEN) as served,
    ):
        yield renderer, parts(served.url)[0]


def test_pictures_of_a_server_are_those_of_its_renderer(
    server: tuple[hg.LocalRenderer, int], run: Path, coarse: Path
) -> None:
    renderer, port = server
    with connect("localhost", port, TOKEN) as conn:
        rq = conn.NerfStudioRenderQueue(run, camera_config_path=coarse)
        rq.update_camera(POSE)
        image = last_image(rq)
        with pytest.raises(InvalidValueError, match="this server shows"):
            conn.NerfStudioRenderQueue("other/config.yml")
    camera = hg.Camera.perspective(
        fov_y=math.radians(50), width=48, height=32, world_from_camera=POSE
    )
    expected = renderer.render(hg.View([camera]))["camera"].rgb
    np.testing.assert_array_equal(np.round(255 * image), expected)


def test_a_wrong_token_is_refused(server: tuple[hg.LocalRenderer, int]) -> None:
    with pytest.raises(HeliographError, match="token"):
        connect("localhost", server[1], "guess")


def test_the_documents_program_runs(server: tuple[hg.LocalRenderer, int], tmp_path: Path) -> None:
    program = Path(__file__).parent.parent / "examples/nerfstudio_renderer/program.py"
    told = {"PORT": str(server[1]), "HELIOGRAPH_TOKEN": TOKEN}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    image = np.load(tmp_path / "image.npy")
    assert image.dtype == np.float32
    height, width, channels = image.shape
    assert (width, height) in SIZES
    assert channels == 3
    assert 0 <= image.min() <= image.max() <= 1


def test_the_program_without_a_server_runs(run: Path, tmp_path: Path) -> None:
    program = Path(__file__).parent.parent / "examples/nerfstudio_renderer/local_program.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program), str(run)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "float32" in done.stdout
