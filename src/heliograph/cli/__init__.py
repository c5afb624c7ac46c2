"""The command line: its commands; errors are one line on stderr and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from heliograph.cli.streams import output, prepare, say, tell
from heliograph.errors import HeliographError
from heliograph.requires import Requires

_REFUSED, _MISTAKE, _INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Exits with 0, 1 (doctor: nothing works; generate: a sample failed; the system refused to read
    or write), 2 (mistake) or 130 (Ctrl-C).

    Args:
        arguments: without the program's name; `sys.argv` without it.
    """
    prepare()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.exit(_run(given))
    except HeliographError as error:
        tell(f"error: {_one_line(str(error))}")
        sys.exit(_MISTAKE)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except OSError as error:
        tell(f"error: {_one_line(str(error))}")
        sys.exit(_REFUSED)
    finally:
        with output():
            sys.stdout.flush()


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        from heliograph import __version__

        say(f"heliograph {__version__}")
        return 0
    with Requires("tyro"):
        import tyro

        from heliograph.cli.blender import blender
        from heliograph.cli.doctor import doctor
        from heliograph.cli.fly import fly
        from heliograph.cli.generate import generate
        from heliograph.cli.inspect import inspect
        from heliograph.cli.nerf import nerf
        from heliograph.cli.render import render
        from heliograph.cli.serve import serve
        from heliograph.cli.splat import splat
        from heliograph.cli.stream import stream
        from heliograph.cli.view import view

    commands: dict[str, Callable[..., Any]] = {
        "render": render,
        "generate": generate,
        "inspect": inspect,
        "view": view,
        "splat": splat,
        "fly": fly,
        "nerf": nerf,
        "serve": serve,
        "blender": blender,
        "stream": stream,
        "doctor": doctor,
    }
    code: int | None = tyro.extras.subcommand_cli_from_dict(
        commands,
        prog="heliograph",
        description="Pictures from virtual cameras: rgb, exact depth, normals and segmentation.",
        args=arguments or ["--help"],
    )
    return code or 0


def _one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
