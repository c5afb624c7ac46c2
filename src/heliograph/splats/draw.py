"""Pictures of gaussian splats, by the native module.

The projection is that of 3D Gaussian splatting (Kerbl et al. 2023, after EWA splatting): made
linear at each mean, 0.3 square pixels added. Splats are blended front to back in the order of
their means' depths, in the numbers they are given in: sRGB. The same bits come from every x86-64
and any number of threads.

A splat's depth at a pixel is the mean of its depth along the pixel's ray, without what was added
to its footprint; that is where the ray meets the plane it spans where it is flat.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph import cores
from heliograph.camera import Camera, Projection
from heliograph.checks import check_integer
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.requires import native_module
from heliograph.splats.gaussians import Gaussians

if TYPE_CHECKING:
    from heliograph._native import SplatScene

PASSES: Final = ("colour", "alpha", "depth", "median_depth", "index")
"""What `draw_splats` can give."""

MAX_THREADS: Final = 256
_FASTEST: Final = 2
"""Of the instructions: the best that the processor has."""

_SHAPES: Final = {"colour": (3,)}
_DTYPES: Final = {"index": np.dtype(np.int32)}


class Cancel(Protocol):
    """What `heliograph.CancelToken` is."""

    def on_cancel(self, call: Callable[[], object]) -> None:
        """Have something called, once, when nobody waits any more; now, where that is so."""

    def forget(self, call: Callable[[], object]) -> None:
        """What `on_cancel` was told is called no more."""


def check_native() -> None:
    """Look for the native module before anything is to be drawn.

    Raises:
        MissingDependencyError: it is not built; says how to build it.
    """
    _module()


def prepare(gaussians: Gaussians) -> SplatScene:
    """Lay gaussians out for `draw_splats`: once, for pictures from any number of cameras.

    Raises:
        MissingDependencyError: the native module is not built; says how to build it.
    """
    g = gaussians
    scene: SplatScene = _module().SplatScene(g.positions, g.scales, g.rotations, g.opacities, g.sh)
    return scene


def draw_splats(
    prepared: SplatScene,
    camera: Camera,
    passes: Sequence[str] = PASSES,
    *,
    depth_behind: ArrayLike | None = None,
    cancel: Cancel | None = None,
    threads: int | None = None,
) -> dict[str, NDArray[Any]]:
    """Draw splats as one camera sees them; may be called from several threads at once.

    Args:
        prepared: what `prepare` returned.
        camera: splats whose means are nearer than its near plane or beyond its far plane are not
            drawn.
        passes: which of `PASSES`.
        depth_behind: (H, W), metres along the optical axis, inf where nothing is: what lies there
            hides the splats that are farther at that pixel.
        cancel: looked at after each row of tiles; once it is cancelled this returns early, and
            what it returns is no picture.
        threads: None for as many as the cores this process may use, at most what the environment's
            OMP_NUM_THREADS says.

    Returns:
        By pass: `colour` (H, W, 3) float32, sRGB numbers times `alpha`; `alpha` (H, W) float32, 0
        to 1; `depth` (H, W) float32, the mean over all splats by how much each is seen, metres
        along the optical axis, inf where alpha is below 0.5; `median_depth` (H, W) float32, that
        of the splat which hides more than half of what is behind, inf where none does; `index`
        (H, W) int32, the number of that splat, -1 where there is none.

    Raises:
        UnknownNameError: a pass that is not among `PASSES`.
        InvalidValueError: a `depth_behind` of another shape, or a bad number of threads.
    """
    outs = {name: _empty(name, camera) for name in passes}
    behind = None if depth_behind is None else _check_behind(depth_behind, camera)
    flag = _module().CancelFlag()
    stop = flag.set
    if cancel is not None:
        cancel.on_cancel(stop)
    try:
        prepared.draw(
            camera=_numbers(camera),
            width=camera.width,
            height=camera.height,
            orthographic=camera.projection is Projection.ORTHOGRAPHIC,
            **{name: outs.get(name) for name in PASSES},
            behind=behind,
            cancel=flag,
            threads=_thread_count(threads),
            level=_FASTEST,
        )
    finally:
        if cancel is not None:
            cancel.forget(stop)
    return outs


def _module() -> Any:
    return native_module("splats are drawn")


def _empty(name: str, camera: Camera) -> NDArray[Any]:
    if name not in PASSES:
        raise UnknownNameError.of("pass of splats", name, PASSES)
    shape = (camera.height, camera.width, *_SHAPES.get(name, ()))
    # Of zeros, so that a picture that is given up holds nobody's memory.
    return np.zeros(shape, _DTYPES.get(name, np.dtype(np.float32)))


def _check_behind(depth: ArrayLike, camera: Camera) -> NDArray[np.float32]:
    array = np.ascontiguousarray(depth, np.float32)
    if array.shape != (camera.height, camera.width):
        raise InvalidValueError(
            f"depth_behind: expected the camera's shape {(camera.height, camera.width)}, got "
            f"{array.shape}"
        )
    return array


def _numbers(camera: Camera) -> NDArray[np.float64]:
    """What the native module takes: rotation to OpenCV's axes, eye, intrinsics, planes."""
    pose = camera.world_from_camera
    rotation = pose[:3, :3].T * np.array([[1.0], [-1.0], [-1.0]])
    rest = (camera.fx, camera.fy, camera.cx, camera.cy, camera.near, camera.far)
    return np.concatenate((rotation.ravel(), pose[:3, 3], rest))


def _thread_count(threads: int | None) -> int:
    if threads is not None:
        return check_integer("threads", threads, 1, MAX_THREADS)
    return min(cores.threads(), MAX_THREADS)
