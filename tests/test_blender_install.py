"""Where Blender is found, and what is said where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import heliograph as hg
from heliograph.cli import main
from heliograph.engines.blender import install
from heliograph.errors import HeliographError, MissingDependencyError


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which nobody has set Blender up."""
    monkeypatch.delenv(install.PYTHON_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_the_interpreter_has_bpy_and_this_very_package() -> None:
    code = "import bpy, heliograph; print(bpy.app.version[0], heliograph.__file__)"
    python = str(install.blender_python())
    told = subprocess.run(
        [python, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=install.environment(),
    ).stdout.split()
    assert int(told[0]) in (4, 5)
    assert Path(told[1]).resolve() == Path(hg.__file__).resolve()


def test_without_blender_both_ways_to_get_one_are_named(nowhere: Path) -> None:
    for call in (install.blender_python, lambda: hg.open(hg.Scene(), engine="blender")):
        with pytest.raises(MissingDependencyError) as caught:
            call()
        assert "heliograph blender setup" in str(caught.value)
        assert install.PYTHON_VARIABLE in str(caught.value)
    with pytest.raises(SystemExit) as left:
        main(["blender", "where"])
    assert left.value.code == 2


def test_what_setup_made_is_found_by_itself(nowhere: Path) -> None:
    made = nowhere / "heliograph" / "blender" / "bin" / "python"
    made.parent.mkdir(parents=True)
    made.symlink_to(sys.executable)
    assert install.blender_python() == made


def test_a_named_interpreter_that_is_none_is_refused(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(install.PYTHON_VARIABLE, str(nowhere / "python"))
    with pytest.raises(MissingDependencyError, match="expected the path of an interpreter"):
        install.blender_python()


def test_a_machine_without_a_python_for_blender_says_which_it_needs(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "BPY", {(3, 6): "bpy>=2"})
    monkeypatch.setenv("PYENV_ROOT", str(nowhere))
    with pytest.raises(MissingDependencyError, match=r"Python 3\.11 and 3\.13"):
        install.make(nowhere / "made")


def test_an_installation_that_fails_says_what_pip_said(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "BPY", {sys.version_info[:2]: "no-such-package-of-blender"})
    with pytest.raises(HeliographError, match="no-such-package-of-blender"):
        install.make(nowhere / "made")


@pytest.mark.parametrize("built", [True, False])
def test_setup_says_where_blender_s_python_lacks_the_native_module(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, built: bool
) -> None:
    folder, told = nowhere / "made", list[str]()
    (folder / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\nexit {int(not built)}\n")
    python.chmod(0o755)
    stamp = "\n".join(["bpy", *install.packages()])
    (folder / "heliograph-blender.txt").write_text(stamp)
    monkeypatch.setattr(install, "_base", lambda: (sys.executable, "bpy"))
    assert install.make(folder, told.append) == python
    assert ["draws through GL" in each for each in told] == [True] * (not built)


def test_a_program_found_or_given(nowhere: Path) -> None:
    assert install.find_blender() is None
    program = nowhere / "blender"
    program.write_text("#!/bin/sh\necho Blender 4.5.1\n")
    program.chmod(0o755)
    assert install.find_blender() == program
    assert install.find_blender(nowhere) == program
    with pytest.raises(MissingDependencyError, match="heliograph blender setup"):
        install.find_blender(nowhere / "elsewhere")
    command = install.program_command("a.blend", "b.py", ["-btid", "1"], blender=program)
    assert command[:4] == [str(program), "--background", "a.blend", "--disable-autoexec"]
    assert command[-5:] == ["--python", "b.py", "--", "-btid", "1"]
    assert "--enable-autoexec" in install.program_command(None, "b.py", blender=program, trust=True)


def test_an_old_program_gets_a_display(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = nowhere / "old" / "blender"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho Blender 3.4.1\n")
    old.chmod(0o755)
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(MissingDependencyError, match=r"Blender 3\.4 .* apt-get install xvfb"):
        install.program_command(None, "b.py", blender=old)
    (nowhere / "xvfb-run").symlink_to("/bin/true")
    command = install.program_command(None, "b.py", blender=old)
    assert command[:3] == ["xvfb-run", "-a", str(old)]
    assert "--background" not in command
    monkeypatch.setenv("DISPLAY", ":0")
    assert install.program_command(None, "b.py", blender=old)[0] == str(old)


def test_a_program_that_is_no_blender_is_refused(nowhere: Path) -> None:
    other = nowhere / "blender"
    other.symlink_to("/bin/true")
    with pytest.raises(HeliographError, match="expected Blender's"):
        install.program_command(None, "b.py", blender=other)


def test_without_a_program_scripts_run_in_the_interpreter() -> None:
    command = install.program_command(None, "b.py", ["x"], trust=True)
    assert command[0] == str(install.blender_python())
    assert command[-5:] == ["--trust", "-", "b.py", "--", "x"]
    assert os.access(command[0], os.X_OK)


def test_what_is_installed_beside_blender_holds_what_draws_and_publishes_alone() -> None:
    names = {install._name(each) for each in install.packages()}
    assert {"numpy", "moderngl", "msgspec", "pyzmq"} <= names
    assert not names & {"mujoco", "torch", "tyro"}
