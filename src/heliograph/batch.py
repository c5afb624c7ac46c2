"""Batches: many views at once, in columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph import array_pool
from heliograph import poses as pose_checks
from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.frame import Array, Buffers, LaidOut, Sample
from heliograph.passes import PassSpecs, select_passes
from heliograph.scene import Edit
from heliograph.view import MAX_SEED, View, unchecked_view

RESERVED: Final = ("seed", "seeds", "index", "cameras", "camera_poses", "passes", "edits")
Stacked: TypeAlias = dict[str, Array]
"""Arrays (N, ...) by `key_of` camera and pass."""

Draw: TypeAlias = Callable[
    [Iterator[View], Iterator[Sequence[Buffers]]], Iterable[Sample | HeliographError]
]
"""Draws views, each into the arrays given for it, and says what came of each, in this order."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Many views that share cameras and passes; row i of every column is entry i.

    Attributes:
        seeds: (N,) int64; entry i is the view with seed `seeds[i]` and index `indices[i]`.
        indices: (N,) int64; all 0 where the batch names none.
        common: what all entries share: cameras and passes.
        state: (N, ...) by state key.
        poses: (N, 4, 4) by camera name, `world_from_camera` of each entry.
        edits: the edits of each entry, or empty.
    """

    seeds: NDArray[np.int64]
    indices: NDArray[np.int64]
    common: View = field(default_factory=View)
    state: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    poses: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    edits: Sequence[Sequence[Edit]] = ()

    @classmethod
    def of(cls, given: object) -> Batch:
        """The batch of a mapping; `heliograph.delivery.batch` says which keys there are.

        Raises:
            InvalidValueError: a key is missing, or its value of a wrong kind, shape or range.
            UnknownNameError: a pass that does not exist.
        """
        if not isinstance(given, Mapping):
            raise InvalidValueError(f"batch: expected a mapping, got {type(given).__name__}")
        _check_keys(given)
        state = {key: column(key, given[key]) for key in given if key not in RESERVED}
        poses = _poses(given.get("camera_poses", {}))
        edits = _edits(given.get("edits", ()))
        columns = {**state, **{f"camera_poses[{k!r}]": v for k, v in poses.items()}}
        counts = {key: len(column) for key, column in columns.items()}
        if edits:
            counts["edits"] = len(edits)
        seeds, indices = _samples(given, counts)
        common = View(given.get("cameras", ()), _names(given.get("passes", ("rgb",))))
        return cls(seeds, indices, common, state, poses, edits)

    def __len__(self) -> int:
        """How many entries."""
        return len(self.seeds)

    def resolved(self, known: Mapping[str, Camera]) -> tuple[Camera, ...]:
        """The cameras by value, as they stand without state and poses.

        Raises:
            UnknownNameError: no such camera, or a pose for a camera that is not drawn.
            InvalidValueError: two outputs would bear one name.
        """
        wanted = self.common.cameras or (next(iter(known)),)
        for each in wanted:
            if isinstance(each, str) and each not in known:
                raise UnknownNameError.of("camera", each, known)
        cameras = tuple(known[each] if isinstance(each, str) else each for each in wanted)
        names = [camera.name for camera in cameras]
        for name in self.poses:
            if name not in names:
                raise UnknownNameError.of("camera in this batch", name, names)
        keys = [key_of(name, each) for name in names for each in self.common.pass_names]
        if len(set(keys)) != len(keys):
            twice = sorted({key for key in keys if keys.count(key) > 1})
            raise InvalidValueError(f"cameras: {', '.join(twice)} would stand twice in the result")
        return cameras

    def view(self, entry: int, known: Mapping[str, Camera]) -> View:
        """One entry as a view."""
        cameras: Sequence[str | Camera] = self.common.cameras
        if self.poses:
            cameras = tuple(
                camera.placed(self.poses[camera.name][entry].copy())
                if camera.name in self.poses
                else each
                for each, camera in zip(
                    cameras or (next(iter(known)),), self.resolved(known), strict=True
                )
            )
        return unchecked_view(
            cameras=cameras,
            passes=self.common.passes,
            state={key: column[entry, ...] for key, column in self.state.items()},
            edits=self.edits[entry] if self.edits else (),
            seed=int(self.seeds[entry]),
            index=int(self.indices[entry]),
        )

    def error(self, entry: int, error: HeliographError, more: str = "") -> HeliographError:
        """An error of one entry that names it, its seed and its index; `more` ends the message."""
        return type(error)(
            f"entry {entry} of {len(self)}: {error.message}{more}",
            index=int(self.indices[entry]),
            seed=int(self.seeds[entry]),
            repro=error.repro,
        )


def stack(batch: Batch, draw: Draw, known: Mapping[str, Camera], passes: PassSpecs) -> Stacked:
    """Draw the entries into stacked arrays.

    Args:
        batch: what to draw.
        draw: who draws.
        known: the scene's own cameras.
        passes: the passes there are.

    Raises:
        HeliographError: an entry could not be drawn; the message names it.
    """
    cameras, specs = batch.resolved(known), select_passes(batch.common.pass_names, passes)
    stacks = [
        {
            name: array_pool.empty((len(batch), *spec.shape(camera)), spec.dtype)
            for name, spec in specs.items()
        }
        for camera in cameras
    ]
    entries = range(len(batch))
    views = (batch.view(entry, known) for entry in entries)
    outs = (
        LaidOut({name: array[entry] for name, array in arrays.items()} for arrays in stacks)
        for entry in entries
    )
    for entry, outcome in enumerate(draw(views, outs)):
        if isinstance(outcome, HeliographError):
            raise batch.error(entry, outcome)
    return {
        key_of(camera.name, name): array
        for camera, arrays in zip(cameras, stacks, strict=True)
        for name, array in arrays.items()
    }


def copying(render: Callable[[View], Sample]) -> Draw:
    """Draws each view when its outcome is asked for, and copies its pictures."""

    def draw(
        views: Iterator[View], outs: Iterator[Sequence[Buffers]]
    ) -> Iterator[Sample | HeliographError]:
        for view, out in zip(views, outs, strict=True):
            try:
                sample = render(view)
            except HeliographError as error:
                yield error
                continue
            for arrays, frame in zip(out, sample, strict=True):
                for name, array in arrays.items():
                    array[...] = frame[name]
            yield sample

    return draw


def key_of(camera: str, name: str) -> str:
    """What a stacked array is found by: `<camera>` for rgb, `<camera>_<pass>` for the rest."""
    return camera if name == "rgb" else f"{camera}_{name}"


def _check_keys(given: Mapping[Any, Any]) -> None:
    for key in given:
        if not isinstance(key, str):
            raise InvalidValueError(f"batch: expected names as keys, got {key!r}")
    if all(given.get(key) is None for key in ("seed", "seeds")):
        raise InvalidValueError(
            "batch: expected 'seed', an integer (entry i uses seed + i; with 'index', (N,), every "
            "entry uses it), or 'seeds', shape (N,)"
        )


def _names(passes: object) -> Any:
    if isinstance(passes, str) or not isinstance(passes, (Sequence, Mapping)):
        raise InvalidValueError(f"batch['passes']: expected a sequence of names, got {passes!r}")
    return passes


def _array(key: str, value: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise InvalidValueError(f"batch[{key!r}]: rows of different lengths ({error})") from None
    except Exception as error:  # noqa: BLE001 -- arrays of other packages raise what they like
        hint = "" if not hasattr(value, "detach") else "; give it as .detach().cpu()"
        raise InvalidValueError(f"batch[{key!r}]: not an array ({error}){hint}") from None


def column(key: str, value: ArrayLike) -> NDArray[Any]:
    """The numbers of a key of a batch, a row for each entry.

    Raises:
        InvalidValueError: not finite numbers, or rows of different lengths.
    """
    array = _array(key, value)
    if array.dtype.kind not in "biuf":
        raise InvalidValueError(f"batch[{key!r}]: expected numbers, got dtype {array.dtype}")
    if array.ndim == 0:
        raise InvalidValueError(
            f"batch[{key!r}]: expected a row per entry, (N, ...), got one value"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise InvalidValueError(f"batch[{key!r}]: NaN or infinity at index {where}")
    return array


def _poses(given: object) -> dict[str, NDArray[np.float64]]:
    if not isinstance(given, Mapping):
        raise InvalidValueError(
            f"batch['camera_poses']: expected camera name -> (N, 4, 4), got {given!r}"
        )
    made = {}
    for name, value in given.items():
        where = f"batch['camera_poses'][{name!r}]"
        array = column(f"camera_poses'][{name!r}", value).astype(float)
        if array.shape[1:] != (4, 4):
            raise InvalidValueError(f"{where}: expected shape (N, 4, 4), got {array.shape}")
        for entry, pose in enumerate(array):
            array[entry] = pose_checks.check_pose(pose, f"{where}[{entry}]")
        made[name] = array
    return made


def _edits(given: object) -> tuple[tuple[Edit, ...], ...]:
    what = "batch['edits']: expected a sequence of edits for each entry"
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise InvalidValueError(f"{what}, got {given!r}")
    for each in given:
        if not isinstance(each, Sequence) or not all(isinstance(edit, Edit) for edit in each):
            raise InvalidValueError(f"{what}, got {each!r} among them")
    return tuple(tuple(each) for each in given)


def _samples(
    given: Mapping[str, Any], counts: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Seed and index of each entry, (N,) both."""
    columns = {
        key: _integers(key, given[key]) for key in ("seeds", "index") if given.get(key) is not None
    }
    lengths = {**counts, **{key: len(column) for key, column in columns.items()}}
    if not lengths:
        raise InvalidValueError(
            "batch: nothing says how many entries there are; give 'seeds', 'index' or a batched "
            "state"
        )
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{key} {count}" for key, count in lengths.items())
        raise InvalidValueError(f"batch: expected as many rows in every column, got {told}")
    count = next(iter(lengths.values()))
    seeds, indices = columns.get("seeds"), columns.get("index")
    if seeds is None:
        further = (
            np.zeros(count, np.int64) if indices is not None else np.arange(count, dtype=np.int64)
        )
        last = MAX_SEED - int(further.max(initial=0))
        seeds = check_integer("batch['seed']", given["seed"], 0, last) + further
    return seeds, np.zeros(count, np.int64) if indices is None else indices


def _integers(key: str, value: ArrayLike) -> NDArray[np.int64]:
    array = _array(key, value)
    low, high = (array.min(), array.max()) if array.size and array.dtype.kind in "iu" else (0, 0)
    whole = array.dtype.kind in "iu" or not array.size
    if array.ndim != 1 or not whole or low < 0 or high > MAX_SEED:
        raise InvalidValueError(
            f"batch[{key!r}]: expected shape (N,), integers from 0 to 2**63 - 1, got shape "
            f"{array.shape}, dtype {array.dtype}"
            + (f", from {low} to {high}" if array.size and whole else "")
        )
    return array.astype(np.int64)
