"""Post-processing of rgb pictures; depth, normals and ids are read at most.

`apply(steps, rgb, ...)` takes steps as `EditImage` holds them, `[("hue", {"degrees": 10.0}), ...]`.
`STEPS` says which there are, with their parameters.
"""

from heliograph.randomize.imaging.pipeline import (
    STEPS,
    apply,
    check_step,
    find_step,
    needed_passes,
)
from heliograph.randomize.imaging.step import Step

__all__ = ["STEPS", "Step", "apply", "check_step", "find_step", "needed_passes"]
