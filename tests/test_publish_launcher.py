"""Launched programs: what they are told, how their deaths are told, and that none stays."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from heliograph.errors import (
    ClosedError,
    InvalidValueError,
    RecordError,
    UnknownNameError,
    WorkerError,
)
from heliograph.publish.info import Addresses, LaunchInfo
from heliograph.publish.keys import VARIABLE
from heliograph.publish.launcher import Launcher
from heliograph.publish.sockets import Subscriber

STREAM = """
import os, sys
from heliograph.publish.arguments import parse_arguments
from heliograph.publish.sockets import Publisher
from heliograph.publish.seeds import indices
told, rest = parse_arguments()
with Publisher(told.sockets["DATA"], instance=told.instance, seed=told.seed) as publisher:
    for index in indices(told.instance, told.instances, int(rest[0])):
        publisher.publish(index=index, pid=os.getpid())
"""


def _python(text: str, *further: str) -> Any:
    def command(instance: int, arguments: list[str]) -> Sequence[str]:
        del instance
        return [sys.executable, "-c", text, *further, "--", *arguments]

    return command


def _runs(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _soon(condition: Any) -> bool:
    until = time.monotonic() + 60
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return bool(condition())


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    before = _descendants()
    yield
    assert _soon(lambda: _descendants() <= before)


def _descendants() -> set[int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def test_programs_stream_until_all_have_ended() -> None:
    command = _python(STREAM)
    with Launcher(
        command, 3, sockets=["DATA"], seed=5, arguments=[["4"], ["4"], ["4"]]
    ) as launcher:
        assert [len(each) for each in launcher.addresses.values()] == [3]
        with Subscriber(launcher.addresses["DATA"], timeout=60) as subscriber:
            got = sorted((each.index, each.instance, each.seed) for each in subscriber)
        launcher.wait(60)
        launcher.check()
        assert launcher.info.pids == [0, 0, 0]
    assert got == [(index, index % 3, 5 + index % 3) for index in range(12)]


def test_what_programs_are_told() -> None:
    told = "import sys, os; print(sys.argv[1:], os.environ['HELIOGRAPH_INSTANCES']); sys.exit(3)"
    options: Any = {"seed": 10, "arguments": [["-a"], ["-b"]], "start_port": 23000}
    with Launcher(_python(told), 2, sockets=["DATA", "CTRL"], **options) as launcher:
        addresses = {name: each[1] for name, each in launcher.addresses.items()}
        ports = [
            int(each.rpartition(":")[2]) for all_ in launcher.addresses.values() for each in all_
        ]
        with pytest.raises(WorkerError) as error:
            launcher.wait(60)
        commands = launcher.info.commands
    assert len(set(ports)) == 4
    assert min(ports) >= 23000
    sockets = [f"{name}={address}" for name, address in addresses.items()]
    expected = ["--", "-btid", "1", "-btseed", "11", "-btsockets", *sockets, "-b"]
    assert commands[1][3:] == expected
    assert "ended with exit code 3; it wrote last:\n['--', '-btid', '" in str(error.value)
    assert "] 2" in str(error.value)


def test_a_death_is_told_at_once_with_the_last_output(tmp_path: Path) -> None:
    text = f"{STREAM}    print('nearly there', flush=True)\n    import time; time.sleep(60)"
    text = text.replace("with Publisher", "print('begun', flush=True)\nwith Publisher")
    with Launcher(_python(text), 2, sockets=["DATA"], arguments=[["2"], ["2"]]) as launcher:
        subscriber = Subscriber(launcher.addresses["DATA"], timeout=30)
        got = {each.instance: each["pid"] for each in (subscriber.recv() for _ in range(4))}
        assert list(launcher.info.pids) == [got[0], got[1]]
        os.kill(got[1], signal.SIGKILL)
        begun = time.monotonic()
        with pytest.raises(WorkerError) as error:
            subscriber.recv()
        assert time.monotonic() - begun < 10  # of 30
        subscriber.close()
        assert (
            f"instance 1 of 2 (pid {got[1]}) was killed by SIGKILL; it wrote last:\nbegun"
            in str(error.value)
        )
        assert _runs(got[0])
        with pytest.raises(WorkerError, match="instance 1 of 2"):
            launcher.wait()
        assert "instance 1 of 2" in _elsewhere(launcher.info, tmp_path / "info.json")
    assert not _runs(got[0])


def _elsewhere(info: LaunchInfo, path: Path) -> str:
    """What a subscriber in another process is told."""
    info.save_json(path)
    program = (
        "import sys\n"
        "from heliograph.publish.info import LaunchInfo\n"
        "from heliograph.publish.sockets import Subscriber\n"
        "info = LaunchInfo.load_json(sys.argv[1])\n"
        "list(Subscriber(info.addresses['DATA']))"
    )
    command = [sys.executable, "-c", program, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_an_end_without_a_word_is_told() -> None:
    text = f"{STREAM}    import time; time.sleep(1.5); os._exit(0)"
    with (
        Launcher(_python(text), sockets=["DATA"], arguments=[["3"]]) as launcher,
        Subscriber(launcher.addresses["DATA"], timeout=60) as subscriber,
    ):
        assert [subscriber.recv().index for _ in range(3)] == [0, 1, 2]
        with pytest.raises(WorkerError, match="ended without closing its publisher"):
            subscriber.recv()


def test_who_comes_after_the_end_finds_an_end() -> None:
    with Launcher(_python("pass"), 2, sockets=["DATA"]) as launcher:
        launcher.wait(60)
        with Subscriber(launcher.addresses["DATA"], timeout=60) as subscriber:
            assert list(subscriber) == []


def test_a_program_that_fails_is_started_again() -> None:
    text = STREAM.replace(
        "        publisher.publish(",
        "        if os.environ['HELIOGRAPH_RESTARTS'] == '0' and index == 3: os._exit(9)\n"
        "        publisher.publish(",
    )
    options: Any = {"arguments": [["3"], ["3"]], "restarts": 1}
    with Launcher(_python(text), 2, sockets=["DATA"], **options) as launcher:
        with Subscriber(launcher.addresses["DATA"], timeout=60) as subscriber:
            got = [each.index for each in subscriber]
        launcher.wait(60)
    assert set(got) == set(range(6))


def test_restarts_come_to_an_end() -> None:
    with (
        Launcher(_python("import sys; sys.exit('broken scene')"), restarts=2) as launcher,
        pytest.raises(WorkerError, match="exit code 1, after 2 restarts") as error,
    ):
        launcher.wait(60)
    assert "broken scene" in str(error.value)


def test_a_script_that_raises_shows_its_traceback() -> None:
    with (
        Launcher(_python("print('x' * 100_000); 1 / 0")) as launcher,
        pytest.raises(WorkerError, match="ZeroDivisionError") as error,
    ):
        launcher.wait(60)
    assert len(str(error.value)) < 10_000


def test_a_command_that_is_not_there_is_named() -> None:
    with (
        Launcher(lambda *_: ["/no/such/blender"]) as launcher,
        pytest.raises(WorkerError, match="/no/such/blender: cannot be started"),
    ):
        launcher.wait(60)


_FAMILY = r"""
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
tell = lambda: os.write(1, b"%d\n" % os.getpid())
loop = "import os, time; os.setsid(); os.write(1, b'%d\\n' % os.getpid()); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", loop])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        tell()
        time.sleep(600)
    os._exit(0)
os.wait()
tell()
time.sleep(600)
"""
"""A program that does not mind SIGTERM, with a child and an orphan in sessions of their own."""


def _family(path: Path) -> list[int]:
    assert _soon(lambda: path.exists() and len(path.read_text().split()) == 3)
    return [int(each) for each in path.read_text().split()]


def _into(path: Path) -> Any:
    return lambda *_: ["sh", "-c", 'exec "$0" -c "$1" > "$2"', sys.executable, _FAMILY, str(path)]


@pytest.mark.parametrize("how", ["close", "program", "guard"])
def test_no_descendant_stays(tmp_path: Path, how: str) -> None:
    with Launcher(_into(tmp_path / "pids")) as launcher:
        family = _family(tmp_path / "pids")
        pid = launcher.info.pids[0]
        assert pid in family
        if how == "program":
            os.kill(pid, signal.SIGKILL)
        if how == "guard":
            parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
            os.kill(int(parent), signal.SIGKILL)
        if how != "close":
            with pytest.raises(WorkerError, match="was killed by SIGKILL"):
                launcher.wait(60)
    gone = [pid] if how == "guard" else family
    assert _soon(lambda: not any(map(_runs, gone)))
    for each in family:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def test_a_guard_that_is_stopped_leaves_no_descendant(tmp_path: Path) -> None:
    launcher = Launcher(_into(tmp_path / "pids"))
    family = _family(tmp_path / "pids")
    parent = Path(f"/proc/{launcher.info.pids[0]}/stat").read_text().rpartition(")")[2].split()[1]
    os.kill(int(parent), signal.SIGSTOP)
    launcher.close()
    assert _soon(lambda: not any(map(_runs, family)))


def test_a_launcher_that_is_closed_meanwhile_says_so() -> None:
    with Launcher(_python("import time; time.sleep(60)"), 2) as launcher:
        thread = threading.Timer(0.3, launcher.close)
        thread.start()
        with pytest.raises(ClosedError, match=r"closed while instances \[0, 1\] ran"):
            launcher.wait(60)
        thread.join()
    with Launcher(_python("pass")) as launcher:
        launcher.wait(60)
    launcher.wait()


@pytest.mark.parametrize("command", [[], "blender", ["echo", "a\0b"], ["sleep", 5]])
def test_a_command_that_is_none_is_refused(command: Any) -> None:
    with pytest.raises(InvalidValueError, match="command of instance 0: expected a list of text"):
        Launcher(lambda *_: command)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_program_outlives_a_killed_trainer(tmp_path: Path, how: int) -> None:
    trainer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\n"
            "from heliograph.publish.launcher import Launcher\n"
            "text, path = sys.argv[1:]\n"
            "command = ['sh', '-c', 'exec \"$0\" -c \"$1\" > \"$2\"', sys.executable, text, path]\n"
            "launcher = Launcher(lambda *_: command, sockets=['DATA'])\n"
            "print(launcher.info.status, flush=True)\n"
            "time.sleep(600)",
            _FAMILY,
            str(tmp_path / "pids"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with trainer:
        assert trainer.stdout is not None
        status = Path(trainer.stdout.readline().strip())
        family = _family(tmp_path / "pids")
        assert all(map(_runs, family))
        trainer.send_signal(how)
    assert _soon(lambda: not any(map(_runs, family)))
    assert _soon(lambda: not status.parent.exists())


def test_other_machines_get_a_key_which_is_in_the_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heliograph.publish.launcher.primary_ip", lambda: "192.0.2.7")
    monkeypatch.setattr("heliograph.publish.launcher.free_ports", lambda *_: [5555])
    text = "import os, sys, time; print(os.environ.get('HELIOGRAPH_KEY')); time.sleep(60)"
    with Launcher(_python(text), sockets=["DATA"], host="primaryip") as launcher:
        info, path = launcher.info, tmp_path / "info.json"
        info.save_json(path)
    assert info.addresses["DATA"] == ["tcp://192.0.2.7:5555"]
    assert info.key is not None
    assert info.addresses["DATA"].key == info.key
    assert info.key not in repr(info)
    assert info.key not in str(info.commands)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = LaunchInfo.load_json(path)
    assert loaded == info
    assert isinstance(loaded.addresses["DATA"], Addresses)
    assert loaded.addresses["DATA"].key == info.key


def test_a_keyed_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    options: Any = {"host": "primaryip", "arguments": [["3"]]}
    with (
        Launcher(_python(STREAM), sockets=["DATA"], **options) as launcher,
        Subscriber(launcher.addresses["DATA"], timeout=60) as subscriber,
    ):
        assert [each.index for each in subscriber] == [0, 1, 2]


def test_sockets_of_this_machine_alone() -> None:
    options: Any = {"host": "ipc", "arguments": [["3"]]}
    with Launcher(_python(STREAM), sockets=["DATA"], **options) as launcher:
        assert launcher.addresses["DATA"][0].startswith("ipc://")
        with Subscriber(launcher.addresses["DATA"], timeout=60) as subscriber:
            assert [each.index for each in subscriber] == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"instances": 0}, InvalidValueError, "instances: expected an integer from 1"),
        ({"sockets": "DATA"}, InvalidValueError, "sockets: expected a list"),
        ({"sockets": ["A", "A"]}, InvalidValueError, "sockets: expected a list"),
        ({"sockets": ["A=B"]}, InvalidValueError, "without '='"),
        ({"arguments": [[], []]}, InvalidValueError, "each of 1 instances, got 2"),
        ({"host": "0.0.0.0"}, InvalidValueError, "one address of this machine"),
        ({"restart": 1}, UnknownNameError, "did you mean 'restarts'"),
        ({"start_port": 65535, "sockets": ["A", "B"]}, InvalidValueError, "free ports"),
    ],
)
def test_what_cannot_be_launched(options: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        Launcher(lambda *_: ["true"], **{"instances": 1, **options})


def test_files_that_are_no_launch_info(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(RecordError, match="no such file"):
        LaunchInfo.load_json(path)
    for each in ("", "[]", json.dumps({"addresses": 1}), "{" * 100_000):
        path.write_text(each)
        with pytest.raises(RecordError, match=r"expected what LaunchInfo\.save_json writes"):
            LaunchInfo.load_json(path)
