"""Blender's materials as the rasterizer's.

Understood are the Principled, Diffuse, Glossy and Emission shaders, as they stand before the output
of a material, with numbers or image textures in their inputs, maybe multiplied by a number, and a
normal map. A mix of one of them with nothing may hide a side of surfaces, and a comparison of the
opacity may cut holes. What is anything else is shown in the colour that the material has in the
viewport.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from heliograph.colour import encoded
from heliograph.engines.blender.images import NO_MAPS, Lying, Maps, lying_of
from heliograph.engines.blender.nodes import has_nodes
from heliograph.raster import Side

Four = tuple[float, float, float, float]
Three = tuple[float, float, float]


@dataclass(frozen=True)
class Paint:
    """A material.

    Attributes:
        rgba: sRGB, and opacity.
        metallic, roughness: 0 to 1.
        specular: as `MaterialTable.surface` has it, 0.5 for 4 %.
        emissive: linear light.
        maps: images that say more.
        side: which side is seen.
        cutoff: up to which opacity of its image there are holes.
        approximated: why it does not look as Blender draws it; "" where it does.
    """

    rgba: Four = (0.0, 0.0, 0.0, 1.0)
    metallic: float = 0.0
    roughness: float = 1.0
    specular: float = 0.0
    emissive: Three = (0.0, 0.0, 0.0)
    maps: Maps = NO_MAPS
    side: Side = Side.DOUBLE
    cutoff: float = 0.0
    approximated: str = ""


def paint(material: Any) -> Paint:
    """How a `bpy.types.Material` looks; None is what has no material."""
    if material is None:
        return Paint(_rgba((0.8, 0.8, 0.8)))
    if not has_nodes(material):
        return _viewport(material, "")
    node = _shader(material.node_tree)
    if node is None:
        return _viewport(material, "no shader is linked to its output")
    node, side = _sided(node)
    reader = _READERS.get(node.bl_idname)
    if reader is None:
        return _viewport(material, f"its shader is {node.name!r}")
    try:
        return replace(reader(node), side=side)
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
    link = None if output is None else _link(output.inputs["Surface"])
    return None if link is None else link.from_node


def _sided(node: Any) -> tuple[Any, Side]:
    """A shader, and which side of it is seen, where it is mixed with nothing by its facing."""
    if node.bl_idname != "ShaderNodeMixShader" or not node.inputs[0].is_linked:
        return node, Side.DOUBLE
    shader, clear = (_link(socket) for socket in node.inputs[1:])
    if shader is None or clear is None or clear.from_node.bl_idname != "ShaderNodeBsdfTransparent":
        return node, Side.DOUBLE
    side, link = Side.FRONT, _link(node.inputs[0])
    while link is not None and link.from_node.bl_idname == "ShaderNodeMath":
        math_node = link.from_node
        if math_node.operation == "SUBTRACT":  # from 1
            side, link = Side.BACK, _link(math_node.inputs[1])
        else:  # times whether a camera sees it
            link = _link(math_node.inputs[0])
    if link is None or link.from_socket.name != "Backfacing":
        return node, Side.DOUBLE
    return shader.from_node, side


def _link(socket: Any) -> Any:
    """What is linked to a socket, past reroutes; None for nothing."""
    while socket.is_linked:
        link = socket.links[0]
        if link.from_node.bl_idname != "NodeReroute":
            return link
        socket = link.from_node.inputs[0]
    return None


def _value(node: Any, name: str | int) -> Any:
    """The number or colour of an input.

    Raises:
        _UnknownError: something is linked to it.
    """
    socket = node.inputs[name]
    link = _link(socket)
    if link is not None:
        source = link.from_node
        if source.bl_idname not in ("ShaderNodeRGB", "ShaderNodeValue"):
            raise _UnknownError(f"{source.name!r} is linked to its {name}")
        socket = source.outputs[0]
    value = socket.default_value
    return value if isinstance(value, float) else tuple(value)


def _mapped(node: Any, name: str | int, default: Any) -> tuple[Any, Lying | None, str]:
    """An input as (number or colour, image that multiplies it, the image's output).

    Args:
        node: a shader.
        name: of its input.
        default: what an image multiplies.

    Raises:
        _UnknownError: something other than an image is linked to it.
    """
    link = _link(node.inputs[name])
    if link is None:
        return _value(node, name), None, ""
    if link.from_node.bl_idname == "ShaderNodeMix":
        default, link = _multiplied(link.from_node)
    elif link.from_node.bl_idname == "ShaderNodeMath":
        default, link = _times(link.from_node)
    source, channel = link.from_node, link.from_socket.name
    if source.bl_idname == "ShaderNodeSeparateColor" and source.mode == "RGB":
        link = _link(source.inputs["Color"])
        source = None if link is None else link.from_node
    if source is None or source.bl_idname != "ShaderNodeTexImage":
        return _value(node, name), None, ""
    if source.image is None:
        raise _UnknownError(f"{source.name!r} has no image")
    return default, _lying(source), channel


def _multiplied(mix: Any) -> tuple[Three, Any]:
    """The colour that a node multiplies something by, and the link of that.

    Raises:
        _UnknownError: it does something else.
    """
    factor, a, b = (
        next(each for each in mix.inputs if each.identifier == identifier)
        for identifier in ("Factor_Float", "A_Color", "B_Color")
    )
    link = _link(a)
    plain = (mix.data_type, mix.blend_type) == ("RGBA", "MULTIPLY") and not mix.clamp_result
    whole = factor.default_value == 1 and not (factor.is_linked or b.is_linked)
    if link is None or not plain or not whole:
        raise _UnknownError(f"{mix.name!r} does more than to multiply by a colour")
    red, green, blue = b.default_value[:3]
    return (red, green, blue), link


def _times(product: Any) -> tuple[float, Any]:
    """The number that a Math node multiplies something by, and the link of that.

    Raises:
        _UnknownError: it does something else.
    """
    link = _link(product.inputs[0])
    if link is None or product.operation != "MULTIPLY" or product.inputs[1].is_linked:
        raise _UnknownError(f"{product.name!r} does more than to multiply by a number")
    return product.inputs[1].default_value, link


def _opacity(node: Any) -> tuple[float, Lying | None, str, float]:
    """The opacity of a shader as `_mapped` has it, and up to which there are holes."""
    link = _link(node.inputs["Alpha"])
    if link is None:
        return _value(node, "Alpha"), None, "", 0.0
    cut, rest = link.from_node, None
    if _computes(cut, "MULTIPLY") and cut.inputs[1].is_linked:
        cut, rest = _link(cut.inputs[0]).from_node, cut
    if not _computes(cut, "GREATER_THAN"):
        return *_mapped(node, "Alpha", 1.0), 0.0
    _, image, channel = _mapped(cut, 0, 1.0)
    factor = 1.0 if rest is None else _mapped(rest, 1, 1.0)[0]
    return factor, image, channel, cut.inputs[1].default_value


def _computes(node: Any, operation: str) -> bool:
    return bool(node.bl_idname == "ShaderNodeMath" and node.operation == operation)


def _lying(node: Any) -> Lying:
    """How an image texture lies on a surface.

    Raises:
        _UnknownError: by something other than texture coordinates.
    """
    if node.projection != "FLAT" or node.extension == "CLIP":
        raise _UnknownError(f"{node.name!r} is projected or clipped")
    link, whole = _link(node.inputs["Vector"]), np.eye(3)
    while link is not None and link.from_node.bl_idname == "ShaderNodeMapping":
        mapping = link.from_node
        whole = whole @ _affine(mapping)
        link = _link(mapping.inputs["Vector"])
        if link is None:
            raise _UnknownError(f"{mapping.name!r} maps a constant")
    if link is not None and not _is_uv(link):
        raise _UnknownError(f"{node.name!r} lies by {link.from_node.name!r}")
    (a, b, c), (d, e, f) = whole[:2].tolist()
    return lying_of(node, ((a, b, c), (d, e, f)))


def _affine(mapping: Any) -> Any:
    """What a Mapping node does to texture coordinates, (3, 3).

    Raises:
        _UnknownError: it does more.
    """
    if mapping.vector_type != "POINT":
        raise _UnknownError(f"{mapping.name!r} maps no points")
    place, turns, scale = (_value(mapping, each)[:3] for each in ("Location", "Rotation", "Scale"))
    if turns[0] or turns[1]:
        raise _UnknownError(f"{mapping.name!r} turns about x or y")
    c, s = math.cos(turns[2]), math.sin(turns[2])
    made = np.array([[c, -s, place[0]], [s, c, place[1]], [0, 0, 1]])
    return made @ np.diag([scale[0], scale[1], 1.0])


def _is_uv(link: Any) -> bool:
    """Whether these are the texture coordinates that renders show."""
    node = link.from_node
    if node.bl_idname == "ShaderNodeTexCoord":
        return bool(link.from_socket.name == "UV")
    return node.bl_idname == "ShaderNodeUVMap" and not node.uv_map


def _normal(node: Any) -> tuple[Lying | None, float]:
    """The normal map of a shader, and how strong it is."""
    link = _link(node.inputs["Normal"])
    if link is None:
        return None, 1.0
    bump = link.from_node
    if bump.bl_idname != "ShaderNodeNormalMap" or bump.space != "TANGENT" or bump.uv_map:
        raise _UnknownError(f"{bump.name!r} is linked to its Normal")
    _, image, _ = _mapped(bump, "Color", None)
    return image, _value(bump, "Strength")


def _principled(node: Any) -> Paint:
    colour, base, _ = _mapped(node, "Base Color", (1.0, 1.0, 1.0))
    alpha, clear, output, cutoff = _opacity(node)
    if clear is not None and (clear != base or output != "Alpha"):
        raise _UnknownError("its Alpha is of another image than its Base Color")
    metallic, metal, metal_channel = _mapped(node, "Metallic", 1.0)
    roughness, rough, rough_channel = _mapped(node, "Roughness", 1.0)
    glow, shining, _ = _mapped(node, "Emission Color", (1.0, 1.0, 1.0))
    normal, strength = _normal(node)
    red, green, blue = (np.array(glow[:3]) * _value(node, "Emission Strength")).tolist()
    if _value(node, "Transmission Weight") > 0:
        raise _UnknownError("light goes through it (Transmission Weight)")
    ior = _value(node, "IOR")
    head_on = ((ior - 1) / (ior + 1)) ** 2 * 2 * _value(node, "Specular IOR Level")
    return Paint(
        _rgba(colour, alpha),
        _share(metallic),
        _share(roughness),
        head_on / 0.08,
        (red, green, blue),
        Maps(
            base,
            clear is not None,
            metal,
            metal_channel,
            rough,
            rough_channel,
            normal,
            strength,
            shining,
        ),
        cutoff=cutoff,
    )


def _diffuse(node: Any) -> Paint:
    colour, base, _ = _mapped(node, "Color", (1.0, 1.0, 1.0))
    normal, strength = _normal(node)
    return Paint(_rgba(colour), maps=Maps(base, normal=normal, strength=strength))


def _glossy(node: Any) -> Paint:
    colour, base, _ = _mapped(node, "Color", (1.0, 1.0, 1.0))
    return Paint(_rgba(colour), 1.0, _share(_value(node, "Roughness")), maps=Maps(base))


def _emission(node: Any) -> Paint:
    colour, shining, _ = _mapped(node, "Color", (1.0, 1.0, 1.0))
    red, green, blue = (np.array(colour[:3]) * _value(node, "Strength")).tolist()
    return Paint(emissive=(red, green, blue), maps=Maps(glow=shining))


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
