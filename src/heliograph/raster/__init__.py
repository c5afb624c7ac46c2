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
    Layer,
    Light,
    Lighting,
    LightKind,
    Mapping,
    MaterialTable,
    Sampler,
    Shading,
    Shape,
    Side,
    Texture,
    TextureKind,
    ToneMapping,
    Transforms,
    Use,
    Wrap,
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
    "Layer",
    "Light",
    "LightKind",
    "Lighting",
    "Mapping",
    "MaterialTable",
    "RasterOptions",
    "Rasterizer",
    "Sampler",
    "Shading",
    "Shape",
    "Side",
    "Texture",
    "TextureKind",
    "ToneMapping",
    "Transforms",
    "Use",
    "Wrap",
    "flat_shaded",
    "plane_grid",
]
