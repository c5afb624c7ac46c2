"""What it costs to bring a picture from a worker process to the program; peers in the same run.

The fake engine "blank" draws nothing, so what is left is delivery. Every way runs in turn, several
times; medians. `memcpy` copies as many bytes in this process. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from typing import Any

import numpy as np

from heliograph.pool import Pool
from heliograph.view import View

SIZES = ((200, 200), (640, 480))
Way = Callable[[int], None]


@contextmanager
def ours(size: tuple[int, int]) -> Iterator[dict[str, Way]]:
    view = View(seed=0)
    with Pool("fake", "blank", 2, {"size": size}) as pool:

        def mapped(count: int) -> None:
            for _ in pool.map(view for _ in range(count)):
                pass

        def alone(count: int) -> None:
            for _ in range(count):
                pool.render(view)

        def borrowed(count: int) -> None:
            for _ in range(count):
                with pool.borrow(view):
                    pass

        yield {
            "pool, batch": lambda count: void(pool.render_batch({"seeds": np.arange(count)})),
            "pool, map": mapped,
            "pool, one at a time": alone,
            "pool, borrowed one at a time": borrowed,
        }


@contextmanager
def memcpy(size: tuple[int, int]) -> Iterator[dict[str, Way]]:
    source = np.ones((64, size[1], size[0], 3), np.uint8)
    target = np.ones_like(source)

    def copy(count: int) -> None:
        for i in range(count):
            np.copyto(target[i % 64], source[i % 64])

    yield {"memcpy": copy}


def put_forever(queue: Any, size: tuple[int, int]) -> None:
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    while True:
        queue.put(frame)


@contextmanager
def queues(size: tuple[int, int]) -> Iterator[dict[str, Way]]:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(8)
    workers = [context.Process(target=put_forever, args=(queue, size)) for _ in range(2)]
    for worker in workers:
        worker.start()
    queue.get()
    try:
        yield {"multiprocessing.Queue": lambda count: void([queue.get() for _ in range(count)])}
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def push_forever(address: str, size: tuple[int, int]) -> None:
    import zmq

    socket = zmq.Context().socket(zmq.PUSH)
    socket.set_hwm(8)
    socket.connect(address)
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    while True:
        socket.send(pickle.dumps({"rgb": frame}, protocol=-1))


@contextmanager
def zeromq(size: tuple[int, int]) -> Iterator[dict[str, Way]]:
    if not find_spec("zmq"):
        yield {}
        return
    import zmq

    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("spawn")
        socket = zmq.Context().socket(zmq.PULL)
        socket.set_hwm(8)
        address = f"ipc://{folder}/frames"
        socket.bind(address)
        workers = [context.Process(target=push_forever, args=(address, size)) for _ in range(2)]
        for worker in workers:
            worker.start()
        socket.recv()
        try:
            yield {
                "ZeroMQ PUSH/PULL, pickle": lambda count: void(
                    [pickle.loads(socket.recv()) for _ in range(count)]
                )
            }
        finally:
            for worker in workers:
                worker.kill()
                worker.join()
            socket.close(linger=0)


class Blank:
    """A torch data set of empty pictures."""

    def __init__(self, size: tuple[int, int], count: int) -> None:
        self.size, self.count = size, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        import torch

        return torch.zeros((self.size[1], self.size[0], 3), dtype=torch.uint8)


@contextmanager
def torch_loader(size: tuple[int, int]) -> Iterator[dict[str, Way]]:
    if not find_spec("torch"):
        yield {}
        return
    from torch.utils.data import DataLoader

    loader = DataLoader(
        Blank(size, 10**9), batch_size=None, num_workers=2, multiprocessing_context="spawn"
    )
    frames = iter(loader)
    next(frames)
    yield {"torch DataLoader, 2 workers": lambda count: void([next(frames) for _ in range(count)])}


def void(_: object) -> None:
    """Forget a result."""


def measure(size: tuple[int, int], count: int, rounds: int) -> dict[str, list[float]]:
    """Microseconds per frame of every way; peers with producers of their own run alone."""
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for group in (memcpy, ours, queues, zeromq, torch_loader):
            with ExitStack() as stack:
                ways = stack.enter_context(group(size))
                for name, way in ways.items():
                    way(32)
                    for _ in range(3):
                        began = time.perf_counter()
                        way(count)
                        spent = 1e6 * (time.perf_counter() - began) / count
                        times.setdefault(name, []).append(spent)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for size in SIZES:
        times = measure(size, arguments.count, arguments.rounds)
        nbytes = size[0] * size[1] * 3
        base = float(np.median(times["pool, batch"]))
        print(f"\n{size[0]}x{size[1]}x3, two workers; microseconds per frame\n")
        print("| way | median | best | GB/s | times the pool's batch |\n|---|---|---|---|---|")
        for name, values in times.items():
            middle = float(np.median(values))
            speed = nbytes / middle / 1e3
            row = f"{middle:.1f} | {min(values):.1f} | {speed:.2f} | {middle / base:.1f}x"
            print(f"| {name} | {row} |", flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
