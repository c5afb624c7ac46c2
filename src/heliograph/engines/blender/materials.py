"""Blender's materials as the rasterizer's.

Understood are the Principled, Diffuse, Glossy and Emission shaders, as they stand before the output
of a material, with numbers or images in their inputs. What is anything else is shown in the colour
that the material has in the viewport.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from heliograph.colour import encoded

Four = tuple[float, float, float, float]


@dataclass(frozen=True)
class Paint:
    """A material.

    Attributes:
        rgba: sRGB, and opacity.
        metallic, roughness: 0 to 1.
        specular: as `MaterialTable.surface` has it, 0.5 for 4 %.
        emissive: linear light.
        approximated: why it does not look as Blender draws it; "" where it does.
    """

    rgba: Four = (0.0, 0.0, 0.0, 1.0)
    metallic: float = 0.0
    roughness: float = 1.0
    specular: float = 0.0
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    approximated: str = ""


def paint(material: Any) -> Paint:
    """How a `bpy.types.Material` looks; None is what has no material."""
    if material is None:
        return Paint(_rgba((0.8, 0.8, 0.8)))
    if not material.use_nodes:
        return _viewport(material, "")
    node = _shader(material.node_tree)
    if node is None:
        return _viewport(material, "no shader stands before its output")
    reader = _READERS.get(node.bl_idname)
    if reader is None:
        return _viewport(material, f"its shader is {node.name!r}")
    try:
        return reader(node)
    except _UnknownError as error:
        return _viewport(material, str(error))


class _UnknownError(Exception):
    """What cannot be shown of a material."""


def _viewport(material: Any, why: str) -> Paint:
    red, green, blue, alpha = material.diffuse_color
    return Paint(
        _rgba((red, green, blue), alpha),
        material.metallic,
        material.roughness,
        0.5,
        approximated=why,
    )


def _shader(tree: Any) -> Any:
    """The node that is linked to the surface of the output."""
    output = tree.get_output_node("ALL")
    return None if output is None else _source(output.inputs["Surface"])


def _source(socket: Any) -> Any:
    """The node that is linked to a socket, past reroutes; None for none."""
    while socket.links:
        node = socket.links[0].from_node
        if node.bl_idname != "NodeReroute":
            return node
        socket = node.inputs[0]
    return None


def _value(node: Any, name: str) -> Any:
    socket = node.inputs[name]
    source = _source(socket)
    if source is None:
        value = socket.default_value
        return value if isinstance(value, float) else tuple(value)
    if source.bl_idname in ("ShaderNodeRGB", "ShaderNodeValue"):
        value = source.outputs[0].default_value
        return value if isinstance(value, float) else tuple(value)
    raise _UnknownError(f"{source.name!r} is linked to its {name}")


def _principled(node: Any) -> Paint:
    glow = np.array(_value(node, "Emission Color")[:3]) * _value(node, "Emission Strength")
    red, green, blue = glow.tolist()
    ior = _value(node, "IOR")
    head_on = ((ior - 1) / (ior + 1)) ** 2 * 2 * _value(node, "Specular IOR Level")
    return Paint(
        _rgba(_value(node, "Base Color"), _value(node, "Alpha")),
        _share(_value(node, "Metallic")),
        _share(_value(node, "Roughness")),
        head_on / 0.08,
        (red, green, blue),
    )


def _diffuse(node: Any) -> Paint:
    return Paint(_rgba(_value(node, "Color")))


def _glossy(node: Any) -> Paint:
    return Paint(_rgba(_value(node, "Color")), 1.0, _share(_value(node, "Roughness")))


def _emission(node: Any) -> Paint:
    red, green, blue = (np.array(_value(node, "Color")[:3]) * _value(node, "Strength")).tolist()
    return Paint(emissive=(red, green, blue))


_READERS = {
    "ShaderNodeBsdfPrincipled": _principled,
    "ShaderNodeBsdfDiffuse": _diffuse,
    "ShaderNodeBsdfAnisotropic": _glossy,
    "ShaderNodeBsdfGlossy": _glossy,
    "ShaderNodeEmission": _emission,
}


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _rgba(colour: Any, alpha: float = 1.0) -> Four:
    red, green, blue = encoded(np.clip(colour[:3], 0, 1)).tolist()
    return red, green, blue, _share(alpha)
