"""Annotations: facts about a picture, from its passes, its camera and the scene's object table."""

from heliograph.annotate.boxes import Boxes, SeenBoxes, loose_boxes, tight_boxes
from heliograph.annotate.contours import polygons
from heliograph.annotate.masks import Rle, category_map, category_numbers, rles
from heliograph.annotate.places import Poses, world_points, world_poses

__all__ = [
    "Boxes",
    "Poses",
    "Rle",
    "SeenBoxes",
    "category_map",
    "category_numbers",
    "loose_boxes",
    "polygons",
    "rles",
    "tight_boxes",
    "world_points",
    "world_poses",
]
