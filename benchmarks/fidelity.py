"""How far our pictures are from mujoco.Renderer's: all cameras of the models, without shadows.

Prints a Markdown table: part of pixels with equal ids, part with depth within 0.1 %, mean absolute
difference of rgb (of 255), and structural similarity.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from models import FILES, source
from skimage.metrics import structural_similarity

from heliograph.engines.mujoco import MujocoEngine
from heliograph.frame import Frame
from heliograph.raster import RasterOptions
from heliograph.view import View

PASSES = ("rgb", "depth", "segmentation")
SIZE = (320, 240)


def score(ours: Frame, theirs: Frame) -> tuple[float, float, float, float]:
    same = ours.segmentation == theirs.segmentation
    deep = [np.where(np.isinf(frame.depth), 1e9, frame.depth) for frame in (ours, theirs)]
    close = np.abs(deep[0] - deep[1]) <= 1e-3 * deep[1]
    gap = np.abs(ours.rgb.astype(int) - theirs.rgb).mean()
    likeness = structural_similarity(ours.rgb, theirs.rgb, channel_axis=2)
    return float(same.mean()), float(close.mean()), float(gap), float(likeness)


def main() -> None:
    print("| model | camera | ids equal | depth within 0.1 % | rgb difference | SSIM | |")
    print("|---|---|---|---|---|---|---|")
    for name in FILES:
        frames = []
        for style in ("raster", "classic"):
            options = RasterOptions(shadows=False)
            engine = MujocoEngine(source(name), size=SIZE, style=style, options=options)
            frames.append(engine.render(View(tuple(engine.cameras), PASSES)))
            engine.close()
        for camera in frames[0].frames:
            ids, depth, gap, likeness = score(frames[0][camera], frames[1][camera])
            good = ids >= 0.995 and depth >= 0.995 and gap <= 3 and likeness >= 0.97
            print(
                f"| {name} | {camera} | {ids:.2%} | {depth:.2%} | {gap:.2f} | {likeness:.3f} | "
                f"{'' if good else 'beyond tolerance'} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
