"""MJCF models through our rasterizer, or through MuJoCo's own renderer."""

from heliograph.engines.mujoco.engine import MujocoEngine

__all__ = ["MujocoEngine"]
