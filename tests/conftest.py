"""MuJoCo takes its GL platform from the environment when it is first imported."""

import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

collect_ignore_glob = ["typing/errors_*.py"]  # only type checkers read these

if not find_spec("bpy"):
    # An environment with Blender runs those.
    collect_ignore_glob += ["inside_blender/*", "blender_*.py"]
    blender = Path(__file__).resolve().parent.parent / ".venv-blender" / "bin" / "python"
    os.environ.setdefault("HELIOGRAPH_BLENDER_PYTHON", str(blender))
os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "1")
# A shell's background job ignores Ctrl-C, and so would the programs that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def rasterizer() -> Iterator[Any]:
    """A rasterizer with its defaults."""
    from heliograph.raster import make_rasterizer

    made = make_rasterizer()
    yield made
    made.close()
