"""Where Blender is: an interpreter that has `bpy`, or a `blender` program; and how to get one.

PyPI's `bpy` pins numpy and fights with torch in one process, so it has an interpreter and an
environment of its own, which this package only refers to: nothing here imports `bpy`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from heliograph.errors import EngineError, MissingDependencyError

PYTHON_VARIABLE = "HELIOGRAPH_BLENDER_PYTHON"
"""Names an interpreter that has `bpy`."""

BPY = {(3, 11): "bpy>=4.5,<4.6", (3, 13): "bpy>=5.1,<6"}
"""Python -> the Blender that has wheels for it: 4.5 is supported for longest."""

_DRAWS_WITHOUT_DISPLAY = (4, 2)

_BESIDE = ("msgspec", "pyzmq")
_NOT_THERE = {"mujoco", "tyro", "tqdm"}
"""What this package depends on, but nothing that runs inside Blender."""

_WAYS = (
    "`heliograph blender setup` installs one apart from everything else (1 GB, no root needed), "
    f"or {PYTHON_VARIABLE} names an interpreter that has PyPI's bpy and this package"
)


def home() -> Path:
    """Where `heliograph blender setup` puts its environment."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache_home) / "heliograph" / "blender"


def has_bpy() -> bool:
    """Whether this interpreter itself has `bpy`; it is not imported."""
    return importlib.util.find_spec("bpy") is not None


def blender_python() -> Path:
    """The interpreter that Blender lives in.

    This one where it has `bpy`, else what `HELIOGRAPH_BLENDER_PYTHON` names, else what
    `heliograph blender setup` made.

    Raises:
        MissingDependencyError: there is none; says how to get one.
    """
    if has_bpy():
        return Path(sys.executable)
    named = os.environ.get(PYTHON_VARIABLE)
    if named:
        if not os.access(named, os.X_OK):
            raise MissingDependencyError(
                f"{PYTHON_VARIABLE}: expected the path of an interpreter, got {named!r}"
            )
        return Path(named).absolute()
    made = home() / "bin" / "python"
    if not made.exists():
        raise MissingDependencyError(f"no Blender here: {_WAYS}")
    return made


def find_blender(given: str | os.PathLike[str] | None = None) -> Path | None:
    """An installed `blender` program: the one given (or the folder it is in), else one on the path.

    Raises:
        MissingDependencyError: what is given is none.
    """
    if given is None:
        found = shutil.which("blender")
        return None if found is None else Path(found)
    path = Path(given)
    path = path / "blender" if path.is_dir() else path
    if not os.access(path, os.X_OK):
        raise MissingDependencyError(
            f"blender: expected the program or its folder, got {str(given)!r}; without it {_WAYS}"
        )
    return path


def program_command(
    scene: str | os.PathLike[str] | None,
    script: str | os.PathLike[str],
    arguments: Sequence[str] = (),
    *,
    blender: str | os.PathLike[str] | None = None,
    trust: bool = False,
) -> list[str]:
    """The command that runs a script inside Blender.

    Args:
        scene: a .blend file; None for the scene that Blender starts with.
        script: what runs inside.
        arguments: what it finds after `--`.
        blender: a `blender` program; without it an interpreter with `bpy`.
        trust: whether scripts inside the .blend file may run.

    Raises:
        MissingDependencyError: there is no Blender; says how to get one.
    """
    if blender is None:
        module = ["-P", "-m", "heliograph.engines.blender.program"]
        flags = ["--trust"] if trust else []
        opened = "-" if scene is None else os.fspath(scene)
        command = [str(blender_python()), *module, *flags, opened, os.fspath(script)]
    else:
        program = find_blender(blender)
        opens = [] if scene is None else [os.fspath(scene)]
        command = [*_started(str(program)), *opens]
        command += ["--enable-autoexec" if trust else "--disable-autoexec"]
        command += ["--python-use-system-env", "--python-exit-code", "1"]
        command += ["--python", os.fspath(script)]
    return [*command, "--", *arguments]


def _started(program: str) -> list[str]:
    """How a `blender` program is started: old ones draw only where there is a display.

    Raises:
        MissingDependencyError: it needs one, and there is neither a display nor Xvfb.
    """
    version = _version(program)
    if version >= _DRAWS_WITHOUT_DISPLAY:
        return [program, "--background"]
    if os.environ.get("DISPLAY"):
        return [program]
    if shutil.which("xvfb-run") is None:
        raise MissingDependencyError(
            f"{program}: Blender {'.'.join(map(str, version))} draws only where there is a "
            f"display; apt-get install xvfb, or without that program {_WAYS}"
        )
    return ["xvfb-run", "-a", program]


@cache
def _version(program: str) -> tuple[int, ...]:
    ran = subprocess.run([program, "--version"], capture_output=True, text=True)
    found = re.search(r"Blender (\d+)\.(\d+)", ran.stdout)
    if found is None:
        raise EngineError(f"{program} --version: expected Blender's, got {ran.stdout[:200]!r}")
    return int(found[1]), int(found[2])


def environment(blender: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """What a Blender process finds in its environment, for `subprocess`.

    Args:
        blender: a `blender` program, which is to find this package and what it needs; without it
            for an interpreter with `bpy`, which has them.
    """
    ours = dict(os.environ)
    for name in ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__", "PWD"):
        ours.pop(name, None)
    if blender is not None:
        beside = blender_python().parent.parent.glob("lib/python*/site-packages")
        ours["PYTHONPATH"] = os.pathsep.join(map(str, beside))
    ours["PYTHONUNBUFFERED"] = "1"
    return ours


def make(folder: Path, say: Callable[[str], object] = lambda _: None) -> Path:
    """Make an environment with Blender in it; one that is whole is left as it is.

    Args:
        folder: where.
        say: told what is done.

    Returns:
        Its interpreter.

    Raises:
        MissingDependencyError: no Python here that Blender has wheels for.
        EngineError: it cannot be installed; holds what pip said last.
    """
    made, stamp = folder / "bin" / "python", folder / "heliograph-blender.txt"
    base, pin = _base()
    wanted = "\n".join([pin, *packages()])
    if not (made.exists() and stamp.exists() and stamp.read_text() == wanted):
        say(f"installing {pin} and what it needs into {folder} (about 1 GB)")
        _run([str(base), "-m", "venv", "--clear", str(folder)])
        pip = [str(made), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        _run([*pip, "install", pin, *packages()])
    _refer(folder)
    stamp.write_text(wanted)
    if not _has_native(made):
        say(
            "heliograph's native module is not built for the Python that Blender has: style "
            "'fast' draws through GL there"
        )
    return made


def _has_native(python: Path) -> bool:
    code = "import heliograph._native"
    ran = subprocess.run([str(python), "-P", "-c", code], capture_output=True, env=environment())
    return ran.returncode == 0


def packages() -> list[str]:
    """What is installed beside `bpy`: what this package needs to draw there, and to publish."""
    try:
        ours = requires("heliograph") or []
    except PackageNotFoundError:  # a plain checkout
        ours = ["moderngl", "glcontext", "meshoptimizer", "scipy", "trimesh", "pillow"]
    needed = [each for each in ours if ";" not in each and _name(each) not in _NOT_THERE]
    known = {_name(each) for each in needed}
    return [*needed, *(each for each in _BESIDE if each not in known)]


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0].lower()


def _refer(folder: Path) -> None:
    """Have the environment import this very package, and nothing else from where it lies."""
    ours = Path(__file__).resolve().parents[2]
    (site,) = folder.glob("lib/python*/site-packages")
    link = site / "heliograph"
    if link.is_symlink() or link.exists():
        if link.resolve() == ours:
            return
        link.unlink()
    link.symlink_to(ours, target_is_directory=True)


def _base() -> tuple[str, str]:
    """A Python that Blender has wheels for, and which Blender."""
    for version, pin in BPY.items():
        for python in _candidates(version):
            if _is_python(python, version):
                return python, pin
    raise MissingDependencyError(
        "Blender's wheels are for Python 3.11 and 3.13, and neither is here; install one "
        "(apt-get install python3.11 python3.11-venv), then run this again"
    )


def _candidates(version: tuple[int, int]) -> Iterator[str]:
    name = f"{version[0]}.{version[1]}"
    if sys.version_info[:2] == version:
        yield sys.executable
    yield f"python{name}"
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(root.glob(f"versions/{name}.*/bin/python")))


@cache
def _is_python(python: str, version: tuple[int, int]) -> bool:
    """Whether it is that Python, with what makes environments."""
    code = f"import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != {version})"
    try:
        return subprocess.run([python, "-c", code], capture_output=True).returncode == 0
    except OSError:
        return False


def _run(command: Sequence[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, env=environment())
    if ran.returncode:
        told = (ran.stderr or ran.stdout).strip()[-2000:]
        raise EngineError(f"{' '.join(command[:4])} ... failed: {told}")
