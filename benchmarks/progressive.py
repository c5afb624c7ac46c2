"""The progressive queue: an update to its first image, a `get`, and while updates pour in.

The fake engine draws one pixel, so that nearly all of it is the queue; in turn with `render` of the
same renderer, which is the plain alternative. Medians and the slowest of a hundred.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable

import numpy as np

import heliograph as hg


def percentiles(seconds: list[float]) -> str:
    return f"{1e6 * statistics.median(seconds):9.1f} {1e6 * float(np.quantile(seconds, 0.99)):9.1f}"


def timed(count: int, step: Callable[[], object]) -> list[float]:
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return seconds


def first_images(queue: hg.RenderQueue, camera: hg.Camera, count: int) -> list[float]:
    """Seconds from an update to its first image, each after the last one was finished."""

    def step() -> None:
        queue.update(camera)
        while not queue.wait(timeout=10).final:
            continue

    return timed(count, step)


def throughput(queue: hg.RenderQueue, camera: hg.Camera, seconds: float) -> tuple[float, float]:
    """Updates and images a second while a thread does nothing but update."""
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            queue.update(camera)

    writer, before = threading.Thread(target=write), queue.stats
    writer.start()
    time.sleep(seconds)
    over.set()
    writer.join()
    after = queue.stats
    return (after.updates - before.updates) / seconds, (after.images - before.images) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with hg.open("blank", engine="fake") as renderer:
        camera = next(iter(renderer.cameras.values())).resized(1, 1)
        with hg.RenderQueue(renderer, levels=(1.0,)) as queue:
            view = hg.View([camera])
            print(f"{'microseconds':36s}    median       99%")
            for _ in range(arguments.rounds):
                drawn = timed(arguments.count, lambda: renderer.render(view))
                print(f"{'render, no queue':36s} {percentiles(drawn)}", flush=True)
                shown = first_images(queue, camera, arguments.count)
                print(f"{'update -> image':36s} {percentiles(shown)}", flush=True)
                got = timed(arguments.count, queue.get)
                print(f"{'get, nothing new':36s} {percentiles(got)}", flush=True)
            updates, images = throughput(queue, camera, 2.0)
            print(f"one thread that updates without a pause: {updates:,.0f} updates/s, ", end="")
            print(f"{images:,.0f} images/s")


if __name__ == "__main__":
    main()
