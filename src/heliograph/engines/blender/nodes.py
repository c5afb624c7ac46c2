"""Nodes of materials, worlds, lights and the compositor, whichever version of Blender has them."""

from __future__ import annotations

from typing import Any

import bpy

_ALWAYS = bpy.app.version >= (5,)


def has_nodes(owner: Any) -> bool:
    """Whether the look of a `bpy.types.Material`, `World` or `Light` comes from its nodes.

    Since Blender 5 it always does.
    """
    return owner.node_tree is not None and (_ALWAYS or owner.use_nodes)


def give_nodes(owner: Any) -> None:
    """Have its look come from nodes."""
    if not _ALWAYS:
        owner.use_nodes = True


def compositor_of(scene: Any) -> Any:
    """The tree of a scene's compositor, None where it has none."""
    if hasattr(scene, "compositor_effects"):  # several, since Blender 5.3
        active = scene.compositor_effects.active
        return None if active is None else active.node_group
    return scene.compositing_node_group if _ALWAYS else scene.node_tree
