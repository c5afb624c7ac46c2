"""Cameras: values that say from where, how wide and how large a picture is taken.

Pixel coordinates are (x, y): row 0 is the top, the centre of the first pixel is (0.5, 0.5) and the
centre of the image is (width / 2, height / 2).
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass
from enum import Enum
from numbers import Real
from typing import Any, Final, Self, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike

from heliograph import poses
from heliograph.checks import check_integer
from heliograph.errors import InvalidValueError, shown
from heliograph.poses import Floats

MAX_SIZE: Final = 16384  # pixels, of the width and of the height
MIN_FOV: Final = 1e-6  # radians


class Projection(Enum):
    """How points fall onto the image."""

    PERSPECTIVE = "perspective"
    ORTHOGRAPHIC = "orthographic"


class CameraOptions(TypedDict, total=False):
    """What every constructor takes besides: see `Camera`."""

    name: str
    near: float
    far: float


class CameraChanges(CameraOptions, total=False):
    """What `Camera.replace` takes: any field of `Camera`."""

    world_from_camera: ArrayLike
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    projection: Projection


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Camera:
    """A camera: a value, equal and hashed by what it holds; never a handle into an engine.

    Its constructors and methods raise `InvalidValueError` for whatever is not as described.

    Attributes:
        name: what frames are found by; not empty.
        world_from_camera: pose, (4, 4) float64, metres, OpenGL camera axes (x right, y up, looks
            along -z); anything `numpy.asarray` takes is copied and becomes read-only.
        width, height: pixels, 1 to `MAX_SIZE`.
        fx, fy: focal lengths in pixels, or pixels per metre where orthographic.
        cx, cy: principal point, pixels; (width / 2, height / 2) is the centre.
        near, far: planes across the optical axis, metres from the camera, 0 < near < far.
        projection: perspective or orthographic.
    """

    name: str = "camera"
    world_from_camera: Floats
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    near: float = 0.01
    far: float = 1000.0
    projection: Projection = Projection.PERSPECTIVE

    def __post_init__(self) -> None:
        """Check every field and take copies, so that no later change of an argument shows."""
        keep = functools.partial(object.__setattr__, self)
        pose = poses.check_pose(self.world_from_camera, "world_from_camera")
        pose.flags.writeable = False
        keep("world_from_camera", pose)
        if not isinstance(self.name, str) or not self.name:
            raise InvalidValueError(f"name: expected a non-empty string, got {shown(self.name)}")
        for field in ("width", "height"):
            keep(field, _check_size(getattr(self, field), field))
        for field in ("cx", "cy"):
            keep(field, _check_number(getattr(self, field), field))
        for field in ("fx", "fy", "near", "far"):
            keep(field, _check_number(getattr(self, field), field, above=0))
        if self.near >= self.far:
            raise InvalidValueError(f"near: expected less than far ({self.far}), got {self.near}")
        if not isinstance(self.projection, Projection):
            raise InvalidValueError(
                f"projection: expected a Projection, got {shown(self.projection)}"
            )

    @classmethod
    def perspective(
        cls,
        *,
        fov_y: float,
        width: int,
        height: int,
        world_from_camera: ArrayLike | None = None,
        **options: Unpack[CameraOptions],
    ) -> Self:
        """Return a perspective camera with square pixels and a centred principal point.

        `fov_y` is the vertical field of view in radians, below pi; width and height are pixels.
        Without a pose (4, 4) the camera is at the origin, looks along -z and has +y up. `options`
        are `name`, `near` and `far` (metres).
        """
        focal = _check_size(height, "height") / 2 / math.tan(_check_fov(fov_y) / 2)
        matrix = _centred(focal, width, height)
        return cls.from_K(
            matrix, width=width, height=height, world_from_camera=world_from_camera, **options
        )

    @classmethod
    def orthographic(
        cls,
        *,
        extent_y: float,
        width: int,
        height: int,
        world_from_camera: ArrayLike | None = None,
        **options: Unpack[CameraOptions],
    ) -> Self:
        """Return an orthographic camera with square pixels and a centred principal point.

        `extent_y` is what the image's height shows, metres; see `perspective` for the rest.
        """
        scale = _check_size(height, "height") / _check_number(extent_y, "extent_y", above=0)
        matrix = _centred(scale, width, height)
        camera = cls.from_K(
            matrix, width=width, height=height, world_from_camera=world_from_camera, **options
        )
        return camera.replace(projection=Projection.ORTHOGRAPHIC)

    @classmethod
    def from_K(  # noqa: N802 - what everyone calls the matrix
        cls,
        K: ArrayLike,  # noqa: N803
        *,
        width: int,
        height: int,
        world_from_camera: ArrayLike | None = None,
        **options: Unpack[CameraOptions],
    ) -> Self:
        """Return a perspective camera with a calibration matrix (3, 3), pixels.

        It must read [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], without skew. The first pixel's centre
        is (0.5, 0.5): add 0.5 to a principal point that counts from (0, 0). The pose (4, 4) has
        OpenGL camera axes; for OpenCV's see `poses.opengl_from_opencv`.
        """
        fx, fy, cx, cy = _check_calibration(K)
        pose: Any = np.eye(4) if world_from_camera is None else world_from_camera
        return cls(
            world_from_camera=pose,
            width=width,
            height=height,
            fx=fx,
            fy=fy,
            cx=cx,
            cy=cy,
            **options,
        )

    @classmethod
    def look_at(
        cls,
        *,
        eye: ArrayLike,
        target: ArrayLike,
        up: ArrayLike = (0.0, 0.0, 1.0),
        fov_y: float,
        width: int,
        height: int,
        **options: Unpack[CameraOptions],
    ) -> Self:
        """Return a perspective camera at `eye` (3,) that looks at `target` (3,), metres.

        `fov_y` is the angle between the top and the bottom edge, radians. See `poses.look_at` for
        `up`, and `perspective` for the rest.
        """
        pose = poses.look_at(eye, target, up)
        return cls.perspective(
            fov_y=fov_y, width=width, height=height, world_from_camera=pose, **options
        )

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), pixels."""
        return (self.width, self.height)

    @property
    def K(self) -> Floats:  # noqa: N802 - what everyone calls the matrix
        """OpenCV's calibration matrix (3, 3), pixels (per metre where orthographic)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def fov_x(self) -> float:
        """Angle between the left and the right edge, radians; 0 where orthographic."""
        return self._angle(self.cx, self.width, self.fx)

    @property
    def fov_y(self) -> float:
        """Angle between the top and the bottom edge, radians; 0 where orthographic."""
        return self._angle(self.cy, self.height, self.fy)

    @functools.cached_property
    def camera_from_world(self) -> Floats:
        """The inverse pose (4, 4), OpenGL camera axes; read-only."""
        (a, b, c, x), (d, e, f, y), (g, h, i, z), _ = self.world_from_camera.tolist()
        inverse = np.array(  # without BLAS, which rounds otherwise on every processor
            [
                [a, d, g, 0.0 - (a * x + d * y + g * z)],
                [b, e, h, 0.0 - (b * x + e * y + h * z)],
                [c, f, i, 0.0 - (c * x + f * y + i * z)],
                [0.0, 0.0, 0.0, 1.0],
            ]
        )
        inverse.flags.writeable = False
        return inverse

    @property
    def opencv_from_world(self) -> Floats:
        """OpenCV's extrinsic matrix (4, 4): camera axes x right, y down, looks along +z."""
        return poses.invert(poses.opencv_from_opengl(self.world_from_camera))

    @property
    def projection_matrix(self) -> Floats:
        """OpenGL's clip coordinates from the camera's, (4, 4): y up, depth -1 (near) to 1 (far)."""
        span, both = self.far - self.near, self.far + self.near
        x, y = 2 * self.cx / self.width - 1, 1 - 2 * self.cy / self.height
        matrix = np.diag([2 * self.fx / self.width, 2 * self.fy / self.height, 0.0, 0.0])
        if self.projection is Projection.ORTHOGRAPHIC:
            matrix[:, 3] = (x, y, -both / span, 1.0)
            matrix[2, 2] = -2 / span
        else:
            matrix[:, 2] = (-x, -y, -both / span, -1.0)
            matrix[2, 3] = -2 * self.far * self.near / span
        return matrix

    def project(self, points: ArrayLike) -> Floats:
        """Return where world points (..., 3), metres, fall: pixels (..., 2).

        Points outside the image or beyond near and far are projected all the same.

        Returns:
            (x, y) in pixels; NaN for points that are NaN, and for a perspective camera for points
            that are not in front of it.
        """
        x, y, z = np.moveaxis(self._camera_points(points), -1, 0)
        parallel = self.projection is Projection.ORTHOGRAPHIC
        scale = np.ones_like(z) if parallel else np.where(z < 0, -z, np.nan)
        with np.errstate(over="ignore"):
            return np.stack((self.cx + self.fx * x / scale, self.cy - self.fy * y / scale), axis=-1)

    def depth_of(self, points: ArrayLike) -> Floats:
        """Return metres (...) along the optical axis, < 0 behind, of world points (..., 3)."""
        return np.asarray(0.0 - self._camera_points(points)[..., 2])

    def unproject(self, pixels: ArrayLike, depth: ArrayLike) -> Floats:
        """Return the world points (..., 3), metres, at these pixels (..., 2) and depths (...).

        Args:
            pixels: (x, y), the first pixel's centre being (0.5, 0.5).
            depth: metres along the optical axis; it may be the `depth` pass: where it is inf
                (nothing was hit) the point is NaN. It is broadcast against the pixels.
        """
        x, y, distance = _check_pixels(pixels, depth)
        scale = 1.0 if self.projection is Projection.ORTHOGRAPHIC else distance
        x, y = (x - self.cx) / self.fx * scale, (self.cy - y) / self.fy * scale
        return poses.transform(self.world_from_camera, np.stack((x, y, -distance), axis=-1))

    def pixel_centres(self) -> Floats:
        """Return the centres of all pixels, (H, W, 2), as `unproject` takes with a depth pass."""
        x, y = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        return np.stack((x, y), axis=-1)

    def replace(self, **changes: Unpack[CameraChanges]) -> Self:
        """Return a camera with these fields changed, checked anew."""
        fields: Any = changes
        return dataclasses.replace(self, **fields)

    def moved(self, world_from_camera: ArrayLike) -> Self:
        """Return this camera at another pose (4, 4)."""
        return self.placed(poses.check_pose(world_from_camera, "world_from_camera"))

    def placed(self, pose: Floats) -> Self:
        """As `moved`, for a pose that surely is one: not checked, and made read-only."""
        pose.flags.writeable = False
        other = object.__new__(type(self))  # every other field was checked when this one was made
        fields = {name: vars(self)[name] for name in self.__dataclass_fields__}
        vars(other).update(fields, world_from_camera=pose)
        return other

    def resized(self, width: int, height: int) -> Self:
        """Return this camera with other pixels (maybe not square) over the same field of view."""
        x, y = _check_size(width, "width") / self.width, _check_size(height, "height") / self.height
        fx, fy, cx, cy = self.fx * x, self.fy * y, self.cx * x, self.cy * y
        return self.replace(width=width, height=height, fx=fx, fy=fy, cx=cx, cy=cy)

    def __eq__(self, other: object) -> bool:
        """Whether every field is equal."""
        return self._key() == other._key() if isinstance(other, Camera) else NotImplemented

    def __hash__(self) -> int:
        """Hash what it holds."""
        return hash(self._key())

    def __repr__(self) -> str:
        """Name, size, field of view and where it stands."""
        parallel = self.projection is Projection.ORTHOGRAPHIC
        view = f"extent_y={self.height / self.fy:.4g}" if parallel else f"fov_y={self.fov_y:.4g}"
        at = ", ".join(f"{each:.4g}" for each in self.world_from_camera[:3, 3])
        return f"Camera({self.name!r}, {self.width}x{self.height}, {view}, at ({at}))"

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Keep the pose read-only in a copy."""
        self.__dict__.update(state)
        self.world_from_camera.flags.writeable = False

    def _key(self) -> tuple[object, ...]:
        fields = {**self.__dict__, "world_from_camera": self.world_from_camera.tobytes()}
        return tuple(fields[name] for name in self.__dataclass_fields__)

    def _angle(self, centre: float, size: int, focal: float) -> float:
        if self.projection is Projection.ORTHOGRAPHIC:
            return 0.0
        return math.atan2(centre, focal) + math.atan2(size - centre, focal)

    def _camera_points(self, points: ArrayLike) -> Floats:
        """Return world points in the camera's axes; differences first, to stay precise far out."""
        pose = self.world_from_camera
        offsets = poses.check_vectors(points, "points", 3, nan=True) - pose[:3, 3]
        return poses.rotate(pose[:3, :3].T, offsets)


def _check_size(value: object, name: str) -> int:
    return check_integer(name, value, 1, MAX_SIZE, what="a whole number of pixels")


def _check_number(value: object, name: str, above: float = -math.inf) -> float:
    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, Real)):
        raise InvalidValueError(f"{name}: expected a number, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not above < number < math.inf:
        what = "a finite number" + (f" above {above:g}" if above > -math.inf else "")
        raise InvalidValueError(f"{name}: expected {what}, got {number}")
    return number


def _check_fov(value: object) -> float:
    fov = _check_number(value, "fov_y")
    if MIN_FOV <= fov < math.pi:
        return fov
    hint = f"; if these are degrees, pass fov_y={math.radians(fov):.6g} (math.radians({fov:g}))"
    hint *= math.pi <= fov < 180
    raise InvalidValueError(f"fov_y: expected radians from {MIN_FOV} to below pi, got {fov}{hint}")


def _centred(focal: float, width: int, height: int) -> Floats:
    cx, cy = _check_size(width, "width") / 2, _check_size(height, "height") / 2
    return np.array([[focal, 0.0, cx], [0.0, focal, cy], [0.0, 0.0, 1.0]])


def _check_calibration(K: ArrayLike) -> tuple[float, float, float, float]:  # noqa: N803
    matrix = poses.check_matrix(K, "K", 3)
    (fx, skew, cx), (below, fy, cy), last = matrix.tolist()
    if skew != 0 or below != 0 or last != [0.0, 0.0, 1.0]:
        raise InvalidValueError(
            f"K: expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] without skew, got {matrix.tolist()}"
        )
    return fx, fy, cx, cy


def _check_pixels(pixels: ArrayLike, depth: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return x, y and depth in one shape; the depth is NaN where it was not finite."""
    at = poses.check_vectors(pixels, "pixels", 2, nan=True)
    distance = poses.check_numbers(depth, "depth")
    distance = np.where(np.isfinite(distance), distance, np.nan)
    try:
        x, y, distance = np.broadcast_arrays(at[..., 0], at[..., 1], distance)
    except ValueError:
        raise InvalidValueError(
            f"depth: expected shape {at.shape[:-1]} as of the pixels, got {distance.shape}"
        ) from None
    return x, y, distance
