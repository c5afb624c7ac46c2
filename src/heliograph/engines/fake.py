"""The fake engine: a floor and three spheres by ray casting in numpy, exact and without GL.

It is for tests of everything that only needs *an* engine: it starts in microseconds, its pictures
are analytic, and its state can be told to be slow, to fail or to die.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.engine import (
    CancelToken,
    Capability,
    Engine,
    Outs,
    at_level,
    check_levels,
    check_version,
    made_sample,
    resolve_cameras,
)
from heliograph.errors import (
    ClosedError,
    EngineError,
    InvalidValueError,
    SceneError,
    UnknownNameError,
)
from heliograph.frame import Buffers, Labels, Provenance, Sample, own_or_given
from heliograph.passes import PASSES, PassSpecs, select_passes
from heliograph.poses import Floats
from heliograph.scene import Description, Edit, Item, ObjectTable, SceneObject, StateSpace
from heliograph.view import View, unchecked_view

EXIT, KILL, FAIL, HANG = 1, 2, 3, 4
"""What `crash` may be: `os._exit(3)`, SIGKILL to itself, an `EngineError`, never to return."""

_STEP: Final = 1e-3
"""Seconds after which a slow view that is refined looks whether anybody still waits."""

EXIT_CODE: Final = 3
_LEVELS: Final = (1 / 16, 1 / 4, 1.0)
SOURCES: Final = ("fake", "blank")


class Ball(NamedTuple):
    """A sphere: its id, radius (metres), where it is without state (3,), linear colour (3,)."""

    id: int
    radius: float
    at: tuple[float, float, float]
    colour: tuple[float, float, float]


FLOOR_ID: Final = 3
BALLS: Mapping[str, Ball] = {
    "ball": Ball(17, 0.4, (0.3, -0.2, 0.6), (0.9, 0.15, 0.1)),
    "globe": Ball(40, 0.7, (-0.9, 0.6, 0.7), (0.1, 0.35, 0.9)),
    "marble": Ball(101, 0.25, (-0.35, -0.9, 0.25), (0.2, 0.7, 0.2)),
}
_COUNTS: Mapping[str, str] = {
    "sleep": "seconds to sleep before drawing",
    "crash": "1 exits, 2 kills itself, 3 raises EngineError, 4 hangs",
}
_LIGHT: Final = np.array([0.36, -0.48, 0.8])
_SKY: Final = (70, 110, 160)


@dataclass(frozen=True)
class Paint(Edit):
    """Shows one ball in another colour.

    Attributes:
        name: which ball.
        colour: linear red, green and blue, 0 to 1.
    """

    name: str
    colour: tuple[float, float, float]


class FakeEngine(Engine):
    """Draws a floor (z = 0) and three balls; or, as `blank`, nothing at all.

    State keys: `ball`, `globe` and `marble`, the centre of a ball, (3,) metres; `sleep`, seconds to
    sleep before drawing; and `crash`, an integer: 0 nothing, 1 `os._exit(3)`, 2 SIGKILL to its own
    process, 3 raise `EngineError`, 4 never return. The only edit it knows is `Paint`, also as a
    change of the scene for good.

    The source `blank` draws nothing and costs next to nothing, to measure what delivery costs. All
    values of a pass are one constant, which tells which view it was and whether all of it came:
    rgb (index + 31 * seed) % 256, depth index, segmentation index % 2**31, normals 0. Such a
    picture keeps no promise about geometry, and its ids have no labels.

    Args:
        source: `fake` or `blank`.
        size: (width, height) of its cameras, pixels.
        cost: seconds that every view takes longer, asleep.

    Raises:
        SceneError: another source.
    """

    def __init__(
        self, source: str = "fake", *, size: tuple[int, int] = (320, 240), cost: float = 0.0
    ) -> None:
        if source not in SOURCES:
            raise SceneError(f"{source!r}: the fake engine knows {' and '.join(SOURCES)} only")
        self._blank = source == "blank"
        self._cost = cost
        self._cameras = _cameras(*size)
        self._rays: dict[tuple[object, ...], _Rays] = {}
        self._closed = False
        self._objects = ObjectTable.empty() if self._blank else _objects()
        self._source = source
        self._versions: list[tuple[Edit, ...]] = [()]
        self._made = Provenance("fake", f"numpy {np.__version__}")

    @property
    def scene(self) -> Description:
        """What there is to see."""
        return _describe(self._source, self._cameras, self._objects, self._versions)

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """`front`, `top` and the orthographic `plan`."""
        return dict(self._cameras)

    @property
    def passes(self) -> PassSpecs:
        """Those that every engine has."""
        return PASSES

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category); the ids have gaps on purpose."""
        return self._objects.labels

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It refines, changes for good, has random states, and publishes."""
        return frozenset(Capability) - {Capability.RENDER_MANY}

    @property
    def provenance(self) -> Provenance:
        """Who draws."""
        return self._made

    def advance(self, changes: Sequence[Edit]) -> int:
        """Paint balls for good; see `heliograph.engine.Described`."""
        edits = (*self._versions[-1], *changes)
        _colours(edits)
        self._versions.append(edits)
        version = len(self._versions) - 1
        self._made = replace(self._made, scene_version=version)
        return version

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        begun = time.time()
        if self._closed:
            raise ClosedError("this engine is closed")
        cameras = resolve_cameras(view, self._cameras)
        specs = select_passes(view.pass_names, self.passes)
        version = check_version(view, 0, len(self._versions) - 1)
        edits = (*self._versions[version], *view.edits)
        plain = self._blank and not view.state and not edits
        centres, colours = ({}, {}) if plain else (_centres(view.state), _colours(edits))
        buffers = own_or_given(cameras, specs, out)
        if view.state or self._cost:
            _misbehave(view.state, self._cost)
        for camera, arrays in zip(cameras, buffers, strict=True):
            if self._blank:
                _fill(arrays, view.seed or 0, view.index)
            else:
                _draw(self._rays_of(camera), _seen_from(camera, centres), colours, arrays)
        made = self.provenance.drawn(begun, version)
        return made_sample(view, cameras, buffers, self.labels, made)

    def refine(
        self,
        view: View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
    ) -> Iterator[Sample]:
        """Draw at a quarter of each side, then half, then all of it; or as told.

        A state `sleep` is what each of these takes, or what the whole of the work that is told
        takes.
        """
        parts = check_levels(levels or _LEVELS)
        cameras = resolve_cameras(view, self._cameras)
        slow = float(view.state.get("sleep", 0.0))
        quick = {key: value for key, value in view.state.items() if key != "sleep"}
        for part in parts:
            end = time.monotonic() + (slow * part if levels else slow)
            while not _is(cancel) and (left := end - time.monotonic()) > 0:
                time.sleep(min(left, _STEP))
            if _is(cancel):
                return
            coarse = tuple(at_level(camera, part) for camera in cameras)
            changes = {"cameras": coarse, "state": quick}
            made = self.render(unchecked_view(**{**vars(view), **changes}))
            yield replace(made, state=view.state)

    def publish(self, cancel: CancelToken | None = None) -> Iterator[Sample]:
        """Views of index 0, 1, 2 ..., as fast as they are taken."""
        for index in count():
            if _is(cancel):
                return
            yield self.render(View(index=index))

    def close(self) -> None:
        """Forget the rays; may be called twice."""
        self._closed = True
        self._rays.clear()

    def _rays_of(self, camera: Camera) -> _Rays:
        """The rays of a camera, which depend on its intrinsics alone; the last few are kept."""
        parallel = camera.projection is Projection.ORTHOGRAPHIC
        key = (camera.size, camera.fx, camera.fy, camera.cx, camera.cy, parallel)
        if key not in self._rays:
            if len(self._rays) >= 16:
                self._rays.clear()
            self._rays[key] = _cast(camera, parallel)
        return self._rays[key]


class _Rays(NamedTuple):
    """Rays in camera axes: from (ox, oy, 0) along (dx, dy, -1), so that length is depth."""

    ox: Floats
    oy: Floats
    dx: Floats
    dy: Floats
    shape: tuple[int, int]


class _Viewpoint(NamedTuple):
    """One camera's pose and range, and the balls' centres in its axes."""

    pose: Floats
    near: float
    far: float
    centres: Mapping[str, Floats]


class _Hits(NamedTuple):
    """What each ray meets first: depth, id; the normals and colours of those that meet any."""

    depth: Floats
    ids: NDArray[np.int32]
    normals: Floats
    colours: Floats


def _cast(camera: Camera, parallel: bool) -> _Rays:
    x: Floats = (np.arange(0.5, camera.width)[None, :] - camera.cx) / camera.fx
    y: Floats = (camera.cy - np.arange(0.5, camera.height)[:, None]) / camera.fy
    none = np.zeros((1, 1))
    shape = (camera.height, camera.width)
    return _Rays(x, y, none, none, shape) if parallel else _Rays(none, none, x, y, shape)


def _seen_from(camera: Camera, centres: Mapping[str, Floats]) -> _Viewpoint:
    pose = camera.world_from_camera
    turned = {name: (centre - pose[:3, 3]) @ pose[:3, :3] for name, centre in centres.items()}
    return _Viewpoint(pose, camera.near, camera.far, turned)


def _draw(
    rays: _Rays, eye: _Viewpoint, colours: Mapping[str, Floats], arrays: Mapping[str, Any]
) -> None:
    shape = rays.shape
    hits = _Hits(
        np.full(shape, np.inf), np.zeros(shape, np.int32), np.zeros((*shape, 3)), np.zeros(())
    )
    shaded = "rgb" in arrays
    if shaded:
        hits = hits._replace(colours=np.zeros((*shape, 3)))
    _meet_floor(rays, eye, hits)
    for name, centre in eye.centres.items():
        _meet_ball(rays, eye, hits, (BALLS[name], centre, colours[name]))
    if shaded:
        arrays["rgb"][...] = _shade(hits, eye.pose)
    geometry = {"depth": hits.depth, "normals": hits.normals, "segmentation": hits.ids}
    for name in arrays.keys() & geometry.keys():
        arrays[name][...] = geometry[name]


def _meet_floor(rays: _Rays, eye: _Viewpoint, hits: _Hits) -> None:
    """The plane z = 0: the world's z is linear in camera axes, with these coefficients."""
    (a, b, c), height = eye.pose[2, :3], eye.pose[2, 3]
    slope = a * rays.dx + b * rays.dy - c
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = -(height + a * rays.ox + b * rays.oy) / slope
    nearer = _nearer(np.broadcast_to(depth, rays.shape), eye, hits)
    facing = -np.sign(np.broadcast_to(slope, rays.shape)[nearer])[:, None]
    hits.depth[nearer] = np.broadcast_to(depth, rays.shape)[nearer]
    hits.ids[nearer] = FLOOR_ID
    hits.normals[nearer] = facing * np.array([a, b, c])
    if hits.colours.ndim:
        points = _points(rays, hits.depth, nearer) @ eye.pose[:3, :3].T + eye.pose[:3, 3]
        checks = np.floor(points[:, :2] * 2).sum(-1) % 2
        hits.colours[nearer] = (0.35 + 0.35 * checks)[:, None]


def _meet_ball(
    rays: _Rays, eye: _Viewpoint, hits: _Hits, ball: tuple[Ball, Floats, Floats]
) -> None:
    """The side of a ball that faces the camera; its inside is not drawn."""
    (number, radius, _, _), (x, y, z), colour = ball
    mx, my = rays.ox - x, rays.oy - y
    a = rays.dx**2 + rays.dy**2 + 1
    b = rays.dx * mx + rays.dy * my + z
    under = b**2 - a * (mx**2 + my**2 + z**2 - radius**2)
    depth = np.where(under > 0, (-b - np.sqrt(np.maximum(under, 0))) / a, np.inf)
    nearer = _nearer(depth, eye, hits)
    hits.depth[nearer] = depth[nearer]
    hits.ids[nearer] = number
    hits.normals[nearer] = (_points(rays, depth, nearer) - (x, y, z)) / radius
    if hits.colours.ndim:
        hits.colours[nearer] = colour


def _nearer(depth: Floats, eye: _Viewpoint, hits: _Hits) -> NDArray[np.bool_]:
    inside = (depth >= eye.near) & (depth <= eye.far)
    found: NDArray[np.bool_] = inside & (depth < hits.depth)
    return found


def _points(rays: _Rays, depth: Floats, where: NDArray[np.bool_]) -> Floats:
    """Points (n, 3) in camera axes."""
    at = depth[where]
    ox, oy, dx, dy = (np.broadcast_to(each, rays.shape)[where] for each in rays[:4])
    return np.stack((ox + dx * at, oy + dy * at, -at), axis=-1)


def _shade(hits: _Hits, pose: Floats) -> NDArray[np.uint8]:
    """Lambert under one distant light, then a square root for sRGB's curve."""
    bright = 0.25 + 0.75 * np.maximum(hits.normals @ (_LIGHT @ pose[:3, :3]), 0)
    rgb = np.sqrt(np.minimum(hits.colours * bright[..., None], 1)) * 255 + 0.5
    picture = rgb.astype(np.uint8)
    picture[hits.ids == 0] = _SKY
    return picture


def _fill(arrays: Buffers, seed: int, index: int) -> None:
    values: dict[str, float] = {
        "rgb": (index + 31 * seed) % 256,
        "depth": index,
        "segmentation": index % 2**31,
        "normals": 0.0,
    }
    for name, array in arrays.items():
        array.fill(values[name])


def _centres(state: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
    """Where the balls are."""
    for name, value in state.items():
        if name not in BALLS and name not in _COUNTS:
            raise UnknownNameError.of("state", name, [*BALLS, *_COUNTS])
        shape = (3,) if name in BALLS else ()
        if value.shape != shape:
            raise InvalidValueError(f"state[{name!r}]: expected shape {shape}, got {value.shape}")
    return {name: np.asarray(state.get(name, ball.at), float) for name, ball in BALLS.items()}


def _colours(edits: Sequence[Edit]) -> dict[str, Floats]:
    """The balls' colours, the later edit over the earlier."""
    colours = {name: np.array(ball.colour) for name, ball in BALLS.items()}
    for edit in edits:
        if not isinstance(edit, Paint):
            raise InvalidValueError(f"edits: the fake engine knows Paint alone, got {edit!r}")
        if edit.name not in BALLS:
            raise UnknownNameError.of("ball", edit.name, BALLS)
        colours[edit.name] = np.array(edit.colour, float)
    return colours


def _is(cancel: CancelToken | None) -> bool:
    return cancel is not None and cancel.cancelled


def _misbehave(state: Mapping[str, NDArray[Any]], cost: float) -> None:
    seconds = float(state.get("sleep", 0.0)) + cost
    if seconds > 0:
        time.sleep(seconds)
    crash = int(state.get("crash", 0))
    if crash == EXIT:
        os._exit(EXIT_CODE)
    if crash == KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    if crash == FAIL:
        raise EngineError("this view was told to fail (state['crash'] = 3)")
    while crash == HANG:
        time.sleep(60)


def _cameras(width: int, height: int) -> dict[str, Camera]:
    front = Camera.look_at(
        eye=(0.4, -3.6, 1.5),
        target=(-0.1, 0, 0.75),
        fov_y=0.85,
        width=width,
        height=height,
        far=60,
        name="front",
    )
    above = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]])
    top = Camera.perspective(
        fov_y=0.8, width=width, height=height, world_from_camera=above, name="top"
    )
    plan = Camera.orthographic(
        extent_y=3.4, width=width, height=height, world_from_camera=above, name="plan"
    )
    return {camera.name: camera for camera in (front, top, plan)}


def _objects() -> ObjectTable:
    none = np.full((2, 3), np.nan)
    rows = [SceneObject(FLOOR_ID, "floor", "plane", "", 0, none, seen=True)]
    for name, ball in BALLS.items():
        box = np.array([[-ball.radius] * 3, [ball.radius] * 3])
        rows.append(SceneObject(ball.id, name, "sphere", "", 0, box, seen=True))
    table = ObjectTable.of(rows)
    poses, colours = np.array(table.poses), np.full((len(rows), 4), 0.5)
    poses[1:, :3, 3] = [ball.at for ball in BALLS.values()]
    colours[1:, :3] = [ball.colour for ball in BALLS.values()]
    colours[:, 3] = 1
    return replace(table, poses=poses, colours=colours)


def _describe(
    source: str,
    cameras: Mapping[str, Camera],
    objects: ObjectTable,
    versions: Sequence[tuple[Edit, ...]],
) -> Description:
    sizes = [(name, camera.size) for name, camera in cameras.items()]
    facts = (source, BALLS, FLOOR_ID, sizes, versions[-1])
    state = [Item(name, "state", "centre, shape (3,), metres") for name in BALLS]
    state += [Item(name, "state", what) for name, what in _COUNTS.items()]
    return Description(
        source,
        hashlib.sha256(repr(facts).encode()).hexdigest(),
        objects,
        lights=(Item("sun", "light"),),
        state=tuple(state),
        space=StateSpace(
            rest={name: np.array(ball.at) for name, ball in BALLS.items()},
            ranges={"ball": (np.array([-0.6, -0.6, 0.4]), np.array([0.6, 0.6, 1.2]))},
        ),
        version=len(versions) - 1,
    )
