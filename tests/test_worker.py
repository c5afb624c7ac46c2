import base64
import os
import socket
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.engines.fake import FAIL, FakeEngine
from heliograph.errors import WorkerError
from heliograph.passes import DEPTH, RGB, specs
from heliograph.transport.channel import Channel, pair
from heliograph.transport.layout import lay_out
from heliograph.transport.messages import Done, Failed, Hello, Render, RenderMany, Stop, ViewWire
from heliograph.transport.scenes import unpack_pass, unpack_scene
from heliograph.transport.slots import Region
from heliograph.transport.status import StatusPage
from heliograph.transport.values import pack_array
from heliograph.transport.views import pack_view
from heliograph.worker.__main__ import main
from heliograph.worker.drawing import RenderExecutor
from heliograph.worker.opening import describe, open_engine, pack_opening
from heliograph.worker.replay import MAX_BYTES, MAX_INLINE, MAX_KEPT, command, replay

PYTHON = ("python", "-m", "heliograph.worker")


@pytest.fixture
def executor() -> RenderExecutor:
    page = StatusPage(Region.create(-1, 1))
    executor = RenderExecutor(FakeEngine("blank", size=(16, 12)), page)
    executor.regions[0] = Region.create(0, 1 << 16)
    return executor


def test_openings_make_the_engine_they_name() -> None:
    order = pack_opening("fake", "blank", {"size": (9, 7)})
    engine = open_engine(order)
    assert engine.cameras["front"].size == (9, 7)
    opened = describe(engine)
    scene = unpack_scene(opened.scene)
    assert (scene.hash, scene.version) == (engine.scene.hash, engine.scene.version)
    assert [unpack_pass(each) for each in opened.passes] == list(engine.passes.values())
    assert opened.capabilities == [each.value for each in engine.capabilities]
    assert opened.provenance == engine.provenance


def test_options_of_the_rasterizer_travel() -> None:
    order = pack_opening("mujoco", "<mujoco/>", {"msaa": 4, "lod": "off"})
    open_engine(order).close()


def test_orders_are_drawn_in_place_and_announced(executor: RenderExecutor) -> None:
    view = hg.View(passes=("rgb", "depth"), seed=2, index=3)
    done = executor.draw(Render(7, 0, pack_view(view, {})[0]))
    assert isinstance(done, Done)
    assert executor._page.status().ticket == 7
    camera = executor.engine.cameras["front"]
    (arrays,) = lay_out([camera], specs(RGB, DEPTH)).arrays(executor.regions[0].memory)
    assert (arrays["rgb"] == 65).all()
    assert (arrays["depth"] == 3).all()


def test_memory_that_was_never_mapped_is_an_error(executor: RenderExecutor) -> None:
    with pytest.raises(WorkerError, match="never mapped"):
        executor.draw(Render(1, 9, pack_view(hg.View(), {})[0]))


@pytest.mark.parametrize("change", [{"total": 10**6}, {"state": {"sleep": np.zeros(3)}}])
def test_batches_that_do_not_fit_are_errors(
    executor: RenderExecutor, change: dict[str, Any]
) -> None:
    values: dict[str, Any] = {"total": 2, "state": {}} | change
    order = RenderMany(
        ticket=1,
        region=0,
        total=values["total"],
        first=0,
        view=ViewWire([], ["rgb"], {}, None, None, 0),
        seeds=pack_array(np.arange(2)),
        indices=pack_array(np.zeros(2, np.int64)),
        state={key: pack_array(value) for key, value in values["state"].items()},
        poses={},
        edits=[],
    )
    with pytest.raises(WorkerError):
        executor.draw_many(order)


def test_replays_say_what_came_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    opening = pack_opening("fake", "blank", {"size": (8, 8)})
    text = command(opening, *pack_view(hg.View(seed=3, index=4), {}), PYTHON).split()[-1]
    assert replay(text) == 0
    out, err = capsys.readouterr()
    assert "front" in out
    assert "seed 3, index 4" in err
    failing = pack_view(hg.View(state={"crash": FAIL}), {})[0]
    assert main(["worker", "--replay", command(opening, failing, {}, PYTHON).split()[-1]][1:]) == 1
    assert "told to fail" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "nonsense", "@/no/such/file", "eJw="])
def test_broken_orders_are_told(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(text) == 1
    assert "not an order" in capsys.readouterr().err


@pytest.mark.parametrize("text", [base64.b64encode(zlib.compress(b"\x91" * 9000)).decode(), "é"])
def test_hostile_orders_are_told(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(text) == 1
    assert "not an order" in capsys.readouterr().err


def test_orders_are_decompressed_up_to_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    packer = zlib.compressobj()
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range((MAX_BYTES >> 20) + 1))
    assert replay(base64.urlsafe_b64encode(bomb + packer.flush()).decode()) == 1
    assert "larger than 256 MiB" in capsys.readouterr().err


def long_command(seed: int) -> str:
    noise = np.random.default_rng(seed).normal(size=MAX_INLINE)
    view = hg.View(state={"noise": noise}, seed=seed)
    return command(pack_opening("fake", "blank", {"size": (8, 8)}), *pack_view(view, {}), PYTHON)


def test_long_orders_go_to_files_of_which_the_newest_stay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first = long_command(0)
    assert len(first) < 300
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    (path,) = folder.iterdir()
    assert first.endswith(f"--replay @{path}")
    replay(f"@{path}")
    assert "drawing seed 0, index 0" in capsys.readouterr().err
    for number, name in enumerate(("notes.order", "notes.txt", "a.part")):
        (folder / name).write_text("x")
        os.utime(folder / name, (number, number))
    os.utime(path, (1, 1))
    assert long_command(0) == first  # the same order, the same file, now new again
    for seed in range(1, MAX_KEPT):
        long_command(seed)
    assert path.exists()
    os.utime(path, (1, 1))
    long_command(MAX_KEPT)
    assert not path.exists()
    assert len(list(folder.iterdir())) == MAX_KEPT + 3
    assert replay(f"@{path}") == 1
    assert "no such file (the newest 32 stay)" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["link", "open to all", "file"])
def test_orders_are_not_written_where_others_may_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    folder, other = tmp_path / "tmp" / f"heliograph-orders-{os.geteuid()}", tmp_path / "other"
    other.mkdir()
    folder.parent.mkdir()
    if how == "link":
        folder.symlink_to(other)
    elif how == "file":
        folder.write_text("")
    else:
        folder.mkdir()
        folder.chmod(0o777)
    with pytest.raises(OSError, match=r"this user alone|exists"):
        long_command(0)
    assert list(other.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["x"], ["1", "x"], ["--replay"], ["1", "2", "3"]])
def test_wrong_usage_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage" in capsys.readouterr().err


def spawn() -> tuple[subprocess.Popen[str], Channel]:
    ours, theirs = pair()
    process = subprocess.Popen(
        [sys.executable, "-m", "heliograph.worker", str(theirs.fileno()), str(os.getpid())],
        pass_fds=[theirs.fileno()],
        stderr=subprocess.PIPE,
        text=True,
    )
    theirs.close()
    ours.settimeout(20)
    channel = Channel(ours)
    assert isinstance((channel.receive() or [])[0], Hello)
    return process, channel


def end(process: subprocess.Popen[str], channel: Channel) -> tuple[int, str]:
    _, errors = process.communicate(timeout=20)
    channel.close()
    return process.returncode, errors


def test_a_worker_ends_when_the_pool_is_gone_or_says_stop() -> None:
    process, channel = spawn()
    channel.socket.shutdown(socket.SHUT_RDWR)
    assert end(process, channel) == (0, "")
    process, channel = spawn()
    channel.send([Stop()])
    assert end(process, channel) == (0, "")


@pytest.mark.parametrize(
    "data", [b"\xff" * 20, b"\x04\0\0\0junk", b"\x01\0\0\0\x90", b"\x05\0\0\0\x91\xa3Map"]
)
def test_garbage_ends_a_worker_with_an_error(data: bytes) -> None:
    process, channel = spawn()
    channel.socket.sendall(data)
    channel.socket.shutdown(socket.SHUT_WR)
    code, errors = end(process, channel)
    assert code == 1 or not errors  # half a message and then the end is an end
    if errors:
        assert "WorkerError: the channel carries no message" in errors


def test_orders_before_the_opening_end_a_worker() -> None:
    process, channel = spawn()
    channel.send([Render(1, 0, pack_view(hg.View(), {})[0])])
    code, errors = end(process, channel)
    assert code == 1
    assert "before the engine was opened" in errors
    process, channel = spawn()
    channel.send([Failed(0, None)])  # type: ignore[arg-type]
    assert end(process, channel)[0] == 1
