"""Views: one complete, replayable order to a renderer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.checks import MAX_INTEGER, check_integer
from heliograph.errors import InvalidValueError, shown
from heliograph.passes import Passes, check_pass_names
from heliograph.poses import as_array
from heliograph.scene import Edit

StateValue: TypeAlias = NDArray[Any]

MAX_SEED = MAX_INTEGER

POSES, POSE_KEYS = "poses", "poses.keys"
"""State keys of many placements at once, and of whose they are, as UTF-8 bytes."""
SEPARATOR = "\0"
"""What stands between the keys."""


@dataclass(frozen=True, eq=False)
class View:
    """One complete, replayable order: what to show, from where, and as which passes.

    Attributes:
        cameras: names of the scene's cameras, or cameras by value, one or several; empty for the
            scene's first camera. Two cameras of one view must differ in name.
        passes: the passes every camera yields, one or several, by name or as specs; who draws it
            checks that it has them. Kept as names.
        state: what moves, by keys the engine knows (`qpos`, a component's key, ...); arrays or
            anything `numpy.asarray` takes. A key that is left out keeps the scene's own value.
            `poses` may be a pair: keys of components, and (K, 4, 4) or (K, 3) for all of them.
        edits: what this view shows differently from the scene, applied in order.
        seed: seed of the run (0 ... 2**63 - 1), or None.
        index: index of the sample in the run, >= 0.
        scene_version: which version of a scene that changes is shown, as `advance` numbered it;
            None for the newest when it is ordered.
    """

    cameras: Sequence[str | Camera] = ()
    passes: Passes = ("rgb",)
    state: Mapping[str, Any] = field(default_factory=dict)
    edits: Sequence[Edit] = ()
    seed: int | None = None
    index: int = 0
    scene_version: int | None = None

    def __post_init__(self) -> None:
        self.__dict__.update(
            cameras=_check_cameras(self.cameras),
            passes=check_pass_names(self.passes),
            state=check_state(self.state),
            edits=check_edits(self.edits),
            index=check_integer("index", self.index),
        )
        for name in ("seed", "scene_version"):
            if (value := getattr(self, name)) is not None:
                self.__dict__[name] = check_integer(name, value)

    @property
    def pass_names(self) -> tuple[str, ...]:
        """The names of the passes."""
        return self.passes  # type: ignore[return-value]  # kept as names

    def edited(self, edits: Sequence[Edit]) -> View:
        """The same with other edits; what else it holds is sound and not looked at again."""
        return unchecked_view(**{**vars(self), "edits": check_edits(edits)})

    def __reduce__(self) -> tuple[Any, ...]:
        """Make it again from its fields; what makes `state` read-only cannot be pickled."""
        made = [getattr(self, each.name) for each in fields(self)]
        return type(self), tuple(dict(each) if isinstance(each, Mapping) else each for each in made)


def unchecked_view(**values: Any) -> View:
    """A view of values that were checked before, where to check them again would cost as much.

    Fields left out have their defaults; states are mappings that nobody writes to.
    """
    view = object.__new__(View)
    view.__dict__.update(_DEFAULTS, **values)
    return view


def _check_cameras(cameras: object) -> tuple[str | Camera, ...]:
    if isinstance(cameras, (str, Camera)):
        cameras = (cameras,)
    if not isinstance(cameras, (tuple, Sequence)):  # the first is the quicker question
        raise InvalidValueError(f"cameras: expected names or Cameras, got {shown(cameras)}")
    for camera in cameras:
        if not isinstance(camera, (str, Camera)):
            raise InvalidValueError(f"cameras: expected a name or a Camera, got {shown(camera)}")
    names = [camera if isinstance(camera, str) else camera.name for camera in cameras]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidValueError(
            f"cameras: {', '.join(twice)} given twice; frames are found by name, so give each "
            "camera a name of its own (camera.replace(name=...))"
        )
    return tuple(cameras)


def check_state(state: object) -> Mapping[str, StateValue]:
    """A state as views hold it: read-only arrays of finite numbers by name.

    Raises:
        InvalidValueError: something else.
    """
    if not isinstance(state, (dict, Mapping)):
        raise InvalidValueError(f"state: expected a mapping of names to arrays, got {shown(state)}")
    if isinstance(state.get(POSES), tuple):
        state = {**state, **_columns(*state[POSES])}
    return MappingProxyType({_state_key(key): _state_value(key, state[key]) for key in state})


def _columns(keys: object = None, poses: object = None, *more: object) -> dict[str, Any]:
    """Placements of many components as arrays, which travel like all others."""
    names: Any = keys
    named = isinstance(keys, Sequence) and not isinstance(keys, str) and not more
    if not named or not all(isinstance(key, str) and SEPARATOR not in key for key in names):
        raise InvalidValueError(
            f"state[{POSES!r}]: expected a pair (keys, poses), the keys a sequence of names "
            "without NUL"
        )
    try:
        text = SEPARATOR.join(names).encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError(f"state[{POSES!r}]: a key that is no text ({error})") from None
    return {POSES: poses, POSE_KEYS: np.frombuffer(text, np.uint8)}


def _state_key(key: object) -> str:
    if not isinstance(key, str):
        raise InvalidValueError(f"state: expected names as keys, got {shown(key)}")
    return key


def _state_value(key: str, value: object) -> StateValue:
    array = as_array(value, f"state[{key!r}]").copy()
    if array.dtype.kind not in "biuf":
        raise InvalidValueError(f"state[{key!r}]: expected numbers, got dtype {array.dtype}")
    if array.dtype.kind == "f" and array.size:
        finite = np.isfinite(array)
        if not finite.item(finite.argmin()):  # quicker than `all`
            where = np.argwhere(~finite)[0].tolist()
            raise InvalidValueError(f"state[{key!r}]: NaN or infinity at index {where}")
    array.flags.writeable = False
    return array


def check_edits(edits: object, what: str = "edits") -> tuple[Edit, ...]:
    """Edits given as one or several.

    Raises:
        InvalidValueError: something else; names `what` they were given as.
    """
    if isinstance(edits, tuple) and not edits:
        return ()
    if isinstance(edits, Edit):
        return (edits,)
    if not isinstance(edits, Sequence) or not all(isinstance(edit, Edit) for edit in edits):
        raise InvalidValueError(f"{what}: expected heliograph edits, got {shown(edits)}")
    return tuple(edits)


_DEFAULTS: Mapping[str, Any] = {
    each.name: MappingProxyType({}) if each.default is MISSING else each.default
    for each in fields(View)
}
