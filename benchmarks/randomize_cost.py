"""What randomization costs: drawing one sample's edits, and post-processing one picture.

30 objects, 6 lights and 1 camera; pictures of 200 x 200. Medians; prints a Markdown table. And what
it adds to a view of the Shadow hand: a view as it is, one with edits that were drawn before, and
one that is randomized, in turn.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("LP_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from models import source

import heliograph as hg
from heliograph.camera import Camera
from heliograph.randomize import (
    Background,
    CameraJitter,
    Facts,
    Lights,
    Materials,
    Randomization,
    load_randomization,
    stream,
)
from heliograph.randomize.imaging import STEPS, apply
from heliograph.scene import Description, Item, ObjectTable, SceneObject

OBJECTS, LIGHTS, SIZE = 30, 6, 200
ORRB = ("CameraRandomizer", "LightingRig", "LightRandomizer", "MaterialRandomizer")
GRADING = [
    ("brightness", {"amount": 0.1}),
    ("contrast", {"amount": 0.1}),
    ("white_balance", {"temperature": 10.0}),
    ("hue", {"degrees": 10.0}),
    ("saturation", {"amount": 0.1}),
]


def scene() -> Facts:
    """A scene of so many objects and lights."""
    no_box = np.full((2, 3), np.nan)
    objects = ObjectTable.of(
        [SceneObject(i + 1, f"object{i}", "box", "", 0, no_box, seen=True) for i in range(OBJECTS)]
    )
    lights = tuple(Item(f"light{i}", "light") for i in range(LIGHTS))
    camera = Camera.look_at(eye=(1, 1, 1), target=(0, 0, 0), fov_y=0.8, width=SIZE, height=SIZE)
    return Facts(Description("benchmark", "0", objects, lights), {"camera": camera})


def microseconds(call: Callable[[int], object], count: int) -> float:
    """The median time of one call."""
    times = []
    for i in range(count + 3):
        start = time.perf_counter()
        call(i)
        times.append(time.perf_counter() - start)
    return statistics.median(times[3:]) * 1e6


def draws(count: int) -> dict[str, float]:
    """Drawing edits."""
    known = scene()
    orrb = {"components": [{"type": kind} for kind in ORRB]}
    chains = {
        "materials + lights + camera": Randomization([Materials(), Lights(), CameraJitter()]),
        "the same with textures": Randomization(
            [Materials(texture_probability=0.5), Lights(), CameraJitter()]
        ),
        "background alone": Randomization([Background()]),
        "ORRB: camera, rig, lights, materials": load_randomization(orrb),
    }
    for chain in chains.values():
        for i in range(200):
            chain(0, i, known)  # textures are made once
    rows = {
        f"draw {name}": microseconds(lambda i, c=chain: c(7, i, known), count)  # type: ignore[misc]
        for name, chain in chains.items()
    }
    return {"one stream": microseconds(lambda i: stream(7, i, "materials"), count), **rows}


def pictures(count: int) -> dict[str, float]:
    """Post-processing."""
    rng = stream(0, 0, "picture")
    rgb = rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    depth = (rng.random((SIZE, SIZE)) + 1).astype(np.float32)
    normals = np.zeros((SIZE, SIZE, 3), np.float32)
    normals[..., 2] = 1
    chains = {
        "grading (5 steps)": GRADING,
        "grading + bloom + grain": [("bloom", {}), ("grain", {}), *GRADING],
        "the same, tone mapped, coloured grain": [
            ("bloom", {}),
            ("grain", {"colour": 1.0}),
            *GRADING,
            ("tone_map", {}),
        ],
        **{name: [(name, dict.fromkeys(step.neutral, 0.5))] for name, step in STEPS.items()},
    }
    camera = scene().cameras["camera"]
    return {
        f"picture: {name}": microseconds(
            lambda i, s=steps: apply(  # type: ignore[misc]
                s, rgb, depth=depth, normals=normals, camera=camera, seed=i
            ),
            count,
        )
        for name, steps in chains.items()
    }


def views(chain: Randomization, count: int) -> list[float]:
    """Milliseconds of a view of the hand: as it is, edited, and randomized; four passes each."""
    size, passes = (SIZE, SIZE), ("rgb", "depth", "normals", "segmentation")
    with (
        hg.open(source("hand"), size=size) as plain,
        hg.open(source("hand"), size=size, randomize=chain) as randomized,
    ):
        facts = Facts.of(plain)
        edits = [chain(0, i, facts).edits for i in range(count)]
        ways: list[Callable[[int], object]] = [
            lambda _: plain.render(hg.View(passes=passes)),
            lambda i: plain.render(hg.View(passes=passes, edits=edits[i])),
            lambda i: randomized.render(hg.View(passes=passes, seed=0, index=i)),
        ]
        times: list[list[float]] = [[] for _ in ways]
        for i in range(count):
            for way, spent in zip(ways, times, strict=True):
                start = time.perf_counter()
                way(i)
                spent.append(time.perf_counter() - start)
    return [1e3 * statistics.median(spent[3:]) for spent in times]


def main() -> None:
    """Print the tables."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(f"{Path(__file__).name}: {OBJECTS} objects, {LIGHTS} lights, {SIZE}x{SIZE}\n")
    print("| what | microseconds |\n|---|---|")
    for name, value in {**draws(5 * count), **pictures(count)}.items():
        print(f"| {name} | {value:.0f} |")
    print("\n| the hand, ms a view | as it is | edited | randomized | more than edited |")
    print("|---|---|---|---|---|")
    for name, chain in (
        ("materials of 125 objects", Randomization([Materials()])),
        ("and lights, camera", Randomization([Materials(), Lights(), CameraJitter()])),
    ):
        plain, edited, whole = views(chain, count)
        print(f"| {name} | {plain:.2f} | {edited:.2f} | {whole:.2f} | {whole / edited - 1:.1%} |")


if __name__ == "__main__":
    main()
