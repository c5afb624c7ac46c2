"""What a view changes in Blender's data, and how it is put back: data paths and a log."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import bpy
import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, UnknownNameError

Numbers: TypeAlias = NDArray[Any]
Step: TypeAlias = str | tuple[str] | int
"""Of a data path: an attribute's name, ("a key",), or an index."""

_STEP = re.compile(
    r"""(?P<name>[A-Za-z][A-Za-z0-9_]*)
      | \[ (?P<index>-?[0-9]{1,9}) \]
      | \[ "(?P<double>(?:[^"\\]|\\.)*)" \]
      | \[ '(?P<single>(?:[^'\\]|\\.)*)' \]""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_EXAMPLE = """objects["Cube"].location"""

TRANSFORM = (
    *("location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle", "scale"),
)
"""What Blender keeps of where an object or a bone is."""

_SHIFTS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("matrix", "matrix_world", "matrix_local", "matrix_basis", "dimensions"), TRANSFORM
        ),
        **dict.fromkeys(("angle", "angle_x", "angle_y"), ("lens",)),
    }
)
"""What Blender keeps of attributes that it works out from others."""


class Place(NamedTuple):
    """Where a data path ends.

    Attributes:
        owner: what has the value: a struct of Blender's.
        name: of the attribute, or ("name",) of a custom property.
        number: its place in an array; None for all of it.
    """

    owner: Any
    name: str | tuple[str]
    number: int | None


class Changes:
    """A log of what was changed, so that it can be put back exactly, the last change first."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []
        self._held: set[int] = set()
        self._was_held = False

    def undone_by(self, call: Callable[[], object]) -> None:
        """Have something called when all is put back."""
        self._undo.append(call)

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Give an attribute another value."""
        for kept in _SHIFTS.get(name, (name,)):
            if hasattr(owner, kept):
                self._undo.append(_assignment(owner, kept, plain(getattr(owner, kept))))
        setattr(owner, name, value)

    def set_custom(self, owner: Any, key: str, value: Any) -> None:
        """Give a custom property another value."""
        before = plain(owner[key])

        def put_back() -> None:
            owner[key] = before
            owner.id_data.update_tag()

        self._undo.append(put_back)
        owner[key] = value
        owner.id_data.update_tag()

    def hold(self, owner: Any, name: str | None = None) -> None:
        """Keep animation from writing over an attribute (over all of an owner's, without a name).

        Blender evaluates animation anew whenever it renders. What else is animated of the same
        data block keeps the value it has now.
        """
        block = owner.id_data
        animation = getattr(block, "animation_data", None)
        if animation is None:
            return
        if len(animation.drivers):
            self._mute_drivers(animation, owner, name)
        tracks = len(animation.nla_tracks) > 0 and animation.use_nla
        if block.as_pointer() in self._held or (animation.action is None and not tracks):
            return
        self._held.add(block.as_pointer())
        self._was_held = True
        action, slot = animation.action, getattr(animation, "action_slot", None)
        if action is not None:
            self._undo.append(lambda: _give_action(animation, action, slot))
            animation.action = None
        if tracks:
            self.set(animation, "use_nla", value=False)

    def restore(self) -> bool:
        """Put everything back; goes on where something cannot be, and then says what.

        Returns:
            Whether animation was held, so that it has to be evaluated anew.
        """
        failed: list[Exception] = []
        while self._undo:
            try:
                self._undo.pop()()
            except (AttributeError, ReferenceError, RuntimeError, TypeError, ValueError) as error:
                failed.append(error)
        self._held.clear()
        if failed:
            raise ExceptionGroup("Blender's data could not be put back", failed)
        held, self._was_held = self._was_held, False
        return held

    def _mute_drivers(self, animation: Any, owner: Any, name: str | None) -> None:
        prefix = owner.path_from_id() if owner != owner.id_data else ""
        for driver in animation.drivers:
            path = driver.data_path
            mine = path.startswith(prefix) if name is None else path == joined(prefix, name)
            if mine and not driver.mute:
                self.set(driver, "mute", value=True)
                self._was_held = True


def joined(prefix: str, name: str) -> str:
    """The data path of an attribute, or of a `["key"]`, below another path."""
    return f"{prefix}{name}" if not prefix or name.startswith("[") else f"{prefix}.{name}"


def _assignment(owner: Any, name: str, value: Any) -> Callable[[], object]:
    return lambda: setattr(owner, name, value)


def _give_action(animation: Any, action: Any, slot: Any) -> None:
    animation.action = action
    if slot is not None:
        animation.action_slot = slot


def plain(value: Any) -> Any:
    """A value that does not change with Blender's data: vectors are copied."""
    if hasattr(value, "to_list"):
        return value.to_list()
    if hasattr(value, "copy") and type(value).__module__ in {"builtins", "mathutils"}:
        return value.copy()
    if isinstance(value, bpy.types.bpy_prop_array):
        return tuple(plain(each) for each in value)
    return value


def steps_of(path: str) -> list[Step]:
    """The steps of a data path below `bpy.data`, such as `objects["Cube"].location[2]`.

    Raises:
        InvalidValueError: it is no data path.
    """
    steps: list[Step] = []
    at = 0
    while at < len(path):
        dotted = path[at] == "."
        found = _STEP.match(path, at + dotted)
        named = found is not None and found["name"] is not None
        if found is None or dotted != (named and at > 0) or (at == 0 and not named):
            raise InvalidValueError(
                f"state {path!r}: expected a data path as {_EXAMPLE}: names, "
                f'["keys"] and [indices]; cannot read on at {path[at : at + 20]!r}'
            )
        steps.append(_step(found))
        at = found.end()
    return steps


def _step(found: re.Match[str]) -> Step:
    if found["name"] is not None:
        return found["name"]
    if found["index"] is not None:
        return int(found["index"])
    quoted = found["double"] if found["double"] is not None else found["single"]
    return (_ESCAPED.sub(r"\1", quoted),)


def place_of(path: str) -> Place:
    """Where a data path leads.

    Raises:
        InvalidValueError: it is no data path, or leads to no numbers that can be set.
        UnknownNameError: something on it does not exist; names what is nearest.
    """
    steps = steps_of(path)
    index = None
    if isinstance(steps[-1], int):
        index = int(steps.pop())  # type: ignore[arg-type]
    walked, owner = "bpy.data", bpy.data
    for step in steps[:-1]:
        owner = _follow(owner, step, walked, path)
        walked += _written(step)
    last = steps[-1]
    if isinstance(last, int):
        raise InvalidValueError(f"state {path!r}: expected numbers, got an array of arrays")
    if isinstance(last, tuple):
        _check_custom(owner, last[0], walked, path)
        return Place(owner, last, index)
    _check_settable(_property(owner, last, walked), path)
    return Place(owner, last, index)


def _written(step: Step) -> str:
    if isinstance(step, str):
        return f".{step}"
    return f"[{step if isinstance(step, int) else repr(step[0])}]"


def _follow(owner: Any, step: Step, walked: str, path: str) -> Any:
    """What is one step further."""
    if isinstance(step, str):
        prop = _property(owner, step, walked)
        if not _leads_on(prop):
            raise InvalidValueError(f"state {path!r}: {walked}.{step} is a value, not a thing")
        found = getattr(owner, step)
    else:
        found = _member(owner, step, walked)
    if found is None:
        raise InvalidValueError(f"state {path!r}: {walked}{_written(step)} is empty")
    return found


def _member(owner: Any, step: tuple[str] | int, walked: str) -> Any:
    if not isinstance(owner, bpy.types.bpy_prop_collection):
        raise InvalidValueError(f"{walked} is no collection, so nothing stands in its brackets")
    if isinstance(step, tuple):
        found = owner.get(step[0])
        if found is None:
            raise UnknownNameError.of(f"key of {walked}", step[0], owner.keys())
        return found
    if not -len(owner) <= step < len(owner):
        raise UnknownNameError(f"{walked}: expected an index below {len(owner)}, got {step}")
    return owner[step]


def _property(owner: Any, name: str, walked: str) -> Any:
    """What Blender says of an attribute; functions are none."""
    known = owner.bl_rna.properties if hasattr(owner, "bl_rna") else {}
    if name not in known:
        useful = [each.identifier for each in known if _leads_on(each) or _settable(each)]
        raise UnknownNameError.of(f"attribute of {walked}", name, sorted(useful))
    return known[name]


def _leads_on(prop: Any) -> bool:
    return prop.type in ("POINTER", "COLLECTION")


def _settable(prop: Any) -> bool:
    return prop.type in ("FLOAT", "INT", "BOOLEAN") and not prop.is_readonly


def _check_settable(prop: Any, path: str) -> None:
    if prop.type not in ("FLOAT", "INT", "BOOLEAN"):
        raise InvalidValueError(
            f"state {path!r}: expected numbers, but it is of type {prop.type.lower()}"
        )
    if not _settable(prop):
        raise InvalidValueError(f"state {path!r}: cannot be set, Blender works it out from others")


def _check_custom(owner: Any, key: str, walked: str, path: str) -> None:
    if isinstance(owner, bpy.types.bpy_prop_collection):
        raise InvalidValueError(
            f"state {path!r}: expected numbers, but it is a whole thing; name an attribute of it"
        )
    names = list(owner.keys()) if hasattr(owner, "keys") else []
    if key not in names:
        raise UnknownNameError.of(f"custom property of {walked}", key, names)
    if not isinstance(plain(owner[key]), (bool, int, float, list, tuple)):
        raise InvalidValueError(f"state {path!r}: expected numbers, but it is something else")


def set_path(changes: Changes, path: str, value: Numbers) -> None:
    """Give what a data path leads to another value, and keep animation from writing over it.

    Raises:
        InvalidValueError: it cannot be set, or the value does not fit.
        UnknownNameError: something on the path does not exist.
    """
    owner, name, index = place_of(path)
    if isinstance(name, tuple):
        now = np.array(plain(owner[name[0]]))
        new = _whole(path, now, value, index)
        changes.hold(owner, f'["{bpy.utils.escape_identifier(name[0])}"]')
        changes.set_custom(owner, name[0], _converted(path, new, now.dtype.kind))
        return
    _check_felt(path, owner, name)
    now = np.array(plain(getattr(owner, name)))
    new = _whole(path, now, value, index)
    converted = _converted(path, new, now.dtype.kind)
    _check_range(path, owner.bl_rna.properties[name], new)
    changes.hold(owner, name)
    changes.set(owner, name, converted)


def _check_felt(path: str, owner: Any, name: str) -> None:
    """Refuse what Blender does not look at.

    Raises:
        InvalidValueError: says what it looks at in its place.
    """
    if name == "default_value" and getattr(owner, "is_linked", False):
        raise InvalidValueError(
            f"state {path!r}: a node is linked to this input, whose own value does not show; set "
            "that of the node, or take the link away"
        )
    mode = getattr(owner, "rotation_mode", None)
    felt = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
    wanted = felt.get(str(mode), "rotation_euler")
    if mode is not None and name in (*felt.values(), "rotation_euler") and name != wanted:
        raise InvalidValueError(
            f"state {path!r}: expected {wanted}, as its rotation_mode is {mode}"
        )


def _whole(path: str, now: Numbers, value: Numbers, index: int | None) -> Numbers:
    """What is set: the value, or all there is with one number changed."""
    if index is None:
        _check_shape(path, now, value)
        return value
    if not (now.ndim and -len(now) <= index < len(now)):
        raise InvalidValueError(f"state {path!r}: there is no number {index} in {now.shape}")
    _check_shape(path, now[index], value)
    new = now.astype(np.result_type(now, value))
    new[index] = value
    return new


def _check_range(path: str, prop: Any, new: Numbers) -> None:
    low, high = float(np.min(new)), float(np.max(new))
    if prop.type != "BOOLEAN" and not (prop.hard_min <= low and high <= prop.hard_max):
        raise InvalidValueError(
            f"state {path!r}: expected {prop.hard_min:g} to {prop.hard_max:g}, got {new}"
        )


def _check_shape(path: str, now: Numbers, new: Numbers) -> None:
    if now.shape != new.shape:
        raise InvalidValueError(f"state {path!r}: expected shape {now.shape}, got {new.shape}")


def _converted(path: str, new: Numbers, kind: str) -> Any:
    """As Python's own numbers, of the kind there was."""
    if kind == "f":
        return new.astype(float).tolist()
    if (new != np.round(new)).any():
        raise InvalidValueError(f"state {path!r}: expected whole numbers, got {new}")
    if kind == "b" and not np.isin(new, (0, 1)).all():
        raise InvalidValueError(f"state {path!r}: expected 0 or 1, got {new}")
    return new.astype(bool if kind == "b" else int).tolist()
