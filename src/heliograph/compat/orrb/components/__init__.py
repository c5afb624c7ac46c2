"""ORRB's thirteen renderer components, by their names, parameters and defaults.

Vectors are given in Unity's world, (-x, z, -y) of ours, angles in degrees where ORRB has degrees.
Random numbers are Unity's, in ORRB's order; see docs/orrb.md.
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
from heliograph.compat.orrb.components.tracker import Tracker

_ALL: tuple[type[Component], ...] = (
    CameraRandomizer,
    CameraProperties,
    CameraCalibrator,
    LookAt,
    TranslateRotateScale,
    Hide,
    JointRandomizer,
    LightingRig,
    LightRandomizer,
    MaterialRandomizer,
    MaterialFixedHueRandomizer,
    PostProcessingRandomizer,
    Tracker,
)
COMPONENTS: dict[str, type[Component]] = {kind.type_name: kind for kind in _ALL}
"""The components by type."""

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
]
