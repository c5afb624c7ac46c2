"""`heliograph doctor`: what works on this machine, found out by trying it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from heliograph import __version__
from heliograph.delivery.call import engine_names
from heliograph.delivery.call import open as open_scene
from heliograph.errors import HeliographError
from heliograph.view import View

_PACKAGES = ("numpy", "moderngl", "mujoco", "meshoptimizer", "scipy", "pillow", "torch")
_TRIALS = {
    "mujoco": "<mujoco><worldbody><light pos='0 0 3'/><geom size='1'/></worldbody></mujoco>",
    "fake": "fake",
}


def doctor() -> int:
    """Show which engines work here, what draws, and what to install for the rest."""
    print(f"heliograph {__version__}, Python {platform.python_version()}, {platform.platform()}")
    print(", ".join(f"{name} {_version(name)}" for name in _PACKAGES))
    for line in _gl():
        print(line)
    works = [_try(name) for name in engine_names() if name in _TRIALS]
    return 0 if any(works) else 1


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _gl() -> list[str]:
    if find_spec("moderngl") is None:
        return ["GL: moderngl is not installed: pip install moderngl"]
    from heliograph.raster import Context

    try:
        context = Context()
    except HeliographError as error:
        return [f"GL: {error}"]
    info = context.info
    kind = "software, on the CPU" if context.software else "hardware"
    threads = os.environ.get("LP_NUM_THREADS", f"all {os.cpu_count()}")
    context.release()
    lines = [f"GL: {info['GL_RENDERER']} ({kind}), {info['GL_VENDOR']}, {info['GL_VERSION']}"]
    if kind != "hardware":
        lines.append(f"GL threads: {threads} (LP_NUM_THREADS)")
    return lines


def _try(name: str) -> bool:
    try:
        with open_scene(_TRIALS[name], engine=name, size=(32, 24)) as renderer:
            sample = renderer.render(View(passes=renderer.passes))
    except (HeliographError, ImportError) as error:
        print(f"engine {name}: does not work: {error}")
        return False
    frame = next(iter(sample))
    seen = sorted({sample.labels[int(i)].name for i in set(frame.segmentation.ravel().tolist())})
    print(f"engine {name}: works ({', '.join(frame.passes)}; saw {', '.join(seen)})")
    return True
