"""Samples one after another, and batches of them as stacked arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeAlias, Unpack

import numpy as np

from heliograph import array_pool
from heliograph.checks import check_integer
from heliograph.delivery.dataset import Dataset, RunOptions
from heliograph.engine import Renderer
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.frame import Array, Sample
from heliograph.source import OnError, samples_of

Tree: TypeAlias = dict[str, Any]
"""Nested dicts with arrays and integers at their ends."""

NO_SEED = -1
EXTRAS = ("labels", "randomization", "annotations")
"""What a sample holds besides that no two samples need have alike, so that it does not stack."""


def samples(
    renderer: Renderer,
    *,
    count: int,
    on_error: OnError | None = None,
    **options: Unpack[RunOptions],
) -> Iterator[Sample]:
    """Samples of a run, in order; each depends on (seed, index) alone.

    Args:
        renderer: who draws; a pool is kept busy, with a bounded number of samples in flight.
        count: how many.
        on_error: told of each sample that failed, which is then left out; without it the first
            error is raised.
        **options: `seed`, `start`, `window` and `together`, as for `Dataset`; `cameras`, `passes`,
            `state` and `randomize`, as in `Views`.

    Raises:
        HeliographError: at once for wrong arguments, later for a sample that failed.
    """
    return samples_of(Dataset(renderer, count, **options).outcomes(range(count)), on_error)


def batches(
    source: Iterable[Sample], size: int, *, drop_last: bool = False, extras: Sequence[str] = ()
) -> Iterator[Tree]:
    """Stacks samples into batches, laid out as `as_arrays` says with one more axis in front.

    Args:
        source: samples, a `Dataset` or a `Recording`; all must have the same cameras and sizes.
        size: samples in a batch; every batch has arrays of its own.
        drop_last: leave out a last batch that is not full.
        extras: of `labels`, `randomization` and `annotations` those that batches hold as well, as
            a list with an entry for each sample.

    Raises:
        InvalidValueError: a sample that differs from the first of its batch in a shape or name.
        UnknownNameError: no such extra.
    """
    check_integer("size", size, least=1)
    return _batches(iter(source), size, check_extras(extras), drop_last=drop_last)


def check_extras(names: Sequence[str]) -> tuple[str, ...]:
    """The names of extras.

    Raises:
        UnknownNameError: one that is not in `EXTRAS`.
    """
    for name in names:
        if name not in EXTRAS:
            raise UnknownNameError.of("extra", name, EXTRAS)
    return tuple(names)


def as_arrays(sample: Sample) -> Tree:
    """A sample as nested dicts, which every sample of a run has alike.

    `index` and `seed` (-1 without one), `frames` (by camera: every pass, `K` (3, 3) and
    `world_from_camera` (4, 4), float64, of the camera as it was used), and `state` by its keys.
    Pixels are not copied.
    """
    return {
        "index": int(sample.index),
        "seed": NO_SEED if sample.seed is None else int(sample.seed),
        "frames": {
            name: {
                **frame.passes,
                "K": frame.camera.K,
                "world_from_camera": frame.camera.world_from_camera,
            }
            for name, frame in sample.frames.items()
        },
        "state": dict(sample.state),
    }


def side_by_side(rows: Sequence[Any]) -> Array | None:
    """The rows as one array (N, ...) over their memory, where they are arrays in a row."""
    first = rows[0]
    base = getattr(first, "base", None)
    if not isinstance(base, np.ndarray) or not base.flags.c_contiguous:
        return None
    start, step = _address(first), first.nbytes
    for place, row in enumerate(rows):
        if not isinstance(row, np.ndarray) or row.base is not base or row.shape != first.shape:
            return None
        if _address(row) != start + place * step or row.dtype != first.dtype:
            return None
        if not row.flags.c_contiguous:
            return None
    whole: Array = np.ndarray((len(rows), *first.shape), first.dtype, base, start - _address(base))
    return whole


def stack(rows: Sequence[Any], path: str) -> Array:
    """Copies of the rows as one array (N, ...), in one thread.

    Raises:
        InvalidValueError: a row differs from the first in its shape; `path` says of what.
    """
    first = np.asarray(rows[0])
    whole = array_pool.empty((len(rows), *first.shape), first.dtype)
    try:
        return np.stack(rows, out=whole)
    except ValueError:
        shapes = ", ".join(map(str, dict.fromkeys(np.shape(row) for row in rows)))
        raise InvalidValueError(f"{path}: shapes {shapes} do not stack") from None


def _address(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _batches(
    source: Iterator[Sample], size: int, extras: tuple[str, ...], *, drop_last: bool
) -> Iterator[Tree]:
    for first in source:
        tree = as_arrays(first)
        batch, filled = _allocate(tree, size), 0
        told: Tree = {name: [] for name in extras}
        for sample in chain([first], islice(source, size - 1)):
            _put(as_arrays(sample), batch, filled, f"sample {sample.index}")
            for name, column in told.items():
                column.append(getattr(sample, name))
            filled += 1
        if filled == size or not drop_last:
            yield {**(batch if filled == size else _cut(batch, filled)), **told}
        del batch, tree  # before the memory of the next one is taken


def _allocate(tree: Tree, size: int) -> Tree:
    return {
        key: _allocate(value, size)
        if isinstance(value, dict)
        else array_pool.empty((size, *np.shape(value)), np.asarray(value).dtype)
        for key, value in tree.items()
    }


def _put(tree: Tree, batch: Tree, place: int, path: str) -> None:
    if tree.keys() != batch.keys():
        raise InvalidValueError(f"{path}: {_names(tree)} do not stack with {_names(batch)}")
    for key, value in tree.items():
        if isinstance(value, dict):
            _put(value, batch[key], place, f"{path}, {key}")
        elif np.shape(value) != batch[key].shape[1:]:
            raise InvalidValueError(
                f"{path}, {key}: shape {np.shape(value)} does not stack with "
                f"{batch[key].shape[1:]}, the first of the batch"
            )
        else:
            batch[key][place] = value


def _cut(batch: Tree, filled: int) -> Tree:
    return {
        key: _cut(value, filled) if isinstance(value, dict) else value[:filled]
        for key, value in batch.items()
    }


def _names(tree: Tree) -> str:
    return ", ".join(tree) or "nothing"
