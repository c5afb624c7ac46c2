"""One sheet: a robot hand in all passes, randomized samples of it, and how many a second."""

import argparse
import os
import time
from importlib.util import find_spec
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import heliograph as hg
from heliograph.picture import layout, pass_picture

LARGE, SMALL, TRAINING = (1056, 792), (256, 192), (128, 128)
PASSES = ("rgb", "depth", "normals", "segmentation")
LOOK = {"shading": "standard", "tone_mapping": "aces", "exposure": 1.35}
SEED = 7
SCENE = Path(__file__).with_suffix(".xml")

# Radians: wrist, fingers from the first to the little one, thumb; the block's place, quaternion.
JOINTS = (
    *(-0.1, -0.2, -0.1, 0.55, 0.6, 0.5, 0, 0.62, 0.7, 0.5, 0.05, 0.66, 0.7, 0.5),
    *(0.2, 0.1, 0.7, 0.7, 0.5, 0.5, 1.1, 0, 0.4, -0.9),
)
BLOCK = (1.0, 0.868, 0.2, 0.953, 0.085, 0.056, 0.284)
RUBBER = ("knuckle", "wrist", "distal", "thbase", "thhub")
FINGERTIPS = [f"robot0:V_{finger}distal" for finger in ("ff", "mf", "rf", "lf", "th")]


def near(value: float, reach: float) -> dict[str, list[float]]:
    """A sampler of numbers around one."""
    return {"uniform": [value - reach, value + reach]}


def bright(saturation: float) -> dict[str, list[dict[str, list[float]]]]:
    """A sampler of colours that are not dark."""
    return {"hsv": [{"uniform": [0, 1]}, near(saturation, 0.3), {"uniform": [0.6, 1]}]}


RANDOMIZED = {
    "randomizers": [
        {"type": "joint_states", "state": {"qpos": [*(near(x, 0.15) for x in JOINTS), *BLOCK]}},
        {"type": "materials", "name": "hand", "materials": ["robot0"], "colour": bright(0.3)},
        {"type": "materials", "name": "tips", "objects": FINGERTIPS, "colour": bright(0.7)},
        {
            "type": "materials",
            "name": "table",
            "objects": ["table"],
            "colour": bright(0.4),
            "texture_probability": 0.7,
            "repeat": {"uniform": [8, 30]},
        },
        {"type": "lights", "lights": ["key"], "intensity": near(1.3, 0.3)},
        {"type": "camera_orbit", "centre": [1, 0.952, 0], "angle": near(0.2, 0.3)},
        {"type": "camera_jitter", "position": near(0, 0.02)},
    ]
}


def scene() -> str:
    """The scene as MJCF text."""
    package = find_spec("gymnasium_robotics")  # for its model files alone: it is not imported
    if package is None or not package.submodule_search_locations:
        raise SystemExit("gymnasium_robotics is not installed: run ./scripts/setup")
    assets = Path(package.submodule_search_locations[0]) / "envs/assets"
    return SCENE.read_text(encoding="utf-8").format(assets=assets)


def opened(**options: Any) -> hg.LocalRenderer | hg.Pool:
    """The scene, whose views are randomized where they have a seed."""
    return hg.open(scene(), randomize=RANDOMIZED, **LOOK, **options)


def portrait() -> hg.Frame:
    """The hand as it is but for its black rubber, large, in all passes."""
    with opened(size=LARGE, msaa=4) as renderer:
        rubber = [name for name in renderer.scene.objects.seen_names if name.endswith(RUBBER)]
        black = hg.EditMaterial(rubber, rgba=(0.05, 0.055, 0.065), roughness=0.3)
        soft = hg.EditLight("key", size=0.02)
        state = {"qpos": np.array([*JOINTS, *BLOCK])}
        view = hg.View(["front"], PASSES, state=state, edits=[black, soft])
        return renderer.render(view)["front"]


def variants() -> list[hg.Sample]:
    """A dozen randomized samples."""
    with opened(size=SMALL, msaa=4) as renderer:
        return list(hg.samples(renderer, count=12, seed=SEED, cameras=["front"]))


def speed(workers: int, seconds: float) -> float:
    """Randomized samples a second, after the first few."""
    with opened(size=TRAINING, workers=workers) as renderer:
        drawn = hg.samples(renderer, count=10**6, seed=SEED, cameras=["front"], passes=PASSES)
        for _ in islice(drawn, 10):
            pass
        begun = time.perf_counter()
        count = sum(1 for _ in takewhile(lambda _: time.perf_counter() < begun + seconds, drawn))
        return count / (time.perf_counter() - begun)


def strip(frame: hg.Frame, width: int) -> list[Image.Image]:
    """The passes besides rgb, with captions."""
    size = width, round(width * frame.camera.height / frame.camera.width)
    shown = {name: pass_picture(frame.spec(name), frame[name]) for name in PASSES[1:]}
    return [
        layout.captioned(layout.scaled(pixels, size, smooth=name != "segmentation"), name)
        for name, pixels in shown.items()
    ]


def figures(device: str, seconds: float) -> Image.Image:
    """What drew, and how many samples a second."""
    cores = len(os.sched_getaffinity(0))
    rates = {"one process": speed(0, seconds), f"{cores} workers": speed(cores, seconds)}
    lines = [layout.words("Heliograph", 44)]
    lines += [layout.words(f"{rate:.0f} samples/s, {who}", 30) for who, rate in rates.items()]
    small = (
        f"{TRAINING[0]} x {TRAINING[1]}, randomized, four passes each:",
        ", ".join(PASSES),
        f"drawn by {device}",
    )
    return layout.stacked([*lines, *(layout.words(line, faint=True) for line in small)], 14)


def main(folder: Path, seconds: float) -> Path:
    """Draw the sheet and write it."""
    frame, drawn = portrait(), variants()
    grid = layout.grid([Image.fromarray(sample["front"].rgb) for sample in drawn], 3, gap=8)
    caption = f"samples 0 to 11 of seed {SEED}: joints, materials, textures, light, camera"
    top = [
        layout.captioned(Image.fromarray(frame.rgb), "rgb"),
        layout.captioned(grid, caption),
    ]
    below = [*strip(frame, 453), figures(drawn[0].provenance.device, seconds)]
    sheet = layout.framed(layout.stacked([layout.beside(top), layout.beside(below)], 24))
    folder.mkdir(parents=True, exist_ok=True)
    sheet.save(folder / "demo.png")
    return folder / "demo.png"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/demo"))
    parser.add_argument("--seconds", type=float, default=1.2, help="how long to measure")
    given = parser.parse_args()
    print(main(given.out, given.seconds))
