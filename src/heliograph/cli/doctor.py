"""`heliograph doctor`: what works on this machine, found out by trying it."""

from __future__ import annotations

import os
import platform
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from heliograph import __version__
from heliograph.cli.gpus import find_gpus, gpu_advice
from heliograph.cli.states import Backend
from heliograph.cli.streams import say
from heliograph.delivery.call import engine_names
from heliograph.delivery.call import open as open_scene
from heliograph.delivery.options import OpenOptions
from heliograph.engines.registry import rasterizes
from heliograph.errors import HeliographError
from heliograph.frame import Sample
from heliograph.raster.choice import Choice, choose
from heliograph.raster.options import RasterOptions
from heliograph.view import View

_PACKAGES = (
    *("numpy", "moderngl", "glcontext", "mujoco", "meshoptimizer", "scipy", "pillow"),
    *("trimesh", "tyro", "tqdm", "torch", "aiohttp", "heliograph-spark"),
)
_MJCF = "<mujoco><worldbody><light pos='0 0 3'/><geom name='ball' size='1'/></worldbody></mujoco>"
_SYSTEM = "apt-get install libegl1 libgl1 libgl1-mesa-dri"


def doctor(backend: Backend = "auto") -> int:
    """Show which engines work here, what draws, and what to install for the rest.

    Args:
        backend: the rasterizer that engines are tried with.
    """
    say(f"heliograph {__version__}, Python {platform.python_version()}, {platform.platform()}")
    say(f"packages: {', '.join(f'{name} {_version(name)}' for name in _PACKAGES)}")
    options = RasterOptions(backend=backend)
    choice = choose(options)
    say(f"rasterizer: {choice.backend}, as {choice.why}")
    for line in _gl(choice):
        say(line)
    works = [_try(name, options) for name in engine_names()]
    return 0 if any(works) else 1


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def _gl(choice: Choice) -> list[str]:
    """What GL is like here, and what keeps a GPU from drawing."""
    try:
        from heliograph.raster.gl.context import Context

        context = Context()
    except (HeliographError, ImportError) as error:
        needed = "" if choice.backend == "gl" else ", and is not needed"
        return [f"GL: does not work{needed}: {_advice(error)}", *gpu_advice(find_gpus())]
    info, software = context.info, context.software
    context.release()
    kind = "software, on the CPU" if software else "hardware"
    lines = [f"GL: {info['GL_RENDERER']} ({kind}), {info['GL_VENDOR']}, {info['GL_VERSION']}"]
    if software:
        threads = os.environ.get("LP_NUM_THREADS", f"not set: all {os.cpu_count()} cores")
        lines.append(f"GL threads: {threads} (LP_NUM_THREADS)")
        lines += gpu_advice(find_gpus())
    return lines


def _trial(name: str) -> Any:
    """A tiny scene for an engine; None for engines whose sources we do not know."""
    if name not in ("components", "web", "blender"):
        return {"mujoco": _MJCF, "fake": "fake"}.get(name)
    scene = import_module("heliograph.scene")
    return scene.Scene(scene.Sphere(key="ball", args=[1.0]))


def _try(name: str, options: RasterOptions) -> bool:
    try:
        trial = _trial(name)
        if trial is None:
            say(f"engine {name}: installed, not tried")
            return False
        chosen: OpenOptions = {"backend": options.backend} if rasterizes(name) else {}
        with open_scene(trial, engine=name, size=(32, 24), **chosen) as renderer:
            sample = renderer.render(View(passes=renderer.passes))
    except Exception as error:  # noqa: BLE001 -- whatever it is, the next engine may work
        say(f"engine {name}: does not work: {_advice(error)}")
        return False
    say(f"engine {name}: works ({_seen(sample)})")
    return True


def _seen(sample: Sample) -> str:
    frame = next(iter(sample))
    passes = ", ".join(frame.passes)
    if "segmentation" not in frame.passes:
        return passes
    ids = [int(number) for number in np.unique(frame.segmentation)]
    names = sorted(sample.labels[number].name for number in ids if number)
    return f"{passes}; drew {', '.join(names) or 'nothing'}"


def _advice(error: Exception) -> str:
    """The error in one line, and what to install where it does not say so itself."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ModuleNotFoundError):
        return f"{text}; pip install {error.name}"
    missing_gl = isinstance(error, (ImportError, OSError)) and "GL" in text
    return f"{text}; {_SYSTEM}" if missing_gl and not isinstance(error, HeliographError) else text
