"""Passes: the kinds of image that a camera can yield, each described by a `PassSpec`.

Row 0 of every image is the top; the centre of a pixel is (x + 0.5, y + 0.5).

============== ============== ========= ======== =================================================
pass           shape          dtype     unit     meaning
============== ============== ========= ======== =================================================
rgb            (H, W, 3)      uint8     sRGB     colour
depth          (H, W)         float32   m        along the optical axis, inf where nothing is
normals        (H, W, 3)      float32            unit, camera axes, 0 where nothing is
segmentation   (H, W)         int32     id       object ids, 0 is background
alpha          (H, W)         uint8     1/255    how opaque what is seen is, 0 where nothing is
distance       (H, W)         float32   m        along the ray of the pixel, inf where nothing is
============== ============== ========= ======== =================================================

Every engine has the first four. An engine may have others, as the rasterizer has the last two, or
passes of its own, each described by a spec.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np

from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.errors import InvalidValueError, UnknownNameError, shown

PassName: TypeAlias = Literal["rgb", "depth", "normals", "segmentation", "alpha", "distance"]
"""The passes that an editor completes; those of other engines are given as `PassSpec`."""

FileForm: TypeAlias = Literal["png", "npy"]
MAX_CHANNELS, MAX_NAME = 64, 64
_PNG = {("|u1", 0), ("|u1", 3), ("|u1", 4), ("<u2", 0), ("<i4", 0)}
"""What a PNG holds without loss: dtype and channels; int32 as 16 bits, see `PassSpec`."""


@dataclass(frozen=True, eq=False)
class PassSpec:
    """What one pass is.

    Attributes:
        name: what it is asked for by; at most 64 letters, digits and underscores.
        dtype: of its numbers.
        channels: numbers per pixel, 1 to 64, as a last axis; 0 for a plain (H, W) image.
        unit: of its numbers, such as `m`; empty for none.
        fill: what stands where nothing was hit.
        meaning: one line for people.
        file_form: the form of a file that holds it without loss; "png" for int32 means ids of
            the sample's labels: 16-bit PNG where all of those fit into it, else npy.

    Raises:
        InvalidValueError: a field that is not as said here.
    """

    name: str
    dtype: np.dtype[Any]
    channels: int = 0
    unit: str = ""
    fill: float = 0.0
    meaning: str = ""
    file_form: FileForm = "npy"

    def __post_init__(self) -> None:
        told = {name: getattr(self, name) for name in ("name", "unit", "meaning")}
        for name, text in told.items():
            if not isinstance(text, str):
                raise InvalidValueError(f"PassSpec {name}: expected text, got {shown(text)}")
        if not self.name.isidentifier() or len(self.name) > MAX_NAME:
            raise InvalidValueError(
                f"PassSpec name: expected an identifier of at most {MAX_NAME} letters, got "
                f"{shown(self.name)}"
            )
        dtype, fill = _numbers(self.dtype, self.fill)
        object.__setattr__(self, "dtype", dtype)
        object.__setattr__(self, "fill", fill)
        channels = check_integer("PassSpec channels", self.channels, 0, MAX_CHANNELS)
        object.__setattr__(self, "channels", channels)
        if self.file_form == "png" and (dtype.str, self.channels) not in _PNG:
            raise InvalidValueError(
                f"PassSpec file_form: {dtype} with {self.channels} channels does not fit a PNG; "
                "give 'npy'"
            )
        if self.file_form not in ("png", "npy"):
            raise InvalidValueError(
                f"PassSpec file_form: expected 'png' or 'npy', got {self.file_form!r}"
            )

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, PassSpec) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    @cached_property
    def _key(self) -> tuple[object, ...]:
        """All fields; the fill as text, since NaN equals nothing."""
        return *self.layout, self.unit, str(self.fill), self.meaning, self.file_form

    def shape(self, camera: Camera) -> tuple[int, ...]:
        """Shape of this pass for a camera: (H, W) or (H, W, channels)."""
        return self.shape_of(camera.height, camera.width)

    def shape_of(self, height: int, width: int) -> tuple[int, ...]:
        """Shape of this pass for a picture of this size."""
        return (height, width, self.channels) if self.channels else (height, width)

    @cached_property
    def layout(self) -> tuple[str, int, np.dtype[Any]]:
        """Name, channels and dtype: all that decides where and how its numbers are stored."""
        return self.name, self.channels, self.dtype


def _numbers(dtype: Any, fill: Any) -> tuple[np.dtype[Any], float]:
    """The dtype of a pass and a fill that it can hold."""
    try:
        made, number = np.dtype(dtype), float(fill)
    except (TypeError, ValueError, OverflowError):
        raise InvalidValueError(
            f"PassSpec: expected a dtype and a number as fill, got {shown(dtype)} and {shown(fill)}"
        ) from None
    if made.kind not in "biuf":
        raise InvalidValueError(f"PassSpec dtype: expected one of numbers, got {made}")
    with np.errstate(invalid="ignore", over="ignore"):
        held = float(np.float64(number).astype(made))
    if made.kind != "f" and held != number:
        raise InvalidValueError(f"PassSpec fill: expected a number that {made} holds, got {fill}")
    return made, number


RGB = PassSpec("rgb", np.dtype(np.uint8), 3, "sRGB", 0, "colour", "png")
DEPTH = PassSpec(
    "depth",
    np.dtype(np.float32),
    0,
    "m",
    inf,
    "metres along the optical axis, inf where nothing is",
)
NORMALS = PassSpec(
    "normals", np.dtype(np.float32), 3, "", 0, "unit, camera axes, 0 where nothing is"
)
SEGMENTATION = PassSpec(
    "segmentation", np.dtype(np.int32), 0, "id", 0, "object ids, 0 is background", "png"
)
ALPHA = PassSpec(
    "alpha",
    np.dtype(np.uint8),
    0,
    "1/255",
    0,
    "how opaque what is seen is: 255 fully, 0 where nothing is",
    "png",
)
DISTANCE = PassSpec(
    "distance",
    np.dtype(np.float32),
    0,
    "m",
    inf,
    "metres along the ray of the pixel, inf where nothing is",
)

PassSpecs: TypeAlias = Mapping[str, PassSpec]
Passes: TypeAlias = PassName | PassSpec | Sequence[PassName | PassSpec] | PassSpecs
"""How passes may be asked for: one or several, by names or specs, or all of `engine.passes`."""


def specs(*passes: PassSpec) -> PassSpecs:
    """Passes by name, read-only."""
    return MappingProxyType({each.name: each for each in passes})


PASSES: PassSpecs = specs(RGB, DEPTH, NORMALS, SEGMENTATION)
"""The passes that every engine has."""

KNOWN_PASSES: PassSpecs = specs(*PASSES.values(), ALPHA, DISTANCE)
"""The passes that this package names."""


def select_passes(names: Sequence[str], known: PassSpecs) -> PassSpecs:
    """The specs of the passes asked for, in this order.

    Raises:
        UnknownNameError: a pass that is not in `known`.
    """
    try:
        return {name: known[name] for name in names}
    except KeyError as error:
        raise UnknownNameError.of("pass", error.args[0], known) from None


def check_pass_names(passes: object) -> tuple[str, ...]:
    """The names of passes, one or several, given by name or by spec.

    Raises:
        InvalidValueError: no names or specs, none at all, or one given twice.
    """
    if type(passes) is tuple:  # as most are, of every view again
        try:
            return _checked_names(passes)
        except TypeError:  # something in it cannot be hashed
            raise _no_names(passes) from None
    if isinstance(passes, (str, PassSpec)):
        return check_pass_names((passes,))
    if not isinstance(passes, (Mapping, Sequence)):
        raise _no_names(passes)
    return check_pass_names(tuple(passes))


@lru_cache(maxsize=256)
def _checked_names(passes: tuple[object, ...]) -> tuple[str, ...]:
    names = tuple(each.name if isinstance(each, PassSpec) else each for each in passes)
    if not all(isinstance(name, str) for name in names):
        raise _no_names(passes)
    if not names or len(set(names)) != len(names):
        raise InvalidValueError(f"passes: expected one or more different names, got {shown(names)}")
    return names  # type: ignore[return-value]


def _no_names(passes: object) -> InvalidValueError:
    return InvalidValueError(f"passes: expected a sequence of names, got {shown(passes)}")
