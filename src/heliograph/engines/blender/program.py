"""Runs a user's script inside Blender, with no display and no `blender` installed.

    python -P -m heliograph.engines.blender.program SCENE SCRIPT [--trust] [-- ARGUMENT ...]

What an installed `blender --background SCENE --python SCRIPT -- ARGUMENT ...` does, and more:
`AnimationController.play` returns at once, as in a Blender with windows, and what it is to play is
played when the script has come to its end. The exit code is 1, after the traceback, where the
script or what it plays raises, and what the script says where it calls `sys.exit`. Scripts inside
the .blend run with `--trust` alone.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from pathlib import Path
from types import ModuleType

from heliograph.engines.blender.quiet import quiet
from heliograph.errors import MissingDependencyError, SceneError
from heliograph.requires import Requires

EMPTY = "-"
"""In place of a scene: the scene that Blender starts with."""
INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """Open the scene, run the script, play what it left to be played; the exit code."""
    ours, theirs = _split(arguments)
    given = _parser().parse_args(ours)
    sys.argv = _blender_command(given.scene, given.script, theirs)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ["PWD"] = str(Path.cwd())  # Blender finds relative paths from what this says
    try:
        _open(given.scene, trust=given.trust)
        _run(Path(given.script))
    except SystemExit as leaving:
        return _exit_code(leaving)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (SceneError, MissingDependencyError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except BaseException as error:  # noqa: BLE001 - a user's script may raise anything
        _print(error)
        return 1
    return 0


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands before and after the first "--"."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m heliograph.engines.blender.program",
        description="Runs a script inside Blender, with no display.",
        usage="%(prog)s [-h] [--trust] SCENE SCRIPT [-- ARGUMENT ...]",
    )
    parser.add_argument("scene", help=f"a .blend file; {EMPTY} for the one Blender starts with")
    parser.add_argument("script", help="a Python file")
    parser.add_argument("--trust", action="store_true", help="run the scripts inside the .blend")
    return parser


def _blender_command(scene: str, script: str, arguments: list[str]) -> list[str]:
    """What `sys.argv` would be in an installed Blender."""
    opened = [] if scene == EMPTY else [scene]
    return ["blender", *opened, "--background", "--python", script, "--", *arguments]


def _open(scene: str, *, trust: bool) -> None:
    with Requires("bpy"), quiet():  # it tells of itself
        import bpy

        from heliograph.engines.blender.opening import load_blend

    # The settings of whoever is logged in have no say in a picture.
    bpy.ops.wm.read_factory_settings()
    bpy.context.preferences.filepaths.use_scripts_auto_execute = trust
    if scene == EMPTY:
        return
    path = Path(scene).absolute()
    if not path.is_file():
        message = f"expected the path of a .blend file, or {EMPTY!r} for none, got {scene!r}"
        raise SceneError(f"{message}, where there is no file")
    load_blend(path, trust=trust)


def _run(script: Path) -> None:
    """Run a script as `__main__`, then what it wants played."""
    from heliograph.engines.blender import animation

    if not script.is_file():
        raise SceneError(
            f"expected the path of a Python script, got {str(script)!r}, which is no file"
        )
    path = script.absolute()
    module = ModuleType("__main__")
    module.__file__ = str(path)
    sys.modules["__main__"] = module
    sys.path.insert(0, str(path.parent))
    with animation.plays_deferred() as deferred:
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
        deferred.run()


def _exit_code(leaving: SystemExit) -> int:
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    sys.stderr.write(f"{leaving.code}\n")
    return 1


def _print(error: BaseException) -> None:
    """Print a traceback that begins in the script: what ran it is not the user's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)


if __name__ == "__main__":
    from heliograph.engines.blender.leaving import leave

    leave(main(sys.argv[1:]))
