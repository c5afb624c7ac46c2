"""What checks work with: an engine, something to look at, and cameras to look with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.engine import Engine
from heliograph.frame import Buffers, Frame, Sample
from heliograph.poses import AngleUnit, Floats, from_euler
from heliograph.scene import Edit
from heliograph.testing.report import BrokenPromiseError, NothingToCheckError, expect
from heliograph.view import View

HEIGHT = 67
WIDTHS = (45, 121)
MIN_FOV, MAX_FOV = 0.6, 1.4
_SMOOTH = 0.01

Mask = NDArray[np.bool_]


class Setting(NamedTuple):
    """What `check_engine` was told about the scene.

    Attributes:
        state: a state to look at.
        other_state: another one; None where there is none.
        told: whether the states were given, so that they must look different.
        edits: edits the engine knows, that change the picture.
        camera: the camera to start from; None for the scene's first.
        changes: what `advance` takes, that changes the picture.
    """

    state: Mapping[str, Any]
    other_state: Mapping[str, Any] | None
    told: bool
    edits: Sequence[Edit]
    camera: Camera | str | None = None
    changes: Sequence[Edit] = ()


class Probe:
    """One engine under examination.

    Args:
        factory: makes a fresh engine.
        setting: what was told about the scene.
    """

    def __init__(self, factory: Callable[[], Engine], setting: Setting) -> None:
        self._factory = factory
        self.setting = setting
        self.engine = factory()
        self.specs = dict(self.engine.passes)
        self.passes = tuple(self.specs)
        self.used: set[str] = set()

    def render(
        self,
        cameras: Camera | str | Sequence[Camera | str],
        passes: Sequence[str] | None = None,
        **order: Any,
    ) -> Sample:
        """A sample of the state that the checks look at, unless the order says otherwise."""
        out: Sequence[Buffers] | None = order.pop("out", None)
        many = (cameras,) if isinstance(cameras, (Camera, str)) else tuple(cameras)
        wanted = self.passes if passes is None else tuple(passes)
        self.used.update(self.specs.keys() & set(wanted))
        named: Any = wanted
        view = View(many, named, **{"state": self.setting.state, **order})
        return self.engine.render(view, out) if out is not None else self.engine.render(view)

    def frame(self, camera: Camera, passes: Sequence[str] | None = None, **order: Any) -> Frame:
        """One frame of one camera."""
        return self.render(camera, passes, **order)[camera.name]

    def reopen(self) -> None:
        """Close the engine and take a fresh one."""
        self.engine.close()
        self.engine = self._factory()

    def without(self, *passes: str) -> tuple[str, ...]:
        """The engine's passes without some."""
        return tuple(name for name in self.passes if name not in passes)

    @cached_property
    def camera(self) -> Camera:
        """A small perspective camera by value that looks at the scene as the first camera does."""
        given = self.setting.camera
        known = dict(self.engine.cameras)
        named = next(iter(known)) if given is None else given
        base = named if isinstance(named, Camera) else self.render(named, self.passes)[named].camera
        width = min(max(round(HEIGHT * base.width / base.height), WIDTHS[0]), WIDTHS[1]) | 1
        angle = base.fov_y if base.projection is Projection.PERSPECTIVE else 0.0
        return Camera.perspective(
            fov_y=min(max(angle, MIN_FOV), MAX_FOV),
            width=width,
            height=HEIGHT,
            world_from_camera=base.world_from_camera,
            near=base.near,
            far=base.far,
            name="probe",
        )

    @cached_property
    def picture(self) -> Frame:
        """All passes of `camera`."""
        return self.frame(self.camera)

    @cached_property
    def inside(self) -> Mask:
        """Pixels (H, W) of `camera` well inside smooth surfaces."""
        return self.smooth(self.picture)

    @cached_property
    def focus(self) -> tuple[int, int]:
        """Row and column of a pixel on a smooth surface, as near to the centre as can be."""
        found = np.argwhere(self.inside)
        if not len(found):
            raise BrokenPromiseError(
                f"expected to see surfaces from {self.camera}, got none at all in depth; give "
                "check_engine a camera or a state with something to see"
            )
        middle = np.array(self.inside.shape) / 2
        row, column = found[np.argmin(((found - middle) ** 2).sum(-1))]
        return int(row), int(column)

    @cached_property
    def distance(self) -> float:
        """Depth at the focus, metres."""
        return float(self.picture.depth[self.focus])

    @cached_property
    def target(self) -> Floats:
        """The point (3,) at the focus."""
        row, column = self.focus
        return self.camera.unproject((column + 0.5, row + 0.5), self.distance)

    def smooth(self, frame: Frame) -> Mask:
        """Pixels (H, W) whose 5 x 5 neighbourhood is one surface without creases."""
        depth = frame.depth.astype(float)
        good = np.isfinite(depth) & (depth > 0)
        near = np.where(good, 1 / np.where(good, depth, 1), 0)
        if frame.camera.projection is Projection.ORTHOGRAPHIC:
            near = np.where(good, depth / np.median(depth[good]), 0) if good.any() else near
        for axis in (0, 1):
            bend = np.roll(near, 1, axis) + np.roll(near, -1, axis) - 2 * near
            good &= np.abs(bend) < _SMOOTH * np.abs(near)
        if "segmentation" in frame.passes:
            good &= uniform(frame.segmentation)
        return eroded(good)

    def turned(self, pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0) -> Camera:
        """`camera` turned about its own axes, radians."""
        turn = np.eye(4)
        turn[:3, :3] = from_euler((pitch, yaw, roll), "xyz", unit=AngleUnit.RADIANS)
        return self.camera.moved(rigid(self.camera.world_from_camera @ turn))

    def orbited(self, angle: float) -> Camera:
        """`camera` carried around the focus by an angle, radians, about its own y axis."""
        pose = np.array(self.camera.world_from_camera)
        turn = pose[:3, :3] @ from_euler((0, angle, 0), unit=AngleUnit.RADIANS) @ pose[:3, :3].T
        carried = np.eye(4)
        carried[:3, :3] = turn @ pose[:3, :3]
        carried[:3, 3] = self.target + turn @ (pose[:3, 3] - self.target)
        return self.camera.moved(rigid(carried))

    def parallel(self) -> Camera:
        """An orthographic camera at the same pose that shows the environment of the focus."""
        scale = self.camera.fy / self.distance
        return self.camera.replace(
            fx=scale, fy=scale, projection=Projection.ORTHOGRAPHIC, name="parallel"
        )

    def need(self, condition: object, why: str) -> None:
        """Skip the check unless there is occasion for it."""
        if not condition:
            raise NothingToCheckError(why)


def rigid(pose: Floats) -> Floats:
    """The pose with its rotation made orthonormal again, after a few products."""
    u, _, vt = np.linalg.svd(pose[:3, :3])
    clean = np.eye(4)
    clean[:3, :3], clean[:3, 3] = u @ vt, pose[:3, 3]
    return clean


def eroded(mask: Mask, by: int = 2) -> Mask:
    """The mask without what is within `by` pixels of its edge or the picture's."""
    padded = np.pad(mask, by)
    result = mask.copy()
    height, width = mask.shape
    for row in range(2 * by + 1):
        for column in range(2 * by + 1):
            result &= padded[row : row + height, column : column + width]
    return result


def uniform(ids: NDArray[Any]) -> Mask:
    """Where a pixel's four neighbours have its value."""
    same = np.ones(ids.shape, bool)
    for axis in (0, 1):
        for step in (1, -1):
            same &= np.roll(ids, step, axis) == ids
    return same


def identical(ours: Frame, theirs: Frame, what: str) -> None:
    """Expect the passes that both frames have to be the same bits."""
    for name in ours.passes.keys() & theirs.passes.keys():
        a, b = ours[name], theirs[name]
        if a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes():
            continue
        differ = a != b if a.shape == b.shape else np.ones(1, bool)
        raise BrokenPromiseError(
            f"{what}: expected bit-identical {name}, got {a.shape} and {b.shape} with "
            f"{int(np.count_nonzero(differ))} of {differ.size} values different"
        )


def same_frames(ours: Sample, theirs: Sample, what: str) -> None:
    """Expect all frames of two samples to be the same bits."""
    expect(list(ours.frames) == list(theirs.frames), f"{what}: other cameras")
    for name in ours.frames:
        identical(ours[name], theirs[name], f"{what}, camera {name!r}")


def differs(ours: Frame, theirs: Frame) -> bool:
    """Whether any pass differs."""
    return any(ours[name].tobytes() != theirs[name].tobytes() for name in ours.passes)


def degrees(cosines: Floats) -> Floats:
    """Angles of cosines."""
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))


def angle_that_stays_in_view(camera: Camera) -> float:
    """A turn, radians, after which most of the picture is still seen."""
    return min(camera.fov_y, camera.fov_x, math.pi / 2) / 4
