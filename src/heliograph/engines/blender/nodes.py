"""Whether nodes say how a material, world or light looks: since Blender 5 they always do."""

from __future__ import annotations

from typing import Any

import bpy

_ALWAYS = bpy.app.version >= (5,)


def has_nodes(owner: Any) -> bool:
    """Whether the look of a `bpy.types.Material`, `World` or `Light` comes from its nodes."""
    return owner.node_tree is not None and (_ALWAYS or owner.use_nodes)


def give_nodes(owner: Any) -> None:
    """Have its look come from nodes."""
    if not _ALWAYS:
        owner.use_nodes = True
