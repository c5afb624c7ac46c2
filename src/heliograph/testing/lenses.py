"""Checks of intrinsics: pixel centres, principal point, focal lengths, near and far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.frame import Frame
from heliograph.poses import Floats
from heliograph.testing.probe import Mask, Probe, eroded, identical, uniform
from heliograph.testing.report import expect, promise

MAX_SHIFT = 0.05
EXACT = 1e-4
MATCH = 0.985
SHARP = 0.93
COLOUR = 12
_FEW = 60

Picture = NDArray[Any]
Pick = Callable[[Picture], Picture]


def agree(ours: Frame, theirs: Frame, pick: tuple[Pick, Pick], what: str) -> None:
    """Expect two frames to be equal after picking the pixels that show the same."""
    for name in ours.passes:
        a, b = (choose(frame[name]) for choose, frame in zip(pick, (ours, theirs), strict=True))
        share = float(np.mean(_close(name, a, b)))
        message = f"{what}: expected equal {name}, got {1 - share:.1%} of the pixels different"
        expect(share >= MATCH, message)


def _close(name: str, a: Picture, b: Picture) -> Mask:
    if name == "segmentation":
        return np.asarray(a == b)
    if a.dtype == np.uint8:
        off = np.abs(a.astype(int) - b)
        return np.asarray(off.reshape(*off.shape[:2], -1).max(-1) <= COLOUR)
    if name == "normals":
        return np.asarray(np.abs(a - b).max(-1) <= 0.15)
    both = np.isfinite(a) & np.isfinite(b)
    far = np.where(both, np.abs(np.where(both, a, 0) - np.where(both, b, 0)), 0)
    return np.asarray((far <= 0.01 * np.where(both, a, 1)) & (np.isfinite(a) == np.isfinite(b)))


def shift(ours: Floats, theirs: Floats, inside: Mask) -> tuple[float, float] | None:
    """By how many pixels (x, y) `theirs` lies to the right of and below `ours`, least squares.

    None where depth says too little, as on a wall that the camera faces.
    """
    with np.errstate(invalid="ignore"):
        rows, columns = (np.gradient(1 / ours, axis=axis) for axis in (0, 1))
        error = 1 / ours - 1 / theirs
    use: Mask = inside & np.isfinite(rows + columns + error)
    slopes = np.stack((columns[use], rows[use]), axis=-1)
    if use.sum() < _FEW:
        return None
    scale = float(np.median(1 / ours[use]))
    _, strength, _ = np.linalg.svd(slopes / scale, full_matrices=False)
    if strength[-1] < 1e-3 * np.sqrt(use.sum()):
        return None
    (x, y), *_ = np.linalg.lstsq(slopes, error[use], rcond=None)
    return float(x), float(y)


def unshifted(ours: Picture, theirs: Picture, inside: Mask, what: str, scale: float = 1.0) -> None:
    """Expect the same depth at the same pixels, to 0.05 pixel; `scale` undoes a magnified shift."""
    found = shift(ours.astype(float), theirs.astype(float), eroded(inside, 1))
    if found is not None:
        x, y = found[0] * scale, found[1] * scale
        expect(
            max(abs(x), abs(y)) < MAX_SHIFT,
            f"{what}: expected pixel centres at (x + 0.5, y + 0.5), got the picture "
            f"({x:+.2f}, {y:+.2f}) pixels off",
        )


@promise("row 0 is the top; the principal point moves the picture")
def principal_point_moves_the_picture(probe: Probe) -> None:
    """A principal point n pixels lower and m to the right shows all so much lower and righter."""
    camera, n, m = probe.camera, 7, 4
    moved = probe.frame(camera.replace(cx=camera.cx + m, cy=camera.cy + n))
    pick: tuple[Pick, Pick] = (lambda a: a[:-n, :-m], lambda b: b[n:, m:])
    agree(probe.frame(camera), moved, pick, f"principal point moved by ({m}, {n})")
    row, column = probe.focus
    expect(probe.picture.depth[row, column] > 0, "nothing to see")


@promise("pixel centres at + 0.5")
def pixels_are_sampled_at_their_centres(probe: Probe) -> None:
    """With three times the pixels the middle one of each three is the pixel of the small picture.

    So ids are those of one point, never blended; focal lengths may differ.
    """
    camera = probe.camera
    geometry = probe.without("rgb")
    probe.need(geometry, "it has no passes of geometry")
    small = probe.frame(camera, geometry)
    for x, y in ((3, 3), (3, 1), (1, 3)):
        large = probe.frame(camera.resized(camera.width * x, camera.height * y), geometry)
        pick: tuple[Pick, Pick] = (lambda a: a, _every(x, y))
        what = f"{x} x {y} times the pixels"
        agree(small, large, pick, what)
        if "segmentation" in geometry:
            _sharp(small.segmentation, pick[1](large.segmentation), what)
        if "depth" in geometry:
            unshifted(small.depth, pick[1](large.depth), probe.inside, what, 1.5)


def _sharp(ours: Picture, theirs: Picture, what: str) -> None:
    """Expect equal ids where regions meet, which is where blending shows."""
    edges = ~uniform(ours)
    if np.count_nonzero(edges) >= _FEW:
        share = float(np.mean(ours[edges] == theirs[edges]))
        expect(share > SHARP, f"{what}: expected the same ids at edges, got {1 - share:.0%} others")


def _every(x: int, y: int) -> Pick:
    return lambda picture: picture[y // 2 :: y, x // 2 :: x]


@promise("a camera upside down sees the picture turned")
def upside_down_is_turned(probe: Probe) -> None:
    """A camera rolled by half a turn gives the same picture, turned."""
    cameras = [probe.camera, probe.parallel()]
    for camera in cameras:
        _turned(probe, camera)


def _turned(probe: Probe, camera: Camera) -> None:
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    rolled = camera.moved(camera.world_from_camera @ flip)
    upright, turned = probe.frame(camera), probe.frame(rolled)
    passes = {name: array[::-1, ::-1] for name, array in turned.passes.items()}
    if "normals" in passes:
        passes["normals"] = passes["normals"] * np.array([-1, -1, 1])
    same: Pick = np.asarray
    back = Frame(camera, passes)
    agree(upright, back, (same, same), f"{camera.projection} upside down")
    if "depth" in passes:
        inside = probe.smooth(upright)
        unshifted(upright.depth, back.depth, inside, "upside down", 0.5)


@promise("near and far", "depth")
def near_and_far_cut(probe: Probe) -> None:
    """What is nearer than near or farther than far is not shown; the rest is as it was."""
    camera, picture, d = probe.camera, probe.picture, probe.distance
    expect(camera.near < 0.9 * d < 1.1 * d < camera.far, "nothing to see between near and far")
    cut = probe.frame(camera.replace(near=d * 1.05))
    least = float(cut.depth.min())
    expect(least > d * 1.0499, f"near {d * 1.05:.4g}: got depth {least:.4g}")
    cut = probe.frame(camera.replace(far=d * 0.95))
    finite = cut.depth[np.isfinite(cut.depth)]
    expect((finite < d * 0.9501).all(), f"far {d * 0.95:.4g}: got depth {finite.max(initial=0)}")
    close = picture.depth < d * 0.949
    off = np.abs(cut.depth[close] / picture.depth[close] - 1)
    expect((off < EXACT).mean() > MATCH if close.any() else True, "far: changed what is nearer")


@promise("background: inf, 0, 0", "depth")
def background_is_empty(probe: Probe) -> None:
    """Where nothing is hit depth is inf, normals and ids are 0; elsewhere none of them is."""
    nearest = float(probe.picture.depth.min())
    expect(np.isfinite(nearest) and nearest > 0, f"expected to see something, got {nearest}")
    empty = probe.camera.replace(near=nearest * 1e-3, far=nearest * 0.5)
    for frame in (probe.picture, probe.frame(empty), probe.frame(probe.turned(pitch=0.5))):
        _consistent(frame)
    depth = probe.frame(empty).depth
    expect(np.isinf(depth).all(), f"expected inf where nothing is hit, got {depth.min()}")


def _consistent(frame: Frame) -> None:
    depth = frame.depth
    expect(not np.isnan(depth).any() and (depth > 0).all(), "depth: expected above 0, no NaN")
    nothing = np.isposinf(depth)
    found = {"segmentation": lambda: frame.segmentation == 0}
    found["normals"] = lambda: (frame.normals == 0).all(-1)
    for name in found.keys() & frame.passes.keys():
        differ = int(np.count_nonzero(found[name]() != nothing))
        expect(not differ, f"{name}: expected 0 exactly where depth is inf, got {differ} others")


@promise("one camera, one picture, whatever its name")
def names_do_not_matter(probe: Probe) -> None:
    """The name of a camera by value does not enter its picture."""
    other = probe.frame(probe.camera.replace(name="another name"))
    identical(probe.picture, other, "a camera under another name")


@promise("where nothing is, passes hold their fill", "depth")
def nothing_holds_the_fill(probe: Probe) -> None:
    """Where nothing is hit every pass has its spec's fill; sRGB has the scene's background."""
    nearest = float(probe.picture.depth.min())
    empty = probe.camera.replace(near=nearest * 1e-3, far=nearest * 0.5)
    for frame in (probe.picture, probe.frame(empty)):
        nothing = np.isposinf(frame.depth)
        for name in probe.passes:
            spec, values = probe.specs[name], frame[name][nothing]
            if spec.unit != "sRGB":
                fill = np.array(spec.fill).astype(spec.dtype)
                filled = (values == fill) | ((values != values) & (fill != fill))
                expect(filled.all(), f"{name}: expected {fill} where nothing is hit, got others")
