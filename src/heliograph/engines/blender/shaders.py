"""Materials of Blender as nodes: found, and painted as edits say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from heliograph.colour import linear
from heliograph.engines.blender.changes import Changes
from heliograph.engines.blender.nodes import give_nodes, has_nodes
from heliograph.scene import EditMaterial
from heliograph.scene.material import MOST_SHININESS

PRINCIPLED = "ShaderNodeBsdfPrincipled"
_BASE, _EMISSION = "Base Color", "Emission Color"
_GLOWS = "emission of an edit"
_WHITE = (1.0, 1.0, 1.0)


def principled(material: Any) -> Any:
    """The Principled shader that a material's surface is made with; None where there is none."""
    if not has_nodes(material):
        return None
    output = material.node_tree.get_output_node("ALL")
    waiting = [output] if output is not None else []
    seen = set()
    while waiting:
        node = waiting.pop(0)
        if node.bl_idname == PRINCIPLED:
            return node
        seen.add(node.name)
        sockets = [node.inputs["Surface"]] if node == output else node.inputs
        sources = [link.from_node for socket in sockets for link in socket.links]
        waiting += [each for each in sources if each.name not in seen]
    return None


def fresh_material(name: str) -> Any:
    """A new material of one Principled shader, as Blender makes them."""
    made = bpy.data.materials.new(name)
    give_nodes(made)
    return made


def paint(material: Any, edit: EditMaterial, changes: Changes, *, has_uv: bool) -> None:
    """Make a material of our own look as an edit says.

    A material without a Principled shader gets one, in the colour that it has in the viewport.

    Args:
        material: a `bpy.types.Material` that nothing else wears.
        edit: how it looks.
        changes: forgets its image, when all is put back.
        has_uv: whether what wears it has texture coordinates of its own.
    """
    node = principled(material) or _given_principled(material)
    tree = material.node_tree
    if edit.rgba is not None:
        red, green, blue, alpha = edit.rgba
        light = tuple(linear((red, green, blue)).tolist())
        _colour(tree, node, light)
        material.diffuse_color = (*light, 1.0)  # what shows of it where its nodes are not read
        if alpha is not None:
            _set(tree, node, "Alpha", alpha)
            _blend(material)
    if edit.texture is not None:
        _lay(material, node, edit, changes, has_uv=has_uv)
    for name, value in _numbers(edit).items():
        _set(tree, node, name, value)
    if edit.emission is not None:
        node[_GLOWS] = edit.emission
    if _GLOWS in node:  # in whatever colour it has by now
        _glow(tree, node, node[_GLOWS])
    if edit.emissive is not None:
        node.pop(_GLOWS, None)
        _set(tree, node, _EMISSION, (*linear(edit.emissive).tolist(), 1.0))
        _set(tree, node, "Emission Strength", 1.0)


def _given_principled(material: Any) -> Any:
    """Have a material without a Principled shader show one, in its colour of the viewport."""
    give_nodes(material)
    tree = material.node_tree
    node = tree.nodes.new(PRINCIPLED)
    output = tree.get_output_node("ALL") or tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(node.outputs["BSDF"], output.inputs["Surface"])
    node.inputs[_BASE].default_value = material.diffuse_color
    node.inputs["Metallic"].default_value = material.metallic
    node.inputs["Roughness"].default_value = material.roughness
    return node


def _numbers(edit: EditMaterial) -> dict[str, float]:
    """Inputs of a Principled shader that are one number."""
    given = {
        "Metallic": edit.metallic,
        "Roughness": edit.roughness,
        "Specular IOR Level": edit.specular,
    }
    if edit.roughness is None and edit.shininess is not None:
        # Blinn's exponent and GGX's alpha: alpha^2 = 2 / (n + 2), roughness^2 = alpha
        given["Roughness"] = (2 / (edit.shininess * MOST_SHININESS + 2)) ** 0.25
    return {name: value for name, value in given.items() if value is not None}


def _set(tree: Any, node: Any, name: str, value: Any) -> None:
    _unlink(tree, node.inputs[name])
    node.inputs[name].default_value = value


def _unlink(tree: Any, socket: Any) -> None:
    for link in list(socket.links):
        tree.links.remove(link)


def _colour(tree: Any, node: Any, colour: Sequence[float]) -> None:
    """Give it a colour, which multiplies a texture that it has."""
    socket = node.inputs[_BASE]
    if not socket.is_linked:
        socket.default_value = (*colour, 1.0)
        return
    before = socket.links[0].from_socket
    own = before.node
    if own.bl_idname == "ShaderNodeMix" and own.label == "rgba of an edit":
        _of(own, "B_Color").default_value = (*colour, 1.0)
        return
    _multiply(tree, before, colour, socket)


def _multiply(tree: Any, source: Any, colour: Sequence[float], socket: Any) -> None:
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type, mix.blend_type, mix.label = "RGBA", "MULTIPLY", "rgba of an edit"
    factor, a, b = (_of(mix, name) for name in ("Factor_Float", "A_Color", "B_Color"))
    factor.default_value = 1.0
    b.default_value = (*colour, 1.0)
    tree.links.new(source, a)
    result = next(each for each in mix.outputs if each.identifier == "Result_Color")
    tree.links.new(result, socket)


def _of(node: Any, identifier: str) -> Any:
    return next(each for each in node.inputs if each.identifier == identifier)


def _glow(tree: Any, node: Any, strength: float) -> None:
    """Have it shine in its own colour."""
    base, glow = node.inputs[_BASE], node.inputs[_EMISSION]
    _unlink(tree, glow)
    if base.is_linked:
        tree.links.new(base.links[0].from_socket, glow)
    glow.default_value = base.default_value
    _set(tree, node, "Emission Strength", strength)


def _blend(material: Any) -> None:
    """EEVEE's materials say themselves that they are not opaque."""
    if hasattr(material, "surface_render_method"):
        material.surface_render_method = "BLENDED"


def _lay(material: Any, node: Any, edit: EditMaterial, changes: Changes, *, has_uv: bool) -> None:
    tree, socket = material.node_tree, node.inputs[_BASE]
    colour = _WHITE if socket.is_linked else tuple(socket.default_value[:3])
    if edit.rgba is not None:
        colour = tuple(linear(edit.rgba[:3]).tolist())
    _unlink(tree, socket)
    if edit.texture is None or not edit.texture.size:
        socket.default_value = (*colour, 1.0)
        return
    picture = tree.nodes.new("ShaderNodeTexImage")
    picture.image = _image(edit.texture, changes)
    where, place = tree.nodes.new("ShaderNodeTexCoord"), tree.nodes.new("ShaderNodeMapping")
    place.inputs["Scale"].default_value = (*edit.repeat, 1.0)
    place.inputs["Location"].default_value = (*edit.offset, 0.0)
    tree.links.new(where.outputs["UV" if has_uv else "Generated"], place.inputs["Vector"])
    tree.links.new(place.outputs["Vector"], picture.inputs["Vector"])
    tree.links.new(picture.outputs["Color"], socket)
    if not np.allclose(colour, _WHITE):
        _multiply(tree, picture.outputs["Color"], colour, socket)
    if edit.texture.shape[2:] == (4,) and (edit.texture[..., 3] < 255).any():
        _unlink(tree, node.inputs["Alpha"])
        tree.links.new(picture.outputs["Alpha"], node.inputs["Alpha"])
        _blend(material)


def _image(pixels: NDArray[np.uint8], changes: Changes) -> Any:
    """An image of Blender's, row 0 of which is the lowest."""
    shape = pixels.reshape(*pixels.shape[:2], -1)
    height, width, channels = shape.shape
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., : 4 if channels == 4 else 3] = shape[::-1] / np.float32(255)
    image = bpy.data.images.new("texture of an edit", width, height, alpha=channels == 4)
    changes.undone_by(lambda: bpy.data.images.remove(image))
    image.pixels.foreach_set(rgba.ravel())
    image.update()
    return image


def light_power(kind: str, strength: float, area: float = 1.0) -> float:
    """Blender's energy of a light whose strength is lux, candela or nits, as its kind has it."""
    return {"SUN": strength, "AREA": strength * math.pi * area}.get(kind, 4 * math.pi * strength)
