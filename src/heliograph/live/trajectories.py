"""Trajectories: where a camera was, time after time, and what was shown; saved and replayed."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.camera import Camera, Projection
from heliograph.disk import read_file, reason, write_file
from heliograph.errors import HeliographError, InvalidValueError, RecordError, shown
from heliograph.passes import Passes, check_pass_names
from heliograph.view import View

FORMAT: Final = "heliograph-trajectory-1"
NO_SEED: Final = -1
"""What stands in `seeds` where a view has none."""

_COLUMNS: Mapping[str, tuple[tuple[int, ...], Any]] = {
    "times": ((), np.float64),
    "world_from_camera": ((4, 4), np.float64),
    "intrinsics": ((4,), np.float64),
    "sizes": ((2,), np.int64),
    "planes": ((2,), np.float64),
    "orthographic": ((), np.bool_),
    "seeds": ((), np.int64),
    "indices": ((), np.int64),
}
"""Shape of a row and dtype of each column."""
_STATE = "state."


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Views one after the other, each from one camera; row i of every column is one view.

    Attributes:
        times: (N,) float64, seconds, from 0 and never falling.
        world_from_camera: (N, 4, 4) float64 poses, OpenGL camera axes.
        intrinsics: (N, 4) float64, fx, fy, cx, cy, as in `Camera`.
        sizes: (N, 2) int64, width and height in pixels.
        planes: (N, 2) float64, near and far, metres.
        orthographic: (N,) bool.
        seeds: (N,) int64, seed of the run; -1 where there is none.
        indices: (N,) int64, index of the sample in the run.
        state: by key of `View.state`, (N, ...) each.
        passes: what was shown.
        source: the scene's, as `Description.source` names it.

    Raises:
        InvalidValueError: a column of another shape, no row at all, or a row that is no camera.
    """

    times: NDArray[np.float64]
    world_from_camera: NDArray[np.float64]
    intrinsics: NDArray[np.float64]
    sizes: NDArray[np.int64]
    planes: NDArray[np.float64]
    orthographic: NDArray[np.bool_]
    seeds: NDArray[np.int64]
    indices: NDArray[np.int64]
    state: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    passes: Passes = ("rgb",)
    source: str = ""

    def __post_init__(self) -> None:
        count = len(np.atleast_1d(np.asarray(self.times)))
        if not count:
            raise InvalidValueError("trajectory: expected at least one row, got none")
        for name, (shape, dtype) in _COLUMNS.items():
            object.__setattr__(
                self, name, _column(name, getattr(self, name), (count, *shape), dtype)
            )
        state = {
            key: _column(f"state[{key!r}]", value, (count, *np.shape(value)[1:]), None)
            for key, value in self.state.items()
        }
        object.__setattr__(self, "state", state)
        object.__setattr__(self, "passes", check_pass_names(self.passes))
        if (np.diff(self.times) < 0).any():
            raise InvalidValueError("trajectory: expected times that never fall")
        self.cameras()

    @classmethod
    def of(
        cls,
        views: Sequence[View],
        times: ArrayLike | None = None,
        *,
        source: str = "",
    ) -> Self:
        """The trajectory of views that have one camera each, by value, and states of one shape.

        Args:
            views: at least one.
            times: (N,) seconds; 0, 1, 2 ... without it.
            source: the scene's.

        Raises:
            InvalidValueError: other cameras, or states with other keys or shapes.
        """
        cameras = [_only_camera(view) for view in views]
        states = [view.state for view in views]
        keys = {tuple(sorted(state)) for state in states}
        if len(keys) > 1:
            raise InvalidValueError(f"trajectory: expected the same state keys, got {sorted(keys)}")
        return cls(
            times=np.arange(len(views), dtype=float) if times is None else np.asarray(times, float),
            world_from_camera=np.array([camera.world_from_camera for camera in cameras]),
            intrinsics=np.array([[c.fx, c.fy, c.cx, c.cy] for c in cameras], float),
            sizes=np.array([camera.size for camera in cameras], np.int64),
            planes=np.array([(camera.near, camera.far) for camera in cameras], float),
            orthographic=np.array([c.projection is Projection.ORTHOGRAPHIC for c in cameras]),
            seeds=np.array([NO_SEED if v.seed is None else v.seed for v in views], np.int64),
            indices=np.array([view.index for view in views], np.int64),
            state={key: _stacked(key, states) for key in (states[0] if states else ())},
            passes=views[0].passes if views else ("rgb",),
            source=source,
        )

    def __len__(self) -> int:
        """How many views."""
        return len(self.times)

    @property
    def pass_names(self) -> tuple[str, ...]:
        """The names of the passes."""
        return self.passes  # type: ignore[return-value]  # kept as names

    def cameras(self) -> list[Camera]:
        """The cameras, in order; each is named `camera`."""
        return [self._camera(row) for row in range(len(self))]

    def views(self, passes: Passes | None = None) -> list[View]:
        """The views, in order, with the passes that were shown or with others."""
        chosen = self.passes if passes is None else passes
        return [
            View(
                (camera,),
                chosen,
                {key: value[row] for key, value in self.state.items()},
                seed=None if self.seeds[row] == NO_SEED else int(self.seeds[row]),
                index=int(self.indices[row]),
            )
            for row, camera in enumerate(self.cameras())
        ]

    def save(self, path: str | Path) -> None:
        """Write a file, whole or not at all; its ending says which form: .npz or .json.

        Raises:
            InvalidValueError: another ending.
            RecordError: it cannot be written.
        """
        file = Path(path)
        facts = {"format": FORMAT, "passes": list(self.pass_names)}
        facts["source"] = self.source
        columns = {name: getattr(self, name) for name in _COLUMNS}
        if file.suffix == ".npz":
            columns |= {_STATE + key: value for key, value in self.state.items()}
            stream = io.BytesIO()
            np.savez_compressed(stream, **{"meta": np.array(json.dumps(facts)), **columns})
            write_file(file, stream.getvalue())
        elif file.suffix == ".json":
            lists: dict[str, Any] = {name: column.tolist() for name, column in columns.items()}
            lists["state"] = {
                key: {"dtype": value.dtype.str, "values": value.tolist()}
                for key, value in self.state.items()
            }
            write_file(file, json.dumps({**facts, **lists}).encode())
        else:
            raise InvalidValueError(f"{file}: expected a name that ends in .npz or .json")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            RecordError: no such file, or not a trajectory.
        """
        try:
            data = read_file(path)
        except OSError as error:
            raise RecordError(f"{path}: {reason(error)}") from None
        try:
            return cls(**(_from_npz(data) if data[:2] == b"PK" else _from_json(data)))
        except HeliographError as error:
            raise RecordError(f"{path}: {error.message}") from None
        except Exception as error:  # noqa: BLE001 -- damaged bytes make numpy raise anything
            raise RecordError(
                f"{path}: damaged, or no trajectory that the viewer's record button or "
                f"Trajectory.save wrote ({type(error).__name__}: {error})"
            ) from None

    def _camera(self, row: int) -> Camera:
        fx, fy, cx, cy = self.intrinsics[row].tolist()
        width, height = self.sizes[row].tolist()
        near, far = self.planes[row].tolist()
        kind = Projection.ORTHOGRAPHIC if self.orthographic[row] else Projection.PERSPECTIVE
        try:
            return Camera(
                world_from_camera=self.world_from_camera[row],
                width=width,
                height=height,
                fx=fx,
                fy=fy,
                cx=cx,
                cy=cy,
                near=near,
                far=far,
                projection=kind,
            )
        except InvalidValueError as error:
            raise InvalidValueError(f"trajectory: row {row}: {error.message}") from None


def _only_camera(view: View) -> Camera:
    (camera, *more) = view.cameras or ("",)
    if more or not isinstance(camera, Camera):
        raise InvalidValueError(
            f"trajectory: expected views with one Camera each, got {shown(view.cameras)}"
        )
    return camera


def _stacked(key: str, states: Sequence[Mapping[str, NDArray[Any]]]) -> NDArray[Any]:
    shapes = {state[key].shape for state in states}
    if len(shapes) > 1:
        raise InvalidValueError(f"trajectory: state[{key!r}]: expected one shape, got {shapes}")
    return np.stack([state[key] for state in states])


def _column(name: str, value: object, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    try:
        array = np.array(value, dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidValueError(f"trajectory: {name}: expected numbers ({error})") from None
    if array.shape != shape or array.dtype.kind not in "biuf":
        raise InvalidValueError(
            f"trajectory: {name}: expected numbers of shape {shape}, got {array.shape} "
            f"{array.dtype}"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidValueError(f"trajectory: {name}: NaN or infinity")
    array.flags.writeable = False
    return array


def _from_npz(data: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    facts = json.loads(str(arrays.pop("meta")))
    state = {
        name.removeprefix(_STATE): value
        for name, value in arrays.items()
        if name.startswith(_STATE)
    }
    return {**_facts(facts), **{name: arrays[name] for name in _COLUMNS}, "state": state}


def _from_json(data: bytes) -> dict[str, Any]:
    stored = json.loads(data)
    state = {
        key: np.array(value["values"], np.dtype(value["dtype"]))
        for key, value in stored["state"].items()
    }
    return {**_facts(stored), **{name: stored[name] for name in _COLUMNS}, "state": state}


def _facts(stored: Mapping[str, Any]) -> dict[str, Any]:
    if stored["format"] != FORMAT:
        raise InvalidValueError(f"expected a {FORMAT}, got {shown(stored['format'])}")
    return {"passes": tuple(stored["passes"]), "source": str(stored["source"])}
