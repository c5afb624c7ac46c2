"""What it costs that a scene changes before each view, over a view of one that stays.

1,000 spheres that fill much of the picture, 128 x 128, four passes, one process. All ways take
turns with the plain view, so that a busy machine slows both; medians. Every change differs from the
one before it; to make its values (edits, arrays) is told apart.

    python benchmarks/live_scene.py [rounds]
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("LP_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import heliograph as hg
from heliograph.scene import Edit, EditMaterials

COUNT, SIZE, RADIUS, SOME = 1000, (128, 128), 0.14, 30
PASSES = ("rgb", "depth", "normals", "segmentation")
KEYS = [f"ball{i}" for i in range(COUNT)]
AIMS = {"one": 10, "some": 25, "column": 30, "positions": 30, "colours": 100, "edit": 100}
"""Most percent over the plain view."""


class Changes:
    """Makes changes, each another one.

    Args:
        renderer: of the scene.
    """

    def __init__(self, renderer: hg.Renderer) -> None:
        self._rng = np.random.default_rng(1)
        self._camera = renderer.cameras["fit"]

    def view(self, **fields: Any) -> hg.View:
        """A view of the scene."""
        return hg.View(cameras=[self._camera], passes=PASSES, **fields)

    def moves(self, count: int) -> list[Edit]:
        """Other places for some of the spheres."""
        rows = self._rng.choice(COUNT, count, replace=False)
        return [hg.Update(hg.Sphere(key=KEYS[row], position=self._place())) for row in rows]

    def colours(self) -> list[Edit]:
        """Another colour for each sphere, one by one."""
        rgb = self._rng.random((COUNT, 3)).tolist()
        pairs = zip(KEYS, rgb, strict=True)
        return [hg.Update(hg.Sphere(key=key, material={"color": c})) for key, c in pairs]

    def edit(self) -> hg.View:
        """Another colour for each sphere, all at once, in one view."""
        rgba = np.concatenate([self._rng.random((COUNT, 3)), np.ones((COUNT, 1))], 1)
        return self.view(edits=[EditMaterials(tuple((key,) for key in KEYS), rgba=rgba)])

    def column(self) -> tuple[list[str], Any]:
        """Another place for every sphere, as arrays."""
        poses = np.tile(np.eye(4), (COUNT, 1, 1))
        poses[:, :3, 3] = self._rng.uniform(-1, 1, (COUNT, 3))
        return KEYS, poses

    def _place(self) -> list[float]:
        place: list[float] = self._rng.uniform(-1, 1, 3).tolist()
        return place


Way = tuple[Callable[[], Any], Callable[[Any], object]]
"""What makes a change, and what is timed with it."""


def ways(renderer: hg.Renderer) -> Mapping[str, Way]:
    """By name."""
    make = Changes(renderer)
    plain = make.view()

    def advance(edits: Sequence[Edit]) -> None:
        renderer.advance(edits)
        renderer.render(plain)

    def come_and_go(_: object) -> None:
        advance([hg.Add(hg.Sphere(key="more", args=[RADIUS]))])
        advance([hg.Remove("more")])

    return {
        "plain": (lambda: plain, renderer.render),
        "one": (lambda: make.moves(1), advance),
        "some": (lambda: make.moves(SOME), advance),
        "column": (
            make.column,
            lambda poses: renderer.render(make.view(state={"poses": poses})),
        ),
        "colours": (make.colours, advance),
        "positions": (  # after all have become other components
            lambda: make.column()[1][:, :3, 3],
            lambda places: renderer.render(make.view(state={"poses": (KEYS, places)})),
        ),
        "edit": (make.edit, renderer.render),
        "added": (lambda: None, come_and_go),
    }


MEANING = {
    "plain": "as it is",
    "one": "one sphere moved by an `Update`",
    "some": f"{SOME} moved by `Update`s",
    "column": "all moved by a column of state, (K, 4, 4)",
    "colours": "all in another colour by `Update`s",
    "positions": "all moved by a column of state, (K, 3), after that",
    "edit": "all in another colour by `EditMaterials`",
    "added": "one added, drawn, removed, drawn: half of it",
}


def main() -> None:
    """Print a Markdown table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    rng = np.random.default_rng(0)
    balls = [
        hg.Sphere(key=key, args=[RADIUS], position=place, material={"color": "red"})
        for key, place in zip(KEYS, rng.uniform(-1, 1, (COUNT, 3)), strict=True)
    ]
    light = hg.DirectionalLight(position=[1, 1, 2])
    made: dict[str, list[float]] = {name: [] for name in MEANING}
    spent: dict[str, list[float]] = {name: [] for name in MEANING}
    with hg.open(hg.Scene(*balls, light), size=SIZE) as renderer:
        todo = ways(renderer)
        for _ in range(rounds):
            for name, (prepare, act) in todo.items():
                begun = time.perf_counter()
                change = prepare()
                start = time.perf_counter()
                act(change)
                spent[name].append(time.perf_counter() - start)
                made[name].append(start - begun)
    values = {name: 1e3 * statistics.median(times[3:]) for name, times in made.items()}
    took = {name: 1e3 * statistics.median(times[3:]) for name, times in spent.items()}
    took["added"] /= 2
    print(f"{Path(__file__).name}: {COUNT} spheres, {SIZE[0]} x {SIZE[1]}, four passes\n")
    print("| what changed | ms | over a plain view | aim | its values, ms |\n|---|---|---|---|---|")
    for name, ms in took.items():
        aim = f"+{AIMS[name]} %" if name in AIMS else ""
        over = f"{ms / took['plain'] - 1:+.0%}"
        print(f"| {MEANING[name]} | {ms:.2f} | {over} | {aim} | {values[name]:.2f} |")


if __name__ == "__main__":
    main()
