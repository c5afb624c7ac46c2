"""Triangles in, all passes out, in one draw. Knows no engine."""

from heliograph.raster.context import Context, RasterOptions
from heliograph.raster.drawables import (
    DrawList,
    Geometry,
    Instances,
    Light,
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

__all__ = [
    "Context",
    "DrawList",
    "Geometry",
    "Instances",
    "Light",
    "LightKind",
    "Mapping",
    "RasterOptions",
    "Rasterizer",
    "Shading",
    "Shape",
    "Side",
    "Surroundings",
    "Texture",
    "TextureKind",
]
