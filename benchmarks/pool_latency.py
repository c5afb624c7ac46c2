"""How soon a pool begins, answers and stops; the plain way in the same run.

The fake engine draws nothing (`blank`), so what is left is the pool. Prints medians:

- a view waited for with `render`, with `submit().result()`, and 16 bytes there and back over a pipe
  to a process that answers at once (`multiprocessing.Pipe`);
- an urgent view behind a batch of 1,000 views of 2 ms each: from order to beginning, and the
  same where it is not urgent;
- a slow view that is refined: from `cancel()` until its worker draws the next view.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np

from heliograph.engine import CancelToken
from heliograph.pool import Pool
from heliograph.view import View


def echo(end: Connection) -> None:
    """Answer at once until the other end is gone."""
    try:
        while True:
            end.send_bytes(end.recv_bytes())
    except EOFError:
        return


def each(count: int, act: Callable[[int], object]) -> float:
    """Median microseconds of one call."""
    times = []
    for i in range(count):
        began = time.perf_counter()
        act(i)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def round_trips(count: int, rounds: int) -> dict[str, float]:
    """Microseconds of a view, and of a message over a pipe, in turn."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=echo, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    found: dict[str, list[float]] = {}
    with Pool("fake", "blank", 2, {"size": (64, 48)}) as pool:
        for _ in range(rounds):
            found.setdefault("render", []).append(each(count, lambda i: pool.render(View(index=i))))
            found.setdefault("submit().result()", []).append(
                each(count, lambda i: pool.submit(View(index=i)).result())
            )

            def ping(_: int) -> None:
                ours.send_bytes(b"0123456789abcdef")
                ours.recv_bytes()

            found.setdefault("multiprocessing.Pipe, 16 bytes", []).append(each(count, ping))
    ours.close()
    process.join()
    return {name: statistics.median(times) for name, times in found.items()}


def behind_a_batch(priority: int, rounds: int) -> float:
    """Milliseconds from the order of a view to its beginning, behind a batch of 1,000 x 2 ms."""
    waits = []
    with Pool("fake", "blank", 2, {"size": (64, 48)}) as pool:
        for _ in range(rounds):
            batch = pool.submit_batch({"seeds": np.arange(1000), "sleep": np.full(1000, 0.002)})
            while not batch.running():
                time.sleep(0.001)
            time.sleep(0.02)
            ordered = time.time()
            sample = pool.render(View(), priority=priority)
            waits.append((sample.provenance.begun - ordered) * 1e3)
            batch.result()
    return statistics.median(waits)


def cancel_to_stop(rounds: int) -> float:
    """Milliseconds from `cancel()` until the worker begins its next view."""
    waits = []
    with Pool("fake", "blank", 1, {"size": (64, 48)}) as pool:
        for _ in range(rounds):
            token = CancelToken()
            stream = pool.refine(View(state={"sleep": 30.0}), token)
            pool.submit(View()).cancel()
            slow = _begin(pool, stream)
            cancelled = time.time()
            token.cancel()
            waits.append((pool.render(View()).provenance.begun - cancelled) * 1e3)
            slow()
    return statistics.median(waits)


def _begin(pool: Pool, stream: object) -> Callable[[], None]:
    """Take from a stream in a thread, once a worker has begun it; what waits for that thread."""
    import threading

    thread = threading.Thread(target=lambda: list(stream))  # type: ignore[call-overload]
    thread.start()
    while not pool.stats().in_flight:
        time.sleep(0.001)
    time.sleep(0.05)
    return thread.join


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="views in a round")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    rounds = arguments.rounds
    print("| a view waited for | median, microseconds |\n|---|---|")
    for name, value in round_trips(arguments.count, rounds).items():
        print(f"| {name} | {value:.1f} |")
    urgent, patient = behind_a_batch(1, rounds), behind_a_batch(0, max(1, rounds // 3))
    print("\n| behind a batch of 1,000 x 2 ms | begun after, ms |\n|---|---|")
    print(f"| priority=1 | {urgent:.2f} |\n| priority=0 | {patient:.0f} |")
    print(f"\ncancel() until the worker draws the next view: {cancel_to_stop(rounds):.2f} ms")


if __name__ == "__main__":
    main()
