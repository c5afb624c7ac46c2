"""`heliograph serve`: a scene for programs on other machines."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Annotated

import tyro

from heliograph.checks import check_integer
from heliograph.cli.states import Drawing, engine_options, parse_size
from heliograph.cli.streams import say
from heliograph.delivery.call import open as open_scene

_PORTS = 65535


@dataclass(frozen=True)
class Serve(Drawing):
    """Render a scene for programs on other machines, which call heliograph.connect.

    Attributes:
        scene: a file, or package:path/inside/it.
        engine: which engine; the file decides without it.
        workers: processes that draw; 0 draws in this one.
        size: WIDTHxHEIGHT in pixels of cameras that the scene gives no resolution.
        seed: seed of the run.
        host: address to serve at; others than this machine can reach one that is not loopback.
        port: to serve at; 0 takes a free one. Without it 7007, or the next one that is free.
        token: what clients must bring, 16 characters or more; one is made up without it. Other
            users of this machine can read it here: HELIOGRAPH_TOKEN in the environment hides it.
        insecure: no token at all, on loopback alone.
        allow_files: let edits of clients name files of this machine.
        origins: further addresses that it is reached by, such as https://robots.example.org
            behind a reverse proxy that ends TLS and passes Host on.
        option: options of the engine alone as NAME=VALUE, such as frame=nerfstudio; values as in
            JSON.
    """

    scene: Annotated[str, tyro.conf.Positional]
    engine: str | None = None
    workers: int = 0
    size: str = "640x480"
    seed: int = 0
    host: str = "127.0.0.1"
    port: int | None = None
    token: str | None = None
    insecure: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    allow_files: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    origins: tuple[str, ...] = ()
    option: Annotated[tuple[str, ...], tyro.conf.arg(aliases=["--options"])] = ()


def serve(order: tyro.conf.OmitArgPrefixes[Serve]) -> int:
    """Render a scene for programs on other machines."""
    from heliograph.serve.server import PORT, PORTS_TRIED, RenderServer  # only this command serves

    check_integer("--workers", order.workers)
    check_integer("--seed", order.seed)
    ports: int | range = range(PORT, PORT + PORTS_TRIED)
    if order.port is not None:
        ports = check_integer("--port", order.port, 0, _PORTS)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the server takes it over
    with open_scene(
        order.scene,
        size=parse_size(order.size),
        engine=order.engine,
        workers=order.workers,
        seed=order.seed,
        engine_options=engine_options(order.option),
        **order.drawing(),
    ) as renderer:
        server = RenderServer(
            renderer,
            host=order.host,
            port=ports,
            token=order.token or os.environ.get("HELIOGRAPH_TOKEN") or None,
            insecure=order.insecure,
            allow_files=order.allow_files,
            origins=order.origins,
            scene=order.scene,
        )
        server.run(say)
    return 0
