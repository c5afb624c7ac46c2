"""MuJoCo takes its GL platform from the environment when it is first imported."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from raster_scenes import BACKENDS

collect_ignore_glob = ["typing/errors_*.py"]  # only type checkers read these

if not find_spec("bpy"):
    # An environment with Blender runs those.
    collect_ignore_glob += ["inside_blender/*", "blender_*.py"]
    blender = Path(__file__).resolve().parent.parent / ".venv-blender" / "bin" / "python"
    os.environ.setdefault("HELIOGRAPH_BLENDER_PYTHON", str(blender))
if find_spec("hypothesis"):
    from hypothesis import settings

    settings.register_profile("no test is timed", deadline=None)
    settings.load_profile("no test is timed")
os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "1")
# A shell's background job ignores Ctrl-C, and so would the programs that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each rasterizer backend: it draws whatever leaves the choice to the machine."""
    with _drawn_by(request.param):
        yield request.param


@pytest.fixture(scope="module")
def gl() -> Iterator[None]:
    """Has GL draw whatever leaves the choice to the machine."""
    with _drawn_by("gl"):
        yield


@contextmanager
def _drawn_by(backend: Any) -> Iterator[None]:
    from heliograph.raster import choice, rasterizer

    def choose(options: Any = None) -> Any:
        left = options is None or (options.backend == "auto" and options.device is None)
        return choice.Choice(backend, "tests ask for it") if left else choice.choose(options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rasterizer, "choose", choose)
        yield


@pytest.fixture(scope="module")
def rasterizer(backend: str) -> Iterator[Any]:
    """A rasterizer with its defaults, of each backend."""
    from heliograph.raster import make_rasterizer

    made = make_rasterizer()
    yield made
    made.close()
