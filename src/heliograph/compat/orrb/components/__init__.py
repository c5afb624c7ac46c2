"""ORRB's thirteen renderer components, by their names, parameters and defaults.

Vectors are given in Unity's world, (-x, z, -y) of ours, angles in degrees where ORRB has degrees.
Random numbers are Unity's, in ORRB's order; see docs/orrb.md.
"""

from heliograph.compat.orrb.components import cameras, lights, materials, objects, post, tracker
from heliograph.compat.orrb.components.component import Component

COMPONENTS: dict[str, type[Component]] = {
    kind.type_name: kind
    for kind in (
        cameras.CameraRandomizer,
        cameras.CameraProperties,
        cameras.CameraCalibrator,
        objects.LookAt,
        objects.TranslateRotateScale,
        objects.Hide,
        objects.JointRandomizer,
        lights.LightingRig,
        lights.LightRandomizer,
        materials.MaterialRandomizer,
        materials.MaterialFixedHueRandomizer,
        post.PostProcessingRandomizer,
        tracker.Tracker,
    )
}
"""The components by type."""
