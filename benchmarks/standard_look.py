"""Linear light beside the classic look and `mujoco.Renderer`: time per view, and clipped whites.

Robots are drawn in turn, in one run, in the classic look, in the standard one and by
`mujoco.Renderer`, which has three passes and no normals; medians over rounds of CPU time. Whites
are pixels of things that are white in every channel. The second table has a scene of components,
with each kind of material.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

os.environ.setdefault("LP_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from models import source

import heliograph as hg
from heliograph.passes import PassName

PASSES: tuple[PassName, ...] = ("rgb", "depth", "normals", "segmentation")
ROBOTS = ("hand", "fetch", "humanoid", "dog")
LOOKS: dict[str, dict[str, object]] = {
    "classic": {},
    "standard": {"shading": "standard"},
    "mujoco.Renderer": {"style": "classic"},
}
KINDS = ("basic", "lambert", "phong", "standard")
COUNT, CALLS = 1000, 4


def medians(draw: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Milliseconds of CPU time of each, drawn in turn."""
    taken: dict[str, list[float]] = {name: [] for name in draw}
    for _ in range(rounds):
        for name, call in draw.items():
            call()
            begun = time.process_time()
            for _ in range(CALLS):
                call()
            taken[name].append((time.process_time() - begun) / CALLS * 1e3)
    return {name: float(np.median(values)) for name, values in taken.items()}


def robots(rounds: int) -> None:
    """The first table."""
    print(f"\n{' '.join(PASSES)}, 200x200, camera `fit`; ms of CPU, medians of {rounds} rounds\n")
    print("| model | classic | standard | | mujoco.Renderer | standard against it | whites |")
    print("|---|---|---|---|---|---|---|")
    for robot in ROBOTS:
        print(row(robot, rounds))


def row(robot: str, rounds: int) -> str:
    """A robot's row of the first table."""
    opened = {
        name: hg.open(source(robot), size=(200, 200), **look)  # type: ignore[arg-type]
        for name, look in LOOKS.items()
    }

    def drawn(name: str) -> hg.Frame:
        passes = [each for each in PASSES if each in opened[name].passes]
        return opened[name].render(hg.View(["fit"], passes))["fit"]

    whites = []
    for name in ("classic", "standard"):
        frame = drawn(name)
        whites.append((frame.rgb[frame.segmentation > 0] == 255).all(-1).mean())
    took = medians({name: partial(drawn, name) for name in opened}, rounds)
    classic, standard, peer = took.values()
    for renderer in opened.values():
        renderer.close()
    return (
        f"| {robot} | {classic:.2f} | {standard:.2f} | {standard / classic:.2f}x | {peer:.2f} | "
        f"{peer / standard:.2f}x | {whites[0]:.1%} -> {whites[1]:.1%} |"
    )


def kinds(rounds: int) -> None:
    """The second table."""
    random = np.random.default_rng(0)
    places = random.uniform(-1, 1, (COUNT, 3)).tolist()
    eye = hg.CameraView(key="eye", position=[0, -3, 0], lookAt=[0, 0, 0], width=128, height=128)
    sun = hg.DirectionalLight(key="sun", position=[1, 1, 2], intensity=3)
    opened = {}
    for kind in KINDS:
        balls = [
            hg.Sphere(
                key=f"ball{i}",
                radius=0.08,
                position=place,
                materialType=kind,  # type: ignore[arg-type]
            )
            for i, place in enumerate(places)
        ]
        opened[kind] = hg.open(hg.Scene(*balls, sun, eye))
    opened["standard, surroundings"] = hg.open(
        hg.Scene(*balls, sun, eye, environment={"sky": "skyblue", "ground": "tan"})
    )
    view = hg.View(["eye"], PASSES)
    took = medians({name: partial(each.render, view) for name, each in opened.items()}, rounds)
    print(f"\n{COUNT} spheres of components, 128x128, four passes\n")
    print("| material | ms | against `basic` |\n|---|---|---|")
    for name, value in took.items():
        print(f"| {name} | {value:.2f} | {value / took['basic']:.2f}x |")
    for renderer in opened.values():
        renderer.close()


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    robots(rounds)
    kinds(rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
