"""Frames: what one camera yields for one view, and the samples that hold them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise, starmap
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from heliograph import array_pool
from heliograph.camera import Camera
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.passes import KNOWN_PASSES, PassSpec, PassSpecs

Array: TypeAlias = NDArray[Any]


class Label(NamedTuple):
    """What a segmentation id stands for."""

    name: str
    category: str


BACKGROUND = Label("background", "background")
Labels: TypeAlias = Mapping[int, Label]
Buffers: TypeAlias = Mapping[str, Array]
_T = TypeVar("_T")


def assembled(kind: type[_T], **values: Any) -> _T:
    """A frozen dataclass of all its fields, in a third of the time that its `__init__` takes.

    For what is made for every picture. Nothing is checked but that no field is left out.
    """
    if len(values) != len(kind.__dataclass_fields__):  # type: ignore[attr-defined]
        raise TypeError(f"{kind.__name__}: expected all fields, got {', '.join(values)}")
    made = object.__new__(kind)
    object.__setattr__(made, "__dict__", values)
    return made


def varied(value: _T, **changes: Any) -> _T:
    """As `dataclasses.replace`, of a frozen dataclass, in a fifth of the time; checks nothing."""
    made = object.__new__(type(value))
    made.__dict__.update(vars(value), **changes)
    return made


class LaidOut(list[Buffers]):
    """Buffers for each camera of a view, known to share no memory; nobody checks that again."""


_FEW = 6


def allocate(camera: Camera, specs: PassSpecs) -> dict[str, Array]:
    """Fresh arrays for the passes of one camera, one each, uninitialized."""
    height, width = camera.height, camera.width
    return {
        name: array_pool.empty(spec.shape_of(height, width), spec.dtype)
        for name, spec in specs.items()
    }


def check_buffers(buffers: Buffers, camera: Camera, specs: PassSpecs) -> None:
    """Check that arrays given to be drawn into fit the camera and the passes.

    Raises:
        InvalidValueError: one is missing, is no plain array, or has another shape, dtype or
            memory order.
    """
    if not isinstance(buffers, (dict, Mapping)):  # the first is the quicker question
        raise InvalidValueError(
            f"buffers for {camera.name!r}: expected a mapping of passes to arrays, got "
            f"{type(buffers).__name__}"
        )
    height, width = camera.height, camera.width
    for name, spec in specs.items():
        array: Any = buffers.get(name)
        shape = spec.shape_of(height, width)
        fits = isinstance(array, np.ndarray) and not hasattr(array, "mask")  # of masked arrays
        if not fits or array.shape != shape or array.dtype != spec.dtype:
            raise InvalidValueError(
                f"buffer for {camera.name!r}.{name}: expected a numpy array {shape} {spec.dtype}, "
                f"got {_told(array)}"
            )
        if not (array.flags.c_contiguous and array.flags.writeable):
            raise InvalidValueError(
                f"buffer for {camera.name!r}.{name}: expected C-contiguous writable memory"
            )


def own_or_given(
    cameras: Sequence[Camera], specs: PassSpecs, out: Sequence[Buffers] | None
) -> Sequence[Buffers]:
    """What an engine draws into: fresh arrays, or the caller's after a look at them.

    Raises:
        InvalidValueError: buffers for another number of cameras, that do not fit, or that share
            memory.
    """
    if out is None:
        return [allocate(camera, specs) for camera in cameras]
    if not isinstance(out, (list, Sequence)) or len(out) != len(cameras):
        came = len(out) if isinstance(out, Sequence) else type(out).__name__
        raise InvalidValueError(
            f"out: expected a sequence of buffers for {len(cameras)} cameras, got {came}"
        )
    for camera, buffers in zip(cameras, out, strict=True):
        check_buffers(buffers, camera, specs)
    given = [{name: buffers[name] for name in specs} for buffers in out]
    apart = isinstance(out, LaidOut)
    if not apart and not _apart([array for buffers in given for array in buffers.values()]):
        raise InvalidValueError("out: expected memory of its own for each pass of each camera")
    return given


def _apart(arrays: Sequence[Array]) -> bool:
    """Whether no two contiguous arrays overlap."""
    if len(arrays) <= _FEW:  # quicker than to ask for addresses
        return not any(starmap(np.may_share_memory, combinations(arrays, 2)))
    places = sorted((array.__array_interface__["data"][0], array.nbytes) for array in arrays)
    return all(start + size <= following for (start, size), (following, _) in pairwise(places))


def _told(array: object) -> str:
    if array is None:
        return "nothing"
    kind = type(array).__name__
    return f"{array.shape} {array.dtype} ({kind})" if isinstance(array, np.ndarray) else kind


@dataclass(frozen=True, eq=False)
class Frame:
    """What one camera yields for one view.

    Attributes:
        camera: the camera as it was used (pose, intrinsics and size of this very picture).
        passes: arrays by pass name, as `heliograph.passes` says; they belong to the caller.
        labels: what the ids of `segmentation` stand for.
        specs: what the passes are; those of `heliograph.passes` need not be in it.
    """

    camera: Camera
    passes: Mapping[str, Array]
    labels: Labels = field(default_factory=dict, repr=False)
    specs: PassSpecs = field(default_factory=lambda: KNOWN_PASSES, repr=False)

    def __getitem__(self, name: str) -> Array:
        """The array of one pass; `UnknownNameError` where it was not asked for."""
        try:
            return self.passes[name]
        except KeyError:
            raise UnknownNameError.of("pass in this frame", name, self.passes) from None

    def spec(self, name: str) -> PassSpec:
        """What one of its passes is; `UnknownNameError` where nobody said."""
        found = self.specs.get(name) or KNOWN_PASSES.get(name)
        if found is None:
            raise UnknownNameError.of("pass in this frame", name, self.passes)
        return found

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8, sRGB."""
        return self["rgb"]

    @property
    def depth(self) -> NDArray[np.float32]:
        """(H, W) float32, metres along the optical axis, inf where nothing was hit."""
        return self["depth"]

    @property
    def normals(self) -> NDArray[np.float32]:
        """(H, W, 3) float32, unit, camera axes, 0 where nothing was hit."""
        return self["normals"]

    @property
    def segmentation(self) -> NDArray[np.int32]:
        """(H, W) int32 ids, 0 is background; `Sample.labels` names them."""
        return self["segmentation"]

    @property
    def alpha(self) -> NDArray[np.uint8]:
        """(H, W) uint8, how opaque what is seen is: 255 fully, 0 where nothing is."""
        return self["alpha"]

    @property
    def distance(self) -> NDArray[np.float32]:
        """(H, W) float32, metres along the ray of the pixel, inf where nothing was hit."""
        return self["distance"]

    def __reduce__(self) -> tuple[Any, ...]:
        """Make it again from its fields, in a copy or in another process."""
        return type(self), (self.camera, *map(_plain, (self.passes, self.labels, self.specs)))

    def _repr_png_(self) -> bytes:
        from heliograph.picture import frame_png

        return frame_png(self)


@dataclass(frozen=True)
class Provenance:
    """Who drew a sample, of which scene, and when; no pixel depends on it.

    Attributes:
        engine: name of the engine.
        device: what drew: the rasterizer's version, or the GL driver's name for itself.
        scene_version: which version of the scene it shows, from 0.
        ordered: when it was ordered, seconds since the epoch; 0 where nobody said.
        begun: when its drawing began.
        done: when it was drawn.
    """

    engine: str = ""
    device: str = ""
    scene_version: int = 0
    ordered: float = 0.0
    begun: float = 0.0
    done: float = 0.0

    def drawn(self, begun: float, scene_version: int) -> Provenance:
        """The same of one view, drawn from `begun` until now."""
        return varied(self, begun=begun, scene_version=scene_version, done=time.time())


@dataclass(frozen=True, eq=False)
class Sample:
    """What a view yields.

    Attributes:
        frames: frames by camera name, in the order of the view.
        labels: segmentation id -> (name, category); 0 is the background.
        state: the state that was shown, by the engine's keys.
        seed: seed of the run, or None.
        index: index of the sample in the run.
        randomization: what was drawn at random, by randomizer; serializable.
        annotations: further facts about the view, by name; serializable.
        provenance: who drew it, of which version of the scene, and when.
    """

    frames: Mapping[str, Frame]
    labels: Labels = field(default_factory=dict, repr=False)
    state: Mapping[str, Array] = field(default_factory=dict, repr=False)
    seed: int | None = None
    index: int = 0
    randomization: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)

    def __getitem__(self, camera: str) -> Frame:
        """The frame of one camera; `UnknownNameError` lists the cameras there are."""
        try:
            return self.frames[camera]
        except KeyError:
            raise UnknownNameError.of("camera in this sample", camera, self.frames) from None

    def __iter__(self) -> Iterator[Frame]:
        """The frames, in the order of the view."""
        return iter(self.frames.values())

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def __reduce__(self) -> tuple[Any, ...]:
        """Make it again from its fields; the labels that frames share are stored once."""
        labels = _plain(self.labels)
        frames = {
            name: replace(frame, labels=labels) if frame.labels is self.labels else frame
            for name, frame in self.frames.items()
        }
        told = (_plain(self.randomization), _plain(self.annotations), self.provenance)
        return type(self), (frames, labels, _plain(self.state), self.seed, self.index, *told)

    def _repr_html_(self) -> str:
        from heliograph.picture import sample_html

        return sample_html(self)


def _plain(value: Any) -> Any:
    """The same without mapping proxies, which cannot be pickled; itself where it holds none."""
    if not isinstance(value, (dict, MappingProxyType)):
        return value
    made = {key: _plain(each) for key, each in value.items()}
    same = isinstance(value, dict) and all(made[key] is value[key] for key in made)
    return value if same else made
