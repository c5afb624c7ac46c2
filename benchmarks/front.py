"""What a view of a MuJoCo model costs beside its drawing: microseconds, medians of many rounds.

The rasterizer's `draw` is replaced by one that does nothing. What is left is MuJoCo's own work (the
kinematics, and which geoms its abstract scene shows), which is timed by itself on the same states
in the same rounds, and our Python: from a view to arrays and back to a sample. Two rows are of the
rasterizer on the CPU: with its own Python, while the native scene does nothing, and all of it.

Time is the thread's own (`time.thread_time`), so that other programs hardly count.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("LP_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import mujoco
import numpy as np
from models import source

import heliograph as hg
from heliograph.delivery.call import LocalRenderer
from heliograph.engine import Engine
from heliograph.view import View

PASSES = ("rgb", "depth", "normals", "segmentation")
Run = Callable[[], object]


def mujoco_alone(text: str, states: Sequence[np.ndarray]) -> dict[str, Run]:
    """MuJoCo's own functions that an engine calls for each state."""
    load = mujoco.MjModel.from_xml_string if text.startswith("<") else mujoco.MjModel.from_xml_path
    model = load(text)
    data, scene = mujoco.MjData(model), mujoco.MjvScene(model, maxgeom=20_000)
    option, camera = mujoco.MjvOption(), mujoco.MjvCamera()
    mujoco.mjv_defaultFreeCamera(model, camera)
    steps = [mujoco.mj_kinematics, mujoco.mj_comPos, mujoco.mj_camlight]
    if model.ntendon or model.nu:
        steps.append(mujoco.mj_tendon)

    def kinematics() -> None:
        for qpos in states:
            data.qpos[:] = qpos
            for step in steps:
                step(model, data)

    def abstract_scene() -> None:
        every = mujoco.mjtCatBit.mjCAT_ALL
        for _ in states:
            mujoco.mjv_updateScene(model, data, option, None, camera, every, scene)

    return {"mujoco: kinematics": kinematics, "mujoco: abstract scene": abstract_scene}


def deliveries(renderer: LocalRenderer, states: Sequence[np.ndarray]) -> dict[str, Run]:
    """Every way to order the same views, of one camera each."""
    bare, engine = renderer.engine._engine, renderer.engine

    def made() -> list[View]:
        return [View(passes=PASSES, state={"qpos": qpos}) for qpos in states]

    def samples() -> None:
        recipe = {"passes": PASSES, "state": {"qpos": states[0]}}
        for _ in hg.samples(renderer, count=len(states), **recipe):
            pass

    views, columns = made(), {"seed": 0, "passes": PASSES, "qpos": np.array(states)}
    return {
        "View(...)": made,
        "MujocoEngine.render": lambda: [bare.render(view) for view in views],
        "MujocoEngine.render_many": lambda: bare.render_many(views),
        "engine.render_many": lambda: engine.render_many(views),
        "renderer.render": lambda: [renderer.render(view) for view in views],
        "renderer.render_batch, views": lambda: renderer.render_batch(views),
        "renderer.render_batch, columns": lambda: renderer.render_batch(columns),
        "samples": samples,
    }


class IdleScene:
    """A native scene that draws nothing."""

    def __init__(self, scene: object) -> None:
        self._scene = scene
        self.place = self.draw = self.draw_shadow = self._idle

    def __getattr__(self, name: str) -> object:
        return getattr(self._scene, name)

    def _idle(self, *_: object) -> None:
        pass


def whole(engine: Engine, states: Sequence[np.ndarray]) -> dict[str, Run]:
    """The same views in one go with the rasterizer's Python, and with all that it does."""
    rasterizer = engine._engine._backend._rasterizer
    views = [View(passes=PASSES, state={"qpos": qpos}) for qpos in states]
    native = rasterizer._native
    idle = IdleScene(native)

    def with_python() -> None:
        rasterizer._native = rasterizer._shadows._native = idle
        engine.render_many(views)
        rasterizer._native = rasterizer._shadows._native = native

    return {
        "engine.render_many, native idle": with_python,
        "engine.render_many, whole": lambda: engine.render_many(views),
    }


def medians(runs: dict[str, Run], count: int, rounds: int) -> dict[str, float]:
    """Microseconds a view of each way, all ways in turn."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 3):
        for name, run in runs.items():
            start = time.thread_time()
            run()
            times[name].append(time.thread_time() - start)
    return {name: 1e6 * float(np.median(each[3:])) / count for name, each in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="hand")
    parser.add_argument("--size", type=int, default=64, help="pixels of a side")
    parser.add_argument("--count", type=int, default=64, help="views of a batch")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--no-shadows", action="store_true")
    parser.add_argument("--profile", metavar="DELIVERY", help="also profile one of them")
    arguments = parser.parse_args()
    text, count, size = source(arguments.model), arguments.count, arguments.size
    renderer = hg.open(text, size=(size, size), shadows=not arguments.no_shadows)
    rng = np.random.default_rng(0)
    states = [renderer.random_state(rng)["qpos"] for _ in range(count)]
    renderer.render(View(passes=PASSES))  # takes in what is there once
    drawn = {}
    if "cpu" in renderer.provenance.device:
        drawn = medians(whole(renderer.engine, states), count, arguments.rounds)
    renderer.engine._engine._backend._rasterizer.draw = lambda *_: None
    ours = deliveries(renderer, states)
    middle = medians(mujoco_alone(text, states) | ours, count, arguments.rounds) | drawn
    theirs = sum(each for name, each in middle.items() if name.startswith("mujoco"))
    print(f"{arguments.model}, {size}x{size}, {count} views\n")
    print("| | us a view | without MuJoCo's |\n|---|---|---|")
    for name, each in middle.items():
        rest = f"{each - theirs:.1f}" if "render" in name or name == "samples" else ""
        print(f"| {name} | {each:.1f} | {rest} |")
    if arguments.profile:
        with cProfile.Profile() as profile:
            for _ in range(20):
                ours[arguments.profile]()
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
    renderer.close()


if __name__ == "__main__":
    main()
