"""Blender into a torch loader: ours, and a `blender` in blendtorch's manner beside it.

    scripts/bench blender [--rounds 3] [--seconds 6] [--blender PROGRAM]

A cube turns and changes its colour for every picture; batches of 8. The peer is a `blender` program
where there is one: offscreen draw, pickle over ZeroMQ, its fastest mode (Workbench, no interface).
Every way runs in turn; medians. Then what a picture costs with Cycles, against Cycles alone, and
what a frame costs with `fast` by how many of 100 objects move.
"""

from __future__ import annotations

import argparse
import os
import pickle
import shutil
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch.utils.data as torch_data
from torch.utils.data import DataLoader

import heliograph as hg
from heliograph.engines.blender import install
from heliograph.publish import Subscriber
from heliograph.torch import IterableDataset, collate

SIDES = Path(__file__).parent / "blender_sides"
BATCH, WARM_UP = 8, 6
SIZES = ((640, 480), (320, 240))
PASSES = ("rgb", "depth", "normals", "segmentation")
PEER = "blender in blendtorch's manner, rgb"
Batches = Iterator[Any]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def turned(view: hg.View) -> tuple[hg.View, dict[str, Any]]:
    """The cube somewhere else, in another colour."""
    rng = np.random.default_rng([view.seed or 0, view.index])
    quaternion = rng.normal(size=4)
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    edits = [
        hg.scene.MoveObject("Cube", pose, relative=False),
        hg.scene.EditMaterial("Cube", rgba=(*rng.random(3), 1.0)),
    ]
    return view.edited(edits), {}


@contextmanager
def fast(
    size: tuple[int, int], workers: int, passes: tuple[str, ...], shadows: bool = True
) -> Iterator[Batches]:
    """Ours: the engine, style `fast`, through a pool."""
    with hg.open(
        SIDES / "cube.py",
        engine="blender",
        size=size,
        workers=workers,
        style="fast",
        shadows=shadows,
        cores=1,
    ) as pool:
        data = IterableDataset(pool, 1_000_000, passes=passes, randomize=turned, together=BATCH)
        yield iter(DataLoader(data, batch_size=BATCH, collate_fn=collate))


class Stream(torch_data.IterableDataset[Any]):
    """Pictures of one address, for ever."""

    def __init__(self, take: Callable[[], dict[str, Any]]) -> None:
        self._take = take

    def __iter__(self) -> Iterator[Any]:
        """The images."""
        while True:
            yield self._take()["image"]


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """A process, ended with all that it started."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def workbench(size: tuple[int, int], programs: int) -> Iterator[Batches]:
    """Ours: programs inside Blender that publish what the Workbench draws."""
    addresses = [f"tcp://127.0.0.1:{free_port()}" for _ in range(programs)]
    with ExitStack() as stack:
        for address in addresses:
            arguments = [address, *map(str, size)]
            command = install.program_command(None, SIDES / "workbench.py", arguments)
            stack.enter_context(running(command, install.environment()))
        stream = stack.enter_context(Subscriber(addresses, timeout=120))
        yield iter(DataLoader(Stream(stream.recv), batch_size=BATCH))


@contextmanager
def peer(size: tuple[int, int], blender: str, smooth: str, programs: int) -> Iterator[Batches]:
    """`blender` programs in blendtorch's manner; "smooth" as their view is by itself."""
    import zmq

    addresses = [f"tcp://127.0.0.1:{free_port()}" for _ in range(programs)]
    context = zmq.Context()
    end = context.socket(zmq.PULL)
    end.set_hwm(10)
    end.setsockopt(zmq.RCVTIMEO, 60_000)
    with ExitStack() as stack:
        stack.callback(context.destroy, linger=0)
        for address in addresses:
            end.connect(address)
            arguments = [address, *map(str, size), smooth]
            command = [blender, "--python", str(SIDES / "peer.py"), "--", *arguments]
            if not os.environ.get("DISPLAY"):
                command = ["xvfb-run", "-a", *command]
            stack.enter_context(running(command, install.environment(blender)))
        yield iter(DataLoader(Stream(lambda: pickle.loads(end.recv())), batch_size=BATCH))


def rate(batches: Batches, seconds: float) -> float:
    """Pictures a second."""
    for _ in range(WARM_UP):
        next(batches)
    begun = time.perf_counter()
    for done in count(1):
        next(batches)
        if (taken := time.perf_counter() - begun) > seconds:
            return done * BATCH / taken
    raise AssertionError


def compare(size: tuple[int, int], blender: str | None, rounds: int, seconds: float) -> None:
    """Pictures a second of every way, in turn."""
    ways: dict[str, Callable[[], Any]] = {
        "fast, four passes, 1 worker": lambda: fast(size, 1, PASSES),
        "fast, four passes, 2 workers": lambda: fast(size, 2, PASSES),
        "fast, four passes, 2 workers, no shadows": lambda: fast(size, 2, PASSES, False),
        "Workbench through bpy, rgb": lambda: workbench(size, 1),
        "Workbench through bpy, rgb, 2 programs": lambda: workbench(size, 2),
    }
    if blender is not None:
        ways[PEER] = lambda: peer(size, blender, "smooth", 1)
        ways[f"{PEER}, 2 programs"] = lambda: peer(size, blender, "smooth", 2)
        ways[f"{PEER}, anti-aliasing off"] = lambda: peer(size, blender, "plain", 1)
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            with way() as batches:
                found[name].append(rate(batches, seconds))
    middle = {name: statistics.median(each) for name, each in found.items()}
    peers = [middle[name] for name in middle if name.startswith(PEER)]
    print(f"\n| {size[0]}x{size[1]} | pictures/s | to the peer | to two | to it, aliased |")
    print("|---|---|---|---|---|")
    for name, value in middle.items():
        ratios = [f"{value / each:.1f}x" for each in peers] or ["-"] * 3
        print(f"| {name} | {value:.1f} | {' | '.join(ratios)} |")


def inside(script: str) -> None:
    """What a script that runs inside Blender measures."""
    ran = subprocess.run(
        [str(install.blender_python()), "-P", str(SIDES / script)],
        env=install.environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    print("".join(f"{line}\n" for line in ran.stdout.splitlines() if line.startswith("|")))


def cycles(pictures: int) -> None:
    """What part of a sample's time is the engine's, with Cycles, through a pool."""
    with hg.open(
        SIDES / "cube.py", engine="blender", size=(640, 480), style="cycles", samples=4, workers=1
    ) as pool:
        views = [hg.View(passes=PASSES, seed=0, index=i) for i in range(pictures + 1)]
        pool.render(views.pop())
        begun = time.perf_counter()
        samples = list(pool.map(views))
        taken = time.perf_counter() - begun
    drawn = sum(each.provenance.done - each.provenance.begun for each in samples)
    print(f"| Cycles through a pool, part of the time that is drawing | {drawn / taken:.3f} |\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--blender", default=shutil.which("blender"))
    parser.add_argument("--only", choices=("loader", "cycles", "moving"), default=None)
    given = parser.parse_args()
    if given.only in (None, "loader"):
        for size in SIZES:
            compare(size, given.blender, given.rounds, given.seconds)
    if given.only in (None, "cycles"):
        inside("cycles_time.py")
        cycles(8)
    if given.only in (None, "moving"):
        inside("moving.py")


if __name__ == "__main__":
    main()
