"""`heliograph splat`: a scene as a file of gaussian splats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from heliograph.cli.states import Drawing, parse_size, split_names
from heliograph.cli.streams import say
from heliograph.delivery.call import open as open_scene
from heliograph.errors import InvalidValueError


def splat(
    model: Annotated[str, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    camera: Annotated[tuple[str, ...], tyro.conf.arg(aliases=["--cameras"])] = (),
    size: str = "640x480",
    spacing: float | None = None,
    engine: str | None = None,
    drawing: tyro.conf.OmitArgPrefixes[Drawing] = Drawing(),  # noqa: B008 -- it is frozen
) -> int:
    """Turn a scene into gaussian splats: discs on the surfaces that cameras see.

    Args:
        model: a file, or package:path/inside/it.
        out: the .ply file to write; one that is there is replaced.
        camera: cameras by name; without it the scene's own and some all around it.
        size: WIDTHxHEIGHT in pixels of the pictures that colours are taken from.
        spacing: metres between two discs; without it as many discs as 100,000.
        engine: which engine; the file decides without it.
        drawing: how to draw.
    """
    from heliograph.engines.splat.from_scene import splat_scene  # only this command draws
    from heliograph.splats.files import write_ply

    if out.suffix.lower() != ".ply":
        raise InvalidValueError(f"{out}: splats are written as .ply; give such a file")
    pixels = parse_size(size)
    with open_scene(model, size=pixels, engine=engine, **drawing.drawing()) as renderer:
        names = split_names(camera) or None
        made = splat_scene(renderer, names, size=pixels, spacing=spacing)
    write_ply(out, made)
    say(f"{out}: {len(made)} splats")
    return 0
