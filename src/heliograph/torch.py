"""Datasets for PyTorch's DataLoader, over any renderer or recording; needs `heliograph[torch]`.

A sample is a nested dict, as `heliograph.delivery.samples.as_arrays` lays it out, of tensors that
share the memory of the arrays; the DataLoader's own collation stacks it. `collate` does so without
a copy, and knows what does not stack: `extras`, and samples that are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from heliograph.checks import check_integer
from heliograph.delivery import dataset as core
from heliograph.delivery.dataset import RunOptions
from heliograph.delivery.samples import EXTRAS, Tree, as_arrays, check_extras, side_by_side, stack
from heliograph.engine import Renderer
from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.frame import Sample
from heliograph.randomize import stream
from heliograph.requires import Requires
from heliograph.source import (
    OnError,
    Outcome,
    SampleSource,
    check_position,
    close,
    digests,
    samples_of,
)

with Requires("torch"):
    import torch
    from torch.utils import data

Transform: TypeAlias = Callable[[Tree], Any]
"""Turns the dict of a sample into what the loader collates; must not draw from global state."""

StandIn: TypeAlias = Callable[[HeliographError], Sample | None]
"""Told of a sample that failed; what it returns stands in its place, None leaves it out."""

_ARRAY = "heliograph_array"
"""Attribute of tensors: the array whose memory they share."""

_Base: TypeAlias = data.Dataset[Any]
_IterableBase: TypeAlias = data.IterableDataset[Any]


class Dataset(_Base):
    """Map-style: position -> sample, the same pixels in whatever order and however often.

    The batches of a DataLoader are asked for at once (`__getitems__`), so a pool draws the samples
    of one batch side by side.

    Args:
        source: a renderer, a `heliograph.Dataset` or a `heliograph.Recording`.
        count: how many samples; for a renderer only, which must have one.
        transform: applied to each sample.
        on_error: told of each sample that failed. The `heliograph.Sample` that it returns stands in
            the same place; None leaves the place empty: the item is None, which `collate` leaves
            out of the batch. Without it the first error is raised.
        extras: of `labels`, `randomization` and `annotations` those that items hold as well, as
            they stand in the sample; give the loader `collate`, which makes lists of them.
        **options: of a renderer: `seed`, `start`, `window`, `together`, `cameras`, `passes`,
            `state`, `randomize`.

    Raises:
        InvalidValueError: an argument out of its range, or that does not go with the source.
        UnknownNameError: no such extra, camera or pass.
    """

    def __init__(
        self,
        source: Renderer | SampleSource,
        count: int | None = None,
        *,
        transform: Transform | None = None,
        on_error: StandIn | None = None,
        extras: Sequence[str] = (),
        **options: Unpack[RunOptions],
    ) -> None:
        self._source = _source(source, count, options)
        self._finish = _Finish(transform, check_extras(extras))
        self._on_error = on_error

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self._source)

    def __getitem__(self, position: int) -> Any:
        """One sample; `IndexError` where there is none, a `HeliographError` where it failed."""
        return self.__getitems__([position])[0]

    def __iter__(self) -> Iterator[Any]:
        """All samples that there are, in order."""
        _check_worker(self._source)
        made = self._items(self._source.outcomes(range(len(self))))
        return (item for item in made if item is not None)

    def __getitems__(self, positions: Sequence[int]) -> list[Any]:
        """Several samples, made side by side; what the DataLoader asks for."""
        _check_worker(self._source)
        wanted = [check_position(position, len(self)) for position in positions]
        if isinstance(self._source, core.Dataset):
            return list(self._items(self._source.outcomes(wanted, together=len(wanted))))
        return list(self._items(self._source.outcomes(wanted)))

    def _items(self, outcomes: Iterator[Outcome]) -> Iterator[Any]:
        """An item for each outcome; None where it is left out."""
        try:
            for _, result in outcomes:
                sample = self._stand_in(result) if isinstance(result, HeliographError) else result
                yield None if sample is None else self._finish(sample)
        finally:
            close(outcomes)

    def _stand_in(self, error: HeliographError) -> Sample | None:
        """What stands in the place of a sample that failed."""
        if self._on_error is None:
            raise error
        sample: object = self._on_error(error)
        if sample is None or isinstance(sample, Sample):
            return sample
        raise InvalidValueError(
            "on_error: expected the heliograph.Sample that stands in the place of the one that "
            f"failed, or None to leave it out, got {type(sample).__name__}"
        )


class Share(TypedDict, total=False):
    """Which part of an epoch an `IterableDataset` yields, and in which order.

    Attributes:
        shuffle: in an order drawn from the seed and the epoch (the default), or as in the run.
        fresh: epoch e has samples of its own, `start + e * count` onwards; needs a renderer.
        rank, world_size: this process among those that train together; of torch.distributed where
            it is initialized, else the only one.
        even: all ranks yield equally many, so up to world_size - 1 samples of an epoch stay out;
            else some yield one more.
    """

    shuffle: bool
    fresh: bool
    rank: int
    world_size: int
    even: bool


class _Epochs:
    """Numbers the iterations of a dataset; DataLoader workers of one iteration agree on theirs.

    In memory that workers share: those that live on, and those that come for the next iteration,
    count on and hear of `set`. Row 0 holds the number of the next iteration, the others which one
    took the numbers before it: the loader gives the workers of one iteration a seed in common.
    """

    def __init__(self) -> None:
        self._rows = torch.zeros((_KEPT + 1, 2), dtype=torch.int64)
        self._rows.share_memory_()  # type: ignore[no-untyped-call]
        self._begun = 0  # here, where a worker that lives on keeps its seed

    @property
    def next(self) -> int:
        """The number that the next iteration takes."""
        return int(self._rows[0, 0])

    def set(self, number: int) -> None:
        """Choose the number of the next iteration; those after it count on."""
        self._rows[1:].zero_()
        self._rows[0, 0] = number

    def begin(self) -> int:
        """The number of the iteration that begins."""
        self._begun += 1
        number = self.next  # first: where it was raised already, the row below is there, too
        info = data.get_worker_info()
        if info is not None:
            # A hash of integers is the same in every process.
            iteration = hash((info.seed - info.id, self._begun)) or 1
            for before, taken in self._rows[1:].tolist():
                if before == iteration:
                    return int(taken)
            row = self._rows[1 + number % _KEPT]
            row[1] = number
            row[0] = iteration  # last: it says that the number is there
        self._rows[0, 0] = number + 1
        return number


class IterableDataset(_IterableBase):
    """A pass over the samples an epoch, shared out to ranks and DataLoader workers.

    Every iteration is an epoch, with an order of its own that depends on the seed and the epoch
    alone; `set_epoch` chooses the next one, and those after it count on. A window of samples is in
    flight, also across batches: with a pool and `num_workers=0` the render workers draw while the
    program trains. `state_dict` says where it stands, and `load_state_dict` goes on with exactly
    the rest. One iteration at a time.

    Args:
        source: a renderer, a `heliograph.Dataset` or a `heliograph.Recording`; of these a
            recording alone can be read by DataLoader workers.
        count: how many samples an epoch, all ranks together; for a renderer only.
        transform: applied to each sample.
        share: which part of it, in which order; see `Share`.
        on_error: told of each sample that failed, which is then left out; without it the first
            error is raised.
        extras: as for `Dataset`.
        **options: `seed`, of the order, and of the run where the source is a renderer; the run's
            without it. Of a renderer alone: `start`, `window`, `together` (give it the loader's
            batch_size, then `collate` need not copy), `cameras`, `passes`, `state`, `randomize`.

    Raises:
        InvalidValueError: an argument out of its range, or that does not go with the source.
        UnknownNameError: no such extra, camera, pass or key of `share`.
    """

    def __init__(
        self,
        source: Renderer | SampleSource,
        count: int | None = None,
        *,
        transform: Transform | None = None,
        share: Share | None = None,
        on_error: OnError | None = None,
        extras: Sequence[str] = (),
        **options: Unpack[RunOptions],
    ) -> None:
        seed = options.pop("seed", None) if isinstance(source, SampleSource) else None
        self._source = _source(source, count, options)
        self._finish = _Finish(transform, check_extras(extras))
        self._share = _check_share(share or {}, self._source)
        self._on_error = on_error
        described = {**self._source.describe()}
        described.pop("drawn_by", None)  # another machine may draw the rest
        self._seed = check_integer("seed", described.get("seed", 0) if seed is None else seed)
        self._samples = digests(described)
        self._epochs = _Epochs()
        self._at: tuple[int, int] | None = None  # the epoch that is under way, and how far it is
        self._resumed: tuple[tuple[int, int], tuple[int, int]] | None = None  # a worker, and where

    def __len__(self) -> int:
        """How many samples this rank yields in a whole epoch."""
        count, (rank, world) = len(self._source), _rank(self._share)
        even = self._share.get("even", False)
        return count // world if even else len(range(rank, count, world))

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration yields."""
        return self._epochs.next

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch for the next iteration, from its start; those after it count on."""
        self._epochs.set(check_integer("epoch", epoch))
        self._at = self._resumed = None

    def state_dict(self) -> dict[str, Any]:
        """The position: how many samples of which epoch and run were yielded."""
        epoch, position = self._at or (self.epoch, 0)
        return {**self._run(), "epoch": epoch, "position": position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there: the next iteration yields the rest of that epoch.

        Raises:
            InvalidValueError: it is the state of another run, order, rank or worker.
        """
        for name, here in self._run().items():
            if name != "samples" and state.get(name) != here:
                raise InvalidValueError(
                    f"state_dict: its {name} is {state.get(name)!r}, here it is {here!r}; "
                    "load it where the dataset is made with the same arguments"
                )
        self._check_samples(state.get("samples"))
        epoch = check_integer("state_dict epoch", state.get("epoch"))
        position = check_integer("state_dict position", state.get("position"))
        self.set_epoch(epoch)
        if position or data.get_worker_info() is not None:
            self._at = epoch, position
            self._resumed = _worker(), self._at

    def __iter__(self) -> Iterator[Any]:
        """The samples of this epoch, rank and worker; after `load_state_dict` the rest of them."""
        _check_worker(self._source)
        resumed, self._resumed = self._resumed, None
        if resumed is None:
            self._at = self._epochs.begin(), 0
        elif resumed[0] == _worker():
            self._at = resumed[1]
            self._epochs.set(self._at[0] + 1)
        else:
            raise InvalidValueError(_NOT_HERE)
        return self._rest(*self._at)

    def _rest(self, epoch: int, done: int) -> Iterator[Any]:
        """What is left of an epoch of which so many are done."""
        source, positions = self._order(epoch)
        outcomes = source.outcomes(positions[done:].tolist())
        try:
            for place, outcome in enumerate(outcomes, done + 1):
                made = list(samples_of([outcome], self._on_error))
                self._at = epoch, place
                for sample in made:
                    yield self._finish(sample)
        finally:
            close(outcomes)
        self._at = None

    def _order(self, epoch: int) -> tuple[SampleSource, NDArray[np.int64]]:
        """Where to read an epoch, and the positions that this rank and worker yield of it."""
        positions = np.arange(len(self._source))
        if self._share.get("shuffle", True):
            stream(self._seed, epoch, "/shuffle").shuffle(positions)
        rank, world = _rank(self._share)
        worker, workers = _worker()
        mine = positions[rank::world][: len(self)][worker::workers]
        if not self._share.get("fresh", False):
            return self._source, mine
        if not isinstance(self._source, core.Dataset):
            raise InvalidValueError(_NOT_FRESH)
        return self._source.shifted(epoch * len(self._source)), mine

    def _check_samples(self, there: object) -> None:
        """Check that the state is of the same scene, views and renderer."""
        if not isinstance(there, Mapping):
            raise InvalidValueError(f"state_dict: its samples are {there!r}, expected a mapping")
        for name in {**self._samples, **there}:
            if there.get(name) != self._samples.get(name):
                raise InvalidValueError(
                    f"state_dict: it is of other samples, whose {name} differs (engine, options "
                    "or randomization, cameras, passes or state); load it where the renderer is "
                    "opened and the dataset made with the same arguments"
                )

    def _run(self) -> dict[str, Any]:
        """What must be the same for a position to mean the same."""
        rank, world = _rank(self._share)
        worker, workers = _worker()
        return {
            "seed": self._seed,
            "count": len(self._source),
            "samples": self._samples,
            "shuffle": self._share.get("shuffle", True),
            "fresh": self._share.get("fresh", False),
            "rank": [rank, world],
            "worker": [worker, workers],
        }


_KEPT = 64
"""How many iterations that began last are known to workers that begin late."""
_NOT_HERE = (
    "a state that was loaded outside of the DataLoader's workers does not say where each of them "
    "stood: use num_workers=0, or torchdata's StatefulDataLoader, which keeps one state a worker"
)


def _source(
    source: Renderer | SampleSource, count: int | None, options: RunOptions
) -> SampleSource:
    if isinstance(source, SampleSource):
        if count is not None or options:
            raise InvalidValueError(
                f"a {type(source).__name__} has its own count and options; give "
                f"{', '.join(['count'] * (count is not None) + list(options))} where it is made"
            )
        return source
    if not isinstance(source, Renderer):
        raise InvalidValueError(
            f"expected a renderer, Dataset or Recording, got {type(source).__name__}"
        )
    if count is None:
        raise InvalidValueError("count: a dataset over a renderer needs one")
    return core.Dataset(source, count, **options)


_NOT_FRESH = "fresh: only a renderer has new samples for every epoch; a recording has those it has"


def _check_share(share: Share, source: SampleSource) -> Share:
    for name in share:
        if name not in Share.__annotations__:
            raise UnknownNameError.of("key of share", name, Share.__annotations__)
    if ("rank" in share) != ("world_size" in share):
        raise InvalidValueError("share: give rank and world_size, or neither")
    if "rank" in share:
        world = check_integer("world_size", share["world_size"], 1)
        check_integer("rank", share["rank"], 0, world - 1)
    if share.get("fresh", False) and not isinstance(source, core.Dataset):
        raise InvalidValueError(_NOT_FRESH)
    return share


def _rank(share: Share) -> tuple[int, int]:
    """(rank, world size)."""
    if "rank" in share:
        return share["rank"], share["world_size"]
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def _worker() -> tuple[int, int]:
    """(number of this DataLoader worker, how many there are); (0, 1) outside of one."""
    info = data.get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)


def _check_worker(source: SampleSource) -> None:
    """A live renderer that was forked into a worker would hang or break; say so instead."""
    if isinstance(source, core.Dataset) and data.get_worker_info() is not None:
        raise InvalidValueError(core.LIVE)


def collate(trees: Sequence[Tree | None]) -> Tree:
    """A batch of samples, as the DataLoader's own collation makes it; for `collate_fn`.

    Tensors that lie side by side in memory, as those of `Dataset` and of an `IterableDataset` with
    `together`, are not copied: the batch is that memory. The rest is copied in this thread alone;
    the threads of `torch.stack` wait for each other where render workers keep all cores busy.
    `extras` become lists, one entry for each sample; items that are None are left out.

    Raises:
        InvalidValueError: a sample differs from the first in a shape or name.
    """
    there = [tree for tree in trees if tree is not None]
    return _collated(there, "batch", EXTRAS) if there else {}


def _collated(trees: Sequence[Tree], path: str, listed: Sequence[str] = ()) -> Tree:
    names = trees[0].keys()
    for tree in trees:
        if tree.keys() != names:
            raise InvalidValueError(f"{path}: {[*tree]} does not stack with {[*names]}")
    columns = {key: [tree[key] for tree in trees] for key in names}
    return {
        key: column if key in listed else _column(column, f"{path}, {key}")
        for key, column in columns.items()
    }


def _column(values: Sequence[Any], path: str) -> Any:
    """One entry of all samples."""
    if isinstance(values[0], dict):
        return _collated(values, path)
    arrays = [getattr(value, _ARRAY, value) for value in values]
    whole = side_by_side(arrays)
    return _tensor(stack(arrays, path) if whole is None else whole)


class _Finish(NamedTuple):
    """Makes items of samples."""

    transform: Transform | None
    extras: tuple[str, ...]

    def __call__(self, sample: Sample) -> Any:
        tree = _tensors(as_arrays(sample))
        for name in self.extras:
            tree[name] = dict(getattr(sample, name))
        return tree if self.transform is None else self.transform(tree)


def _tensors(tree: Tree) -> Tree:
    """Arrays as tensors that share their memory; what may not be written is copied."""
    return {
        key: _tensors(value) if isinstance(value, dict) else _tensor(value)
        for key, value in tree.items()
    }


def _tensor(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if not value.flags.writeable:
        return torch.from_numpy(value.copy())
    tensor = torch.from_numpy(value)
    setattr(tensor, _ARRAY, value)
    return tensor
