"""Pictures from another process: `heliograph.publish` and pickle over ZeroMQ, in turn.

    python benchmarks/publish.py [--count 400] [--rounds 5]

Each message is a picture of 640x480x3, four corners, a number and a text, as blendtorch's examples
publish. One process publishes, this one takes; both ways have the same sockets and queues, and of
every picture a row is summed, so that no way leaves the work undone. Processor time is that of both
processes, the threads of ZeroMQ included: it says more where others use the machine.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import zmq

from heliograph.publish import Publisher, Subscriber

SIZES = {"640x480": (480, 640, 3), "320x240": (240, 320, 3)}
QUEUE = 10


def values(shape: tuple[int, ...], number: int) -> dict[str, Any]:
    image = np.random.default_rng(number % 8).integers(0, 255, shape, np.uint8)
    return {"image": image, "xy": np.zeros((8, 2)), "frameid": number, "scene": "cube"}


def publish_ours(shape: tuple[int, ...], count: int) -> None:
    told = [values(shape, number) for number in range(8)]
    with Publisher("tcp://127.0.0.1:0", queue=QUEUE) as publisher:
        print(publisher.address, flush=True)
        begun = time.process_time()
        for number in range(count):
            publisher.publish(**told[number % 8])
    print(time.process_time() - begun)


def publish_pickle(shape: tuple[int, ...], count: int) -> None:
    told = [values(shape, number) for number in range(8)]
    context = zmq.Context()
    socket = context.socket(zmq.PUSH)
    socket.set_hwm(QUEUE)
    socket.bind("tcp://127.0.0.1:*")
    print(socket.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)
    begun = time.process_time()
    for number in range(count):
        socket.send_pyobj(told[number % 8])
    socket.close()
    context.term()
    print(time.process_time() - begun)


def take_ours(address: str, count: int) -> tuple[float, float]:
    with Subscriber(address, queue=QUEUE) as subscriber:
        return timed(lambda: subscriber.recv().values, count)


def take_pickle(address: str, count: int) -> tuple[float, float]:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.set_hwm(QUEUE)
        socket.connect(address)
        return timed(socket.recv_pyobj, count)


def timed(take: Callable[[], dict[str, Any]], count: int) -> tuple[float, float]:
    """(messages a second, processor seconds a message here), from the tenth on."""
    for _ in range(10):
        take()
    begun, busy = time.perf_counter(), time.process_time()
    for _ in range(count - 10):
        take()["image"][0].sum()
    busy = time.process_time() - busy
    return (count - 10) / (time.perf_counter() - begun), busy / (count - 10)


WAYS: dict[str, Any] = {
    "heliograph": (publish_ours, take_ours),
    "pickle": (publish_pickle, take_pickle),
}


def measure(way: str, size: str, count: int) -> tuple[float, float]:
    """(messages a second, processor milliseconds a message)."""
    command = [sys.executable, __file__, "--publish", way, "--size", size, "--count", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        said = program.stdout
        rate, busy = WAYS[way][1](said.readline().strip(), count)  # type: ignore[union-attr]
        there = float(said.readline()) / count  # type: ignore[union-attr]
    return rate, 1000 * (busy + there)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--publish", choices=WAYS)
    parser.add_argument("--size", choices=SIZES)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    if told.publish:
        WAYS[told.publish][0](SIZES[told.size], told.count)
        return
    for size, shape in SIZES.items():
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for _ in range(told.rounds):
            for way in WAYS:
                found[way].append(measure(way, size, told.count))
        rates, busy = (
            {way: statistics.median(each[place] for each in found[way]) for way in WAYS}
            for place in (0, 1)
        )
        for way in WAYS:
            print(
                f"{size} {way}: {rates[way]:.0f} messages/s, "
                f"{rates[way] * np.prod(shape) / 1e6:.0f} MB/s, "
                f"{busy[way]:.2f} ms of processor time"
            )
        print(
            f"{size} ratio: {rates['heliograph'] / rates['pickle']:.2f} in messages/s, "
            f"{busy['pickle'] / busy['heliograph']:.2f} in processor time"
        )


if __name__ == "__main__":
    main()
