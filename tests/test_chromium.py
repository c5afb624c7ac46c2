"""Finding, starting and ending a browser, with scripts in its place; and the files it shares."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heliograph.engines.web import chromium
from heliograph.engines.web.chromium import NATIVE, SWIFTSHADER, VULKAN, Chromium
from heliograph.engines.web.shared_file import SharedFile, new_mark
from heliograph.errors import EngineError, InvalidValueError, MissingDependencyError

MARK_BYTES = 4096


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has a shell script taken for the browser."""

    def take(script: str) -> None:
        program = tmp_path / "browser"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv(chromium.ENV, str(program))

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return take


def test_the_environment_names_the_browser(stand_in: Callable[[str], None], tmp_path: Path) -> None:
    stand_in("exit 0")
    assert chromium.find_chromium() == tmp_path / "browser"


def test_a_browser_that_is_not_there_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(chromium.ENV, "/nowhere/browser")
    with pytest.raises(MissingDependencyError, match="got '/nowhere/browser'"):
        chromium.find_chromium()
    monkeypatch.delenv(chromium.ENV)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "_PLACES", ())
    with pytest.raises(MissingDependencyError, match="apt-get install chromium"):
        chromium.find_chromium()


def test_the_way_to_draw_that_worked_is_tried_first(stand_in: Callable[[str], None]) -> None:
    stand_in("exit 0")
    assert chromium.gl_choices()[-1] is SWIFTSHADER
    chromium.remember(SWIFTSHADER)
    assert chromium.gl_choices()[0] is SWIFTSHADER
    stand_in("exit 1")  # another browser
    assert chromium.gl_choices()[-1] is SWIFTSHADER


@pytest.mark.parametrize(
    ("name", "software"),
    [
        ("ANGLE (Mesa/X.org, llvmpipe (LLVM 15.0.6 256 bits), OpenGL ES 3.2)", True),
        ("ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device), SwiftShader driver)", True),
        ("ANGLE (NVIDIA Corporation, NVIDIA H100 PCIe/PCIe/SSE2, OpenGL ES 3.2)", False),
    ],
)
def test_software_does_not_suffice_where_there_is_a_gpu(
    stand_in: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, name: str, software: bool
) -> None:
    stand_in("exit 0")
    monkeypatch.setattr(chromium, "_has_gpu", lambda: False)
    assert chromium.gl_choices() == [NATIVE, SWIFTSHADER]
    assert chromium.suffices(NATIVE, name)
    monkeypatch.setattr(chromium, "_has_gpu", lambda: True)
    assert chromium.gl_choices() == [NATIVE, VULKAN, SWIFTSHADER]
    assert chromium.suffices(NATIVE, name) is not software
    chromium.remember(NATIVE)  # as nothing better was found
    assert chromium.suffices(NATIVE, name)


def test_a_browser_is_told_its_flags_and_ended_with_its_profile(
    stand_in: Callable[[str], None],
) -> None:
    stand_in('echo "$@"; sleep 100 & sleep 100')
    with Chromium("http://127.0.0.1:1/?token=a&b", NATIVE) as browser:
        log = browser.profile / "log"
        _until(lambda: b"token=a&b" in log.read_bytes())
        told = log.read_text().split()
        assert {"--headless", *NATIVE.flags, f"--user-data-dir={browser.profile}"} <= set(told)
        assert told[-1] == "http://127.0.0.1:1/?token=a&b"
        assert browser.last_words() == "the browser is running"
    assert not browser.profile.exists()
    assert not browser.running
    browser.close()


def test_how_a_browser_ended_is_told(stand_in: Callable[[str], None]) -> None:
    stand_in("echo no display; exit 7")
    with Chromium("http://127.0.0.1:1/", NATIVE) as browser:
        _until(lambda: not browser.running)
        assert browser.last_words() == "the browser ended with status 7 and said: no display"


OWNER = """
import os, sys, time
from heliograph.engines.web.chromium import NATIVE, Chromium
browser = Chromium("about:blank", NATIVE)
child = os.fork()
if child == 0:
    time.sleep(300)
    os._exit(0)
print(browser.profile, child, flush=True)
sys.stdin.readline()
browser.close()
print("closed", flush=True)
"""


@pytest.mark.parametrize("way", ["close", "kill"])
def test_a_forked_child_does_not_keep_the_browser(
    stand_in: Callable[[str], None], way: str
) -> None:
    stand_in("sleep 300")
    words = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", OWNER]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        profile, child = owner.stdout.readline().split()
        try:
            if way == "kill":
                owner.kill()
            else:
                owner.stdin.write("\n")
                owner.stdin.flush()
                assert owner.stdout.readline() == "closed\n"
            _until(lambda: not Path(profile).exists())
            os.kill(int(child), 0)  # it lives on
        finally:
            os.kill(int(child), signal.SIGKILL)


def test_a_browser_ends_without_its_watchdog(
    stand_in: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in("sleep 300")
    started: list[subprocess.Popen[bytes]] = []
    make = chromium._shell

    def shell(*arguments: Any, **keywords: Any) -> subprocess.Popen[bytes]:
        started.append(make(*arguments, **keywords))
        return started[-1]

    monkeypatch.setattr(chromium, "_shell", shell)
    browser = Chromium("about:blank", NATIVE)
    started[0].kill()
    browser.close()
    assert not browser.running
    assert not browser.profile.exists()


def test_a_browser_without_descriptors_is_an_error_and_leaves_nothing(
    stand_in: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in("sleep 300")
    monkeypatch.setattr(chromium, "_roomy_shm", lambda: str(tmp_path / "shm"))
    (tmp_path / "shm").mkdir()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = []
    first = os.open("/dev/null", os.O_RDONLY)
    os.close(first)
    for free in range(12):
        resource.setrlimit(resource.RLIMIT_NOFILE, (first + free, limits[1]))
        try:
            Chromium("about:blank", NATIVE).close()
        except EngineError as error:
            told.append(str(error))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert list((tmp_path / "shm").iterdir()) == []
    assert 4 < len(told) < 12
    assert all("cannot be started: [Errno 24]" in each for each in told)


class Page:
    """Writes into a file as a page does."""

    def __init__(self, path: Path, mark: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mark.encode().ljust(MARK_BYTES, b"\0"))
        self._file, self._count = path.open("r+b"), 0

    def write(self, body: bytes) -> None:
        self._count += 1
        for place, data in ((MARK_BYTES, body), (32, self._count.to_bytes(4, "little"))):
            self._file.seek(place)
            self._file.write(data)
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def test_a_shared_file_is_found_by_its_mark_and_read_as_it_grows(tmp_path: Path) -> None:
    mark, other = new_mark(), new_mark()
    page = Page(tmp_path / "Default" / "File System" / "000" / "t" / "00" / "00000001", mark)
    Page(tmp_path / "Default" / "File System" / "000" / "t" / "00" / "00000002", other).close()
    assert SharedFile.find(0, tmp_path, new_mark()) is None
    shared = SharedFile.find(3, tmp_path, mark)
    assert shared is not None
    assert shared.number == 3
    with pytest.raises(InvalidValueError, match="a new answer"):
        shared.body()
    for size in (16, 100_000, 32):
        page.write(bytes([size % 251]) * size)
        assert bytes(shared.body()[:size]) == bytes([size % 251]) * size
    with pytest.raises(InvalidValueError, match="a new answer"):
        shared.body()
    page.close()
    shared.close()
    shared.close()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
