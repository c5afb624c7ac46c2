"""Learns how wide and how high the boxes in some pictures are, by drawing boxes in Blender.

Blender is no function that could be differentiated: the gradient of the mean loss is estimated
from the losses of the boxes that were drawn (the score function, REINFORCE).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.compat.blendtorch import btt

SPREAD, SAMPLES, STEPS, RATE = 0.1, 32, 16, 0.1
START, TRUTH = np.array([1.0, 1.0]), np.array([1.7, 0.6])


class Simulator:
    """Draws boxes of given widths and heights in Blender."""

    def __init__(self, duplex: btt.DuplexChannel, stream: Iterator[dict[str, Any]]) -> None:
        self.duplex, self.stream = duplex, stream

    def silhouettes(self, shapes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, H, W) 0 or 1: where the boxes (N, 2) are in their pictures."""
        self.duplex.send(shapes=[[number, *shape] for number, shape in enumerate(shapes.tolist())])
        items = sorted((next(self.stream) for _ in shapes), key=lambda item: item["shape"])
        return np.array([item["image"].max(axis=2) > 127 for item in items], float)


def optimize(simulator: Simulator, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """The mean shape, step by step."""
    pictures = simulator.silhouettes(rng.normal(TRUTH, SPREAD, (SAMPLES, 2))).mean(axis=0)
    mean = START
    yield mean
    for step in range(STEPS):
        shapes = rng.normal(mean, SPREAD, (SAMPLES, 2))
        losses = ((simulator.silhouettes(shapes) - pictures) ** 2).mean(axis=(1, 2))
        score = (shapes - mean) / SPREAD**2
        gradient = ((losses - losses.mean())[:, None] * score).mean(axis=0)
        mean = mean - RATE * (1 - step / STEPS) * gradient / np.linalg.norm(gradient)
        yield mean


def main() -> None:
    script = Path(__file__).parent / "densityopt.blend.py"
    with btt.BlenderLauncher(scene="", script=script, named_sockets=["DATA", "CTRL"]) as launcher:
        addresses = launcher.launch_info.addresses
        with btt.DuplexChannel(addresses["CTRL"][0]) as duplex:
            simulator = Simulator(duplex, iter(btt.RemoteIterableDataset(addresses["DATA"])))
            means = list(optimize(simulator, np.random.default_rng(1)))
    for mean in means:
        print(f"width {mean[0]:.2f}, height {mean[1]:.2f}")
    errors = [np.linalg.norm(mean - TRUTH) for mean in means]
    print(f"distance from the truth: {errors[0]:.2f} -> {errors[-1]:.2f}")


if __name__ == "__main__":
    main()
