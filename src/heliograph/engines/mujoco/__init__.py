"""MJCF models through our rasterizer, or through MuJoCo's own renderer."""

import ctypes
import os

from heliograph.errors import MissingDependencyError
from heliograph.requires import Requires


def _choose_gl() -> None:
    """Have MuJoCo's own renderer draw through EGL where there is no display.

    It takes its platform from MUJOCO_GL when it is first imported, and that fails if its library is
    not there, drawn with or not.

    Raises:
        MissingDependencyError: EGL is asked for and not there.
    """
    asked = os.environ.get("MUJOCO_GL", "").lower()
    if asked not in ("", "egl") or (not asked and os.environ.get("DISPLAY")):
        return
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError as error:
        if asked:
            raise MissingDependencyError.of(
                "libEGL.so.1",
                apt="libegl1",
                cause=f"{error}; MUJOCO_GL=egl has mujoco load it, unset that to draw without GL",
            ) from None
        return
    os.environ.setdefault("MUJOCO_GL", "egl")


_choose_gl()
with Requires("mujoco"):
    from heliograph.engines.mujoco.engine import MujocoEngine

__all__ = ["MujocoEngine"]
