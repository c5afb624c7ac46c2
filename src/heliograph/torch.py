"""Datasets for PyTorch's DataLoader, over any renderer or recording; needs `heliograph[torch]`.

A sample is a nested dict, as `heliograph.delivery.samples.as_arrays` lays it out, of tensors that
share the memory of the arrays; the DataLoader's own collation stacks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from heliograph.checks import check_integer
from heliograph.delivery import dataset as core
from heliograph.delivery.samples import Tree, as_arrays, side_by_side, stack
from heliograph.delivery.views import ViewOptions
from heliograph.engine import Renderer
from heliograph.errors import InvalidValueError
from heliograph.frame import Sample
from heliograph.randomize import stream
from heliograph.requires import Requires
from heliograph.source import OnError, SampleSource, check_position, close, digests, samples_of

with Requires("torch"):
    import torch
    from torch.utils import data

Transform: TypeAlias = Callable[[Tree], Any]
"""Turns the dict of a sample into what the loader collates; must not draw from global state."""

_ARRAY = "heliograph_array"
"""Attribute of tensors: the array whose memory they share."""

_Base: TypeAlias = data.Dataset[Any]
_IterableBase: TypeAlias = data.IterableDataset[Any]


class SourceOptions(ViewOptions, total=False):
    """What a dataset over a renderer takes besides: see `heliograph.Dataset`."""

    seed: int
    start: int
    window: int
    together: int


class Dataset(_Base):
    """Map-style: position -> sample, the same pixels in whatever order and however often.

    The batches of a DataLoader are asked for at once (`__getitems__`), so a pool draws the samples
    of one batch side by side.

    Args:
        source: a renderer, a `heliograph.Dataset` or a `heliograph.Recording`.
        count: how many samples; for a renderer only, which must have one.
        transform: applied to each sample.
        **options: of a renderer: `seed`, `start`, `window`, `together`, `cameras`, `passes`,
            `state`, `randomize`.

    Raises:
        InvalidValueError: an argument out of its range, or that does not go with the source.
    """

    def __init__(
        self,
        source: Renderer | SampleSource,
        count: int | None = None,
        *,
        transform: Transform | None = None,
        **options: Unpack[SourceOptions],
    ) -> None:
        self._source = _source(source, count, options)
        self._transform = transform

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self._source)

    def __getitem__(self, position: int) -> Any:
        """One sample; `IndexError` where there is none, a `HeliographError` where it failed."""
        return self.__getitems__([position])[0]

    def __iter__(self) -> Iterator[Any]:
        """All samples, in order; the first error is raised."""
        _check_worker(self._source)
        made = samples_of(self._source.outcomes(range(len(self))))
        return (_finished(sample, self._transform) for sample in made)

    def __getitems__(self, positions: Sequence[int]) -> list[Any]:
        """Several samples, made side by side; what the DataLoader asks for."""
        _check_worker(self._source)
        wanted = [check_position(position, len(self)) for position in positions]
        if isinstance(self._source, core.Dataset):
            made = samples_of(self._source.outcomes(wanted, together=len(wanted)))
        else:
            made = samples_of(self._source.outcomes(wanted))
        return [_finished(sample, self._transform) for sample in made]


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


class IterableDataset(_IterableBase):
    """One pass over the samples an epoch, shared out to ranks and DataLoader workers.

    A window of samples is in flight, also across batches: with a pool and `num_workers=0` the
    render workers draw while the program trains. `state_dict` says where it stands, and
    `load_state_dict` goes on with exactly the rest.

    Args:
        source: a renderer, a `heliograph.Dataset` or a `heliograph.Recording`; of these a
            recording alone can be read by DataLoader workers.
        count: how many samples an epoch, all ranks together; for a renderer only.
        transform: applied to each sample.
        share: which part of it, in which order; see `Share`.
        on_error: told of each sample that failed, which is then left out; without it the first
            error is raised.
        **options: of a renderer: `seed`, `start`, `window`, `together` (give it the loader's
            batch_size, then `collate` need not copy), `cameras`, `passes`, `state`, `randomize`.

    Raises:
        InvalidValueError: an argument out of its range, or that does not go with the source.
    """

    def __init__(
        self,
        source: Renderer | SampleSource,
        count: int | None = None,
        *,
        transform: Transform | None = None,
        share: Share | None = None,
        on_error: OnError | None = None,
        **options: Unpack[SourceOptions],
    ) -> None:
        self._source = _source(source, count, options)
        self._transform = transform
        self._share = _check_share(share or {}, self._source)
        self._on_error = on_error
        self._seed = options.get(
            "seed", self._source.seed if isinstance(self._source, core.Dataset) else 0
        )
        self._samples = digests(self._source.describe())
        # Shared memory, so that DataLoader workers that live on hear of set_epoch.
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]
        self._position = 0
        self._resumed: list[int] | None = None  # the DataLoader worker that goes on from there

    def __len__(self) -> int:
        """How many samples this rank yields in a whole epoch."""
        count, (rank, world) = len(self._source), _rank(self._share)
        even = self._share.get("even", False)
        return count // world if even else len(range(rank, count, world))

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration yields."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch for the next iteration, from its start."""
        self._epoch.fill_(check_integer("epoch", epoch))
        self._position, self._resumed = 0, None

    def state_dict(self) -> dict[str, Any]:
        """The position: how many samples of which epoch and run were yielded."""
        return {**self._run(), "epoch": self.epoch, "position": self._position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there: the next iteration yields the rest of that epoch.

        Raises:
            InvalidValueError: it is the state of another run, order, rank or worker.
        """
        self._check_samples(state.get("samples"))
        for name, here in self._run().items():
            if state.get(name) != here:
                raise InvalidValueError(
                    f"state_dict: its {name} is {state.get(name)!r}, here it is {here!r}; "
                    "load it where the dataset is made with the same arguments"
                )
        epoch = check_integer("state_dict epoch", state.get("epoch"))
        position = check_integer("state_dict position", state.get("position"))
        self.set_epoch(epoch)
        self._position, self._resumed = position, list(_worker())

    def __iter__(self) -> Iterator[Any]:
        """The samples of this epoch, rank and worker; after `load_state_dict` the rest of them."""
        _check_worker(self._source)
        source, positions = self._order()
        resumed, self._resumed = self._resumed, None
        if resumed is None:
            self._position = 0
        elif resumed != list(_worker()) and self._position:
            raise InvalidValueError(_NOT_HERE)
        outcomes = source.outcomes(positions[self._position :].tolist())
        try:
            for outcome in outcomes:
                made = list(samples_of([outcome], self._on_error))
                self._position += 1
                for sample in made:
                    yield _finished(sample, self._transform)
        finally:
            close(outcomes)

    def _order(self) -> tuple[SampleSource, NDArray[np.int64]]:
        """Where to read this epoch, and the positions that this rank and worker yield of it."""
        positions = np.arange(len(self._source))
        if self._share.get("shuffle", True):
            stream(self._seed, self.epoch, "/shuffle").shuffle(positions)
        rank, world = _rank(self._share)
        worker, workers = _worker()
        mine = positions[rank::world][: len(self)][worker::workers]
        if not self._share.get("fresh", False):
            return self._source, mine
        if not isinstance(self._source, core.Dataset):
            raise InvalidValueError(_NOT_FRESH)
        return self._source.shifted(self.epoch * len(self._source)), mine

    def _check_samples(self, there: object) -> None:
        """Check that the state is of the same scene, views and renderer."""
        if not isinstance(there, Mapping):
            raise InvalidValueError(f"state_dict: its samples are {there!r}, expected a mapping")
        for name in {**self._samples, **there}:
            if name in _COUNTED:
                continue
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


_COUNTED = ("seed", "count", "drawn_by")
"""What `state_dict` says by itself, and what may draw the rest on another machine."""
_NOT_HERE = (
    "a state that was loaded outside of the DataLoader's workers does not say where each of them "
    "stood: use num_workers=0, or torchdata's StatefulDataLoader, which keeps one state a worker"
)


def _source(
    source: Renderer | SampleSource, count: int | None, options: SourceOptions
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
    unknown = sorted(share.keys() - Share.__annotations__.keys())
    if unknown:
        known = ", ".join(Share.__annotations__)
        raise InvalidValueError(f"share: unknown {unknown[0]!r} (known: {known})")
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


def collate(trees: Sequence[Tree]) -> Tree:
    """A batch of samples, as the DataLoader's own collation makes it; for `collate_fn`.

    Tensors that lie side by side in memory, as those of `Dataset` and of an `IterableDataset` with
    `together`, are not copied: the batch is that memory. The rest is copied in this thread alone;
    the threads of `torch.stack` wait for each other where render workers keep all cores busy.

    Raises:
        InvalidValueError: a sample differs from the first in a shape or name.
    """
    return _collated(trees, "batch") if trees else {}


def _collated(trees: Sequence[Tree], path: str) -> Tree:
    names = trees[0].keys()
    for tree in trees:
        if tree.keys() != names:
            raise InvalidValueError(f"{path}: {[*tree]} does not stack with {[*names]}")
    return {key: _column([tree[key] for tree in trees], f"{path}, {key}") for key in names}


def _column(values: Sequence[Any], path: str) -> Any:
    """One entry of all samples."""
    if isinstance(values[0], dict):
        return _collated(values, path)
    arrays = [getattr(value, _ARRAY, value) for value in values]
    whole = side_by_side(arrays)
    return _tensor(stack(arrays, path) if whole is None else whole)


def _finished(sample: Sample, transform: Transform | None) -> Any:
    tree = _tensors(as_arrays(sample))
    return tree if transform is None else transform(tree)


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
