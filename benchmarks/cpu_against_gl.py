"""How far pictures of the `cpu` backend are from those of `gl`: models, random cameras, both looks.

Prints Markdown tables: part of pixels with equal ids, part with depth within 0.1 %, the mean angle
between normals (degrees), and of rgb (of 255) the mean difference, its 99th percentile and the
largest. With `--pictures FOLDER` it keeps a sheet per row: gl, cpu, and the difference times ten,
rgb, ids and normals, of the worst view.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from models import FILES, source
from PIL import Image, ImageDraw

from heliograph.camera import Camera
from heliograph.engines.mujoco import MujocoEngine
from heliograph.frame import Frame
from heliograph.raster import RasterOptions
from heliograph.view import View

PASSES = ("rgb", "depth", "normals", "segmentation")
SIZES = ((64, 64), (200, 200), (640, 480))
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"shadows": False},
    "shadows, msaa": {"shadows": True, "msaa": 4, "shadow_size": 1024},
    "standard": {"shadows": False, "shading": "standard"},
    "standard, shadows, msaa": {
        "shadows": True, "msaa": 4, "shadow_size": 1024, "shading": "standard",
    },
}  # fmt: skip


class Gap(NamedTuple):
    """How far two pictures are apart."""

    ids: float
    depth: float
    degrees: float
    mean: float
    most: float
    largest: float

    @property
    def badness(self) -> float:
        """What the worst view is found by: a wrong id counts as a wrong colour."""
        return self.mean + 255 * (1 - self.ids)


def gap(gl: Frame, cpu: Frame) -> Gap:
    """The numbers of one view."""
    same = gl.segmentation == cpu.segmentation
    deep = [np.where(np.isinf(frame.depth), 1e9, frame.depth) for frame in (gl, cpu)]
    close = np.abs(deep[0] - deep[1]) <= 1e-3 * deep[0]
    both = same & np.isfinite(gl.depth) & np.isfinite(cpu.depth)
    along = (gl.normals[both].astype(float) * cpu.normals[both]).sum(-1)
    across = np.linalg.norm(np.cross(gl.normals[both], cpu.normals[both]), axis=-1)
    turned = np.degrees(np.arctan2(across, along)) if both.any() else np.zeros(1)
    shades = np.abs(gl.rgb.astype(int) - cpu.rgb)
    return Gap(
        float(same.mean()),
        float(close.mean()),
        float(turned.mean()),
        float(shades.mean()),
        float(np.quantile(shades, 0.99)),
        float(shades.max()),
    )


def sheet(title: str, gl: Frame, cpu: Frame) -> Image.Image:
    """Both pictures and ten times the difference."""
    rows = []
    for pair in (
        [gl.rgb, cpu.rgb],
        [painted(frame.segmentation) for frame in (gl, cpu)],
        [np.clip(127.5 * (frame.normals + 1), 0, 255).astype(np.uint8) for frame in (gl, cpu)],
    ):
        loud = np.clip(10 * np.abs(pair[0].astype(int) - pair[1]), 0, 255).astype(np.uint8)
        rows.append(np.concatenate([*pair, loud], 1))
    picture = Image.fromarray(np.concatenate(rows))
    canvas = Image.new("RGB", (picture.width, picture.height + 16), "white")
    canvas.paste(picture, (0, 16))
    ImageDraw.Draw(canvas).text((4, 2), title, fill="black")
    return canvas


def painted(ids: np.ndarray) -> np.ndarray:
    """Each id a colour."""
    return np.stack([(ids * step) % 256 for step in (37, 91, 53)], -1).astype(np.uint8)


def random_camera(engine: MujocoEngine, rng: np.random.Generator) -> Camera:
    """One anywhere about the model, inside of things too."""
    extent, centre = float(engine.model.stat.extent), np.array(engine.model.stat.center)
    away = extent * rng.choice([0.05, 0.2, 0.6, 1.5])
    return Camera.look_at(
        eye=centre + rng.normal(size=3) * away,
        target=centre + rng.normal(size=3) * extent * 0.3,
        fov_y=rng.uniform(0.3, 2.2),
        width=int(rng.integers(33, 200)),
        height=int(rng.integers(33, 160)),
        near=float(rng.choice([0.001, 0.01, 0.1])) * extent,
        far=50 * extent,
        name="random",
    )


class Pair:
    """One model opened with each backend.

    Args:
        name: of the model.
        size: of its cameras' pictures.
        options: how to rasterize.
    """

    def __init__(self, name: str, size: tuple[int, int], options: dict[str, Any]) -> None:
        self.name = name
        self.engines = [
            MujocoEngine(source(name), size=size, options=RasterOptions(backend=backend, **options))
            for backend in ("gl", "cpu")
        ]

    def close(self) -> None:
        """Frees both."""
        for engine in self.engines:
            engine.close()

    def frames(self, view: View) -> tuple[Frame, Frame]:
        """The only camera of a view, drawn by both."""
        gl, cpu = (next(iter(engine.render(view).frames.values())) for engine in self.engines)
        return gl, cpu


def report(title: str, pair: Pair, views: Iterable[View], folder: Path | None) -> str:
    """A row: the means over all views; the sheet of the worst one is kept."""
    found = []
    for view in views:
        gl, cpu = pair.frames(view)
        found.append(gap(gl, cpu))
        if folder is not None and found[-1].badness >= max(each.badness for each in found):
            name = title.replace(",", "").replace(" ", "_")
            sheet(f"{title}: gl, cpu, times ten", gl, cpu).save(folder / f"{name}.png")
    ids, depth, degrees, mean, most, _ = np.mean(found, axis=0)
    largest = max(each.largest for each in found)
    return (
        f"| {title} | {len(found)} | {ids:.4%} | {depth:.4%} | {degrees:.4f} | {mean:.3f} | "
        f"{most:.1f} | {largest:.0f} |"
    )


def print_model(name: str, setting: str, arguments: argparse.Namespace) -> None:
    """The rows of one model: its first camera and `fit` at all sizes, and random cameras."""
    rng = np.random.default_rng(0)
    for size in arguments.sizes:
        with closing(Pair(name, size, SETTINGS[setting])) as pair:
            engine = pair.engines[0]
            states = [engine.random_state(rng) for _ in range(arguments.states)]
            for camera in dict.fromkeys((next(iter(engine.cameras)), "fit")):
                title = f"{name}, {setting}, {camera}, {size[0]}x{size[1]}"
                views = [View((camera,), PASSES, state=state) for state in states]
                print(report(title, pair, views, arguments.pictures), flush=True)
    with closing(Pair(name, SIZES[0], SETTINGS[setting])) as pair:
        engine = pair.engines[0]
        views = [
            View((random_camera(engine, rng),), PASSES, state=engine.random_state(rng))
            for _ in range(arguments.cameras)
        ]
        print(report(f"{name}, {setting}, random", pair, views, arguments.pictures), flush=True)


def sizes(text: str) -> tuple[tuple[int, int], ...]:
    """64x64,640x480 as numbers."""
    pairs = (each.split("x") for each in text.split(","))
    return tuple((int(width), int(height)) for width, height in pairs)


def count(text: str) -> int:
    """A number of things of which there must be one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=["primitives", *FILES])
    parser.add_argument("--sizes", type=sizes, default=SIZES, help="64x64,640x480")
    parser.add_argument("--states", type=count, default=5, help="of each model, size and camera")
    parser.add_argument("--cameras", type=count, default=40, help="random ones of each model")
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--pictures", type=Path, help="folder for sheets")
    arguments = parser.parse_args()
    if arguments.pictures is not None:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    for setting in arguments.settings:
        print(f"\n{setting}\n")
        print("| views | count | ids | depth | normals | rgb mean | 99 % | largest |")
        print("|---|---|---|---|---|---|---|---|")
        for name in arguments.models:
            print_model(name, setting, arguments)


if __name__ == "__main__":
    main()
