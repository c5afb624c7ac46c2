import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import heliograph as hg
from heliograph.errors import WorkerError
from heliograph.pool import Launcher, Pool, PoolOptions
from heliograph.pool.supervisor import Supervisor
from heliograph.pool.worker_handle import Phase, WorkerHandle
from heliograph.transport.messages import Open
from heliograph.worker.opening import pack_opening

SIZE = {"size": (32, 24)}
MJCF = """<mujoco><worldbody><camera name="front" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
<geom name="ball" size="0.5"/></worldbody></mujoco>"""


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def pid_in(path: Path) -> int:
    eventually(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


@pytest.fixture
def opening() -> Open:
    return pack_opening("fake", "blank", {})


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[WorkerHandle]:
    """A worker that never says anything."""
    handle = WorkerHandle([script(tmp_path / "sleeper", "exec sleep 1000")], os.environ)
    yield handle
    handle.kill()
    assert handle.dead(10)
    handle.reap()
    handle.close()


# Starts ------------------------------------------------------------------------------------------


def test_replacements_that_cannot_open_the_scene_are_tried_ever_more_rarely(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "heliograph.pool")
    path = tmp_path / "model.xml"
    path.write_text(MJCF)
    with Pool("mujoco", path, 1, {"size": (8, 8)}, recycle_after=5) as pool:
        first = pool.pids
        path.write_text(MJCF.replace("0.5", "0.6"))
        end, pauses = time.monotonic() + 6, set[float]()
        while time.monotonic() < end:
            assert pool.render(hg.View())["front"].rgb.any()
            pauses.add(pool._supervisor._not_before)
        assert first[0] in pool.pids
        assert 2 <= pool.stats().died <= 5
        assert pool.stats().started <= 6
    errors = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert ["has changed since" in each.getMessage() for each in errors] == [True]


class Clock:
    """The time as the supervisor sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("heliograph.pool.supervisor.time.monotonic", lambda: self.now)


class Started:
    """A worker that was started, without its process."""

    pid = 1
    phase = Phase.STARTING
    refused = replaces = None
    successor = dying = innocent = False
    why = ""

    def __init__(self, how: str) -> None:
        self.how = how

    def kill(self) -> None: ...

    def reap(self) -> str:
        return self.how

    def last_output(self) -> str:
        return ""


def pauses(supervisor: Supervisor, clock: Clock, how: str, count: int) -> list[float]:
    """How long it waits after each of so many workers that die as they start."""
    found = []
    for _ in range(count):
        worker: Any = Started(how)
        supervisor.workers.append(worker)
        supervisor._wanted.pop()
        assert supervisor.bury(worker, worker.reap()).error is None
        found.append(round(supervisor.due(), 6))
        clock.now += supervisor.due()
    return found


def with_one_ready(opening: Open) -> Supervisor:
    supervisor = Supervisor(opening, PoolOptions(), 2, "")
    supervisor.ready_once = 1
    ready: Any = Started("")
    ready.phase = Phase.READY
    supervisor.workers.append(ready)
    supervisor._wanted.pop()
    return supervisor


def test_pauses_between_starts_double_until_one_succeeds(
    opening: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    supervisor = with_one_ready(opening)
    found = pauses(supervisor, clock, "exited with status 1", 9)
    assert found == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    supervisor._failed = 0  # as `welcome` says
    assert pauses(supervisor, clock, "was killed by SIGKILL", 3) == [0, 0, 0]
    assert pauses(supervisor, clock, "exited with status 1", 2) == [0.5, 1]


def test_pauses_double_while_no_process_is_to_be_had_and_begin_anew_once_one_was(
    opening: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    supervisor = with_one_ready(opening)
    for round_ in range(2):
        found = []
        for _ in range(6):
            assert supervisor.admit(WorkerError("none left")) is None
            found.append(round(supervisor.due(), 6))
            clock.now += supervisor.due()
        assert found == [0.05, 0.1, 0.2, 0.4, 0.8, 1], round_
        supervisor._refusals = 0  # as `admit` says of one that was started


# Deadlines ---------------------------------------------------------------------------------------


def test_time_in_which_the_driver_stood_still_counts_for_nobody(
    opening: Open, sleeper: WorkerHandle
) -> None:
    supervisor = Supervisor(opening, PoolOptions(start_timeout=10, deadline=None), 1, "")
    supervisor.workers.append(sleeper)
    now = supervisor._ticked = sleeper.since

    def watch(seconds: float) -> list[str]:
        nonlocal now
        now += seconds
        return [why for _, why in supervisor.watch([()], now)]

    assert [watch(1) for _ in range(5)] == [[]] * 5
    assert watch(3600) == []  # one second of it is the usual pause
    assert watch(86400) == []
    assert [watch(1) for _ in range(3)] == [[]] * 3
    assert watch(0.5) == ["did not open the scene within 10 s"]


def test_a_hang_is_seen_though_the_driver_stood_still_during_the_order_before(
    opening: Open, sleeper: WorkerHandle
) -> None:
    supervisor = Supervisor(opening, PoolOptions(deadline=8), 1, "")
    supervisor.workers.append(sleeper)
    sleeper.phase = Phase.READY
    supervisor._ticked = sleeper.since
    begun = sleeper.since
    sleeper.page.begin(1)
    assert supervisor.watch([[1]], begun + 1000) == []
    sleeper.page.begin(2)
    later = sleeper.page.status().since
    supervisor._ticked = later
    for seconds in range(1, 9):
        assert supervisor.watch([[2]], later + seconds) == []
    ((worker, why),) = supervisor.watch([[2]], later + 9)
    assert worker is sleeper
    assert why == "did not answer within its deadline of 8 s"
    supervisor._ticked = later + 19
    assert supervisor.watch([()], later + 20) == []  # who has nothing to do is not late


# Ends --------------------------------------------------------------------------------------------

WRAPPERS = {
    "shell": 'echo $$ > {told}\n{python} "$@" &\nwait',
    "session": 'echo $$ > {told}\nsetsid --wait {python} "$@" &\nwait',
    "helper": 'sleep 1000 &\necho $! > {told}\nexec {python} "$@"',
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("dies", ["pool", "worker", "wrapper"])
def test_nothing_that_a_wrapper_started_outlives_the_worker(
    wrapper: str, dies: str, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    python = shlex.quote(sys.executable)
    argv = (script(tmp_path / "wrap", WRAPPERS[wrapper].format(told=told, python=python)),)
    with Pool("fake", "blank", 1, SIZE, launcher=Launcher(argv)) as pool:
        pids = [*pool.pids, pid_in(told), pool._supervisor.workers[0].process.pid]
        if dies != "pool":
            told.unlink()
            os.kill(pids[0] if dies == "worker" else pids[2], signal.SIGKILL)
            eventually(lambda: bool(pool.pids) and pool.pids[0] not in pids)
            eventually(lambda: not any(map(alive, pids)))
            pool.render(hg.View())
            pids = [*pool.pids, pid_in(told), pool._supervisor.workers[0].process.pid]
    eventually(lambda: not any(map(alive, pids)))


def test_a_worker_that_says_it_is_somebody_else_has_nobody_killed(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "1000"]) as bystander:
        code = (
            "import sys, heliograph.worker.serve as serve; "
            "from types import SimpleNamespace as Some; "
            f"serve.os = Some(**{{**vars(serve.os), 'getpid': lambda: {bystander.pid}}}); "
            "from heliograph.worker.__main__ import main; sys.exit(main(sys.argv[4:]))"
        )
        text = f'exec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"'
        with Pool("fake", "blank", 1, SIZE, python=script(tmp_path / "python", text)) as pool:
            pool.render(hg.View())
            assert pool.pids != [bystander.pid]
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.parametrize("waited", ["by us", "by another"])
def test_a_group_is_not_killed_once_anybody_waited_for_its_leader(
    waited: str, sleeper: WorkerHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper.kill()
    assert sleeper.dead(10)
    sleeper.kill()  # it is still ours
    if waited == "by us":
        assert sleeper.reap() == "was killed by SIGKILL"
    else:
        os.waitpid(sleeper.process.pid, 0)
        assert sleeper.process.returncode is None
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, _: killed.append(group))
    sleeper.kill()
    assert killed == []


def test_a_process_that_cannot_be_killed_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    worker = script(tmp_path / "worker", f"echo $$ > {told}\nexec sleep 1000")

    def refused(*_: object) -> None:
        raise PermissionError

    def no_more(_: int) -> int:
        pid_in(told)
        raise OSError("no more descriptors")

    processes = []
    start = WorkerHandle._start

    def noted(*args: Any) -> Any:
        processes.append(start(*args))
        return processes[-1]

    with monkeypatch.context() as patched:
        patched.setattr("heliograph.pool.worker_handle.os.pidfd_open", no_more)
        patched.setattr("heliograph.pool.worker_handle.os.killpg", refused)
        patched.setattr("subprocess.Popen.kill", refused)
        patched.setattr(WorkerHandle, "_start", noted)
        with pytest.raises(WorkerError, match="no more descriptors"):
            WorkerHandle([worker], os.environ)
    (process,) = processes
    assert process.poll() is None
    process.kill()
    process.wait(10)


def test_all_that_was_half_started_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    worker = script(tmp_path / "worker", f"sleep 1000 &\necho $! > {told}\nexec sleep 1000")

    def no_more(_: int) -> int:
        pid_in(told)
        raise OSError("no more descriptors")

    monkeypatch.setattr("heliograph.pool.worker_handle.os.pidfd_open", no_more)
    with pytest.raises(WorkerError, match="no more descriptors"):
        WorkerHandle([worker], os.environ)
    eventually(lambda: not alive(pid_in(told)))


def test_what_prints_on_after_a_worker_is_dead_is_not_heard_to_the_end(tmp_path: Path) -> None:
    told = tmp_path / "told"
    worker = script(tmp_path / "worker", f"setsid yes &\necho $! > {told}\nexit 3")
    handle = WorkerHandle([worker], os.environ)
    assert handle.dead(10)
    eventually(lambda: handle.read_output() > 0)
    assert handle.last_words() == []
    assert handle.last_output().endswith("y\ny")
    assert handle.reap() == "exited with status 3"
    handle.close()
    eventually(lambda: not alive(pid_in(told)))  # nobody hears it any more
