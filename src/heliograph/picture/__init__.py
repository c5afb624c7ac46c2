"""Pictures for people: passes in colour, and contact sheets with legends."""

from heliograph.picture import layout
from heliograph.picture.annotations import annotation_picture
from heliograph.picture.colours import (
    colour_map,
    depth_picture,
    depth_range,
    normals_picture,
    pass_picture,
    segment_colours,
    segmentation_picture,
)
from heliograph.picture.notebook import frame_png, sample_html
from heliograph.picture.sheet import contact_sheet

__all__ = [
    "annotation_picture",
    "colour_map",
    "contact_sheet",
    "depth_picture",
    "depth_range",
    "frame_png",
    "layout",
    "normals_picture",
    "pass_picture",
    "sample_html",
    "segment_colours",
    "segmentation_picture",
]
