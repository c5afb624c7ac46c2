"""Annotations: facts about a picture, from its passes, its camera and the scene's object table."""

from heliograph.annotate.boxes import Boxes, SeenBoxes, loose_boxes, tight_boxes
from heliograph.annotate.coco import coco_dataset
from heliograph.annotate.contours import polygons
from heliograph.annotate.keypoints import Keypoints, in_picture, keypoints
from heliograph.annotate.masks import Rle, category_map, category_numbers, rles
from heliograph.annotate.oriented import OrientedBoxes, oriented_boxes
from heliograph.annotate.places import Poses, edited_poses, world_points, world_poses
from heliograph.annotate.samples import Kind, annotate, annotate_keypoints
from heliograph.annotate.visibility import (
    estimated_occlusion,
    occlusion,
    padded,
    seen_areas,
    truncation,
    unhidden,
    view_alone,
)

__all__ = [
    "Boxes",
    "Keypoints",
    "Kind",
    "OrientedBoxes",
    "Poses",
    "Rle",
    "SeenBoxes",
    "annotate",
    "annotate_keypoints",
    "category_map",
    "category_numbers",
    "coco_dataset",
    "edited_poses",
    "estimated_occlusion",
    "in_picture",
    "keypoints",
    "loose_boxes",
    "occlusion",
    "oriented_boxes",
    "padded",
    "polygons",
    "rles",
    "seen_areas",
    "tight_boxes",
    "truncation",
    "unhidden",
    "view_alone",
    "world_points",
    "world_poses",
]
