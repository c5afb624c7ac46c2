"""blendtorch's Blender side: scripts inside Blender change their import line alone.

    from blendtorch import btb       -> from heliograph.compat.blendtorch import btb

Needs `bpy`: import it in scripts that run inside Blender. What differs stands in
docs/blender-scripts.md.
"""

from __future__ import annotations

from heliograph.compat.blendtorch.btb import camera, env, materials, utils
from heliograph.compat.blendtorch.btb.arguments import parse_blendtorch_args
from heliograph.compat.blendtorch.btb.camera import Camera
from heliograph.compat.blendtorch.btb.composite import CompositeRenderer, CompositeSelection
from heliograph.compat.blendtorch.btb.env import BaseEnv, RemoteControlledAgent
from heliograph.compat.blendtorch.btb.offscreen import OffScreenRenderer
from heliograph.compat.blendtorch.btb.sockets import (
    BlenderOutputChannel,
    DataPublisher,
    DuplexChannel,
)
from heliograph.compat.blendtorch.btb.utils import add_scene_dir_to_path
from heliograph.engines.blender.animation import AnimationController, Signal

__all__ = [
    "AnimationController",
    "BaseEnv",
    "BlenderOutputChannel",
    "Camera",
    "CompositeRenderer",
    "CompositeSelection",
    "DataPublisher",
    "DuplexChannel",
    "OffScreenRenderer",
    "RemoteControlledAgent",
    "Signal",
    "add_scene_dir_to_path",
    "camera",
    "env",
    "materials",
    "parse_blendtorch_args",
    "utils",
]
