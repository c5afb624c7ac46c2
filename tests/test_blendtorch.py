"""blendtorch's programs, and what its training side promises, with real Blenders."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils import data

from heliograph.compat.blendtorch import btt
from heliograph.engines.blender.install import environment, program_command
from heliograph.errors import (
    MissingDependencyError,
    WorkerError,
)

EXAMPLES = Path(__file__).parent.parent / "examples" / "blender"
QUIET = ["-W", "ignore:This DataLoader will create"]

DOCUMENT = {
    "minimal.py": "605cde55ec6695caee3250bfabd9e269cff326cc16f7cf09e26787c3ccd89fc8",
    "cube.blend.py": "4d8043898dcb1a03394028a9056059214e3304b8ebc1dbfcf7aac747a6a02482",
}
"""The document's code blocks, by their SHA-256."""

STREAM = """
import numpy as np
from heliograph.compat.blendtorch import btb

args, words = btb.parse_blendtorch_args()
publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid)
for number in range(100000):
    publisher.publish(number=number, seed=args.btseed, words=words, image=np.zeros((4, 4), "u1"))
"""


@pytest.mark.parametrize("name", DOCUMENT)
def test_the_examples_are_the_documents_programs(name: str) -> None:
    ours = (EXAMPLES / "minimal" / name).read_text()
    theirs = ours.replace("from heliograph.compat.blendtorch import", "from blendtorch import")
    assert hashlib.sha256(theirs.encode()).hexdigest() == DOCUMENT[name]


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
        assert len(pids) == 2
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
    with pytest.raises(MissingDependencyError, match=told), btt.BlenderLauncher("", "x.py"):
        pass
    with (
        pytest.raises(MissingDependencyError, match=f"expected the program.*{told}"),
        btt.BlenderLauncher("", "x.py", blend_path=tmp_path),
    ):
        pass
