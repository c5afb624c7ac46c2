"""What a picture of gaussian splats costs on the CPU: the view changes at every call; medians.

A room of walls and balls seen from 21 places around it and inside it, 320x240, colour and depths,
spherical harmonics of degree 3, sorting included. `compositing` also hides splats behind a surface.

    python benchmarks/splats.py [--counts 50000 500000] [--size 320x240] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import median

import numpy as np

import heliograph as hg
from heliograph.splats import PASSES, Gaussians, draw_splats, prepare


def room(count: int) -> Gaussians:
    """Flat splats on the walls of a room and on balls in it, as many as cover them."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (count, 3))
    axis = rng.integers(0, 3, count)
    points[np.arange(count), axis] = np.sign(points[np.arange(count), axis])
    out = rng.normal(size=(count, 3))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    on_ball = rng.random(count) < 0.4
    points[on_ball] = (0.25 * out + 0.5 * rng.integers(-1, 2, (count, 3)))[on_ball]
    sh = rng.normal(0, 0.1, (count, 16, 3))
    sh[:, 0] = 2 * np.sin(3 * points)
    return Gaussians(
        points * (2.0, 2.0, 1.25),
        np.exp(rng.normal(np.log(4 / np.sqrt(count)), 0.5, (count, 3))) * (1, 1, 0.2),
        rng.normal(size=(count, 4)),
        1 / (1 + np.exp(-rng.normal(1, 2, count))),
        sh,
    )


def cameras(size: tuple[int, int]) -> dict[str, list[hg.Camera]]:
    angles = np.linspace(0, 6, 21)
    at = {"fov_y": 0.8, "width": size[0], "height": size[1]}
    turns = [np.array((np.cos(angle), np.sin(angle), 0.0)) for angle in angles]
    return {
        "outside": [
            hg.Camera.look_at(eye=6 * t + (0, 0, 2), target=(0, 0, 0), **at) for t in turns
        ],
        "inside": [hg.Camera.look_at(eye=t, target=-2 * t, **{**at, "fov_y": 1.2}) for t in turns],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[50_000, 500_000])
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    behind = np.full((height, width), 5.0, np.float32)
    ways = {
        "colour": {"passes": ("colour", "alpha")},
        "colour, depths": {"passes": PASSES},
        "compositing": {"passes": PASSES, "depth_behind": behind},
    }
    cores = sorted({1, min(2, os.cpu_count() or 1)})
    print(f"| splats | view | passes | {' | '.join(f'{n} threads, ms' for n in cores)} |")
    print(f"|---|---|---|{'---|' * len(cores)}")
    for count in given.counts:
        prepared = prepare(room(count))
        for place, views in cameras((width, height)).items():
            for way, options in ways.items():
                times: dict[int, list[float]] = {threads: [] for threads in cores}
                for _ in range(given.rounds):
                    for threads, taken in times.items():
                        for view in views:
                            start = time.perf_counter()
                            draw_splats(prepared, view, threads=threads, **options)
                            taken.append(1000 * (time.perf_counter() - start))
                cells = " | ".join(f"{median(taken):.1f}" for taken in times.values())
                print(f"| {count} | {place} | {way} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
