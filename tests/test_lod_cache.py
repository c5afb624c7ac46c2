"""The cache of simplified meshes: whatever happens to it, the same levels come out."""

import logging
import os
import resource
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heliograph.raster import lod, lod_cache

KEY = "0123456789abcdef" * 2 + "01234567"
LEVELS = [
    (np.arange(9000, dtype=np.uint32).reshape(-1, 3), 1e-3),
    (np.arange(30, dtype=np.uint32).reshape(-1, 3), 0.1 + 0.2),
]
FUZZ = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, with every trouble still untold."""
    monkeypatch.setenv("HELIOGRAPH_CACHE", str(tmp_path))
    lod_cache._warn.cache_clear()
    yield tmp_path / "lod"
    lod_cache._warn.cache_clear()


def surface() -> lod.Surface:
    x, y = np.meshgrid(np.linspace(0, 1, 30), np.linspace(0, 1, 30))
    points = np.stack([x.ravel(), y.ravel(), np.sin(9 * x.ravel())], 1).astype(np.float32)
    cells = (np.arange(29)[:, None] * 30 + np.arange(29)).ravel()
    corners = [cells, cells + 1, cells + 31], [cells, cells + 31, cells + 30]
    faces = np.concatenate([np.stack(three, 1) for three in corners]).astype(np.uint32)
    return lod.Surface(points, np.tile(np.array([0, 0, 1], np.float32), (900, 1)), faces)


def same(found: lod_cache.Levels | None, expected: lod_cache.Levels) -> bool:
    assert found is not None
    assert [error for _, error in found] == [error for _, error in expected]
    return all(np.array_equal(a, b) for (a, _), (b, _) in zip(found, expected, strict=True))


def test_what_is_saved_is_found_again(place: Path) -> None:
    assert lod_cache.load(KEY) is None
    lod_cache.save(KEY, LEVELS)
    assert same(lod_cache.load(KEY), LEVELS)
    lod_cache.save(KEY, [])
    assert lod_cache.load(KEY) == []
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert [each.name for each in place.iterdir()] == [f"{KEY}.lod"]


@FUZZ
@given(st.data())
def test_a_damaged_entry_is_never_believed(place: Path, data: st.DataObject) -> None:
    lod_cache.save(KEY, LEVELS)
    path = place / f"{KEY}.lod"
    entry = bytearray(path.read_bytes())
    if data.draw(st.booleans(), "truncate"):
        path.write_bytes(entry[: data.draw(st.integers(0, len(entry) - 1), "length")])
    else:
        for bit in data.draw(st.sets(st.integers(0, 8 * len(entry) - 1), min_size=1, max_size=9)):
            entry[bit // 8] ^= 1 << bit % 8
        path.write_bytes(entry)
    assert lod_cache.load(KEY) is None


def test_a_damaged_file_does_not_change_the_levels(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, rng = lod.levels(surface()), np.random.default_rng(0)
    (stored,) = place.iterdir()
    sound = stored.read_bytes()
    for at in rng.integers(0, 8 * len(sound), 20).tolist():
        damaged = bytearray(sound)
        damaged[at // 8] ^= 1 << at % 8
        stored.write_bytes(damaged)
        assert same(lod.levels(surface()), first)
        assert stored.read_bytes() == sound  # made anew
    assert len(caplog.records) == 1
    assert "damaged" in caplog.text


def test_an_entry_under_another_name_is_not_believed(place: Path) -> None:
    lod_cache.save(KEY, LEVELS)
    (place / f"{KEY}.lod").rename(place / f"{KEY[::-1]}.lod")
    assert lod_cache.load(KEY[::-1]) is None


@pytest.mark.parametrize(
    "variables",
    [{"XDG_CACHE_HOME": "~no-such-user/x"}, {"HELIOGRAPH_CACHE": "~no-such-user/x"}],
)
def test_no_home_costs_only_time(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = lod.levels(surface())
    monkeypatch.delenv("HELIOGRAPH_CACHE")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for _ in range(2):
        assert same(lod.levels(surface()), expected)
    assert len(caplog.records) == 1
    assert "HELIOGRAPH_CACHE" in caplog.text


def test_a_user_without_an_account_costs_only_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HELIOGRAPH_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 987654321)
    assert lod_cache.folder() is None
    assert lod_cache.load(KEY) is None
    lod_cache.save(KEY, LEVELS)


def test_only_stale_parts_of_ours_are_removed(place: Path) -> None:
    place.mkdir()
    ours, fresh = place / f"{KEY}.abcd_123.part", place / f"{KEY}.abcd_124.part"
    others = [place / name for name in ("notes.part", "x.abcd_123.part", f"{KEY}.lod.txt")]
    for path in (ours, fresh, *others):
        path.write_bytes(b"x")
        os.utime(path, (0, 0))
    os.utime(fresh)
    lod_cache.save(KEY, LEVELS)
    assert not ours.exists()
    assert all(path.exists() for path in (fresh, *others))


def test_the_longest_unused_go_first(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOGRAPH_CACHE_MB", "1")
    rng = np.random.default_rng(0)
    noise = [(rng.integers(0, 2**32, (25_000, 3), np.uint32), 1.0)]  # 300 KB that do not compress
    keys = [f"{number:040x}" for number in range(5)]
    for age, key in enumerate(keys[:3]):
        lod_cache.save(key, noise)
        os.utime(place / f"{key}.lod", (time.time() - 100 + age,) * 2)
    assert lod_cache.load(keys[0]) is not None
    lod_cache.save(keys[3], noise)
    assert [lod_cache.load(key) is not None for key in keys[:4]] == [True, False, True, True]
    monkeypatch.setenv("HELIOGRAPH_CACHE_MB", "0")
    lod_cache.save(keys[4], noise)
    assert lod_cache.load(keys[4]) is None


def test_a_bound_that_is_no_number_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HELIOGRAPH_CACHE_MB", "lots")
    lod_cache.save(KEY, LEVELS)
    assert same(lod_cache.load(KEY), LEVELS)
    assert "lots" in caplog.text


def test_a_full_disk_leaves_nothing_half_written(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        lod_cache.save(KEY, LEVELS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(place.iterdir()) == []
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize("in_the_way", ["lod", f"lod/{KEY}.lod"])
def test_something_else_in_the_way_costs_only_time(
    in_the_way: str, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = place.parent / in_the_way
    if in_the_way == "lod":
        blocked.write_text("a file")
    else:
        blocked.mkdir(parents=True)
    for _ in range(2):
        assert lod_cache.load(KEY) is None
        lod_cache.save(KEY, LEVELS)
    assert len(caplog.records) == 2  # one for reading, one for writing
    assert not list(place.parent.rglob("*.part"))


def test_a_cache_that_may_only_be_read_is_used(
    place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lod_cache.save(KEY, LEVELS)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    for name in ("os.utime", "heliograph.raster.lod_cache.NamedTemporaryFile"):
        monkeypatch.setattr(name, refuse)
    assert same(lod_cache.load(KEY), LEVELS)
    lod_cache.save(KEY[::-1], LEVELS)
    assert "cannot be written" in caplog.text


def test_processes_may_save_and_tidy_at_once(place: Path) -> None:
    program = (
        "import numpy as np\n"
        "from heliograph.raster import lod_cache\n"
        "rows = np.random.default_rng(0).integers(0, 2**32, (25_000, 3), np.uint32)\n"
        "for turn in range(30):\n"
        "    key = f'{turn % 7:040x}'\n"
        "    found = lod_cache.load(key)\n"
        "    assert found is None or np.array_equal(found[0][0], rows), turn\n"
        "    lod_cache.save(key, [(rows, 1.0)])\n"
    )
    surroundings = {**os.environ, "HELIOGRAPH_CACHE_MB": "1"}
    command = [sys.executable, "-c", program]
    running = [
        subprocess.Popen(command, env=surroundings, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate()[1] for process in running] == ["", "", ""]
    assert {path.suffix for path in place.iterdir()} == {".lod"}
    assert sum(path.stat().st_size for path in place.iterdir()) <= 1 << 20


def test_troubles_are_warnings_of_the_packages_logger(caplog: pytest.LogCaptureFixture) -> None:
    lod_cache.save(KEY, LEVELS)
    place = lod_cache.folder()
    assert place is not None
    (place / f"{KEY}.lod").write_bytes(b"")
    lod_cache.load(KEY)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.name.startswith("heliograph.")
