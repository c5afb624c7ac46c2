"""The command line: render, inspect, doctor. Errors are one line on stderr and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from heliograph.errors import HeliographError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 0, 2 for a mistake, 130 when interrupted."""
    import tyro

    from heliograph import __version__
    from heliograph.cli.doctor import doctor
    from heliograph.cli.inspect import inspect
    from heliograph.cli.render import render

    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments == ["--version"]:
        print(f"heliograph {__version__}")
        return
    commands = {"render": render, "inspect": inspect, "doctor": doctor}
    try:
        code = tyro.extras.subcommand_cli_from_dict(commands, prog="heliograph", args=arguments)
    except HeliographError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code or 0)
