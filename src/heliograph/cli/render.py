"""`heliograph render`: pictures of random or given states, as files and a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import tyro

from heliograph.checks import check_integer
from heliograph.cli.folder import (
    ON_SHEET,
    SHEET,
    check_free,
    save_sample,
    save_sheet,
    whole_folder,
)
from heliograph.cli.states import (
    Drawing,
    chosen_passes,
    engine_options,
    parse_size,
    recipes,
    split_names,
)
from heliograph.cli.streams import Progress, say
from heliograph.delivery.call import LocalRenderer
from heliograph.delivery.call import open as open_scene
from heliograph.delivery.views import Views
from heliograph.engines.registry import engine_of, rasterizes, resolve_source
from heliograph.errors import InvalidValueError
from heliograph.frame import Sample
from heliograph.live.trajectories import Trajectory
from heliograph.requires import Requires
from heliograph.view import View

_Numbered: TypeAlias = tuple[int, View]
"""The number in the names of a view's files, and the view."""


@dataclass(frozen=True)
class Render(Drawing):
    """Render a scene into lossless files and a contact sheet.

    Attributes:
        model: a file, or package:path/inside/it.
        camera: cameras by name; the scene's first one without it.
        size: WIDTHxHEIGHT in pixels of cameras that the model gives no resolution.
        passes: which images each camera yields; those every engine has without it.
        count: how many random states (the scene's own state without --count, --index and --qpos).
        index: the first sample shown of the run that `heliograph generate` makes of the seed.
        seed: seed of the run; sample i depends on the seed and i alone.
        randomize: file of randomizers (.json or .yaml): what the seed and each index draw.
        random_states: whether samples of the run have random states, as `heliograph generate` says.
        qpos: file of joint states, (N, nq) or (nq,), .npy, .csv or text.
        trajectory: file (.npz or .json) that the viewer's record button wrote: its cameras, states
            and passes, one after the other.
        out: folder for the files.
        overwrite: replace --out if an earlier run wrote it.
        engine: which engine; the file decides without it.
        style: "classic" draws with MuJoCo's own renderer.
        msaa: samples per pixel for rgb and alpha: 4 without it, but 0 with --index, so that the
            sample has the pixels that `heliograph generate` gives it.
        shadows: whether lights that cast shadows do.
        lod: "auto" simplifies surfaces where that cannot be seen.
        lighting: where light is computed; "auto" is as the engine's own renderer does it.
        option: options of the engine alone as NAME=VALUE, such as style=cycles samples=64.
    """

    model: Annotated[str, tyro.conf.Positional]
    camera: Annotated[tuple[str, ...], tyro.conf.arg(aliases=["--cameras"])] = ()
    size: str = "320x240"
    passes: tuple[str, ...] = ()
    count: int | None = None
    index: int | None = None
    seed: int = 0
    randomize: Path | None = None
    random_states: bool = True
    qpos: Path | None = None
    trajectory: Path | None = None
    out: Path = Path("heliograph-out")
    overwrite: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    engine: str | None = None
    style: Literal["classic"] | None = None
    msaa: Literal[0, 4] | None = None
    shadows: bool = True
    lod: Literal["auto", "off"] = "auto"
    lighting: Literal["auto", "vertex", "pixel"] = "auto"
    option: Annotated[tuple[str, ...], tyro.conf.arg(aliases=["--options"])] = ()


def render(order: tyro.conf.OmitArgPrefixes[Render]) -> int:
    """Render a scene into lossless files and a contact sheet."""
    size = parse_size(order.size)
    check_integer("--seed", order.seed)
    for name, least in (("count", 1), ("index", 0)):
        if (value := getattr(order, name)) is not None:
            check_integer(f"--{name}", value, least)
    check_free(order.out, overwrite=order.overwrite)
    with open_scene(order.model, size=size, engine=order.engine, **_options(order)) as renderer:
        total, views = _views(order, renderer)
        with whole_folder(order.out) as folder:
            _fill(folder, renderer, total, views)
    say(str(order.out / SHEET))
    return 0


def _options(order: Render) -> dict[str, Any]:
    """Only the options that are not the engine's own choice, so that engines without them open."""
    given = {
        "style": order.style,
        "msaa": _msaa(order) or None,
        "shadows": None if order.shadows else False,
        "lod": None if order.lod == "auto" else order.lod,
        "lighting": None if order.lighting == "auto" else order.lighting,
        "randomize": order.randomize,
        "engine_options": engine_options(order.option) or None,
        **order.drawing(),
    }
    return {name: value for name, value in given.items() if value is not None}


def _msaa(order: Render) -> int:
    if order.msaa is not None:
        return order.msaa
    name = order.engine or engine_of(resolve_source(order.model))
    return 4 if order.index is None and rasterizes(name) else 0


def _views(order: Render, renderer: LocalRenderer) -> tuple[int, Iterator[_Numbered]]:
    """How many views there are, and what yields them: samples of the run of the seed."""
    if order.trajectory is not None:
        return _replayed(order, order.trajectory, renderer)
    cameras = split_names(order.camera)
    passes = chosen_passes(order.passes, renderer)
    Views(cameras, passes).check(renderer)
    indices, recipe = recipes(
        renderer,
        qpos=order.qpos,
        index=order.index,
        count=order.count,
        random=order.random_states,
    )
    views = (
        (index, Views(cameras, passes, recipe(index)).order(order.seed, index).view)
        for index in indices
    )
    return len(indices), views


def _replayed(
    order: Render, path: Path, renderer: LocalRenderer
) -> tuple[int, Iterator[_Numbered]]:
    """The views of a trajectory, numbered on: the frames of a film."""
    given = {
        "--camera": order.camera,
        "--count": order.count,
        "--index": order.index,
        "--qpos": order.qpos,
    }
    if others := [name for name, value in given.items() if value not in (None, ())]:
        raise InvalidValueError(
            f"--trajectory: holds cameras, states and indices; leave out {', '.join(others)}"
        )
    trajectory = Trajectory.load(path)
    passes = chosen_passes(order.passes or trajectory.pass_names, renderer)
    return len(trajectory), enumerate(trajectory.views(passes))


def _fill(folder: Path, renderer: LocalRenderer, total: int, views: Iterator[_Numbered]) -> None:
    with Requires("tqdm"):
        from tqdm import tqdm

    shown: list[Sample] = []
    for number, view in tqdm(
        views, "render", total, leave=False, disable=None, unit="sample", file=Progress()
    ):
        sample = renderer.render(view)
        save_sample(sample, folder, f"{number:06d}")
        shown = [*shown, sample][:ON_SHEET]
    save_sheet(shown, folder)
