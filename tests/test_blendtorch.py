"""blendtorch's programs, and what its training side promises, with real Blenders."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils import data

from heliograph.compat.blendtorch import btt
from heliograph.engines.blender.install import environment, program_command
from heliograph.errors import (
    InvalidValueError,
    MissingDependencyError,
    RecordError,
    WorkerError,
)
from heliograph.publish.duplex import Duplex
from heliograph.publish.sockets import Publisher

EXAMPLES = Path(__file__).parent.parent / "examples" / "blender"
QUIET = ["-W", "ignore:This DataLoader will create"]

DOCUMENT = {
    "minimal.py": "5057e052e5ab5550cf6c516557a7ccc49ed008bc3bc07701a7cecee8cea11b00",
    "cube.blend.py": "ab0fcf882ac44d6d5246ef838736e4338cfc3fbcf398c877102774b2e76f0d4e",
}
"""The document's code blocks, by the SHA-256 of what they say, however it is laid out."""

STREAM = """
import numpy as np
from heliograph.compat.blendtorch import btb

args, words = btb.parse_blendtorch_args()
publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid)
for number in range(1 << 60):
    publisher.publish(number=number, seed=args.btseed, words=words, image=np.zeros((4, 4), "u1"))
"""


@pytest.mark.parametrize("name", DOCUMENT)
def test_the_examples_are_the_documents_programs(name: str) -> None:
    ours = (EXAMPLES / "minimal" / name).read_text()
    theirs = ours.replace("from heliograph.compat.blendtorch import", "from blendtorch import")
    said = ast.unparse(ast.parse(theirs))
    assert hashlib.sha256(said.encode()).hexdigest() == DOCUMENT[name]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the document's programs, with the scene that they need."""
    folder = tmp_path_factory.mktemp("examples") / "blender"
    shutil.copytree(EXAMPLES, folder)
    make = program_command(None, folder / "minimal" / "make_cube.py", ["cube.blend"])
    subprocess.run(make, cwd=folder / "minimal", check=True, capture_output=True, env=environment())
    return folder / "minimal"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "stream.blend.py"
    path.write_text(STREAM)
    return path


def start(program: Path, **keywords: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", *QUIET, str(program)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **keywords,
    )


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.blender
def test_the_documents_programs(programs: Path) -> None:
    said, complaints = start(programs / "minimal.py").communicate(timeout=100)
    line = "torch.Size([4, 240, 320, 3]) torch.Size([4, 8, 2])\n"
    assert (said, complaints) == (4 * line, "")


@pytest.mark.blender
def test_what_the_documents_script_streams(programs: Path) -> None:
    with btt.BlenderLauncher(
        programs / "cube.blend", programs / "cube.blend.py", named_sockets=["DATA"], seed=1
    ) as launcher:
        stream = iter(btt.RemoteIterableDataset(launcher.launch_info.addresses["DATA"]))
        items = [next(stream) for _ in range(4)]
    assert [item["frameid"] for item in items] == [0, 1, 2, 3]
    for item in items:
        assert item["btid"] == 0
        coloured = np.ptp(item["image"].astype(int), axis=2) > 12  # the rest is grey
        y, x = np.nonzero(coloured)
        low, high = item["xy"].min(axis=0), item["xy"].max(axis=0)
        seen = [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert seen == pytest.approx([*low, *high], abs=1.5)


@pytest.mark.blender
def test_scripts_are_told_what_is_theirs_and_a_killed_one_is_told_of_at_once(script: Path) -> None:
    words = [["--speed", "1"], ["--speed", "2"]]
    with btt.BlenderLauncher(
        "", script, 2, ["DATA", "MORE"], instance_args=words, seed=10
    ) as launcher:
        info = launcher.launch_info
        assert [len(each) for each in info.addresses.values()] == [2, 2]
        loader = data.DataLoader(
            btt.RemoteIterableDataset(info.addresses["DATA"], timeoutms=60_000),
            batch_size=None,
            num_workers=1,
        )
        items = iter(loader)
        first: dict[int, Any] = {}
        while len(first) < 2:
            item = next(items)
            first.setdefault(item["btid"], item)
        assert [first[each]["seed"] for each in (0, 1)] == [10, 11]
        assert [first[each]["words"] for each in (0, 1)] == words
        launcher.assert_alive()
        pid = info.processes[1].pid
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match=rf"instance 1 of 2 \(pid {pid}\) was killed by SIGK"):
            for _ in items:
                pass
        with pytest.raises(WorkerError, match="instance 1 of 2"):
            launcher.assert_alive()
        other = info.processes[0].pid
        assert is_alive(other)
    assert not is_alive(other)


@pytest.mark.blender
def test_no_blender_outlives_a_killed_trainer(script: Path, tmp_path: Path) -> None:
    program = tmp_path / "trainer.py"
    program.write_text(
        "import sys\n"
        "from heliograph.compat.blendtorch import btt\n"
        f"with btt.BlenderLauncher('', {str(script)!r}, 2, ['DATA']) as launcher:\n"
        "    for item in btt.RemoteIterableDataset(launcher.launch_info.addresses['DATA']):\n"
        "        if all(each.pid for each in launcher.launch_info.processes):\n"
        "            break\n"
        "    print(*[each.pid for each in launcher.launch_info.processes], flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with start(program, stdin=subprocess.PIPE) as trainer:
        assert trainer.stdout is not None
        pids = [int(word) for word in trainer.stdout.readline().split()]
        assert len(pids) == 2, trainer.stderr and trainer.stderr.read()
        assert all(is_alive(pid) for pid in pids)
        trainer.kill()
    until = time.monotonic() + 30
    while any(is_alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(is_alive(pid) for pid in pids)


@pytest.mark.blender
def test_a_script_that_raises_is_told_with_its_traceback_and_its_instance(tmp_path: Path) -> None:
    script = tmp_path / "wrong.blend.py"
    script.write_text("import bpy\nbpy.data.objects['Kube'].location\n")
    with btt.BlenderLauncher("", script, 1, ["DATA"]) as launcher:
        dataset = btt.RemoteIterableDataset(launcher.launch_info.addresses["DATA"])
        with pytest.raises(WorkerError, match=r"(?s)instance 0 of 1.*exit code 1") as caught:
            next(iter(dataset))
    assert "wrong.blend.py" in str(caught.value)
    assert "Kube" in str(caught.value)
    assert "line 2" in str(caught.value)


def test_without_a_blender_both_ways_to_get_one_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HELIOGRAPH_BLENDER_PYTHON", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert btt.discover_blender() is None
    told = "heliograph blender setup.*HELIOGRAPH_BLENDER_PYTHON"
    for given in (None, tmp_path):
        launcher = btt.BlenderLauncher("", "x.py", blend_path=given)
        with pytest.raises(MissingDependencyError, match=told), launcher:
            pass


@pytest.mark.blender
def test_launching_from_the_command_line_for_consumers_elsewhere(
    script: Path, tmp_path: Path
) -> None:
    told = {"scene": "", "script": str(script), "named_sockets": ["DATA"], "seed": 5}
    arguments, info = tmp_path / "launch.json", tmp_path / "info.json"
    arguments.write_text(json.dumps(told))
    script.write_text(STREAM.replace("range(1 << 60)", "range(6)"))
    module = "heliograph.compat.blendtorch.btt.apps.launch"
    command = ["-m", module, str(arguments), "--out-launch-info", str(info)]
    with subprocess.Popen([sys.executable, *command]) as launching:
        until = time.monotonic() + 30
        while not info.exists() and time.monotonic() < until:
            time.sleep(0.02)
        found = btt.LaunchInfo.load_json(info)
        assert found.commands[0][-4:-2] == ["-btseed", "5"]
        items = [*btt.RemoteIterableDataset(found.addresses["DATA"], timeoutms=30_000)]
        assert launching.wait(30) == 0
    assert [item["number"] for item in items] == [*range(6)]
    assert info.stat().st_mode & 0o077 == 0


def test_launch_arguments_that_are_none(tmp_path: Path) -> None:
    from heliograph.compat.blendtorch.btt.apps import launch

    path = tmp_path / "launch.json"
    for text in ("[]", "{", '{"scene": ""}', '{"scene": "", "script": "", "prot": "tcp"}'):
        path.write_text(text)
        with pytest.raises(InvalidValueError, match=r"launch\.json: expected arguments of Blender"):
            launch.main([str(path)])
    with pytest.raises(InvalidValueError, match="proto: expected 'tcp' or 'ipc', got 'udp'"):
        btt.BlenderLauncher("", "x.py", proto="udp")
    with pytest.raises(InvalidValueError, match="nothing is launched"):
        btt.BlenderLauncher("", "x.py").assert_alive()


@contextmanager
def publishing(count: int, instances: int = 2) -> Iterator[list[str]]:
    """Addresses where threads publish so many messages each, as far as they are wanted, and end."""
    enough = threading.Event()

    def publish(publisher: Publisher) -> None:
        for number in range(count):
            while not enough.is_set():
                with suppress(TimeoutError):
                    publisher.publish(number=number, image=np.full((2, 3), number % 256, np.uint8))
                    break
        publisher.close()

    made = [Publisher("tcp://127.0.0.1:0", instance=each, timeout=0.1) for each in range(instances)]
    threads = [threading.Thread(target=publish, args=[each]) for each in made]
    for each in threads:
        each.start()
    yield [each.address for each in made]
    enough.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def doubled(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "number": 2 * item["number"]}


class Numbers(btt.RemoteIterableDataset):
    """Yields the numbers alone."""

    def _item(self, item: dict[str, Any]) -> int:
        return int(item["number"])


def test_an_epoch_ends_when_all_have_ended() -> None:
    with publishing(5) as addresses:
        items = [*btt.RemoteIterableDataset(addresses, item_transform=doubled)]
    assert sorted((each["btid"], each["number"]) for each in items) == [
        (instance, 2 * number) for instance in (0, 1) for number in range(5)
    ]
    with publishing(3, 1) as addresses:
        assert [*Numbers(addresses)] == [0, 1, 2]


def test_workers_share_what_was_asked_for_and_drop_no_remainder() -> None:
    with publishing(1_000_000) as addresses:  # more than one worker takes in while another starts
        dataset = btt.RemoteIterableDataset(addresses)
        dataset.stream_length(11)
        loader = data.DataLoader(dataset, batch_size=None, num_workers=2)
        assert len([*loader]) == 11


def test_recordings_are_replayed_without_anybody(tmp_path: Path) -> None:
    with publishing(4, 1) as addresses:
        dataset = btt.RemoteIterableDataset(addresses)
        dataset.enable_recording(tmp_path / "run")
        items = [*dataset]
    replayed = btt.FileDataset(tmp_path / "run", item_transform=doubled)
    assert [each["number"] for each in data.DataLoader(replayed, batch_size=None)] == [0, 2, 4, 6]
    single = btt.SingleFileDataset(tmp_path / "run_00.btr")
    assert len(single) == len(items) == 4
    np.testing.assert_array_equal(single[3]["image"], items[3]["image"])
    assert single[3]["btid"] == 0
    single.close()
    replayed.close()


def test_recordings_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "some.btr"
    for count in (3, 2):  # what was there is replaced
        with btt.FileRecorder(path, max_messages=2) as recorder:
            for number in range(count):
                recorder.save({"number": number, "nested": {"text": "x", "list": [1, None]}})
    with btt.FileReader(path) as reader:
        assert len(reader) == 2
        assert reader[1] == {"number": 1, "nested": {"text": "x", "list": [1, None]}}
        with pytest.raises(IndexError):
            reader[2]
    with pytest.raises(InvalidValueError, match="is used as `with"):
        recorder.save({})
    (tmp_path / "old.btr").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(RecordError, match=r"old\.btr: expected a stream"):
        btt.FileReader(tmp_path / "old.btr")
    with pytest.raises(RecordError, match=r"none_\*\.btr: expected recorded files"):
        btt.FileDataset(tmp_path / "none")


def test_a_silent_publisher_is_named() -> None:
    with Publisher("tcp://127.0.0.1:0") as publisher:
        dataset = btt.RemoteIterableDataset(publisher.address, timeoutms=200)
        with pytest.raises(TimeoutError, match=f"{publisher.address}: nothing ever came"):
            next(iter(dataset))
        publisher.close(timeout=0)


def test_channels_carry_numbered_messages_both_ways() -> None:
    with (
        Duplex("tcp://127.0.0.1:0", bind=True, instance=3) as there,
        btt.DuplexChannel(there.address, btid=7) as here,
    ):
        assert here.recv(timeoutms=0) is None
        assert [here.send(x=np.arange(3)), here.send(x=2)] == [0, 1]
        assert (there.recv() or {})["btid"] == 7
        assert (there.recv() or {})["x"] == 2
        there.send(y=[1, {"z": None}])
        assert here.recv(timeoutms=-1) == {"btid": 3, "btmid": 0, "y": [1, {"z": None}]}


def test_gamma_encodes_colour_and_leaves_alpha() -> None:
    picture = np.array([[[0, 64, 255, 64]]], np.uint8)
    encoded = btt.colors.gamma(picture)
    np.testing.assert_array_equal(encoded, [[[0, int(255 * (64 / 255) ** (1 / 2.2)), 255, 64]]])
    np.testing.assert_array_equal(btt.colors.gamma(picture[..., :3], 1.0), picture[..., :3])


def test_every_name_is_there() -> None:
    for name in btt.__all__:
        assert getattr(btt, name) is not None
    assert btt.env.OpenAIRemoteEnv is btt.OpenAIRemoteEnv
    with pytest.raises(AttributeError, match="no attribute 'BlenderLaunch'"):
        getattr(btt, "Blender" + "Launch")
