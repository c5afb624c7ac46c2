"""`heliograph generate`: a recording of a run, on as many workers as wanted, resumable."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from tqdm import tqdm

from heliograph.checks import check_integer
from heliograph.cli.folder import ON_SHEET, SHEET, is_there, save_sheet
from heliograph.cli.states import (
    Drawing,
    chosen_passes,
    engine_options,
    parse_size,
    split_names,
)
from heliograph.cli.streams import Progress, say, tell
from heliograph.delivery.call import open as open_scene
from heliograph.delivery.dataset import Dataset
from heliograph.delivery.views import random_states
from heliograph.errors import HeliographError, RecordError
from heliograph.randomize import stream
from heliograph.record import Recording, record
from heliograph.record.manifest import MANIFEST
from heliograph.source import Outcome

_SOME_FAILED = 1
_PAUSE = 10.0
"""Seconds between two lines of progress where nobody watches them grow."""


@dataclass(frozen=True)
class Generate(Drawing):
    """Render a run of samples into a recording: tar shards that replay as a dataset.

    Attributes:
        model: a file, or package:path/inside/it.
        count: how many samples; sample i depends on the seed and i alone.
        seed: seed of the run.
        workers: processes that draw; 0 draws in this one.
        cameras: cameras by name; the scene's first one without it.
        passes: which images each camera yields; those every engine has without it.
        size: WIDTHxHEIGHT in pixels of cameras that the model gives no resolution.
        randomize: file of randomizers (.json or .yaml).
        random_states: draw a random state for every sample, where the engine can.
        shard_size: samples in one tar file.
        resume: go on where an earlier call with the same arguments stopped.
        retry_failed: go on likewise, and draw again the samples that failed.
        out: folder for the recording.
        engine: which engine; the file decides without it.
        option: options of the engine alone as NAME=VALUE, such as style=cycles samples=64.
    """

    model: Annotated[str, tyro.conf.Positional]
    count: int
    seed: int = 0
    workers: int = 0
    cameras: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    size: str = "320x240"
    randomize: Path | None = None
    random_states: bool = True
    shard_size: int = 1000
    resume: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    retry_failed: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    out: Path = Path("heliograph-recording")
    engine: str | None = None
    option: Annotated[tuple[str, ...], tyro.conf.arg(aliases=["--options"])] = ()


def generate(order: tyro.conf.OmitArgPrefixes[Generate]) -> int:
    """Render a run of samples into a recording: tar shards that replay as a dataset."""
    for name, least in (("count", 1), ("seed", 0), ("workers", 0), ("shard_size", 1)):
        check_integer(f"--{name.replace('_', '-')}", getattr(order, name), least)
    if is_there(order.out / MANIFEST) and not (order.resume or order.retry_failed):
        raise RecordError(
            f"--out: {order.out}: holds a recording; --resume goes on with it, or give another "
            "folder"
        )
    try:
        return _report(order, _recorded(order))
    except KeyboardInterrupt:
        tell(f"stopped; the same command with --resume goes on: {order.out}")
        raise


def _recorded(order: Generate) -> Recording:
    with ExitStack() as opened:
        renderer = opened.enter_context(open_scene(order.model, **_options(order)))
        dataset = Dataset(
            renderer,
            order.count,
            cameras=split_names(order.cameras),
            passes=chosen_passes(order.passes, renderer),
            state=random_states(renderer) if order.random_states else None,
        )
        source = opened.enter_context(_Watched(dataset, order))
        return record(
            source,
            order.out,
            shard_size=order.shard_size,
            resume=order.resume,
            retry_failed=order.retry_failed,
            on_error=source.failed,
        )


class _Watched:
    """The dataset with a progress bar, and with what the command line adds to its description."""

    def __init__(self, dataset: Dataset, order: Generate) -> None:
        self._dataset, self._order = dataset, order
        self._bar: tqdm[Any] | None = None

    def __len__(self) -> int:
        return len(self._dataset)

    def outcomes(self, positions: Iterable[int]) -> Iterator[Outcome]:
        total, told = len(self), Progress()
        done = total - operator.length_hint(positions, total)
        pause = 0.1 if told.isatty() else _PAUSE
        self._bar = tqdm(
            None, "generate", total, initial=done, mininterval=pause, unit="sample", file=told
        )
        for outcome in self._dataset.outcomes(positions):
            yield outcome
            self._bar.update()

    def failed(self, error: HeliographError) -> None:
        tqdm.write(f"failed: {error}", file=Progress())

    def describe(self) -> Mapping[str, Any]:
        return {**self._dataset.describe(), "size": self._order.size, "engine": self._order.engine}

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def _options(order: Generate) -> dict[str, Any]:
    """Of `heliograph.open`; whoever draws a view also draws what is random in it."""
    return {
        "size": parse_size(order.size),
        "engine": order.engine,
        "workers": order.workers,
        "seed": order.seed,
        "randomize": order.randomize,
        "engine_options": engine_options(order.option) or None,
        **order.drawing(),
    }


def _report(order: Generate, recording: Recording) -> int:
    if len(recording):  # the same samples for the same run
        rng = stream(order.seed, 0, "/contact sheet")
        chosen = rng.choice(len(recording), min(ON_SHEET, len(recording)), replace=False)
        save_sheet([recording[position] for position in sorted(chosen.tolist())], order.out)
        say(str(order.out / SHEET))
    total = len(recording) + len(recording.failed)
    say(f"{order.out}: {len(recording)} of {total} samples, {len(recording.failed)} failed")
    if not recording.failed:
        return 0
    tell(f"the same command with --retry-failed draws those that failed again: {order.out}")
    return _SOME_FAILED
