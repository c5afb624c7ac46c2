"""Triangles in, all passes out, in one go. Knows no engine, no scene, no edits.

    geometries, textures --add_*--> handles             choice.py: which backend, and why
                                       |                   gl/   OpenGL, on GPUs; the reference
    DrawList + cameras + passes -------+--draw--> arrays   cpu/  the native module, without GL

What one draw does, whichever backend draws: `prepared.py` says what each instance needs, how large
it is and where (each kept while its input is the same object); `shadows.py` and `mirror.py` say
which further views there are; `plan.py` leaves out what no camera sees, chooses levels of detail
and the order (the native module has the same rules in plan.cpp); `frame_block.py` writes what one
camera's picture needs besides; then the backend draws, and arrays are filled. `intake.py`
checks what is added, `refusals.py` says what draw lists may hold, and what was wrong where that
has failed.
"""

from heliograph.raster.intake import flat_shaded
from heliograph.raster.options import RasterOptions
from heliograph.raster.rasterizer import Rasterizer, make_rasterizer
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
)

__all__ = [
    "LARGEST",
    "SMALLEST",
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
    "make_rasterizer",
    "plane_grid",
]
