"""Checks of normals: unit, in camera axes, true to the surface."""

from __future__ import annotations

import numpy as np

from heliograph.frame import Frame
from heliograph.poses import Floats, rotate
from heliograph.testing.geometry import ENOUGH, meet
from heliograph.testing.probe import Probe, angle_that_stays_in_view, degrees
from heliograph.testing.report import expect, promise

MAX_DEGREES = 3.0


@promise("normals are unit", "normals", "depth")
def normals_are_unit(probe: Probe) -> None:
    """Where something is hit normals have length 1."""
    frame = probe.picture
    hit = np.isfinite(frame.depth)
    expect(hit.any(), "expected to see something")
    length = np.linalg.norm(frame.normals.astype(float), axis=-1)[hit]
    worst = float(length[np.argmax(np.abs(length - 1))])
    expect(abs(worst - 1) < 1e-3, f"expected length 1, got {worst:.4f}")


@promise("normals face the camera", "normals", "depth")
def normals_face_the_camera(probe: Probe) -> None:
    """A surface that is seen faces the camera, in perspective and in parallel."""
    for frame in (probe.picture, probe.frame(probe.parallel())):
        hit = np.isfinite(frame.depth)
        towards = -_rays(frame)[hit]
        facing = (frame.normals[hit] * towards).sum(-1) > -0.2 * np.linalg.norm(towards, axis=-1)
        share = float(facing.mean()) if len(facing) else 1.0
        expect(share > 0.97, f"expected normals towards the camera, got {1 - share:.1%} away")


@promise("normals are those of the surface, in camera axes", "normals", "depth")
def normals_belong_to_the_surface(probe: Probe) -> None:
    """They agree with the slopes of the surface that depth describes."""
    for camera in (probe.camera, probe.turned(roll=0.7), probe.parallel()):
        frame = probe.frame(camera)
        inside = probe.smooth(frame)
        if inside.sum() < ENOUGH:
            continue
        slopes = _from_depth(frame)[inside]
        angle = float(np.median(degrees((slopes * frame.normals[inside]).sum(-1))))
        expect(
            angle < MAX_DEGREES,
            f"expected the normals of the surface in camera axes, got {angle:.1f} degrees off",
        )


@promise("normals turn with the camera", "normals", "depth")
def normals_turn_with_the_camera(probe: Probe) -> None:
    """A turned camera sees the same normals, turned the other way."""
    for camera in (
        probe.turned(roll=1.2),
        probe.turned(yaw=angle_that_stays_in_view(probe.camera)),
    ):
        a, b = probe.picture, probe.frame(camera)
        met = meet(probe, a, b)
        probe.need(len(met.a) >= ENOUGH, "too little is seen by both cameras")
        first, second = (
            rotate(f.camera.world_from_camera[:3, :3], f.normals.reshape(-1, 3)[i].astype(float))
            for f, i in ((a, met.a), (b, met.b))
        )
        angle = float(np.median(degrees((first * second).sum(-1))))
        expect(angle < MAX_DEGREES, f"expected equal normals in the world, {angle:.1f} degrees off")


def _rays(frame: Frame) -> Floats:
    """Directions (H, W, 3) of the pixels in camera axes."""
    camera = frame.camera.moved(np.eye(4))
    pixels = camera.pixel_centres()
    return camera.unproject(pixels, 2.0) - camera.unproject(pixels, 1.0)


def _from_depth(frame: Frame) -> Floats:
    """Normals (H, W, 3) in camera axes by differences of the points that depth describes."""
    camera = frame.camera.moved(np.eye(4))
    points = camera.unproject(camera.pixel_centres(), frame.depth.astype(float))
    down, right = np.gradient(points, axis=(0, 1))
    across = np.cross(right, -down)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(across / np.linalg.norm(across, axis=-1, keepdims=True))
