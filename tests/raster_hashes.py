"""Prints a hash of the pictures of random scenes, to compare two builds of the native rasterizer.

    python tests/raster_hashes.py --count 100 --keep scenes >one
    PYTHONPATH=another/build/of/src python tests/raster_hashes.py --scenes scenes | diff one -

Each line is a scene: its number, the kernels (0 plain, 1 what every processor of its kind has, 2
AVX2), and a hash of what was drawn: all passes of all cameras at two moments. Scenes are kept for
other machines, since what makes them up (sines, factorized matrices) may differ there in the last
digits.
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fuzz_raster import PASSES, SETTINGS
from heliograph.errors import InvalidValueError
from heliograph.frame import Buffers, allocate
from heliograph.passes import KNOWN_PASSES, select_passes
from heliograph.raster.cpu.rasterizer import CpuRasterizer
from heliograph.raster.options import RasterOptions
from random_draw_lists import SceneMaker

KERNELS = (0, 1, 2)
Calls = list[tuple[str, tuple[Any, ...]]]
"""What a rasterizer is asked for, one method after the other."""


class Recorder:
    """Takes in what a rasterizer takes in, keeps the calls, and draws nothing."""

    def __init__(self, rasterizer: CpuRasterizer) -> None:
        self.calls: Calls = []
        self._rasterizer = rasterizer

    def draw(self, *arguments: Any) -> None:
        self.calls.append(("draw", arguments))

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._rasterizer, name)

        def called(*arguments: Any) -> Any:
            self.calls.append((name, arguments))
            return method(*arguments)

        return called


def rasterizer(seed: int, threads: int = 1) -> CpuRasterizer:
    """One for a scene: which settings depends on the scene's number."""
    msaa, shadows, whole = SETTINGS[seed % len(SETTINGS)]
    return CpuRasterizer(
        RasterOptions(
            msaa=4 if msaa else 0,
            shadows=shadows,
            shadow_size=256,
            lod="off" if whole else "auto",
            threads=threads,
        )
    )


def recorded(seed: int, *, tame: bool = False) -> Calls:
    """What draws a random scene at two moments."""
    recorder: Any = Recorder(rasterizer(seed))
    maker = SceneMaker(seed, recorder, tame=tame)
    scene, cameras = maker.scene(), maker.cameras()
    recorder.draw(scene, cameras)
    recorder.draw(maker.later(scene), cameras)
    calls: Calls = recorder.calls
    return calls


def pictures(seed: int, calls: Calls, kernels: int, threads: int = 1) -> list[Buffers]:
    """What the calls draw with some kernels."""
    drawer = rasterizer(seed, threads)
    made: list[Buffers] = []
    drawer.kernels = kernels
    for name, arguments in calls:
        if name != "draw":
            getattr(drawer, name)(*arguments)
            continue
        scene, cameras = arguments
        out = [allocate(camera, select_passes(PASSES, KNOWN_PASSES)) for camera in cameras]
        with suppress(InvalidValueError):  # lengths that are refused
            drawer.draw(scene, cameras, PASSES, out)
            made += out
    drawer.close()
    return made


def hash_of(drawn: Sequence[Buffers]) -> str:
    """A hash of pictures, all passes."""
    made = hashlib.sha256()
    for passes in drawn:
        for name in PASSES:
            made.update(passes[name].tobytes())
    return made.hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="number of the first scene")
    parser.add_argument("--count", type=int, default=24, help="how many scenes")
    parser.add_argument("--kernels", type=int, nargs="+", choices=KERNELS, default=KERNELS)
    parser.add_argument("--tame", action="store_true", help="nothing huge, tiny or thin")
    parser.add_argument("--keep", type=Path, help="a file to keep the scenes in")
    parser.add_argument("--scenes", type=Path, help="your file of kept scenes (a pickle)")
    given = parser.parse_args()
    if given.scenes:
        scenes: dict[int, Calls] = pickle.loads(given.scenes.read_bytes())
    else:
        numbers = range(given.seed, given.seed + given.count)
        scenes = {seed: recorded(seed, tame=given.tame) for seed in numbers}
    if given.keep:
        given.keep.write_bytes(pickle.dumps(scenes))
    for seed, calls in scenes.items():
        for kernels in given.kernels:
            made = hash_of(pictures(seed, calls, kernels))
            sys.stdout.write(f"{seed} {kernels} {made}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
