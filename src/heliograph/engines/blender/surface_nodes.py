"""Builds the nodes of a surface's material."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from heliograph.raster import Layer, Sampler, Texture
from heliograph.raster.types import SAME_UV, Use, UvMap, Wrap

UV, TINT = "uv", "tint"
"""Names of a mesh's texture coordinates and of its vertices' colours."""
OWN = 7
"""Which input of the nodes `color` and `emission` is the material's own."""
_A, _RESULT = 6, 2

_EXTENSIONS = {Wrap.REPEAT: "REPEAT", Wrap.MIRROR: "MIRROR", Wrap.CLAMP: "EXTEND"}

Images = Callable[[Any, str], Any]
"""Gives the `bpy.types.Image` of a texture or a layer, by what it is used for."""


class Nodes:
    """The nodes of one material.

    Args:
        tree: its node tree, which is emptied.
        images: gives images.
    """

    def __init__(self, tree: Any, images: Images) -> None:
        self._tree, self._images = tree, images
        self._uv: Any = None
        tree.nodes.clear()
        self._output = tree.nodes.new("ShaderNodeOutputMaterial")
        self._shader = self._node("ShaderNodeBsdfPrincipled", "shader")
        self._link(self._shader.outputs[0], self._output.inputs["Surface"])

    def paint(self, texture: Texture | None, *, tinted: bool, unlit: bool) -> Any:
        """Multiply colour by a texture and by the mesh's own colours.

        Returns:
            The socket of what is left of the opacity; None where all is opaque.
        """
        target = "emission" if unlit else "color"
        colors, alpha = [], None
        if texture is not None:
            node = self._image(texture, "color")
            colors.append(node.outputs["Color"])
            if texture.pixels.shape[2] == 4:
                alpha = node.outputs["Alpha"]
        if tinted:
            node = self._node("ShaderNodeVertexColor", TINT)
            node.layer_name = TINT
            colors.append(node.outputs["Color"])
            own = node.outputs["Alpha"]
            alpha = own if alpha is None else self._math("MULTIPLY", alpha, own)
        if colors:
            factor = colors[0] if len(colors) == 1 else self._times("tinted", *colors)
            self._multiply(target, factor)
        return alpha

    def layers(self, texture: Texture, *, unlit: bool) -> None:
        """Lay a texture's further maps on; occlusion is left to the light itself."""
        by_use = {} if unlit else {layer.use: layer for layer in texture.layers}
        if Use.METALLIC_ROUGHNESS in by_use:
            node = self._image(by_use[Use.METALLIC_ROUGHNESS], "metallic_roughness")
            parts = self._node("ShaderNodeSeparateColor", "parts")
            self._link(node.outputs["Color"], parts.inputs[0])
            for name, part, into in (("metal", 2, "Metallic"), ("rough", 1, "Roughness")):
                self._link(
                    self._math("MULTIPLY", parts.outputs[part], 1.0, name),
                    self._shader.inputs[into],
                )
        if Use.EMISSIVE in by_use:
            self._multiply("emission", self._image(by_use[Use.EMISSIVE], "emissive").outputs[0])
        if Use.NORMAL in by_use:
            layer = by_use[Use.NORMAL]
            node = self._node("ShaderNodeNormalMap", "normal")
            node.inputs["Strength"].default_value = layer.strength[0]
            self._link(self._image(layer, "normal").outputs[0], node.inputs["Color"])
            self._link(node.outputs[0], self._shader.inputs["Normal"])

    def fade(self, alpha: Any, *, blended: bool, cut: bool) -> None:
        """Have what is clear seen through: cut where it is so, blended where it is said."""
        if alpha is None:
            return
        shown = self._math("MULTIPLY", alpha, 1.0, "alpha") if blended else None
        if cut:
            there = self._math("GREATER_THAN", alpha, 0.5, "cutoff")
            shown = there if shown is None else self._math("MULTIPLY", there, shown)
        if shown is not None:
            self._link(shown, self._shader.inputs["Alpha"])

    def hide(self, *, back: bool) -> None:
        """Have a camera see through the back, or through the front."""
        facing = self._node("ShaderNodeNewGeometry", "geometry").outputs["Backfacing"]
        if not back:
            facing = self._math("SUBTRACT", 1.0, facing)
        eye = self._node("ShaderNodeLightPath", "path").outputs["Is Camera Ray"]
        mix = self._node("ShaderNodeMixShader", "sides")
        clear = self._node("ShaderNodeBsdfTransparent", "clear")
        self._link(self._math("MULTIPLY", facing, eye), mix.inputs[0])
        self._link(self._shader.outputs[0], mix.inputs[1])
        self._link(clear.outputs[0], mix.inputs[2])
        self._link(mix.outputs[0], self._output.inputs["Surface"])

    def _node(self, kind: str, name: str = "") -> Any:
        node = self._tree.nodes.new(kind)
        if name:
            node.name = name
        return node

    def _link(self, source: Any, target: Any) -> None:
        self._tree.links.new(source, target)

    def _math(self, operation: str, one: Any, other: Any, name: str = "") -> Any:
        """The socket of a result; of numbers and sockets."""
        node = self._node("ShaderNodeMath", name)
        node.operation = operation
        for value, socket in zip((one, other), node.inputs, strict=False):
            if isinstance(value, float):
                socket.default_value = value
            else:
                self._link(value, socket)
        return node.outputs[0]

    def _multiply(self, name: str, factor: Any) -> None:
        """Multiply the shader's colour or emission; `OWN` of the node is that."""
        into = {"color": "Base Color", "emission": "Emission Color"}[name]
        node = self._mix(name)
        self._link(factor, node.inputs[_A])
        self._link(node.outputs[_RESULT], self._shader.inputs[into])

    def _times(self, name: str, one: Any, other: Any) -> Any:
        node = self._mix(name)
        self._link(one, node.inputs[_A])
        self._link(other, node.inputs[OWN])
        return node.outputs[_RESULT]

    def _mix(self, name: str) -> Any:
        node = self._node("ShaderNodeMix", name)
        node.data_type, node.blend_type = "RGBA", "MULTIPLY"
        node.inputs[0].default_value = 1.0
        return node

    def _image(self, of: Texture | Layer, use: str) -> Any:
        """An image node of a texture or a layer, looked up where it lies."""
        sampler, where = of.sampler, self._where(of.uv_map)
        node = self._node("ShaderNodeTexImage", f"{use} image")
        node.image = self._images(of, use)
        node.interpolation = "Closest" if sampler.nearest else "Linear"
        node.extension = _EXTENSIONS[sampler.wrap_u]
        if sampler.wrap_u is not sampler.wrap_v:
            node.extension, where = "EXTEND", self._wrapped(where, sampler)
        self._link(where, node.inputs["Vector"])
        return node

    def _where(self, uv_map: UvMap) -> Any:
        """The socket of texture coordinates; an affine map is two turns with a stretch between."""
        if self._uv is None:
            self._uv = self._node("ShaderNodeUVMap", "uv")
            lie = self._node("ShaderNodeMapping", "lie")
            self._link(self._uv.outputs[0], lie.inputs["Vector"])
        socket = self._tree.nodes["lie"].outputs[0]
        if uv_map == SAME_UV:
            return socket
        linear = np.array(uv_map)[:, :2]
        left, stretch, right = np.linalg.svd(linear)
        flips = np.linalg.det(left), np.linalg.det(right)
        left[:, 1] *= flips[0]
        right[1] *= flips[1]
        stretch = stretch * (1.0, flips[0] * flips[1])
        first, then = (self._node("ShaderNodeMapping") for _ in range(2))
        first.inputs["Rotation"].default_value[2] = np.arctan2(right[1, 0], right[0, 0])
        then.inputs["Rotation"].default_value[2] = np.arctan2(left[1, 0], left[0, 0])
        then.inputs["Scale"].default_value = (*stretch.tolist(), 1.0)
        then.inputs["Location"].default_value = (uv_map[0][2], uv_map[1][2], 0.0)
        self._link(socket, first.inputs["Vector"])
        self._link(first.outputs[0], then.inputs["Vector"])
        return then.outputs[0]

    def _wrapped(self, where: Any, sampler: Sampler) -> Any:
        """Coordinates brought between 0 and 1, along u and v as each is wrapped."""
        apart, together = self._node("ShaderNodeSeparateXYZ"), self._node("ShaderNodeCombineXYZ")
        self._link(where, apart.inputs[0])
        for i, wrap in enumerate((sampler.wrap_u, sampler.wrap_v)):
            socket = apart.outputs[i]
            if wrap is Wrap.REPEAT:
                socket = self._math("FRACT", socket, 1.0)
            elif wrap is Wrap.MIRROR:
                socket = self._math("PINGPONG", socket, 1.0)
            self._link(socket, together.inputs[i])
        return together.outputs[0]
