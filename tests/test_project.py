import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("mujoco", "moderngl", "trimesh", "tyro", "PIL", "scipy", "torch")
# Joined here, so that this file does not contain what it looks for.
PRIVATE = tuple("/" + first + rest + "/" for first, rest in (("wo", "rk"), ("ro", "ot")))


def tracked_files() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.fail("this test looks at what git tracks: run it in a checkout, with git installed")
    listed = subprocess.run(
        [git, "-c", f"safe.directory={ROOT}", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


def test_importing_heliograph_loads_nothing_heavy() -> None:
    code = f"import sys, heliograph; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize("private", PRIVATE)
def test_no_tracked_file_names_a_place_on_one_machine(private: str) -> None:
    files = tracked_files()
    assert files
    found = [str(p.relative_to(ROOT)) for p in files if private.encode() in p.read_bytes()]
    assert not found


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "bench", *words], capture_output=True, text=True, check=False
    )


def test_every_benchmark_is_listed_with_what_it_measures() -> None:
    listed = bench()
    assert (listed.returncode, listed.stderr) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in listed.stdout.splitlines()[1:])
    assert lines.keys() == {p.stem for p in (ROOT / "benchmarks").glob("*.py")} - {"models"}
    assert all(len(what) > 20 for what in lines.values())


def test_an_unknown_benchmark_is_refused_before_anything_is_installed() -> None:
    refused = bench("delivry")
    assert refused.returncode == 2
    assert "no benchmark is called 'delivry'" in refused.stderr
    assert "  delivery " in refused.stderr
    refused = bench("all", "--rounds", "3")
    assert (refused.returncode, refused.stdout) == (2, "")


@pytest.mark.parametrize("words", [("--cameras", "0"), ("--states", "-1"), ("--cameras", "two")])
def test_nothing_to_compare_is_refused(words: tuple[str, ...]) -> None:
    program = [sys.executable, "benchmarks/cpu_against_gl.py", *words]
    refused = subprocess.run(program, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert (
        f"argument {words[0]}: expected a whole number from 1, got '{words[1]}'" in refused.stderr
    )


def test_what_draws_splats_in_the_page_has_the_version_of_its_library() -> None:
    package = json.loads((ROOT / "client/package.json").read_text())
    project = tomllib.loads((ROOT / "client/spark/pyproject.toml").read_text())["project"]
    assert project["version"] == package["dependencies"]["@sparkjsdev/spark"]
    assert f" {project['version']} " in (ROOT / "client/spark/README.md").read_text()
    main = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    major, minor, _ = map(int, project["version"].split("."))
    (wanted,) = main["optional-dependencies"]["page-splats"]
    assert wanted == f"{project['name']}>={major}.{minor},<{major + 1}"
