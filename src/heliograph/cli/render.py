"""`heliograph render`: pictures of random or given states, as files and a contact sheet."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from heliograph.camera import MAX_SIZE
from heliograph.delivery.call import LocalRenderer
from heliograph.delivery.call import open as open_scene
from heliograph.errors import InvalidValueError, RecordError
from heliograph.files import save_sample, write_atomically
from heliograph.frame import PASSES, Sample
from heliograph.picture import contact_sheet
from heliograph.view import View

_ON_SHEET = 8


@dataclass
class Render:
    """Render a scene into lossless files and a contact sheet.

    Attributes:
        model: a file, or package:path/inside/it.
        camera: cameras by name; all of the scene's first one without it.
        size: width x height in pixels.
        passes: which images each camera yields.
        count: how many random states (the scene's own state without --count and --qpos).
        seed: seed of the random states.
        qpos: file of joint states, (N, nq) or (nq,), .npy or text.
        out: folder for the files.
        overwrite: replace what is in --out.
        engine: which engine; the file decides without it.
        style: draw with MuJoCo's own renderer ("classic") or ours.
        msaa: samples per pixel for rgb.
        shadows: whether lights that cast shadows do.
        lod: simplify surfaces where that cannot be seen.
    """

    model: Annotated[str, tyro.conf.Positional]
    camera: tuple[str, ...] = ()
    size: str = "320x240"
    passes: tuple[str, ...] = ("rgb", "depth", "segmentation", "normals")
    count: int | None = None
    seed: int = 0
    qpos: Path | None = None
    out: Path = Path("out")
    overwrite: bool = False
    engine: str | None = None
    style: Literal["raster", "classic"] = "raster"
    msaa: Literal[0, 4] = 0
    shadows: bool = True
    lod: Literal["auto", "off"] = "auto"


def render(order: tyro.conf.OmitArgPrefixes[Render]) -> int:
    """Render a scene into lossless files and a contact sheet."""
    size = parse_size(order.size)
    if order.count is not None and order.count < 1:
        raise InvalidValueError(f"--count: expected 1 or more, got {order.count}")
    if order.out.exists() and any(order.out.iterdir()) and not order.overwrite:
        raise RecordError(f"{order.out}: is not empty; give another --out, or --overwrite")
    with open_scene(order.model, size=size, engine=order.engine, **_options(order)) as renderer:
        _write_all(order, renderer)
    print(f"{order.out / 'contact_sheet.png'}")
    return 0


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of a text like 320x240.

    Raises:
        InvalidValueError: not such a text, zero, or beyond the limit.
    """
    width, cross, height = text.partition("x")
    if not (cross and width.isascii() and height.isascii() and width.isdigit() and height.isdigit()):
        raise InvalidValueError(f"--size: expected WIDTHxHEIGHT like 320x240, got {text!r}")
    size = int(width), int(height)
    if not all(1 <= side <= MAX_SIZE for side in size):
        raise InvalidValueError(f"--size: expected sides from 1 to {MAX_SIZE} pixels, got {text}")
    return size


def _options(order: Render) -> dict[str, Any]:
    if order.style == "classic":
        return {"style": "classic", "shadows": order.shadows, "msaa": order.msaa}
    return {"msaa": order.msaa, "shadows": order.shadows, "lod": order.lod}


def _write_all(order: Render, renderer: LocalRenderer) -> None:
    """Everything goes to a folder beside --out, which takes its place when it is complete."""
    from tqdm import tqdm

    parent = order.out.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{order.out.name}.", dir=parent))
    except OSError as error:
        raise RecordError(f"{order.out}: cannot be made ({error.strerror})") from None
    shown: list[Sample] = []
    try:
        states = list(_states(order, renderer))
        for view in tqdm(states, desc="render", unit="sample", dynamic_ncols=True):
            sample = renderer.render(view)
            save_sample(sample, work, f"{view.index:06d}")
            shown = [*shown, sample][:_ON_SHEET]
        sheet = contact_sheet(shown)
        write_atomically(work / "contact_sheet.png", lambda stream: sheet.save(stream, "PNG"))
        work.chmod(0o755)
        if order.out.exists():
            shutil.rmtree(order.out)
        work.replace(order.out)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _states(order: Render, renderer: LocalRenderer) -> Iterator[View]:
    cameras = order.camera or (next(iter(renderer.cameras)),)
    passes = [name for name in PASSES if name in order.passes]
    passes += [name for name in order.passes if name not in PASSES]
    given = None if order.qpos is None else read_states(order.qpos)
    total = len(given) if given is not None else order.count or 1
    for index in range(total):
        state: dict[str, Any] = {}
        if given is not None:
            state = {"qpos": given[index]}
        elif order.count is not None:
            state = _random_state(renderer, order.seed, index)
        yield View(cameras, tuple(passes), state, seed=order.seed, index=index)


def _random_state(renderer: LocalRenderer, seed: int, index: int) -> dict[str, Any]:
    draw = getattr(renderer.engine, "random_state", None)
    if draw is None:
        raise InvalidValueError("--count: this engine has no random states; leave it out")
    state: dict[str, Any] = draw(np.random.default_rng([seed, index]))
    return state


def read_states(path: Path) -> np.ndarray[Any, Any]:
    """Joint states (N, nq) from .npy, or from text with one state a line.

    Raises:
        InvalidValueError: no such file, or not numbers in rows of equal length.
    """
    if not path.is_file():
        raise InvalidValueError(f"--qpos: {path}: no such file")
    try:
        if path.suffix == ".npy":
            rows = np.load(path, allow_pickle=False)
        else:
            delimiter = "," if path.suffix == ".csv" else None
            rows = np.loadtxt(path, delimiter=delimiter, ndmin=2)
    except (ValueError, OSError, EOFError) as error:
        raise InvalidValueError(f"--qpos: {path}: not an array of numbers ({error})") from None
    rows = np.atleast_2d(rows)
    if rows.ndim != 2 or not len(rows):
        raise InvalidValueError(f"--qpos: {path}: expected (N, nq) or (nq,), got {rows.shape}")
    return rows
