"""Views: one complete, replayable order to a renderer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.checks import MAX_INTEGER, check_integer
from heliograph.errors import InvalidValueError
from heliograph.frame import check_passes
from heliograph.scene import Edit

StateValue: TypeAlias = NDArray[Any]

MAX_SEED = MAX_INTEGER


@dataclass(frozen=True, eq=False)
class View:
    """One complete, replayable order: what to show, from where, and as which passes.

    Attributes:
        cameras: names of the scene's cameras, or cameras by value; empty for the scene's
            first camera. Two cameras of one view must differ in name.
        passes: the passes every camera yields.
        state: what moves, by keys the engine knows (`qpos`, a component's key, ...); arrays or
            anything `numpy.asarray` takes. A key that is left out keeps the scene's own value.
        edits: what this view shows differently from the scene, applied in order.
        seed: seed of the run (0 ... 2**63 - 1), or None.
        index: index of the sample in the run, >= 0.
    """

    cameras: Sequence[str | Camera] = ()
    passes: Sequence[str] = ("rgb",)
    state: Mapping[str, Any] = field(default_factory=dict)
    edits: Sequence[Edit] = ()
    seed: int | None = None
    index: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "cameras", _check_cameras(self.cameras))
        object.__setattr__(self, "passes", check_passes(self.passes))
        object.__setattr__(self, "state", _check_state(self.state))
        object.__setattr__(self, "edits", _check_edits(self.edits))
        object.__setattr__(self, "index", check_integer("index", self.index))
        if self.seed is not None:
            object.__setattr__(self, "seed", check_integer("seed", self.seed))

    def edited(self, edits: Sequence[Edit]) -> View:
        """The same with other edits; what else it holds is sound and not looked at again."""
        other = object.__new__(type(self))
        other.__dict__.update(vars(self), edits=_check_edits(edits))
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        """Make it again from its fields; what makes `state` read-only cannot be pickled."""
        made = (self.cameras, self.passes, dict(self.state), self.edits, self.seed, self.index)
        return type(self), made


def _check_cameras(cameras: object) -> tuple[str | Camera, ...]:
    if isinstance(cameras, (str, Camera)):
        cameras = (cameras,)
    if not isinstance(cameras, Sequence):
        raise InvalidValueError(f"cameras: expected names or Cameras, got {cameras!r}")
    for camera in cameras:
        if not isinstance(camera, (str, Camera)):
            raise InvalidValueError(f"cameras: expected a name or a Camera, got {camera!r}")
    names = [camera if isinstance(camera, str) else camera.name for camera in cameras]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidValueError(
            f"cameras: {', '.join(twice)} given twice; frames are found by name, so give each "
            "camera a name of its own (camera.replace(name=...))"
        )
    return tuple(cameras)


def _check_state(state: object) -> Mapping[str, StateValue]:
    if not isinstance(state, Mapping):
        raise InvalidValueError(f"state: expected a mapping of names to arrays, got {state!r}")
    return MappingProxyType({_state_key(key): _state_value(key, state[key]) for key in state})


def _state_key(key: object) -> str:
    if not isinstance(key, str):
        raise InvalidValueError(f"state: expected names as keys, got {key!r}")
    return key


def _state_value(key: str, value: object) -> StateValue:
    try:
        array = np.array(value)
    except ValueError as error:
        raise InvalidValueError(f"state[{key!r}]: not an array ({error})") from None
    if array.dtype.kind not in "biuf":
        raise InvalidValueError(f"state[{key!r}]: expected numbers, got dtype {array.dtype}")
    if array.dtype.kind == "f" and not np.logical_and.reduce(np.isfinite(array), None):
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise InvalidValueError(f"state[{key!r}]: NaN or infinity at index {where}")
    array.flags.writeable = False
    return array


def _check_edits(edits: object) -> tuple[Edit, ...]:
    if isinstance(edits, Edit):
        return (edits,)
    if not isinstance(edits, Sequence) or not all(isinstance(edit, Edit) for edit in edits):
        raise InvalidValueError(f"edits: expected heliograph edits, got {edits!r}")
    return tuple(edits)
