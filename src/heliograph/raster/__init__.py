"""Triangles in, all passes out, in one draw. Knows no engine."""

from heliograph.requires import Requires

with Requires("moderngl"):
    from heliograph.raster.gl.context import Context
from heliograph.raster.options import RasterOptions
from heliograph.raster.rasterizer import Rasterizer
from heliograph.raster.shapes import plane_grid
from heliograph.raster.types import (
    LARGEST,
    SMALLEST,
    DrawList,
    Environment,
    Geometry,
    Instances,
    InstanceTable,
    Light,
    Lighting,
    LightKind,
    Mapping,
    MaterialTable,
    Shading,
    Shape,
    Side,
    Texture,
    TextureKind,
    Transforms,
    flat_shaded,
)

__all__ = [
    "LARGEST",
    "SMALLEST",
    "Context",
    "DrawList",
    "Environment",
    "Geometry",
    "InstanceTable",
    "Instances",
    "Light",
    "LightKind",
    "Lighting",
    "Mapping",
    "MaterialTable",
    "RasterOptions",
    "Rasterizer",
    "Shading",
    "Shape",
    "Side",
    "Texture",
    "TextureKind",
    "Transforms",
    "flat_shaded",
    "plane_grid",
]
