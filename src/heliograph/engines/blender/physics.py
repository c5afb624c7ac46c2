"""Physics that come out the same whatever frame is shown first, and each time frames are played."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from heliograph.engines.blender.quiet import quiet

_ZONE = "GeometryNodeSimulationOutput"


def bake(scene: Any, layer: Any) -> None:
    """Simulate all that a scene simulates, so that any frame can be shown after any other.

    Rigid bodies, cloth, soft bodies, particles and dynamic paint are left as they are where the
    file holds them baked. Simulation zones of geometry nodes are simulated in any case.

    Args:
        scene: a `bpy.types.Scene`.
        layer: the `bpy.types.ViewLayer` in which it is simulated.
    """
    for cache in _caches(scene):
        if not cache.is_baked:
            cache.frame_start = min(cache.frame_start, scene.frame_start)
            cache.frame_end = max(cache.frame_end, scene.frame_end)
    with quiet(), bpy.context.temp_override(scene=scene, view_layer=layer):
        bpy.ops.ptcache.bake_all(bake=True)
        for thing, modifier, zone in _zones(scene):
            modifier.bake_target = zone.bake_target = "PACKED"  # else it needs a file's folder
            bpy.ops.object.geometry_node_bake_single(
                session_uid=thing.session_uid, modifier_name=modifier.name, bake_id=zone.bake_id
            )


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


def is_simulated(scene: Any) -> bool:
    """Whether anything in a scene is."""
    return any(True for _ in _caches(scene)) or any(True for _ in _zones(scene))


def _caches(scene: Any) -> Iterator[Any]:
    """The point caches of a scene: rigid bodies, cloth, soft bodies, particles, dynamic paint."""
    if scene.rigidbody_world is not None and scene.rigidbody_world.point_cache is not None:
        yield scene.rigidbody_world.point_cache
    for thing in scene.objects:
        for modifier in thing.modifiers:
            if (cache := getattr(modifier, "point_cache", None)) is not None:
                yield cache
            canvas = getattr(modifier, "canvas_settings", None)
            yield from (each.point_cache for each in getattr(canvas, "canvas_surfaces", ()))
        for system in thing.particle_systems:
            yield system.point_cache


def _zones(scene: Any) -> Iterator[tuple[Any, Any, Any]]:
    """The simulation zones of geometry nodes: object, modifier, and its bake of the zone."""
    for thing in scene.objects:
        for modifier in thing.modifiers:
            for each in getattr(modifier, "bakes", ()):
                if each.node is not None and each.node.bl_idname == _ZONE:
                    yield thing, modifier, each
