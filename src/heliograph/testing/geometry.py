"""Checks of depth: metres along the optical axis, one world seen by every camera."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.frame import Frame
from heliograph.poses import Floats
from heliograph.testing.probe import Mask, Probe, angle_that_stays_in_view, rigid
from heliograph.testing.report import expect, promise

EXACT = 1e-3
RAY = 1e-5
ENOUGH = 12
COLOURS = 6.0


class Meeting(NamedTuple):
    """Points that frame `a` shows, as frame `b` shows them.

    Attributes:
        a, b: flat indices of their pixels, (n,).
        expected: depth they should have in `b` by where `a` sees them, (n,) metres.
        seen: depth that `b` has there, between pixel centres, (n,) metres.
    """

    a: NDArray[np.intp]
    b: NDArray[np.intp]
    expected: Floats
    seen: Floats

    @property
    def error(self) -> Floats:
        """Relative error of depth, (n,)."""
        return np.abs(self.seen / self.expected - 1)


def meet(probe: Probe, a: Frame, b: Frame) -> Meeting:
    """Carry the smooth surfaces of one frame into another."""
    inside = np.flatnonzero(probe.smooth(a))
    pixels = a.camera.pixel_centres().reshape(-1, 2)[inside]
    points = a.camera.unproject(pixels, a.depth.reshape(-1)[inside].astype(float))
    at = b.camera.project(points)
    size = np.array(b.camera.size)
    ok: Mask = np.all(np.isfinite(at) & (at > 1) & (at < size - 1), axis=-1)
    nearest = np.floor(np.where(ok[:, None], at, 0)).astype(int)
    ok &= probe.smooth(b)[nearest[:, 1], nearest[:, 0]]
    flat = nearest[ok] @ np.array([1, b.camera.width])
    return Meeting(inside[ok], flat, b.camera.depth_of(points[ok]), between(b, at[ok]))


def between(frame: Frame, at: Floats) -> Floats:
    """Depth (n,) at pixels (n, 2): exact on planes, whose inverse depth is linear in the image."""
    parallel = frame.camera.projection is Projection.ORTHOGRAPHIC
    depth = frame.depth.astype(float)
    values: Floats = depth if parallel else 1 / depth
    corner = np.floor(at - 0.5).astype(int)
    x, y = (at - 0.5 - corner).T
    column, row = corner.T
    top = values[row, column] * (1 - x) + values[row, column + 1] * x
    bottom = values[row + 1, column] * (1 - x) + values[row + 1, column + 1] * x
    found = top * (1 - y) + bottom * y
    return np.asarray(found if parallel else 1 / found)


def _same_axis(a: Frame, b: Frame) -> bool:
    """Whether two cameras share place and axis: a light on the camera makes others differ."""
    return np.allclose(a.camera.world_from_camera[:, 2:], b.camera.world_from_camera[:, 2:])


def one_world(probe: Probe, camera: Camera, what: str) -> None:
    """Expect another camera to see the surfaces of the picture where it shows them."""
    a, b = probe.picture, probe.frame(camera)
    expect(probe.focus is not None, "nothing to see")
    met = meet(probe, a, b)
    probe.need(len(met.a) >= ENOUGH, f"too little is seen by both cameras ({what})")
    worst = float(np.median(met.error))
    message = f"{what}: expected surfaces where the first camera shows them"
    expect(worst < EXACT, f"{message}, got depth {worst:.2%} off (median)")
    if "segmentation" in b.passes:
        same = np.mean(a.segmentation.reshape(-1)[met.a] == b.segmentation.reshape(-1)[met.b])
        expect(same > 0.9, f"{message}, got other ids on {1 - same:.0%} of the pixels")
    if "rgb" in b.passes and _same_axis(a, b):
        colours = [f.rgb.reshape(-1, 3).astype(float)[i] for f, i in ((a, met.a), (b, met.b))]
        off = float(np.median(np.abs(colours[0] - colours[1])))
        expect(off < COLOURS, f"{message}, got colours {off:.0f} of 255 off (median)")


@promise("depth is along the optical axis", "depth")
def depth_is_along_the_axis(probe: Probe) -> None:
    """Cameras at one place that look in different directions agree on where surfaces are.

    Depth as length of the ray, and mirrored or flipped pictures, do not survive this.
    """
    angle = angle_that_stays_in_view(probe.camera)
    one_world(probe, probe.turned(yaw=angle), "turned to the left")
    one_world(probe, probe.turned(pitch=angle), "turned up")
    one_world(probe, probe.turned(pitch=-angle), "turned down")
    one_world(probe, probe.turned(roll=1.2), "turned about its axis")


@promise("depth is in metres", "depth")
def depth_is_in_metres(probe: Probe) -> None:
    """The camera comes nearer along one ray: that pixel's depth shrinks by exactly that much."""
    row, column = probe.focus
    pixel = (column + 0.5, row + 0.5)
    for share in (0.2, 0.4):
        step = share * probe.distance
        moved = probe.camera.moved(_stepped(probe, pixel, step))
        seen = float(probe.frame(moved).depth[row, column])
        off = abs(probe.distance - seen - step)
        allowed = 2e-3 * step + 1e-5 * probe.distance
        expect(off < allowed, f"{step:.4f} m nearer: got {probe.distance - seen:.4f} m less depth")


def _stepped(probe: Probe, pixel: tuple[float, float], step: float) -> Floats:
    """The pose (4, 4) after a step that takes `step` metres from the depth at one pixel."""
    pose = np.array(probe.camera.world_from_camera)
    camera = probe.camera
    pose[:3, 3] += camera.unproject(pixel, 2 * step) - camera.unproject(pixel, step)
    return rigid(pose)


@promise("distance is along the ray", "depth", "distance")
def distance_is_along_the_ray(probe: Probe) -> None:
    """From the camera to the point that depth shows; as depth itself for an orthographic one."""
    shifted = probe.camera.replace(cx=probe.camera.cx + 9, cy=probe.camera.cy - 5)
    for camera in (probe.camera, shifted, probe.parallel()):
        frame = probe.frame(camera)
        hit = np.isfinite(frame.depth)
        expect((np.isposinf(frame["distance"]) != hit).all(), "distance: expected inf as in depth")
        away = frame.depth[hit].astype(float)
        if camera.projection is Projection.PERSPECTIVE:
            points = camera.unproject(camera.pixel_centres()[hit], away)
            away = np.linalg.norm(points - camera.world_from_camera[:3, 3], axis=-1)
        worst = float(np.abs(frame["distance"][hit] / away - 1).max(initial=0))
        expect(worst < RAY, f"distance: expected it along the ray, got {worst:.3%} off (largest)")


@promise("cameras elsewhere see the same world", "depth")
def one_world_from_elsewhere(probe: Probe) -> None:
    """A camera carried around what is in focus sees it where the first camera does."""
    for angle in (0.15, -0.15):
        one_world(probe, probe.orbited(angle), "carried around the focus")


@promise("orthographic cameras", "depth")
def orthographic_sees_the_same_world(probe: Probe) -> None:
    """An orthographic camera at the same pose shows the same surfaces at the same depth."""
    one_world(probe, probe.parallel(), "orthographic")
