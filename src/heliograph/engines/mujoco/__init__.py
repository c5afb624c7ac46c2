"""MJCF models through our rasterizer, or through MuJoCo's own renderer."""

import os

# MuJoCo's own renderer takes its platform from this when it is first imported; without a display
# its default (GLFW) cannot work, EGL does.
if not os.environ.get("DISPLAY"):
    os.environ.setdefault("MUJOCO_GL", "egl")

from heliograph.requires import Requires

with Requires("mujoco"):
    from heliograph.engines.mujoco.engine import MujocoEngine

__all__ = ["MujocoEngine"]
