"""Launches Blenders for consumers elsewhere.

    python -m heliograph.compat.blendtorch.btt.apps.launch launch_args.json

The file holds the arguments of `BlenderLauncher` by name. What was launched is written to
`launch_info.json`, which `LaunchInfo.load_json` reads on the consumers' machines; it may hold a
key. Ends when all Blenders have.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heliograph.compat.blendtorch.btt.launch_info import LaunchInfo
from heliograph.compat.blendtorch.btt.launcher import BlenderLauncher
from heliograph.errors import InvalidValueError


def main(arguments: Sequence[str] | None = None) -> None:
    """Launches what the command line names, and waits.

    Args:
        arguments: the command line's without it.

    Raises:
        InvalidValueError: the file does not hold arguments of `BlenderLauncher`.
    """
    parser = argparse.ArgumentParser(description="Launches Blenders for consumers elsewhere.")
    parser.add_argument("jsonargs", type=Path, help="arguments of BlenderLauncher, as JSON")
    parser.add_argument(
        "--out-launch-info",
        type=Path,
        default=Path("launch_info.json"),
        help="where to write what consumers read",
    )
    given = parser.parse_args(arguments)
    with _launcher(given.jsonargs) as launcher:
        LaunchInfo.save_json(given.out_launch_info, launcher.launch_info)
        launcher.wait()


def _launcher(path: Path) -> BlenderLauncher:
    try:
        told: Any = json.loads(path.read_text())
        if not isinstance(told, dict):
            raise TypeError(f"expected an object, got a {type(told).__name__}")
        return BlenderLauncher(**told)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidValueError(
            f"{path}: expected arguments of BlenderLauncher ({error})"
        ) from error


if __name__ == "__main__":
    main()
