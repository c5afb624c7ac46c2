"""Our four passes against mujoco.Renderer's three, on the same states, in turn; medians.

Ours yields rgb + depth + normals + segmentation, MuJoCo's rgb + depth + segmentation. Both compute
the same kinematics; both end with separate arrays. Prints a Markdown table.

A turn is a few views in a row, as a program that uses one renderer draws them. With `--row 1` every
view finds the caches of the processor full of what the other renderers left there.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import mujoco
import numpy as np
from models import source

from heliograph.engines.mujoco import MujocoEngine
from heliograph.raster import RasterOptions
from heliograph.view import View

PASSES = ("rgb", "depth", "normals", "segmentation")
MODELS = ("primitives", "hand", "dog")
SIZES = ((64, 64), (200, 200), (640, 480))
Draw = Callable[[np.ndarray], object]


def peer(text: str, size: tuple[int, int], msaa: int, shadows: bool) -> tuple[Draw, Draw, Draw]:
    """mujoco.Renderer: three passes, rgb alone, and how to close it."""
    load = mujoco.MjModel.from_xml_string if text.startswith("<") else mujoco.MjModel.from_xml_path
    model = load(text)
    model.vis.quality.offsamples = msaa
    model.vis.global_.offwidth, model.vis.global_.offheight = 640, 480
    data = mujoco.MjData(model)
    renderer = mujoco.Renderer(model, size[1], size[0])
    camera = 0 if model.ncam else -1

    def pose(qpos: np.ndarray) -> None:
        data.qpos[:] = qpos
        for step in (mujoco.mj_kinematics, mujoco.mj_comPos, mujoco.mj_camlight, mujoco.mj_tendon):
            step(model, data)
        renderer.update_scene(data, camera)
        renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows

    def rgb(qpos: np.ndarray) -> object:
        pose(qpos)
        return renderer.render()

    def three(qpos: np.ndarray) -> object:
        pose(qpos)
        results = [renderer.render()]
        renderer.enable_depth_rendering()
        results.append(renderer.render())
        renderer.enable_segmentation_rendering()
        results.append(renderer.render())
        renderer.disable_segmentation_rendering()
        return results

    return three, rgb, lambda _: renderer.close()


def medians(runs: dict[str, Draw], states: list[np.ndarray], row: int) -> dict[str, float]:
    """Milliseconds of each way of drawing the same states, `row` of them a turn."""
    times: dict[str, list[float]] = {key: [] for key in runs}
    for first in range(0, len(states), row):
        for key, run in runs.items():
            for qpos in states[first : first + row]:
                start = time.perf_counter()
                run(qpos)
                times[key].append(time.perf_counter() - start)
    return {key: 1e3 * float(np.median(values[3:])) for key, values in times.items()}


def compare(
    name: str, size: tuple[int, int], setting: tuple[int, bool], count: int, row: int
) -> str:
    msaa, shadows = setting
    text = source(name)
    three, rgb, close = peer(text, size, msaa, shadows)
    engines = {
        lod: MujocoEngine(
            text, size=size, options=RasterOptions(msaa=msaa, shadows=shadows, lod=lod)
        )
        for lod in ("auto", "off")
    }
    passes: dict[str, Draw] = {"three": three}
    for lod, engine in engines.items():
        passes[lod] = lambda q, e=engine: e.render(View(passes=PASSES, state={"qpos": q}))
    ours = engines["auto"]
    rgbs: dict[str, Draw] = {"rgb": rgb, "our rgb": lambda q: ours.render(View(state={"qpos": q}))}
    rng = np.random.default_rng(0)
    states = [ours.random_state(rng)["qpos"] for _ in range(count + 3)]
    middle = medians(passes, states, row) | medians(rgbs, states, row)
    for engine in engines.values():
        engine.close()
    close(np.empty(0))
    ratios = [middle["three"] / middle["auto"], middle["three"] / middle["off"]]
    return (
        f"| {name} | {size[0]}x{size[1]} | {middle['three']:.2f} | {middle['auto']:.2f} | "
        f"{ratios[0]:.2f}x | {middle['off']:.2f} | {ratios[1]:.2f}x | {middle['rgb']:.2f} | "
        f"{middle['our rgb']:.2f} | {middle['rgb'] / middle['our rgb']:.2f}x |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--row", type=int, default=10, help="views in a row")
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--plain", action="store_true", help="only without shadows and msaa")
    arguments = parser.parse_args()
    for msaa, shadows in ((0, False), (4, True))[: 1 if arguments.plain else 2]:
        print(f"\nmsaa {msaa}, shadows {'on' if shadows else 'off'}; milliseconds, medians\n")
        print("| model | size | mujoco, 3 passes | ours, 4 | ratio | lod off | ratio "
              "| mujoco rgb | ours rgb | ratio |")  # fmt: skip
        print("|---|---|---|---|---|---|---|---|---|---|")
        for name in arguments.models:
            for size in SIZES:
                count = arguments.count if not shadows else max(5, arguments.count // 3)
                row = min(arguments.row, count)
                print(compare(name, size, (msaa, shadows), count, row), flush=True)


if __name__ == "__main__":
    main()
