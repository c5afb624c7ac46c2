"""ORRB's thirteen renderer components, by their names, parameters and defaults.

Vectors are given in Unity's world, (-x, z, -y) of ours, angles in degrees where ORRB has degrees.
`read_renderer_config` reads a renderer_config.json.
"""

from heliograph.randomize.orrb.cameras import (
    CameraCalibrator,
    CameraMode,
    CameraProperties,
    CameraRandomizer,
)
from heliograph.randomize.orrb.component import Component
from heliograph.randomize.orrb.config import (
    COMPONENTS,
    read_renderer_config,
    write_renderer_config,
)
from heliograph.randomize.orrb.lights import LightingRig, LightRandomizer
from heliograph.randomize.orrb.materials import MaterialFixedHueRandomizer, MaterialRandomizer
from heliograph.randomize.orrb.objects import Hide, JointRandomizer, LookAt, TranslateRotateScale
from heliograph.randomize.orrb.post import PostProcessingRandomizer
from heliograph.randomize.orrb.tracker import Tracker

__all__ = [
    "COMPONENTS",
    "CameraCalibrator",
    "CameraMode",
    "CameraProperties",
    "CameraRandomizer",
    "Component",
    "Hide",
    "JointRandomizer",
    "LightRandomizer",
    "LightingRig",
    "LookAt",
    "MaterialFixedHueRandomizer",
    "MaterialRandomizer",
    "PostProcessingRandomizer",
    "Tracker",
    "TranslateRotateScale",
    "read_renderer_config",
    "write_renderer_config",
]
