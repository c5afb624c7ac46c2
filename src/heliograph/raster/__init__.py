"""Triangles in, all passes out, in one draw. Knows no engine."""

from heliograph.raster.context import Context, RasterOptions
from heliograph.raster.drawables import (
    DrawList,
    Geometry,
    Instances,
    Light,
    Lighting,
    LightKind,
    Mapping,
    Shading,
    Shape,
    Side,
    Surroundings,
    Texture,
    TextureKind,
)
from heliograph.raster.renderer import Rasterizer
from heliograph.raster.scenery import (
    APPEARANCE,
    Objects,
    Scenery,
    camera_moves,
    edited_camera,
)
from heliograph.raster.shapes import plane_grid

__all__ = [
    "APPEARANCE",
    "Context",
    "DrawList",
    "Geometry",
    "Instances",
    "Light",
    "LightKind",
    "Lighting",
    "Mapping",
    "Objects",
    "RasterOptions",
    "Rasterizer",
    "Scenery",
    "Shading",
    "Shape",
    "Side",
    "Surroundings",
    "Texture",
    "TextureKind",
    "camera_moves",
    "edited_camera",
    "plane_grid",
]
