"""Materials that show what is not a colour."""

from __future__ import annotations

from typing import Any

import bpy

from heliograph.engines.blender.nodes import give_nodes


def create_normal_material(name: str) -> Any:
    """A material whose linear colour is n / 2 + 1 / 2 of the normal n in OpenGL's camera axes.

    Seen by `cycles` and `eevee`. All styles draw exact normals without it, as a pass: see
    `OffScreenRenderer.render_passes`.

    Args:
        name: of the new `bpy.types.Material`.
    """
    material = bpy.data.materials.new(name)
    give_nodes(material)
    tree = material.node_tree
    tree.nodes.clear()
    geometry = tree.nodes.new("ShaderNodeNewGeometry")
    turned = tree.nodes.new("ShaderNodeVectorTransform")
    turned.vector_type, turned.convert_from, turned.convert_to = "NORMAL", "WORLD", "CAMERA"
    scaled = tree.nodes.new("ShaderNodeVectorMath")
    scaled.operation = "MULTIPLY_ADD"
    scaled.inputs[1].default_value = (0.5, 0.5, -0.5)
    scaled.inputs[2].default_value = (0.5, 0.5, 0.5)
    light = tree.nodes.new("ShaderNodeEmission")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(geometry.outputs["Normal"], turned.inputs["Vector"])
    tree.links.new(turned.outputs["Vector"], scaled.inputs[0])
    tree.links.new(scaled.outputs["Vector"], light.inputs["Color"])
    tree.links.new(light.outputs["Emission"], output.inputs["Surface"])
    return material
