"""Draws docs/levels.png: what a queue over a NeRF shows of one update, level by level."""

from __future__ import annotations

import argparse
import io
from contextlib import closing
from pathlib import Path

import numpy as np
from nerf import trained
from PIL import Image

import heliograph as hg
from heliograph.engines.nerf.engine import NerfEngine
from heliograph.engines.nerf.frames import TRANSFORMS, CaptureFrame
from heliograph.picture import depth_picture, depth_range
from heliograph.picture.layout import captioned, framed, grid, scaled

OUT = Path(__file__).parent.parent / "docs" / "levels.png"
SIZE = (384, 216)
SHOWN = (288, 162)
LARGEST = 200_000


def levels(run: Path, threads: int) -> list[tuple[hg.QueuedImage, float]]:
    """The images of one update, and their ages when they came."""
    frame = CaptureFrame.read(run / TRANSFORMS)
    centre = frame.points(np.zeros((1, 3)))[0]
    eye = centre + np.array([1.0, -0.75, 0.6]) / frame.scale
    width, height = SIZE
    camera = hg.Camera.look_at(eye=eye, target=centre, fov_y=0.65, width=width, height=height)
    with (
        closing(NerfEngine(run, threads=threads)) as engine,
        hg.RenderQueue(engine, passes=("rgb", "median_depth"), latency=0.05) as queue,
    ):
        for _ in range(3):  # it learns how long images take
            queue.update(camera)
            queue.wait(final=True)
        found: list[tuple[hg.QueuedImage, float]] = []
        queue.on_image(lambda image: found.append((image, image.age)))
        queue.update(camera)
        queue.wait(final=True, timeout=60)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, help="of `heliograph nerf train-demo`")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    found = levels(trained(arguments.run), arguments.threads)
    limits = depth_range([found[-1][0].frame["median_depth"]])
    pictures = []
    for image, age in found:
        width, height = image.camera.size
        text = f"level {image.level}: {width}x{height}, after {1e3 * age:.0f} ms"
        pictures.append(captioned(scaled(image.frame.rgb, SHOWN, smooth=False), text))
    for image, _ in found:
        depth = depth_picture(image.frame["median_depth"], limits)
        pictures.append(captioned(scaled(depth, SHOWN, smooth=False), "depth"))
    sheet = framed(grid(pictures, len(found))).convert("RGB")
    stream = io.BytesIO()
    sheet.quantize(256, Image.Quantize.MEDIANCUT).save(stream, "PNG", optimize=True)
    data = stream.getvalue()
    if len(data) > LARGEST:
        raise SystemExit(f"nerf_levels: {len(data)} bytes, more than {LARGEST}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_bytes(data)
    print(f"{OUT}: {sheet.size}, {len(data)} bytes")


if __name__ == "__main__":
    main()
