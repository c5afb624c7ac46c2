import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MOST_LINES = 400
HEAVY = ("mujoco", "moderngl", "trimesh", "tyro", "PIL", "scipy", "torch")
# Joined here, so that this file does not contain what it looks for.
PRIVATE = tuple("/" + first + rest + "/" for first, rest in (("wo", "rk"), ("ro", "ot")))


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


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


def test_no_source_file_is_too_long() -> None:
    sources = sorted((ROOT / "src").rglob("*.py"))
    assert sources
    long = {str(p.relative_to(ROOT)): lines_of(p) for p in sources if lines_of(p) > MOST_LINES}
    assert not long


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
