"""`heliograph fly`: a window to fly through a scene in, drawn here or on another machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

import heliograph
from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.cli.states import Drawing, engine_options, parse_size
from heliograph.delivery.call import open as open_scene
from heliograph.delivery.progressive import RenderQueue
from heliograph.engine import Renderer
from heliograph.engines.registry import engine_of, rasterizes, resolve_source
from heliograph.errors import UnknownNameError
from heliograph.fly.flight import Flight
from heliograph.fly.images import OpenQueue, offered_passes, start_speed

_SCHEMES = ("http://", "https://", "ws://", "wss://")
_TOKEN = "HELIOGRAPH_TOKEN"
_UP = {"z": (0.0, 0.0, 1.0), "y": (0.0, 1.0, 0.0), "-y": (0.0, -1.0, 0.0), "x": (1.0, 0.0, 0.0)}


@dataclass(frozen=True)
class Fly(Drawing):
    """Fly through a scene in a window; F1 tells the keys.

    Attributes:
        source: a scene: a file, or package:path/inside/it; or the address that `heliograph serve`
            printed, such as ws://robots.example.org:7007.
        token: of an address that has none; the environment's HELIOGRAPH_TOKEN without it.
        camera: where it begins: a camera by name. Without it the one that frames everything, or a
            NeRF's first.
        size: WIDTHxHEIGHT in pixels of the window.
        speed: metres a second; a third of the way to what is in sight without it.
        up: which way is up.
        latency: seconds in which the first, coarse picture of a move should be there.
        out: folder for the PNG files that P saves.
        engine: which engine; the file decides without it.
        option: further options of the engine, such as device=cuda or frame=nerfstudio of a NeRF.
        workers: processes that draw; 0 draws in this one.
        msaa: samples per pixel for rgb and alpha: 4 without it.
    """

    source: Annotated[str, tyro.conf.Positional]
    token: str | None = None
    camera: str | None = None
    size: str = "960x540"
    speed: float | None = None
    up: Literal["z", "y", "-y", "x"] = "z"
    latency: float = 0.1
    out: Path = Path()
    engine: str | None = None
    option: tuple[str, ...] = ()
    workers: int = 0
    msaa: Literal[0, 4] | None = None


def fly(order: tyro.conf.OmitArgPrefixes[Fly]) -> int:
    """Fly through a scene in a window."""
    from heliograph.fly.window import Window  # only this command needs pygame

    check_integer("--workers", order.workers)
    with _opened(order) as (renderer, open_queue):
        start = _start(renderer, order.camera)
        speed = start_speed(renderer, start) if order.speed is None else order.speed
        flight = Flight(start, speed, _UP[order.up])
        flight.resize(*parse_size(order.size))
        passes = offered_passes(renderer.passes)
        title = f"{Path(renderer.scene.source).name} - heliograph"
        with Window(flight, open_queue, passes, out=order.out, title=title) as window:
            window.run()
    return 0


@contextmanager
def _opened(order: Fly) -> Iterator[tuple[Renderer, OpenQueue]]:
    """A renderer, and what opens queues over it."""
    if order.source.startswith(_SCHEMES):
        elsewhere = None if "token=" in order.source else os.environ.get(_TOKEN)
        with heliograph.connect(order.source, order.token or elsewhere) as remote:
            yield remote, lambda shown: remote.queue(passes=(shown,), latency=order.latency)
        return
    with open_scene(
        order.source,
        size=parse_size(order.size),
        engine=order.engine,
        workers=order.workers,
        engine_options=engine_options(order.option),
        **_options(order),
    ) as renderer:
        yield (
            renderer,
            lambda shown: RenderQueue(renderer, passes=(shown,), latency=order.latency),
        )


def _options(order: Fly) -> dict[str, Any]:
    """Of `heliograph.open`; smooth edges on engines that rasterize, as everywhere for people."""
    options = order.drawing()
    msaa = order.msaa
    if msaa is None and rasterizes(order.engine or engine_of(resolve_source(order.source))):
        msaa = 4
    return options if msaa is None else {**options, "msaa": msaa}


def _start(renderer: Renderer, name: str | None) -> Camera:
    cameras = renderer.cameras
    if name is None:
        first = next(iter(cameras.values()))  # a NeRF knows little of what no picture was taken of
        return first if renderer.provenance.engine == "nerf" else cameras.get("fit", first)
    if name not in cameras:
        raise UnknownNameError.of("camera", name, cameras)
    return cameras[name]
