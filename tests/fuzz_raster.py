"""Draws random scenes that no engine would make, and checks what must hold of any picture.

    python tests/fuzz_raster.py --backend cpu --seed 0 --count 1000
    python tests/fuzz_raster.py --backend cpu --against gl --pictures /tmp/differences --tame

Scene number i depends on i alone; a failure names it, so that `--seed i --count 1` draws it again.
`scripts/sanitize` runs it with the native module under AddressSanitizer. With `--against` the same
scenes are drawn by two backends, and those whose ids differ on more than 0.1 % of pixels, or whose
colours differ by 2 of 255 on average, are named. Which pixels a line covers is left to GL's driver.
"""

from __future__ import annotations

import argparse
import faulthandler
import itertools
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from heliograph.camera import Camera, Projection
from heliograph.frame import Buffers, allocate
from heliograph.passes import KNOWN_PASSES, select_passes
from heliograph.raster import DrawList, Rasterizer, RasterOptions, Shape, make_rasterizer
from heliograph.raster.cpu.rasterizer import CpuRasterizer
from random_draw_lists import SceneMaker

PASSES = tuple(KNOWN_PASSES)
SETTINGS = tuple(itertools.product((0, 4), (False, True), (False, True)))
"""Samples per pixel, whether there are shadows, whether every triangle is drawn."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What one camera yields of one moment, and ids of lines, which drivers place as they like."""

    moment: str
    camera: Camera
    passes: Buffers
    lines: NDArray[np.int32]


def rasterizer(backend: Literal["cpu", "gl"], place: int) -> Rasterizer:
    """One of a backend, with one of the SETTINGS."""
    msaa, shadows, whole = SETTINGS[place]
    return make_rasterizer(
        RasterOptions(
            backend=backend,
            msaa=4 if msaa else 0,
            shadows=shadows,
            shadow_size=256,
            lod="off" if whole else "auto",
        )
    )


def draw(drawer: Rasterizer, seed: int, *, tame: bool = False) -> list[Picture]:
    """All pictures of one scene, checked.

    Raises:
        AssertionError: a picture is not what a picture must be, or not the same the second time.
    """
    maker = SceneMaker(seed, drawer, tame=tame)
    scene = maker.scene()
    cameras = maker.cameras()
    table = scene.instances.table
    lines = np.setdiff1d(table.ids[table.geometry == Shape.LINE], 0)
    found = []
    for moment in ("first", "later"):
        if moment == "later":
            scene = maker.later(scene)
        pictures = [_drawn(drawer, scene, cameras) for _ in range(2)]
        for camera, once, again in zip(cameras, *pictures, strict=True):
            for name in PASSES:
                if once[name].tobytes() != again[name].tobytes():
                    raise AssertionError(
                        f"{moment}, {camera.name}: {name} differs when drawn again"
                    )
            wrong = check(once, camera, scene)
            if wrong:
                raise AssertionError(f"{moment}, {camera!r}: {'; '.join(wrong)}")
            found.append(Picture(moment, camera, once, lines))
    maker.release(scene)
    return found


def _drawn(drawer: Rasterizer, scene: DrawList, cameras: Sequence[Camera]) -> list[Buffers]:
    out: list[Buffers] = [
        allocate(camera, select_passes(PASSES, KNOWN_PASSES)) for camera in cameras
    ]
    for buffers in out:
        for array in buffers.values():
            array.view(np.uint8).fill(0x5B)  # what is not written shows
    drawer.draw(scene, cameras, PASSES, out)
    return out


def check(passes: Buffers, camera: Camera, scene: DrawList) -> list[str]:
    """What is wrong with a picture; empty for nothing."""
    depth, distance, normals = passes["depth"], passes["distance"], passes["normals"]
    parallel = camera.projection is Projection.ORTHOGRAPHIC
    with np.errstate(all="ignore"):
        hit, length = np.isfinite(depth), np.linalg.norm(normals, axis=2)
        seen = depth[hit]
        beyond = ((seen < camera.near * 0.999) | (seen > camera.far * 1.001)).sum()
        ids = np.unique(passes["segmentation"])
        rules = {
            "depth is a number or inf": not np.isnan(depth).any() and not np.isneginf(depth).any(),
            "depth is above 0": parallel or bool((seen > 0).all()),
            "depth is from near to far, but for steep rims": parallel
            or bool(beyond <= 2 + 0.02 * seen.size),
            "normals are unit where something is": bool((np.abs(length[hit] - 1) < 1e-3).all()),
            "normals are 0 where nothing is": not normals[~hit].any(),
            "ids are those of the scene": bool(
                np.isin(ids, scene.instances.table.ids, assume_unique=False)[ids != 0].all()
            ),
            "ids are 0 where nothing is": not passes["segmentation"][~hit].any(),
            "distance is inf where depth is": bool((np.isfinite(distance) == hit).all()),
            "distance is not below depth": bool(
                (distance[hit] >= seen - 1e-5 * np.abs(seen)).all()
            ),
        }
    return [f"not so: {rule}" for rule, holds in rules.items() if not holds]


def difference(one: Buffers, other: Buffers, lines: NDArray[np.int32]) -> dict[str, float]:
    """How far two pictures of one camera are apart, as parts of 1 and of 255.

    Nothing but normals is compared where one of them shows a line.
    """
    shown = [each["segmentation"] for each in (one, other)]
    thin: NDArray[np.bool_] = np.isin(shown[0], lines) | np.isin(shown[1], lines)
    hits = [np.isfinite(each["depth"]) for each in (one, other)]
    both = hits[0] & hits[1]
    with np.errstate(all="ignore"):
        near = np.abs(one["depth"] - other["depth"]) <= 1e-3 * np.abs(other["depth"])
    gap = np.abs(one["rgb"].astype(int) - other["rgb"])
    turned = np.linalg.norm(one["normals"] - other["normals"], axis=2)[both]
    return {
        "ids": float(((shown[0] != shown[1]) & ~thin).mean()),
        "depth": float((~np.where(both, near, hits[0] == hits[1]) & ~thin).mean()),
        "normals": float(turned.mean()) if turned.size else 0.0,
        "rgb": float((gap * ~thin[..., None]).mean()),
        "alpha": float((np.abs(one["alpha"].astype(int) - other["alpha"]) * ~thin).mean()),
    }


def compare(seed: int, pair: Sequence[Rasterizer], arguments: argparse.Namespace) -> list[str]:
    """What two backends draw otherwise; keeps those pictures."""
    several = [draw(each, seed, tame=arguments.tame) for each in pair]
    found = []
    for number, (one, other) in enumerate(zip(*several, strict=True)):
        gaps = difference(one.passes, other.passes, one.lines)
        if gaps["ids"] <= 1e-3 and gaps["depth"] <= 1e-3 and gaps["rgb"] <= 2:
            continue
        told = ", ".join(f"{name} {gap:.4g}" for name, gap in gaps.items())
        found.append(f"{one.moment}, {one.camera!r}: {told}")
        if arguments.pictures:
            arguments.pictures.mkdir(parents=True, exist_ok=True)
            sheet(one.passes, other.passes).save(arguments.pictures / f"{seed}_{number}.png")
    return found


def sheet(one: Buffers, other: Buffers) -> Image.Image:
    """Two pictures and their difference times ten: rgb above, ids below."""
    rows = []
    for pair in (
        [each["rgb"] for each in (one, other)],
        [_painted(each["segmentation"]) for each in (one, other)],
    ):
        gap = np.abs(pair[0].astype(int) - pair[1]) * 10
        rows.append(np.concatenate([*pair, np.clip(gap, 0, 255).astype(np.uint8)], 1))
    made = Image.fromarray(np.concatenate(rows))
    scale = max(1, 200 // made.height)
    return made.resize((made.width * scale, made.height * scale), Image.Resampling.NEAREST)


def _painted(ids: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Each id a colour."""
    return np.stack([(ids * step) % 256 for step in (37, 91, 53)], -1).astype(np.uint8)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="cpu", choices=("cpu", "gl"))
    parser.add_argument("--against", choices=("cpu", "gl"), help="another backend to compare with")
    parser.add_argument("--seed", type=int, default=0, help="number of the first scene")
    parser.add_argument("--count", type=int, default=100, help="how many scenes")
    parser.add_argument("--tame", action="store_true", help="nothing huge, tiny or thin")
    parser.add_argument("--pictures", type=Path, help="folder for pictures that differ")
    parser.add_argument(
        "--kernels",
        type=int,
        choices=(0, 1, 2),
        default=2,
        help="of the cpu backend: 0 plain, 2 best",
    )
    arguments = parser.parse_args()
    CpuRasterizer.kernels = arguments.kernels
    faulthandler.enable()
    warnings.simplefilter("error")
    backends = [each for each in (arguments.backend, arguments.against) if each]
    made = [[rasterizer(backend, place) for backend in backends] for place in range(len(SETTINGS))]
    failures = 0
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        print(f"\rscene {seed}", end=" ", file=sys.stderr, flush=True)
        pair = made[seed % len(SETTINGS)]
        try:
            if arguments.against:
                wrong = compare(seed, pair, arguments)
            else:
                draw(pair[0], seed, tame=arguments.tame)
                wrong = []
        except Exception as error:  # noqa: BLE001 - the scenes after it are drawn as well
            wrong = [f"{type(error).__name__}: {error}"]
        for each in wrong:
            setting = "msaa {}, shadows {}, lod off {}".format(*SETTINGS[seed % len(SETTINGS)])
            print(f"\rscene {seed} ({setting}): {each}", flush=True)
        failures += bool(wrong)
    print(f"\r{arguments.count} scenes, {failures} with findings")
    for opened in itertools.chain(*made):
        opened.close()
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
