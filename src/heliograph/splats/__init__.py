"""Gaussian splats: values, files, and pictures drawn by the native module.

    file --read_splats--> Gaussians --prepare--> native layout --draw_splats--> arrays

Knows no engine and no scene.
"""

from heliograph.splats.draw import PASSES, draw_splats, prepare
from heliograph.splats.files import read_splats, write_ply
from heliograph.splats.gaussians import Gaussians, harmonics

__all__ = [
    "PASSES",
    "Gaussians",
    "draw_splats",
    "harmonics",
    "prepare",
    "read_splats",
    "write_ply",
]
