"""Blender's world as what is behind everything, and the light that comes from there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from heliograph.colour import encoded
from heliograph.engines.blender.images import Pixels, Textures, radiance
from heliograph.engines.blender.nodes import has_nodes
from heliograph.engines.blender.world import Shown
from heliograph.raster import Environment, Rasterizer
from heliograph.raster.types import Colour


class Sky:
    """The world of a scene, on the rasterizer.

    Args:
        rasterizer: where its picture is.

    Attributes:
        approximated: why the world is not shown as Blender draws it, by its name.
    """

    def __init__(self, rasterizer: Rasterizer) -> None:
        self._rasterizer = rasterizer
        self._images = Textures(rasterizer)
        self._picture: tuple[tuple[Any, ...], int] | None = None
        self.approximated: dict[str, str] = {}

    def environment(
        self, shown: Shown, exposure: float, *, reflected: bool
    ) -> tuple[Environment, Colour]:
        """What is behind everything, and the irradiance from all sides that is no picture's.

        Args:
            shown: the scene, and the background that it is given.
            exposure: what multiplies all light.
            reflected: whether a metal reflects it: even light is a picture then, which costs more.
        """
        self.approximated = {}
        light, strength, image = self._read(shown.scene.world)
        handle, around = None, math.pi * light
        if image is not None:
            handle = self._handle(self._images.state(image), lambda: _turned(radiance(image)))
        elif reflected and light.any():
            even = np.broadcast_to(light.astype(np.float32), (2, 4, 3))
            handle, around = self._handle(tuple(light.tolist()), lambda: even), np.zeros(3)
        red, green, blue = around.tolist()
        back = shown.background
        if back is None:
            r, g, b = encoded(np.clip(light * exposure, 0, 1)).tolist()
            back = (r, g, b)
        return Environment(
            back,
            radiance=handle,
            radiance_scale=strength,
            radiance_shown=image is not None and shown.background is None,
        ), (red, green, blue)

    def _read(self, world: Any) -> tuple[Any, float, Any]:
        """Even linear light (3,), or the strength of an image that is all around, and that."""
        if world is None:
            return np.zeros(3), 1.0, None
        if not has_nodes(world):
            return np.array(world.color[:]), 1.0, None
        output = world.node_tree.get_output_node("ALL")
        surface = None if output is None else output.inputs["Surface"]
        if surface is None or not surface.is_linked:
            return np.zeros(3), 1.0, None
        node = surface.links[0].from_node
        if node.bl_idname != "ShaderNodeBackground" or node.inputs["Strength"].is_linked:
            return self._plain(world, f"its shader is {node.name!r}")
        strength, colour = node.inputs["Strength"].default_value, node.inputs["Color"]
        if not colour.is_linked:
            return np.array(colour.default_value[:3]) * strength, 1.0, None
        source = colour.links[0].from_node
        if source.bl_idname != "ShaderNodeTexEnvironment" or source.image is None:
            return self._plain(world, f"{source.name!r} is linked to its colour")
        if source.projection != "EQUIRECTANGULAR" or source.inputs["Vector"].is_linked:
            return self._plain(world, f"{source.name!r} is turned or no equirectangular picture")
        return np.zeros(3), strength, source.image

    def _plain(self, world: Any, why: str) -> tuple[Any, float, Any]:
        self.approximated = {world.name_full: why}
        return np.array(world.color[:]), 1.0, None

    def _handle(self, key: tuple[Any, ...], picture: Callable[[], Pixels]) -> int:
        if self._picture is None or self._picture[0] != key:
            if self._picture is not None:
                self._rasterizer.remove_radiance(self._picture[1])
                self._picture = None
            self._picture = key, self._rasterizer.add_radiance(picture())
        return self._picture[1]


def _turned(pixels: Pixels) -> Pixels:
    """A picture whose middle column is along +y, not +x, which is a quarter to the right of it."""
    turned: Pixels = np.roll(np.maximum(pixels, 0), pixels.shape[1] // 4, 1)
    return turned
