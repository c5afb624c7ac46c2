"""`heliograph blender`: an environment with Blender in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from heliograph.cli.streams import say
from heliograph.engines.blender import install


def blender(
    what: Annotated[Literal["setup", "where"], tyro.conf.Positional], folder: Path | None = None
) -> int:
    """Install Blender for this package (`setup`), or tell where it is (`where`).

    It is PyPI's bpy in an environment of its own, as what it needs does not go with torch's.

    Args:
        what: to do.
        folder: of the environment; without it one in the user's cache, which is found by itself.
            Any other is named by HELIOGRAPH_BLENDER_PYTHON.
    """
    if what == "where":
        say(str(install.blender_python()))
        return 0
    made = install.make(folder or install.home(), say)
    say(str(made))
    if folder is not None:
        say(f"to have it found: export {install.PYTHON_VARIABLE}={made.absolute()}")
    return 0
