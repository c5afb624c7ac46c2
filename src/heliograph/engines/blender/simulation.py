"""Physics that come out the same each time a range of frames is played."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def start_physics(scene: Any, first: int, last: int) -> None:
    """Have the physics of a scene begin at `first`, from where things stand then.

    Blender steps physics from frame to frame and keeps the results in caches, which a moved object
    does not always invalidate; a cache whose range is written is computed anew. What was baked is
    left as it is.

    Args:
        scene: a `bpy.types.Scene`, its current frame `first`.
        first: the frame where the simulation starts.
        last: the last frame it may reach.
    """
    for cache in _caches(scene):
        if not cache.is_baked:
            cache.frame_start = first
            cache.frame_end = max(last, first + 1)


def _caches(scene: Any) -> Iterator[Any]:
    """The point caches of a scene: rigid bodies, cloth, soft bodies, fluids, particles."""
    if scene.rigidbody_world is not None and scene.rigidbody_world.point_cache is not None:
        yield scene.rigidbody_world.point_cache
    for thing in scene.objects:
        for modifier in thing.modifiers:
            if (cache := getattr(modifier, "point_cache", None)) is not None:
                yield cache
        for system in thing.particle_systems:
            yield system.point_cache
