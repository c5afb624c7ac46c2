"""Our four passes against mujoco.Renderer's three, on the same states, in turn; medians.

Ours, by each backend, yields rgb + depth + normals + segmentation, MuJoCo's rgb + depth +
segmentation. Both compute the same kinematics; both end with separate arrays. Prints Markdown
tables: views, in both settings, then batches of small pictures.

A turn is a few views in a row, as a program that uses one renderer draws them. With `--row 1` every
view finds the caches of the processor full of what the other renderers left there. `--clock cpu`
counts the processor's time of all threads, for machines that others use as well.

With `--warp PYTHON` mujoco-warp draws batches on the CPU in the same run; the first lines of
`render_sides/warp_side.py` say how to install it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import mujoco
import numpy as np
from models import FILES, source

from heliograph import poses
from heliograph.camera import Camera
from heliograph.engines.mujoco import MujocoEngine
from heliograph.pool import Pool
from heliograph.raster import RasterOptions
from heliograph.view import View

PASSES = ("rgb", "depth", "normals", "segmentation")
SCENES = ("hand", "hand, fit", "primitives", "dog")
ROBOTS = tuple(name for name in FILES if name not in SCENES)
FIT = ", fit"
"""Ends the name of a scene that is seen by our camera `fit`; others are by the model's first."""
SIZES = ((64, 64), (200, 200), (640, 480))
BATCHED = ("hand", "hand, fit")
SIDE = Path(__file__).parent / "render_sides" / "warp_side.py"

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

Clock = Callable[[], float]
Draw = Callable[[np.ndarray], object]


class Setting(NamedTuple):
    """How all of them draw."""

    msaa: int = 0
    shadows: bool = False
    shadow_size: int = 1024
    mirrors: bool = True

    def options(self, backend: str) -> dict[str, Any]:
        """The fields of our `RasterOptions`."""
        return {
            "msaa": self.msaa,
            "shadows": self.shadows,
            "shadow_size": self.shadow_size,
            "backend": backend,
        }


class Scene:
    """A model, the camera that looks at it, and how it is drawn.

    Args:
        name: of a model, maybe with FIT behind it.
        size: of the pictures, (width, height).
        setting: how to draw.
    """

    def __init__(self, name: str, size: tuple[int, int], setting: Setting) -> None:
        self.size, self.setting = size, setting
        self.path = source(name.removesuffix(FIT))
        self.camera = "fit" if name.endswith(FIT) else ""

    @contextmanager
    def ours(self, backend: str) -> Iterator[MujocoEngine]:
        """Our engine in this process."""
        options = RasterOptions(**self.setting.options(backend))
        engine = MujocoEngine(self.model(), size=self.size, options=options)
        try:
            yield engine
        finally:
            engine.close()

    def view(self, qpos: np.ndarray, passes: Sequence[str] = PASSES) -> View:
        """What our engine is asked for."""
        cameras = (self.camera,) if self.camera else ()
        return View(cameras=cameras, passes=passes, state={"qpos": qpos})

    @contextmanager
    def peer(self, camera: Camera) -> Iterator[tuple[Draw, Draw]]:
        """mujoco.Renderer: three passes, and rgb alone."""
        model, setting = self.model(), self.setting
        model.vis.quality.offsamples = setting.msaa
        model.vis.quality.shadowsize = setting.shadow_size
        model.vis.global_.offwidth, model.vis.global_.offheight = self.size
        data = mujoco.MjData(model)
        renderer = mujoco.Renderer(model, self.size[1], self.size[0])
        eye = seen_from(camera) if self.camera else 0 if model.ncam else -1

        def pose(qpos: np.ndarray) -> None:
            data.qpos[:] = qpos
            for step in (
                mujoco.mj_kinematics,
                mujoco.mj_comPos,
                mujoco.mj_camlight,
                mujoco.mj_tendon,
            ):
                step(model, data)
            renderer.update_scene(data, eye)
            renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = setting.shadows

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

        try:
            yield three, rgb
        finally:
            renderer.close()

    def model(self) -> mujoco.MjModel:
        """A model of its own for each renderer."""
        kinds = mujoco.MjModel.from_xml_path, mujoco.MjModel.from_xml_string
        model = kinds[self.path.startswith("<")](self.path)
        if not self.setting.mirrors:
            model.mat_reflectance[:] = 0
        return model


def seen_from(camera: Camera) -> mujoco.MjvCamera:
    """MuJoCo's free camera, where this one is."""
    pose = camera.world_from_camera
    ahead = -pose[:3, 2]
    eye = mujoco.MjvCamera()
    eye.distance = 1.0
    eye.lookat[:] = pose[:3, 3] + ahead
    eye.azimuth = math.degrees(math.atan2(ahead[1], ahead[0]))
    eye.elevation = math.degrees(math.asin(ahead[2]))
    return eye


def medians(
    runs: dict[str, Draw], states: Sequence[np.ndarray], row: int, clock: Clock
) -> dict[str, float]:
    """Milliseconds of each way of drawing the same states, `row` of them a turn."""
    times: dict[str, list[float]] = {key: [] for key in runs}
    for first in range(0, len(states), row):
        for key, run in runs.items():
            for qpos in states[first : first + row]:
                start = clock()
                run(qpos)
                times[key].append(clock() - start)
    return {key: 1e3 * float(np.median(values[3:])) for key, values in times.items()}


def compare(name: str, scene: Scene, count: int, arguments: argparse.Namespace) -> str:
    """A row of the first tables."""
    row, clock = min(arguments.row, count), CLOCKS[arguments.clock]
    with ExitStack() as stack:
        engines = {each: stack.enter_context(scene.ours(each)) for each in arguments.backend}
        first = next(iter(engines.values()))
        camera = first.cameras[scene.camera or next(iter(first.cameras))]
        three, rgb = stack.enter_context(scene.peer(camera))
        four: dict[str, Draw] = {"mujoco": three}
        rgbs: dict[str, Draw] = {"mujoco": rgb}
        for backend, engine in engines.items():
            four[backend] = lambda q, e=engine: e.render(scene.view(q))
            rgbs[backend] = lambda q, e=engine: e.render(scene.view(q, ("rgb",)))
        states = random_states(first, count + 3)
        found = [medians(runs, states, row, clock) for runs in (four, rgbs)]
    cells = [name, f"{scene.size[0]}x{scene.size[1]}"]
    for middle in found:
        base = middle.pop("mujoco")
        cells.append(f"{base:.2f}")
        for each in middle.values():
            cells += [f"{each:.3f}", f"{base / each:.1f}x"]
    return f"| {' | '.join(cells)} |"


def random_states(engine: MujocoEngine, count: int) -> np.ndarray:
    """Joint positions (count, nq)."""
    rng = np.random.default_rng(0)
    return np.array([engine.random_state(rng)["qpos"] for _ in range(count)])


def print_views(setting: Setting, arguments: argparse.Namespace) -> None:
    """The table of single views."""
    print(
        f"\nmsaa {setting.msaa}, shadows {'on' if setting.shadows else 'off'}; "
        f"milliseconds ({arguments.clock} clock), medians\n"
    )
    heads = ["scene", "size"]
    for what, ours in (("mujoco, 3 passes", "4"), ("mujoco rgb", "rgb")):
        heads.append(what)
        for backend in arguments.backend:
            heads += [f"{backend}, {ours}", "ratio"]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name in arguments.models:
        for size in arguments.sizes:
            scene = Scene(name, size, setting)
            count = max(5, arguments.count // 3) if setting.shadows else arguments.count
            print(compare(name, scene, count, arguments), flush=True)


def batch_rates(scene: Scene, arguments: argparse.Namespace) -> dict[str, float]:
    """Samples a second of each way of drawing one batch, all ways in turn; medians."""
    with ExitStack() as stack:
        engines = {each: stack.enter_context(scene.ours(each)) for each in arguments.backend}
        first = next(iter(engines.values()))
        camera = first.cameras[scene.camera or next(iter(first.cameras))]
        three, _ = stack.enter_context(scene.peer(camera))
        states = random_states(first, arguments.batch)
        views = [scene.view(qpos) for qpos in states]
        batch = {"qpos": states, "seed": 0, "cameras": views[0].cameras, "passes": PASSES}
        few = states[: max(1, len(states) // 16)]
        ways: dict[str, tuple[int, Callable[[], object]]] = {
            "mujoco.Renderer, 3 passes": (len(few), lambda: [three(qpos) for qpos in few])
        }
        for backend, engine in engines.items():
            ways[f"{backend}, render_many"] = len(views), lambda e=engine: e.render_many(views)
            options = {"size": scene.size, **scene.setting.options(backend)}
            for workers in (1, 2):
                pool = stack.enter_context(Pool("mujoco", scene.path, workers, options, cores=1))
                way = f"{backend}, render_batch, workers: {workers}"
                ways[way] = len(views), lambda p=pool: p.render_batch(batch)
        rates: dict[str, list[float]] = {name: [] for name in ways}
        if arguments.warp:
            rates["mujoco-warp, 3 passes"] = warp_rates(arguments, scene, camera, few)
        for turn in range(arguments.rounds + 1):
            for name, (count, draw) in ways.items():
                start = time.perf_counter()
                draw()
                if turn:
                    rates[name].append(count / (time.perf_counter() - start))
    return {name: float(np.median(each)) for name, each in rates.items()}


def warp_rates(
    arguments: argparse.Namespace, scene: Scene, camera: Camera, states: np.ndarray
) -> list[float]:
    """What mujoco-warp draws a second, in a process of its own."""
    pose = camera.world_from_camera
    order = {
        "model": scene.path,
        "size": scene.size,
        "position": pose[:3, 3].tolist(),
        "turn": poses.to_quaternion(pose[:3, :3], order=poses.QuaternionOrder.WXYZ).tolist(),
        "fov_y": math.degrees(camera.fov_y),
        "states": states.tolist(),
        "rounds": arguments.rounds,
    }
    done = subprocess.run(
        [arguments.warp, str(SIDE)], input=json.dumps(order), stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise SystemExit("render_speed: mujoco-warp gave no numbers; what it says is above")
    rates: list[float] = json.loads(done.stdout.splitlines()[-1])
    return rates


def print_batches(arguments: argparse.Namespace) -> None:
    """The table of batches of small pictures."""
    print(f"\n{arguments.batch:,} states in one call, 64x64, msaa 0, shadows off; medians\n")
    print(f"| way | {' | '.join(f'{name}, samples/s' for name in BATCHED)} |")
    print(f"|---{'|---' * len(BATCHED)}|")
    columns = [batch_rates(Scene(name, SIZES[0], Setting()), arguments) for name in BATCHED]
    for way in columns[0]:
        print(f"| {way} | {' | '.join(f'{each[way]:,.0f}' for each in columns)} |", flush=True)


def sizes(text: str) -> tuple[tuple[int, int], ...]:
    """64x64,640x480 as numbers."""
    pairs = (each.split("x") for each in text.split(","))
    return tuple((int(width), int(height)) for width, height in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", type=lambda text: text.split(","), default=["cpu", "gl"])
    parser.add_argument("--count", type=int, default=60, help="views of each row")
    parser.add_argument("--row", type=int, default=10, help="views in a row")
    parser.add_argument(
        "--models", nargs="*", default=SCENES, metavar="NAME", help="or 'NAME, fit'"
    )
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: of all threads")
    parser.add_argument("--robots", action="store_true", help="ten further robots as well")
    parser.add_argument("--sizes", type=sizes, default=SIZES, help="64x64,640x480")
    parser.add_argument("--plain", action="store_true", help="only without shadows and msaa")
    parser.add_argument("--full", action="store_true", help="only with shadows and msaa")
    parser.add_argument("--shadow-size", type=int, default=1024, help="texels of shadow maps")
    parser.add_argument("--no-mirrors", action="store_true", help="floors do not mirror")
    parser.add_argument("--batch", type=int, default=4096, help="states of a batch, 0: none")
    parser.add_argument("--rounds", type=int, default=3, help="batches of each way")
    parser.add_argument("--warp", metavar="PYTHON", help="that has mujoco-warp, for batches")
    arguments = parser.parse_args()
    arguments.models = (*arguments.models, *(ROBOTS if arguments.robots else ()))
    look = {"shadow_size": arguments.shadow_size, "mirrors": not arguments.no_mirrors}
    settings = (Setting(0, shadows=False, **look), Setting(4, shadows=True, **look))
    for setting in settings[arguments.full : 1 if arguments.plain else 2]:
        print_views(setting, arguments)
    if arguments.batch:
        print_batches(arguments)


if __name__ == "__main__":
    main()
