"""The commands as people run them: standard streams closed, full, unread, ASCII only; odd names."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from heliograph.record import Recording

MJCF = """<mujoco><worldbody><light pos="0 0 3"/>
<camera name="größe→" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
<body><joint name="x" type="slide" range="-1 1"/><geom name="球" size="0.5"/></body>
</worldbody></mujoco>"""
SMALL = "--size 16x12"
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LONG = "a" * 300


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.xml").write_text(MJCF, encoding="utf-8")
    return tmp_path


def shell(
    line: str, folder: Path, streams: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command line in a shell, which closes or redirects streams as it is told."""
    text = f'"$PYTHON" -m heliograph {line} {streams}'
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {text}"],
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        cwd=folder,
        timeout=100,
        env={**os.environ, "PYTHON": sys.executable, **environment},
    )


def check_mistake(done: subprocess.CompletedProcess[str], code: int, message: str) -> None:
    """One line, and this exit code."""
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert done.stderr.startswith("error: ")
    assert message in done.stderr


@pytest.mark.parametrize("streams", ["2>&-", "<&- >&- 2>&-", "2>/dev/full", "2> >(true)"])
def test_pictures_are_drawn_though_nobody_can_be_told(folder: Path, streams: str) -> None:
    done = shell(f"render m.xml --count 2 {SMALL} --out pictures", folder, streams)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list((folder / "pictures").iterdir())) == 2 * 5 + 1
    for workers in (0, 1):
        line = f"generate m.xml --count 3 --workers {workers} {SMALL} --out run{workers}"
        done = shell(line, folder, streams)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(Recording(folder / f"run{workers}", verify=True)) == 3
    tars = [(folder / f"run{n}" / "shard-000000.tar").read_bytes() for n in (0, 1)]
    assert tars[0] == tars[1]


def test_failures_are_counted_though_nobody_can_be_told(folder: Path) -> None:
    done = shell("generate fake --count 3 --passes rgb --randomize nowhere --out r", folder, "2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.parametrize("line", ["inspect m.xml", "--version", "doctor", "--help"])
def test_a_full_disk_behind_standard_output_is_one_line(folder: Path, line: str) -> None:
    check_mistake(shell(line, folder, ">/dev/full"), 1, "No space left on device")


def test_work_is_whole_though_its_name_cannot_be_told(folder: Path) -> None:
    done = shell(f"render m.xml {SMALL} --out p", folder, ">/dev/full")
    check_mistake(done, 1, "standard output: cannot be written (No space left on device)")
    assert (folder / "p" / "contact_sheet.png").is_file()


def test_a_reader_that_has_seen_enough_ends_it_silently(folder: Path) -> None:
    done = shell("inspect m.xml", folder, "| head -1")
    assert done.stdout.startswith("m.xml (hash ")
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    done = shell("inspect m.xml", folder, "| true")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    done = shell("inspect m.xml", folder, "2>&1 | true")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.parametrize(
    "out", [LONG, f"{LONG}/b", f"b/{LONG}", "a" * 250, "m.xml/b", "/proc/nowhere"]
)
def test_a_folder_that_cannot_be_is_one_line(folder: Path, out: str) -> None:
    check_mistake(shell(f"render m.xml {SMALL} --out {out}", folder), 2, out[:99])
    assert list(folder.iterdir()) == [folder / "m.xml"]
    if len(out) == 250:
        return  # a folder of this name can be; only no other beside it
    done = shell(f"generate m.xml --count 1 {SMALL} --out {out}", folder)
    check_mistake(done, 2, out[:99])


def test_letters_that_the_output_lacks_become_escapes(folder: Path) -> None:
    done = shell("inspect m.xml", folder, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"gr\xf6\xdfe\u2192" in done.stdout
    done = shell("render m.xml --camera nowhere --out p", folder, PYTHONIOENCODING="ascii")
    check_mistake(done, 2, r"known: 'gr\xf6\xdfe\u2192'")


def test_all_works_where_all_is_ascii(folder: Path) -> None:
    done = shell(f"render m.xml {SMALL} --out größe", folder, **ASCII)
    assert (done.returncode, done.stderr) == (0, "")
    names = [path.name for path in (folder / "größe").iterdir()]
    assert len(names) == 6
    assert all(name.isascii() for name in names)
    done = shell(f"generate m.xml --count 2 {SMALL} --out run", folder, "2>&-", **ASCII)
    assert done.returncode == 0
    assert list(Recording(folder / "run")[0].frames) == ["größe→"]


def test_names_that_are_no_utf_8(folder: Path) -> None:
    name = os.fsdecode(b"m\xe9.xml")
    (folder / name).write_text(MJCF, encoding="utf-8")
    done = shell(f"render {name} {SMALL} --out {name}.out", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / f"{name}.out" / "contact_sheet.png").is_file()
    assert r'"source": "m\\xe9.xml"' in shell(f"inspect {name} --json", folder).stdout
    assert shell(f"generate {name} --count 2 {SMALL} --out run", folder).returncode == 0
    assert Recording(folder / "run").manifest.source["scene"]["source"] == r"m\xe9.xml"
    done = shell(f"generate {name} --count 2 --workers 1 {SMALL} --out run2", folder)
    check_mistake(done, 2, "not UTF-8 does not travel to a worker; rename")
    check_mistake(shell(f"render {name}x", folder), 2, "no such file")
    (folder / name).write_text("<mujoco><include file='nowhere.xml'/></mujoco>")
    check_mistake(shell(f"render {name}", folder), 2, "nowhere.xml")


def test_more_workers_than_a_machine_runs_are_one_line(folder: Path) -> None:
    done = shell("generate fake --count 2 --workers 1000000 --out r", folder)
    check_mistake(done, 2, "workers: expected an integer from 1 to ")


@pytest.mark.parametrize(
    "line",
    ["generate fake --passes rgb --shard-size 5 --out r", "render fake --passes rgb --out r"],
)
def test_a_run_of_any_length_begins_at_once(folder: Path, line: str) -> None:
    """Within two gigabytes of addresses, of which a list of all positions alone would take more."""
    words = [sys.executable, "-m", "heliograph", *line.split(), "--count", "300000000"]

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))

    with subprocess.Popen(
        words, cwd=folder, stderr=subprocess.PIPE, preexec_fn=limited, text=True
    ) as program:
        try:
            while not list(folder.glob("r/shard-000001.tar")) + list(
                folder.glob(".r.*/000010.json")
            ):
                assert program.poll() is None, program.communicate()[1]
        finally:
            program.kill()
