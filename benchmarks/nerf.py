"""A nerfacto checkpoint: our engine and nerfstudio's own model, and the queue in front of it.

Rays a second: the same checkpoint, camera and number of threads, in turn, several times; medians.
nerfstudio draws by `get_outputs_for_camera`, in chunks of its own size and of 4096 rays, in an
environment of its own (out/nerfstudio) that has this one's torch. PSNR is against a picture that
training did not see, and between both.

The queue: against the plain scheme of three threads, each of which draws the next of a list of
levels with the same engine. Both are fed the same cameras.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

import heliograph as hg
from heliograph.engines.nerf.capture import Photo, read_capture
from heliograph.engines.nerf.checkpoint import load_checkpoint
from heliograph.engines.nerf.engine import NerfEngine
from heliograph.engines.nerf.frames import TRANSFORMS, CaptureFrame
from heliograph.view import View

ROOT = Path(__file__).parent.parent
PEER = ROOT / "out" / "nerfstudio"
DEMO = ROOT / "out" / "nerf-demo"
ALONE = ("nerfstudio==1.1.5",)
NEEDED = ("nerfacc==0.5.2", "torchmetrics==1.9.0", "jaxtyping==0.3.11", "lightning-utilities")
SIDE = Path(__file__).parent / "nerf_sides" / "nerfstudio_side.py"
NAMES = ("width", "height", "fx", "fy", "cx", "cy")
LEVELS = ((64, 36), (128, 72), (320, 180))


def trained(run: Path | None) -> Path:
    """A run that was given, or one that is trained here, once."""
    if run is not None:
        return run
    if not DEMO.exists():
        command = [sys.executable, "-m", "heliograph", "nerf", "train-demo", str(DEMO)]
        subprocess.run(command, check=True)
    return DEMO


def install_nerfstudio() -> Path:
    """Into an environment of its own, without the packages that drawing does not need."""
    python, stamp = PEER / "bin" / "python", PEER / "installed"
    if stamp.exists() and stamp.read_text() == str((ALONE, NEEDED)):
        return python
    print("nerf: installing", *ALONE, "into", PEER, file=sys.stderr)
    venv.create(PEER, with_pip=True, clear=True)
    here = sysconfig.get_path("purelib")
    packages = sysconfig.get_path("purelib", vars={"base": str(PEER), "platbase": str(PEER)})
    (Path(packages) / "torch_of_ours.pth").write_text(f"{here}\n")
    pip = [str(python), "-m", "pip", "--quiet", "install", "--no-deps"]
    subprocess.run([*pip, *ALONE, *NEEDED], check=True)
    stamp.write_text(str((ALONE, NEEDED)))
    return python


@contextmanager
def nerfstudio(run: Path, threads: int, chunk: int, folder: Path) -> Iterator[Callable[..., Any]]:
    """What draws a camera of the model's frame with it: pixels and seconds."""
    loaded = load_checkpoint(run)
    model = vars(loaded.model.config).copy()
    del model["num_images"]
    model["proposal_net_args_list"] = [vars(grid) for grid in model.pop("proposals")]
    order = {"threads": threads, "chunk": chunk, "model": model, "checkpoint": str(loaded.path)}
    out = folder / f"nerfstudio-{chunk}.pt"
    with subprocess.Popen(
        [str(install_nerfstudio()), str(SIDE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:

        def ask(said: dict[str, Any]) -> str:
            print(json.dumps(said), file=process.stdin, flush=True)
            for line in process.stdout or ():
                if line.startswith(("ready", "{")):
                    return line
            raise SystemExit("nerf: nerfstudio ended; run its side by hand to see why")

        def draw(camera: hg.Camera) -> tuple[Any, float]:
            said: dict[str, Any] = {name: getattr(camera, name) for name in NAMES}
            pose = camera.world_from_camera.tolist()
            seconds = json.loads(ask({**said, "pose": pose, "out": str(out)}))["seconds"]
            return torch.load(out).numpy(), seconds

        ask(order)
        yield draw
        process.communicate()


def psnr(one: Any, other: Any) -> float:
    error = float(((one.astype(float) - other) ** 2).mean()) / 255**2
    return math.inf if error == 0 else -10 * math.log10(error)


@contextmanager
def ours(run: Path, threads: int) -> Iterator[Any]:
    """Draws a camera of the model's frame; then what it needs is freed."""
    with closing(NerfEngine(run, frame="nerfstudio", threads=threads)) as engine:

        def draw(camera: hg.Camera) -> tuple[Any, float]:
            view = View((camera,), ("rgb",))
            start = time.perf_counter()
            rgb = engine.render(view)[camera.name].rgb
            return rgb, time.perf_counter() - start

        yield draw


def print_rays(run: Path, threads: int, rounds: int, photo: Photo) -> None:
    """Rays a second and likeness, of both."""
    frame = CaptureFrame.read(run / TRANSFORMS)
    camera = photo.camera.moved(frame.pose(photo.camera.world_from_camera))
    with (
        tempfile.TemporaryDirectory() as name,
        nerfstudio(run, threads, 0, Path(name)) as theirs,
        nerfstudio(run, threads, 4096, Path(name)) as chunked,
        ours(run, threads) as own,
    ):
        sides = {"nerfstudio": theirs, "nerfstudio, chunks of 4096": chunked, "heliograph": own}
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        pictures = {side: draw(camera)[0] for side, draw in sides.items()}
        for _ in range(rounds):
            for side, draw in sides.items():
                seconds[side].append(draw(camera)[1])
    count = camera.width * camera.height
    base = min(statistics.median(seconds[side]) for side in sides if side != "heliograph")
    print(f"\n{camera.width}x{camera.height}, {threads} threads, {rounds} rounds in turn; times")
    print("is against the faster of nerfstudio's\n")
    print("| side | rays/s | times | PSNR to the truth | to nerfstudio |\n|---|---|---|---|---|")
    for side, taken in seconds.items():
        middle = statistics.median(taken)
        likeness = psnr(pictures[side], pictures["nerfstudio"])
        true = psnr(pictures[side], photo.rgb)
        print(f"| {side} | {count / middle:,.0f} | {base / middle:.2f} | ", end="")
        print(f"{true:.2f} dB | {likeness:.1f} dB |", flush=True)


class PlainQueue:
    """The plain scheme: each of three threads draws the next level of the newest camera.

    Args:
        renderer: draws.
        levels: sizes from coarse to fine.
    """

    def __init__(self, renderer: Any, levels: tuple[tuple[int, int], ...] = LEVELS) -> None:
        self._renderer, self._levels = renderer, levels
        self._changed = threading.Condition()
        self._camera: Any = None
        self._update, self._next, self._open = 0, 0, True
        self._best = (0, -1)
        self.shown: list[tuple[float, int, int]] = []
        self._threads = [threading.Thread(target=self._work) for _ in range(3)]
        for thread in self._threads:
            thread.start()

    def update(self, camera: hg.Camera) -> int:
        """Show this camera from now on; the number of the update."""
        with self._changed:
            self._camera, self._next, self._update = camera, 0, self._update + 1
            self._changed.notify_all()
            return self._update

    def close(self) -> None:
        """End the threads."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._open and (self._camera is None or self._next >= len(self._levels)):
                    self._changed.wait()
                if not self._open:
                    return
                camera, level, update = self._camera, self._next, self._update
                self._next += 1
            self._renderer.render(View((camera.resized(*self._levels[level]),), ("rgb",)))
            with self._changed:
                if (update, level) > self._best:
                    self._best = update, level
                    self.shown.append((time.perf_counter(), update, level))
                    self._changed.notify_all()

    def until(self, update: int, level: int) -> float:
        """When an image of an update that is good enough was there."""
        with self._changed:
            self._changed.wait_for(lambda: self._best >= (update, level))
        return next(at for at, *key in self.shown if tuple(key) >= (update, level))


class Watched:
    """A renderer that notes when what was cancelled ended."""

    def __init__(self, renderer: Any) -> None:
        self._renderer = renderer
        self.ended: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._renderer, name)

    def refine(self, view: View, cancel: Any = None, levels: Any = None) -> Iterator[Any]:
        """As the renderer."""
        try:
            yield from self._renderer.refine(view, cancel, levels)
        finally:
            if cancel is not None and cancel.cancelled:
                self.ended.append(time.perf_counter())


def around(run: Path, count: int) -> list[hg.Camera]:
    """Cameras on a circle around what was captured, of the largest level."""
    centre = CaptureFrame.read(run / TRANSFORMS).points(np.zeros((1, 3)))[0]
    reach = 1 / CaptureFrame.read(run / TRANSFORMS).scale
    angles = np.arange(count) * 0.05
    eyes = [centre + reach * np.array([np.cos(a) * 0.85, np.sin(a) * 0.85, 0.5]) for a in angles]
    width, height = LEVELS[-1]
    return [
        hg.Camera.look_at(eye=eye, target=centre, fov_y=0.7, width=width, height=height)
        for eye in eyes
    ]


def print_queue(run: Path, threads: int, rounds: int) -> None:
    """First and final images, a camera that moves, and how soon old work ends."""
    cameras = around(run, 200)
    with closing(NerfEngine(run, threads=threads)) as renderer:
        watched = Watched(renderer)
        with hg.RenderQueue(watched, latency=0.05) as queue:
            plain = PlainQueue(renderer)
            for warm in cameras[:3]:
                queue.update(warm)
                queue.wait(final=True)
            still = [stood(renderer, queue, plain, each) for each in cameras[10 : 10 + rounds]]
            whole, first, final, plain_first, plain_final = np.median(still, 0)
            print(f"\n{LEVELS[-1]}, {threads} threads, medians of {rounds} in turn\n")
            print("| | first image, ms | final, s | final / one render |\n|---|---|---|---|")
            print(f"| one render | | {whole:.2f} | 1 |")
            for name, one, last in (
                ("RenderQueue", first, final),
                ("plain", plain_first, plain_final),
            ):
                print(f"| {name} | {1e3 * one:.0f} | {last:.2f} | {last / whole:.2f} |")
            shown = moving(queue.update, cameras, queue)
            ended = cancelled(watched, queue, cameras[20 : 20 + 2 * rounds])
        before = len(plain.shown)
        moving(plain.update, cameras, None)
        plain_shown = len(plain.shown) - before
        plain.close()
    print(f"\nmoving at 10 Hz, 6 s: RenderQueue {len(shown) / 6:.1f} images/s, ", end="")
    print(f"{most(shown)}; plain {plain_shown / 6:.1f} images/s")
    print(f"cancelled work ends after {1e3 * statistics.median(ended):.0f} ms, ", end="")
    print(f"at most {1e3 * max(ended):.0f} ms")


def stood(
    renderer: Any, queue: hg.RenderQueue, plain: PlainQueue, camera: hg.Camera
) -> list[float]:
    """Seconds: of one render, to the queue's first and final, to those of the plain scheme."""
    start = time.perf_counter()
    renderer.render(View((camera,), ("rgb",)))
    taken = [time.perf_counter() - start]
    start = time.perf_counter()
    update = queue.update(camera)
    image = queue.wait()
    while image.update_id < update:
        image = queue.wait()
    taken.append(time.perf_counter() - start)
    if not image.final:
        queue.wait(final=True)
    taken.append(time.perf_counter() - start)
    start = time.perf_counter()
    number = plain.update(camera)
    taken += [plain.until(number, level) - start for level in (0, len(LEVELS) - 1)]
    return taken


def moving(
    update: Callable[[hg.Camera], object],
    cameras: list[hg.Camera],
    queue: hg.RenderQueue | None,
) -> list[str]:
    """Sizes of the images that are shown while a camera moves ten times a second."""
    sizes: list[str] = []
    forget = queue.on_image(lambda image: sizes.append(str(image.camera.size))) if queue else None
    start = time.perf_counter()
    for number in range(60):
        update(cameras[number])
        time.sleep(max(0, start + 0.1 * (number + 1) - time.perf_counter()))
    if forget:
        forget()
    return sizes


def most(sizes: list[str]) -> str:
    counts = sorted(((sizes.count(size), size) for size in set(sizes)), reverse=True)
    return ", ".join(f"{count} of {size}" for count, size in counts[:3])


def cancelled(watched: Watched, queue: hg.RenderQueue, cameras: list[hg.Camera]) -> list[float]:
    """Seconds from an update to the end of the work for the one before, in the middle of it."""
    taken = []
    for camera in cameras:
        old = queue.update(camera)
        while queue.wait().update_id < old:
            continue
        time.sleep(0.05)
        before, start = len(watched.ended), time.perf_counter()
        last = queue.update(camera.replace(name="next"))
        while len(watched.ended) == before:
            time.sleep(0.0005)
        taken.append(watched.ended[-1] - start)
        while queue.wait(final=True).update_id < last:
            continue
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, help="of `heliograph nerf train-demo`")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true", help="leave nerfstudio out")
    arguments = parser.parse_args()
    run = trained(arguments.run)
    if not arguments.no_peers:
        photo = read_capture(run / "capture").held_out[0]
        print_rays(run, arguments.threads, arguments.rounds, photo)
    print_queue(run, arguments.threads, arguments.rounds)


if __name__ == "__main__":
    main()
