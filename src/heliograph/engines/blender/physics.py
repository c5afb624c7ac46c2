"""Rigid bodies, simulated once, so that any frame can be shown after any other."""

from __future__ import annotations

from typing import Any

import bpy

from heliograph.engines.blender.quiet import quiet


def bake(scene: Any) -> None:
    """Simulate the rigid bodies of a `bpy.types.Scene` from its first frame to its last one.

    What a file holds as baked already stays as it is.
    """
    world = scene.rigidbody_world
    if world is None or world.point_cache.is_baked:
        return
    cache = world.point_cache
    cache.frame_start = min(cache.frame_start, scene.frame_start)
    cache.frame_end = max(cache.frame_end, scene.frame_end)
    with quiet(), bpy.context.temp_override(scene=scene, point_cache=cache):
        bpy.ops.ptcache.bake(bake=True)
