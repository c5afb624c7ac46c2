"""What ORRB's interface costs over a plain pool on the same views, no components; medians.

The Shadow hand at 200x200 from two cameras, four passes, two workers, batches of 64. Both run in
turn in one process; of ORRB's interface also with components that paint and light.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from models import source

import heliograph.compat.orrb as orrb
from heliograph.pool import Pool

SIZE, COUNT, WORKERS = 200, 64, 2
CAMERAS = ["fit", "free"]
PASSES = ("rgb", "depth", "normals", "segmentation")
PAINT = [{"type": kind} for kind in ("CameraRandomizer", "LightRandomizer", "MaterialRandomizer")]


def renderer(folder: Path, model: str, components: list[Any]) -> orrb.RemoteRenderer:
    """One with two servers, started."""
    path = folder / f"{len(components)}.json"
    path.write_text(json.dumps({"components": components}))
    config = orrb.RemoteRendererConfig(
        camera_names=CAMERAS, image_width=SIZE, image_height=SIZE, model_xml_path=model
    )
    config.renderer_config_path = path
    config.render_depth = config.render_normals = config.render_segmentation = True
    made = orrb.RemoteRenderer("bench", [[0, 7000 + i] for i in range(WORKERS)], config)
    made.start()
    return made


def main() -> None:
    """Print samples a second of each, and the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    model = source("hand")
    with (
        tempfile.TemporaryDirectory() as folder,
        Pool("mujoco", model, WORKERS, {"size": (SIZE, SIZE)}) as pool,
    ):
        joints = pool.scene.space
        generator = np.random.default_rng(0)
        states = np.stack([joints.draw(generator)["qpos"] for _ in range(COUNT)])
        plain = {"qpos": states, "seed": 0, "cameras": CAMERAS, "passes": PASSES}
        with (
            renderer(Path(folder), model, []) as bare,
            renderer(Path(folder), model, PAINT) as full,
        ):
            runs: dict[str, Callable[[], object]] = {
                "plain pool": lambda: pool.render_batch(plain),
                "compat.orrb": lambda: bare.render_batch({"qpos": states, "seed": 0}),
                "compat.orrb, components": lambda: full.render_batch({"qpos": states, "seed": 0}),
            }
            times: dict[str, list[float]] = {name: [] for name in runs}
            for _ in range(rounds + 1):
                for name, run in runs.items():
                    begun = time.perf_counter()
                    run()
                    times[name].append(time.perf_counter() - begun)
    rates = {name: COUNT / statistics.median(each[1:]) for name, each in times.items()}
    for name, rate in rates.items():
        print(f"{name:26} {rate:7.1f} samples/s  {rate / rates['plain pool']:.2f} of a plain pool")


if __name__ == "__main__":
    main()
