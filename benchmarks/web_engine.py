"""Pictures per second from three.js in a headless browser, one request at a time.

A light scene (six shapes, three lights), the camera moved before each request. Ways take turns of
ten requests, so that a busy machine slows all of them; medians. "first picture" is from `open` to
the first picture, with the start of the browser.

    python benchmarks/web_engine.py [rounds]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import heliograph as hg

SIZES = ((320, 240), (640, 480))
ALL = ("rgb", "depth", "normals", "segmentation")
AIMS = {
    ("socket", SIZES[0], 1): 150,
    ("socket", SIZES[0], 4): 70,
    ("file", SIZES[0], 4): 110,
    ("no browser", SIZES[0], 4): 300,
}
"""Least pictures per second by way, size and number of passes."""
TURN = 10
MOST_FOR_FOUR, MOST_FIRST = 3.0, 3.0


def scene() -> hg.Scene:
    """Six shapes and three lights."""
    return hg.Scene(
        hg.Plane(key="floor", args=[8, 8], color="#888888"),
        hg.Box(key="box", args=[1, 0.6, 0.8], position=[-1.2, 0, 0.4], color="#cc4433"),
        hg.Sphere(key="ball", args=[0.5], position=[0.2, 0.3, 0.5], color="#3366dd"),
        hg.Cylinder(key="can", args=[0.3, 0.4, 0.9], position=[1.3, 0.2, 0.5], color="#44aa55"),
        hg.Torus(key="ring", args=[0.4, 0.12], position=[0.4, -1.2, 0.3], color="gold"),
        hg.Cone(key="cone", args=[0.4, 0.8], position=[-0.6, -1.3, 0.4], color="orange"),
        hg.AmbientLight(key="all", intensity=0.4),
        hg.DirectionalLight(key="sun", position=[2, -1, 4], intensity=2),
        hg.PointLight(key="lamp", position=[-2, -2, 2], intensity=6),
        background="#203040",
    )


def moving(size: tuple[int, int], count: int = 1) -> Iterator[list[hg.Camera]]:
    """Cameras that differ from the ones before."""
    step = 0
    while True:
        step += 1
        yield [
            hg.Camera.look_at(
                eye=(0.6 + 0.001 * step + each, -4.5, 2.6),
                target=(0, 0, 0.4),
                fov_y=0.87,
                width=size[0],
                height=size[1],
                name=f"camera{each}",
            )
            for each in range(count)
        ]


def opened(way: str) -> tuple[hg.Renderer, float]:
    """A renderer after its first picture, and the seconds that took."""
    begun = time.perf_counter()
    if way == "no browser":
        renderer = hg.open(scene())
    else:
        renderer = hg.open(scene(), engine="web", engine_options={"transport": way})
    renderer.render(hg.View(passes=ALL))
    return renderer, time.perf_counter() - begun


def main() -> None:
    """Print Markdown tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    renderers, first = {}, {}
    for way in ("socket", "file", "no browser"):
        renderers[way], first[way] = opened(way)
    todo = [
        (way, size, passes) for way in renderers for size in SIZES for passes in (("rgb",), ALL)
    ]
    cameras = {size: moving(size) for size in SIZES}
    spent: dict[tuple[str, tuple[int, int], int], list[float]] = {}
    several: dict[int, list[float]] = {1: [], 4: []}
    for _ in range(rounds):
        for way, size, passes in todo:
            times = _turn(renderers[way], cameras[size], passes)
            spent.setdefault((way, size, len(passes)), []).extend(times)
        for count, times in several.items():
            times += _turn(renderers["file"], moving(SIZES[0], count), ALL)
    print(f"{Path(__file__).name}: {renderers['file'].provenance.device}\n")
    print("| way | size | passes | pictures/s | at least |\n|---|---|---|---|---|")
    for key, times in spent.items():
        way, (width, height), count = key
        rate = 1 / statistics.median(times)
        print(f"| {way} | {width}x{height} | {count} | {rate:.0f} | {AIMS.get(key, '')} |")
    ratio = statistics.median(several[4]) / statistics.median(several[1])
    print(f"\nfour cameras in one request: {ratio:.2f} times one (at most {MOST_FOR_FOUR:g})")
    for way, seconds in first.items():
        print(f"first picture, {way}: {seconds:.2f} s (at most {MOST_FIRST:g})")
    for renderer in renderers.values():
        renderer.close()


def _turn(
    renderer: hg.Renderer, cameras: Iterator[list[hg.Camera]], passes: tuple[str, ...]
) -> list[float]:
    """Seconds of requests one after the other; the first is not counted."""
    times = []
    for _ in range(TURN + 1):
        view = hg.View(next(cameras), passes)
        begun = time.perf_counter()
        renderer.render(view)
        times.append(time.perf_counter() - begun)
    return times[1:]


if __name__ == "__main__":
    main()
