"""MJCF models through our rasterizer, or through MuJoCo's own renderer."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from heliograph.requires import Requires

_LIBRARIES = {"egl": ("libEGL.so.1",), "osmesa": ("libOSMesa.so.8", "libOSMesa.so.6")}
"""What mujoco loads, by MUJOCO_GL."""


@contextmanager
def _gl_chosen() -> Iterator[None]:
    """Have mujoco imported within draw through EGL where there is no display.

    It takes its platform from MUJOCO_GL when it is first imported, and that fails if its library is
    not there, drawn with or not: then it is imported without any.
    """
    given = os.environ.get("MUJOCO_GL", "")
    asked = given.strip().lower()
    if not asked and not os.environ.get("DISPLAY") and _loads("egl"):
        os.environ["MUJOCO_GL"] = "egl"
    if asked not in _LIBRARIES or _loads(asked):
        yield
        return
    os.environ["MUJOCO_GL"] = "disable"
    try:
        yield
    finally:
        os.environ["MUJOCO_GL"] = given


def _loads(platform: str) -> bool:
    for library in _LIBRARIES[platform]:
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        return True
    return False


with Requires("mujoco"), _gl_chosen():
    from heliograph.engines.mujoco.engine import MujocoEngine

__all__ = ["MujocoEngine"]
