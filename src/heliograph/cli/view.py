"""`heliograph view`: a scene or a recording in a page of the browser."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from heliograph.checks import check_integer
from heliograph.cli.states import Drawing, parse_size
from heliograph.cli.streams import say

_PORTS = 65535


@dataclass(frozen=True)
class View(Drawing):
    """Look at a scene or a recording in the browser.

    Attributes:
        source: a scene: a file, package:path/inside/it, or a Python file that defines `scene` or
            `renderer`; or the folder of a recording.
        open: open the page in the default browser.
        port: to serve at; 0 takes a free one.
        host: address to serve at; others than this machine can reach one that is not loopback.
        origins: further addresses that the page is reached by, such as https://robots.example.org
            behind a reverse proxy that ends TLS and passes Host on.
        engine: which engine; the file decides without it.
        size: WIDTHxHEIGHT in pixels of cameras that the scene gives no resolution.
        workers: processes that draw; 0 draws in this one.
        randomize: file of randomizers (.json or .yaml); the page's seed and index draw from it.
        seed: seed of the run that the page begins with.
        msaa: samples per pixel for rgb and alpha: 4 without it.
        out: folder for trajectories that the page's record button writes.
    """

    source: Annotated[str, tyro.conf.Positional]
    open: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    port: int = 0
    host: str = "127.0.0.1"
    origins: tuple[str, ...] = ()
    engine: str | None = None
    size: str = "640x480"
    workers: int = 0
    randomize: Path | None = None
    seed: int = 0
    msaa: Literal[0, 4] | None = None
    out: Path = Path()


def view(order: tyro.conf.OmitArgPrefixes[View]) -> int:
    """Look at a scene or a recording in the browser."""
    from heliograph.live.viewer.viewer import view as open_viewer  # only this command serves

    check_integer("--port", order.port, 0, _PORTS)
    check_integer("--seed", order.seed)
    check_integer("--workers", order.workers)
    options: dict[str, Any] = order.drawing()
    given = {"msaa": order.msaa, "randomize": order.randomize}
    options |= {name: value for name, value in given.items() if value is not None}
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended as by Ctrl-C: nothing is left
    with open_viewer(
        order.source,
        host=order.host,
        port=order.port,
        origins=order.origins,
        open_browser=order.open,
        out=order.out,
        size=parse_size(order.size),
        engine=order.engine,
        workers=order.workers,
        seed=order.seed,
        **options,
    ) as viewer:
        say(viewer.url)
        viewer.wait()
    return 0
