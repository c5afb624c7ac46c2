"""ORRB's thirteen renderer components, by their names, parameters and defaults.

Vectors are given in Unity's world, (-x, z, -y) of ours, angles in degrees where ORRB has degrees.
`read_renderer_config` reads a renderer_config.json.
"""

from heliograph.compat.orrb.components.cameras import (
    CameraCalibrator,
    CameraMode,
    CameraProperties,
    CameraRandomizer,
)
from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.components.lights import LightingRig, LightRandomizer
from heliograph.compat.orrb.components.materials import (
    MaterialFixedHueRandomizer,
    MaterialRandomizer,
)
from heliograph.compat.orrb.components.objects import (
    Hide,
    JointRandomizer,
    LookAt,
    TranslateRotateScale,
)
from heliograph.compat.orrb.components.post import PostProcessingRandomizer
from heliograph.compat.orrb.components.reading import (
    COMPONENTS,
    read_components,
    read_renderer_config,
    write_renderer_config,
)
from heliograph.compat.orrb.components.tracker import Tracker

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
    "read_components",
    "read_renderer_config",
    "write_renderer_config",
]
