"""Two workers against one engine in this process, and against what people write today; medians.

The Shadow hand at 200x200, one GL thread per engine. Ours yields four passes; the users' own
`multiprocessing.Pool` rgb, depth and segmentation; Gymnasium's AsyncVectorEnv rgb alone. All run in
turn, several times. Needs gymnasium, which `scripts/bench` installs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
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

from heliograph.engines.mujoco import MujocoEngine
from heliograph.pool import Pool
from heliograph.view import View

PASSES = ("rgb", "depth", "normals", "segmentation")
SIZE = (200, 200)
_peer: dict[str, Any] = {}


def start_peer(path: str) -> None:
    """What users write: a renderer per process."""
    import mujoco

    _peer["model"] = mujoco.MjModel.from_xml_path(path)
    _peer["data"] = mujoco.MjData(_peer["model"])
    _peer["renderer"] = mujoco.Renderer(_peer["model"], SIZE[1], SIZE[0])


def draw_peer(qpos: np.ndarray) -> list[np.ndarray]:
    import mujoco

    model, data, renderer = _peer["model"], _peer["data"], _peer["renderer"]
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    renderer.update_scene(data)
    results = [renderer.render()]
    renderer.enable_depth_rendering()
    results.append(renderer.render())
    renderer.disable_depth_rendering()
    renderer.enable_segmentation_rendering()
    results.append(renderer.render())
    renderer.disable_segmentation_rendering()
    return results


def make_env(path: str) -> Callable[[], Any]:
    """A Gymnasium environment whose observation is its picture, as `rgb_array` rendering gives."""

    def make() -> Any:
        import gymnasium
        import mujoco

        class Hand(gymnasium.Env):  # type: ignore[misc, type-arg]
            def __init__(self) -> None:
                self.model = mujoco.MjModel.from_xml_path(path)
                self.data = mujoco.MjData(self.model)
                self.renderer = mujoco.Renderer(self.model, SIZE[1], SIZE[0])
                box = gymnasium.spaces.Box
                self.action_space = box(-np.inf, np.inf, (self.model.nq,), np.float64)
                self.observation_space = box(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)

            def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
                super().reset(seed=seed)
                return self.picture(self.model.qpos0), {}

            def step(self, action: np.ndarray) -> Any:
                return self.picture(action), 0.0, False, False, {}

            def picture(self, qpos: np.ndarray) -> np.ndarray:
                self.data.qpos[:] = qpos
                mujoco.mj_forward(self.model, self.data)
                self.renderer.update_scene(self.data)
                return self.renderer.render()

        return Hand()

    return make


def loaded(pool: Pool, qpos: np.ndarray) -> None:
    """A training loop's input: batches of 64 from a DataLoader."""
    from torch.utils.data import DataLoader

    import heliograph.torch

    def state(rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"qpos": qpos[rng.integers(len(qpos))]}

    options = {"passes": PASSES, "state": state, "together": 64}
    dataset = heliograph.torch.IterableDataset(pool, len(qpos), **options)
    for _ in DataLoader(dataset, batch_size=64, collate_fn=heliograph.torch.collate):
        pass


def spent(run: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - began) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    path, count = source("hand"), arguments.count
    engine = MujocoEngine(path, size=SIZE)
    rng = np.random.default_rng(0)
    qpos = np.array([engine.random_state(rng)["qpos"] for _ in range(count)])
    views = [View(passes=PASSES, state={"qpos": each}, seed=0) for each in qpos]
    batch = {"qpos": qpos, "seed": 0, "passes": PASSES}
    options = {"size": SIZE}
    context = multiprocessing.get_context("spawn")
    from gymnasium.vector import AsyncVectorEnv

    envs = AsyncVectorEnv([make_env(path)] * 2, context="spawn")
    envs.reset()
    with (
        Pool("mujoco", path, 1, options, cores=1) as one,
        Pool("mujoco", path, 2, options, cores=1) as two,
        context.Pool(2, start_peer, (path,)) as peer,
    ):
        runs: dict[str, Callable[[], object]] = {
            "one engine here, 4 passes": lambda: [engine.render(view) for view in views],
            "pool of 1, batch": lambda: one.render_batch(batch),
            "pool of 1, map": lambda: list(one.map(views)),
            "pool of 2, batch": lambda: two.render_batch(batch),
            "pool of 2, map": lambda: list(two.map(views)),
            "2 mujoco.Renderers, multiprocessing.Pool, 3 passes": lambda: peer.map(
                draw_peer, list(qpos), chunksize=8
            ),
            "2 mujoco.Renderers, AsyncVectorEnv, rgb": lambda: [
                envs.step(pair) for pair in qpos.reshape(-1, 2, qpos.shape[1])
            ],
            "pool of 2, DataLoader, batches of 64": lambda: loaded(two, qpos),
        }
        times: dict[str, list[float]] = {name: [] for name in runs}
        for turn in range(arguments.rounds + 1):
            for name, run in runs.items():
                value = spent(run, count)
                if turn:
                    times[name].append(value)
    engine.close()
    envs.close()
    base = float(np.median(times["one engine here, 4 passes"]))
    print("| Shadow hand, 200x200 | ms per sample, median | best | times one engine's rate |")
    print("|---|---|---|---|")
    for name, values in times.items():
        middle = float(np.median(values))
        print(f"| {name} | {middle:.3f} | {min(values):.3f} | {base / middle:.2f}x |")


if __name__ == "__main__":
    main()
