"""The splat engine: 3D gaussians of a file, drawn by the native kernel or by gsplat on a GPU."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.camera import Camera
from heliograph.disk import printable
from heliograph.engine import Engine, Outs, check_version, made_sample, resolve_cameras
from heliograph.engines.shared import cameras as cams
from heliograph.engines.shared.edits import camera_moves, edited_camera
from heliograph.engines.shared.splats import EXPECTED_DEPTH, Cloud, lay_over
from heliograph.engines.splat.cuda import CudaCloud
from heliograph.errors import ClosedError, InvalidValueError, UnknownNameError, shown
from heliograph.frame import Labels, Provenance, Sample, own_or_given
from heliograph.passes import KNOWN_PASSES, PassSpecs, select_passes, specs
from heliograph.scene import (
    Description,
    Edit,
    EditBackground,
    Hide,
    MoveCamera,
    MoveObject,
    ObjectTable,
    SceneObject,
)
from heliograph.scene.checks import colour as check_colour
from heliograph.scene.files import file_digest
from heliograph.scene.objects import CORNERS
from heliograph.splats.files import read_splats
from heliograph.splats.gaussians import Gaussians
from heliograph.view import View

Up: TypeAlias = Literal["z", "-z", "y", "-y"]
"""Which way is up in a capture."""

Depth: TypeAlias = Literal["median", "expected"]
Device: TypeAlias = Literal["cpu", "cuda"]

Matrix = NDArray[np.float64]

SPLAT_ID = 1
SPLAT_PASSES: PassSpecs = specs(*KNOWN_PASSES.values(), EXPECTED_DEPTH)
"""The passes that splats have."""

_UPRIGHT: Mapping[str, Matrix] = MappingProxyType(
    {
        "z": np.eye(4),
        "-z": np.diag([1.0, -1, -1, 1]),
        "y": np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
        "-y": np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]]),
    }
)
"""world_from_capture (4, 4) by what is up in the capture."""

_EDITS = (EditBackground, Hide, MoveCamera, MoveObject)
_STRAY = 1.0  # percent of the splats at each end of an axis that `fit` need not frame


class SplatEngine(Engine):
    """Draws gaussian splats.

    Its one camera is `fit`, which frames all but stray splats. Nothing in it moves by itself, so it
    knows no state. Edits are `MoveObject` and `Hide` of its one object, which is named as the file,
    `MoveCamera` and `EditBackground`. Depth, normals and ids are those of the splats where these
    are at least half opaque together; `depth` is where they become so, `expected_depth` their mean.
    `rgb` and `alpha` show all of them.

    Args:
        source: the path of a .ply or .splat file, or gaussians.
        size: (width, height) in pixels of the camera `fit`.
        background: sRGB red, green and blue, 0 to 1, behind everything.
        up: which axis of the capture points up in the world.
        world_from_capture: (4, 4) affine, in place of `up`, for captures that are not upright or
            not in metres.
        depth: what `depth` is: "median", or "expected" as in `expected_depth`.
        device: "cpu", or "cuda" for gsplat on a GPU, which knows no median.

    Raises:
        SceneError: the file is missing or malformed.
        MissingDependencyError: no native module here; with "cuda", no gsplat or no GPU.
        InvalidValueError: an option that is not as said here.
    """

    def __init__(  # noqa: PLR0913 -- options of the engine
        self,
        source: str | os.PathLike[str] | Gaussians,
        *,
        size: tuple[int, int] = (320, 240),
        background: Sequence[float] = (0.0, 0.0, 0.0),
        up: Up = "z",
        world_from_capture: ArrayLike | None = None,
        depth: Depth = "median",
        device: Device = "cpu",
    ) -> None:
        placement = _placement(up, world_from_capture)
        _check_devices(depth, device)
        self._name, self._source, digest = _known(source)
        own = source if isinstance(source, Gaussians) else read_splats(Path(source))
        self._gaussians = own.transformed(placement)
        red, green, blue = check_colour(background, "background")
        self._look = _Look((red, green, blue))
        self._depth, self._device = depth, device
        self._hash = hashlib.sha256(
            b"".join([digest, placement.tobytes(), repr((self._look.background, depth)).encode()])
        ).hexdigest()
        row = SceneObject(SPLAT_ID, self._name, "splat", "", 0, self._gaussians.bounds, seen=True)
        self._objects = ObjectTable.of([row])
        self._fit = cams.fit(_corners(self._gaussians), size)
        drawn = self._cloud(self._look)
        self._drawn: tuple[bytes, Cloud | CudaCloud] | None = self._look.key, drawn
        on = drawn.device if isinstance(drawn, CudaCloud) else "cpu"
        self._made = Provenance("splat", on)

    @property
    def scene(self) -> Description:
        """One object."""
        return Description(self._source, self._hash, self._objects)

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """`fit`, which frames all but stray splats."""
        return {cams.FIT: self._fit}

    @property
    def passes(self) -> PassSpecs:
        """All passes, and `expected_depth`."""
        return SPLAT_PASSES

    @property
    def labels(self) -> Labels:
        """One id besides the background."""
        return self._objects.labels

    @property
    def provenance(self) -> Provenance:
        """Who draws."""
        return self._made

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        begun = time.time()
        if self._drawn is None:
            raise ClosedError("this renderer is closed")
        check_version(view, 0, 0)
        if view.state:
            raise UnknownNameError.of("state", next(iter(view.state)), ())
        specs = select_passes(view.pass_names, self.passes)
        look, moves = self._edited(view.edits)
        cameras = [
            edited_camera(camera, moves.get(camera.name, ())) if isinstance(asked, str) else camera
            for asked, camera in zip(
                view.cameras or (cams.FIT,), resolve_cameras(view, self.cameras), strict=True
            )
        ]
        buffers = own_or_given(cameras, specs, out)
        for camera, arrays in zip(cameras, buffers, strict=True):
            for name, spec in specs.items():
                arrays[name][...] = look.pixel if name == "rgb" else spec.fill
            if look.visible:
                drawn = self._shown(look).draw(camera)
                if self._depth == "expected":
                    drawn = replace(drawn, depth=drawn.expected)
                lay_over(arrays, camera, drawn)
        made = self._made.drawn(begun, 0)
        return made_sample(view, cameras, buffers, self.labels, made, SPLAT_PASSES)

    def close(self) -> None:
        """Free the splats; may be called twice."""
        self._drawn = None

    def _edited(self, edits: Sequence[Edit]) -> tuple[_Look, Mapping[str, list[MoveCamera]]]:
        """How the splats look after these edits, and the cameras' moves."""
        for edit in edits:
            if not isinstance(edit, _EDITS):
                known = ", ".join(kind.__name__ for kind in _EDITS)
                raise InvalidValueError(
                    f"edits: splats have their light and material baked in, so expected {known} or "
                    f"EditImage, got {type(edit).__name__}"
                )
        others, moves = camera_moves(edits, self.cameras)
        look = self._look
        for edit in others:
            look = self._apply(look, edit)
        return look, moves

    def _apply(self, look: _Look, edit: Edit) -> _Look:
        if isinstance(edit, EditBackground):
            red, green, blue = edit.colour
            return replace(look, background=(red, green, blue))
        names = edit.objects if isinstance(edit, Hide) else ()
        names = (edit.name,) if isinstance(edit, MoveObject) else names
        for name in names:
            if name != self._name:
                raise UnknownNameError.of("object", name, [self._name])
        if isinstance(edit, MoveObject):
            change = np.asarray(edit.pose, float) @ np.diag([*edit.scale, 1.0])
            return replace(look, pose=look.pose @ change if edit.relative else change)
        return replace(look, visible=look.visible and self._name not in names)

    def _shown(self, look: _Look) -> Cloud | CudaCloud:
        """The splats where they are shown; those drawn last are kept."""
        if self._drawn is None or self._drawn[0] != look.key:
            self._drawn = look.key, self._cloud(look)
        return self._drawn[1]

    def _cloud(self, look: _Look) -> Cloud | CudaCloud:
        gaussians = self._gaussians
        if not np.array_equal(look.pose, np.eye(4)):
            gaussians = gaussians.transformed(look.pose)
        if self._device == "cuda":
            return CudaCloud(gaussians, SPLAT_ID)
        return Cloud([(gaussians, SPLAT_ID)])


def _corners(gaussians: Gaussians) -> Matrix:
    """Corners (8, 3) of a box around all but stray splats; (0, 3) where there are none."""
    if not len(gaussians):
        return np.empty((0, 3))
    low, high = np.percentile(gaussians.positions, [_STRAY, 100 - _STRAY], axis=0)
    corners: Matrix = low + CORNERS * (high - low)
    return corners


@dataclass(frozen=True, eq=False)
class _Look:
    """What edits change."""

    background: tuple[float, float, float]
    pose: Matrix = field(default_factory=lambda: np.eye(4))
    visible: bool = True

    @property
    def key(self) -> bytes:
        """Of where the splats are."""
        return self.pose.tobytes()

    @property
    def pixel(self) -> NDArray[np.uint8]:
        """The background as rgb shows it."""
        return (np.array(self.background) * 255 + 0.5).astype(np.uint8)


def _known(source: str | os.PathLike[str] | Gaussians) -> tuple[str, str, bytes]:
    """Name of the object, of the source, and a digest."""
    if isinstance(source, Gaussians):
        columns = source.positions, source.scales, source.rotations, source.opacities, source.sh
        return "splat", "Gaussians", hashlib.sha256(b"".join(map(bytes, columns))).digest()
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidValueError(
            f"expected the path of a .ply or .splat file or Gaussians, got {shown(source)}"
        )
    path = Path(source)
    return path.stem or "splat", printable(path), file_digest(str(path)).encode()


def _placement(up: str, given: ArrayLike | None) -> Matrix:
    """world_from_capture (4, 4)."""
    if up not in _UPRIGHT:
        raise InvalidValueError(f"up: expected one of {', '.join(_UPRIGHT)}, got {shown(up)}")
    if given is None:
        return _UPRIGHT[up]
    if up != "z":
        raise InvalidValueError("give up or world_from_capture, not both")
    matrix = np.asarray(given, float)
    fits = matrix.shape == (4, 4) and np.isfinite(matrix).all()
    if not fits or not np.array_equal(matrix[3], [0, 0, 0, 1]) or not np.linalg.det(matrix):
        raise InvalidValueError(
            "world_from_capture: expected an invertible (4, 4) whose last row is 0, 0, 0, 1, got "
            f"{shown(given)}"
        )
    return matrix


def _check_devices(depth: str, device: str) -> None:
    known = {"depth": (depth, ("median", "expected")), "device": (device, ("cpu", "cuda"))}
    for name, (value, choices) in known.items():
        if value not in choices:
            raise InvalidValueError(f"{name}: expected one of {choices}, got {shown(value)}")
    if device == "cuda" and depth == "median":
        raise InvalidValueError("device='cuda': gsplat knows no median depth; depth='expected'")
