"""Gaussian splats: values that say where each one is, how large, how opaque, of what colour."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.errors import InvalidValueError
from heliograph.poses import as_array, check_matrix
from heliograph.requires import Requires

Floats = NDArray[np.floating[Any]]
Floats64 = NDArray[np.float64]

HARMONICS: Final = (1, 4, 9, 16)
"""How many coefficients spherical harmonics of degree 0, 1, 2 and 3 have."""

REACH: Final = 3.0
"""Standard deviations of a gaussian that count as inside its bounds."""

_SMALLEST: Final = float(np.finfo(np.float32).tiny)
_LARGEST: Final = 1e17  # metres; float32 holds the squares of lengths
_SIMILAR: Final = 5e-7  # how far from a rotation a matrix over its scale may be


@dataclass(frozen=True, eq=False, repr=False)
class Gaussians:
    """Gaussian splats of one object, all arrays float32, C-contiguous and read-only.

    Arrays that already are so are kept, not copied: who gives them changes them no more.

    Attributes:
        positions: (N, 3), metres.
        scales: (N, 3), standard deviations along each one's own axes, metres, above 0.
        rotations: (N, 4), quaternions wxyz that turn those axes; given at any length but 0, kept
            at length 1.
        opacities: (N,), 0 to 1, at the mean.
        sh: (N, K, 3), spherical harmonics of red, green and blue; K is 1, 4, 9 or 16. The colour
            seen along a direction is 0.5 + the sum of `sh` times `harmonics(direction)`, at least
            0: sRGB numbers, as in the 3DGS files.

    Raises:
        InvalidValueError: an array of another shape, or numbers that are not as described; names
            the first such gaussian.
    """

    positions: Floats
    scales: Floats
    rotations: Floats
    opacities: Floats
    sh: Floats

    def __post_init__(self) -> None:
        """Check every array and make it read-only."""
        count = len(_as_floats(self.positions, "positions"))
        shapes = {"positions": (3,), "scales": (3,), "rotations": (4,), "opacities": (), "sh": None}
        for name, shape in shapes.items():
            array = _as_floats(getattr(self, name), name)
            _check_shape(array, name, count, shape)
            object.__setattr__(self, name, array)
        for name, fine, wanted in requirements(*(getattr(self, name) for name in shapes)):
            _check_each(name, fine, getattr(self, name), wanted)
        lengths = np.linalg.norm(self.rotations, axis=1, keepdims=True)
        if np.any(np.abs(lengths - 1) > np.finfo(np.float32).eps * 4):
            object.__setattr__(self, "rotations", self.rotations / lengths)
        for name in shapes:
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        degree = HARMONICS.index(self.sh.shape[1])
        return f"Gaussians({len(self)}, spherical harmonics of degree {degree})"

    @property
    def covariances(self) -> Floats64:
        """(N, 3, 3), square metres."""
        axes = _matrices(self.rotations) * self.scales[:, None, :].astype(np.float64)
        return np.asarray(axes @ axes.transpose(0, 2, 1))

    @property
    def bounds(self) -> Floats64:
        """Lowest and highest corner (2, 3) of a box around all of them, metres; NaN for none."""
        if not len(self):
            return np.full((2, 3), np.nan)
        reach = REACH * np.sqrt(np.einsum("nii->ni", self.covariances))
        low, high = (self.positions - reach).min(axis=0), (self.positions + reach).max(axis=0)
        return np.stack((low, high))

    def colours(self, directions: ArrayLike) -> Floats64:
        """Colours (N, 3), sRGB, at least 0, seen along directions (3,) or (N, 3) from the eye."""
        basis = harmonics(directions, self.sh.shape[1])
        basis = np.broadcast_to(basis, (len(self), self.sh.shape[1]))
        return np.asarray(np.maximum(0.5 + np.einsum("nk,nkc->nc", basis, self.sh), 0.0))

    def transformed(self, matrix: ArrayLike) -> Self:
        """Return them carried over by an affine matrix (4, 4), their colours turned with them.

        Covariances are exact whatever the matrix; colours follow the rotation or reflection that
        is nearest to it.

        Raises:
            InvalidValueError: not a finite (4, 4) matrix with the last row (0, 0, 0, 1), or one
                that flattens.
        """
        whole = check_matrix(matrix, "matrix", 4)
        linear = whole[:3, :3]
        if whole[3].tolist() != [0.0, 0.0, 0.0, 1.0] or not abs(np.linalg.det(linear)) > 0:
            raise InvalidValueError(
                "matrix: expected an affine matrix that can be inverted, its last row "
                f"(0, 0, 0, 1), got {whole.tolist()}"
            )
        left, stretch, right = np.linalg.svd(linear)
        turn = left @ right
        proper = turn * np.sign(np.linalg.det(turn))  # a gaussian looks the same through its mean
        axes = _matrices(self.rotations)
        if stretch[0] - stretch[2] <= _SIMILAR * stretch[0]:
            rotations, scales = proper @ axes, self.scales * stretch.mean()
        else:
            rotations, scales, _ = np.linalg.svd(linear @ axes * self.scales[:, None, :])
            rotations *= np.linalg.det(rotations)[:, None, None]
        return type(self)(
            np.asarray(self.positions @ linear.T + whole[:3, 3], np.float32),
            np.asarray(scales, np.float32),
            _quaternions(rotations),
            self.opacities,
            np.asarray(_turned(turn, self.sh.shape[1]) @ self.sh, np.float32),
        )


def harmonics(directions: ArrayLike, count: int) -> Floats64:
    """Real spherical harmonics (..., count) of directions (..., 3), of any length but 0.

    In the order and with the signs of 3DGS files: `count` is 1, 4, 9 or 16.
    """
    along = np.asarray(directions, np.float64)
    x, y, z = np.moveaxis(along / np.linalg.norm(along, axis=-1, keepdims=True), -1, 0)
    xx, yy, zz = x * x, y * y, z * z
    every = [
        np.full_like(x, 0.28209479177387814),
        -0.4886025119029199 * y,
        0.4886025119029199 * z,
        -0.4886025119029199 * x,
        1.0925484305920792 * x * y,
        -1.0925484305920792 * y * z,
        0.31539156525252005 * (2 * zz - xx - yy),
        -1.0925484305920792 * x * z,
        0.5462742152960396 * (xx - yy),
        -0.5900435899266435 * y * (3 * xx - yy),
        2.890611442640554 * x * y * z,
        -0.4570457994644658 * y * (4 * zz - xx - yy),
        0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy),
        -0.4570457994644658 * x * (4 * zz - xx - yy),
        1.445305721320277 * z * (xx - yy),
        -0.5900435899266435 * x * (xx - 3 * yy),
    ]
    return np.stack(every[:count], axis=-1)


def requirements(
    positions: Floats,
    scales: Floats,
    rotations: Floats,
    opacities: Floats,
    sh: Floats,
) -> list[tuple[str, NDArray[np.bool_], str]]:
    """Each array's name, which gaussians (N,) have numbers that are taken, and which those are."""
    return [
        ("positions", _bounded(positions, -_LARGEST), "finite numbers, metres"),
        ("scales", _bounded(scales, _SMALLEST), "finite metres above 0"),
        ("rotations", _turning(rotations), "finite quaternions of a length above 0"),
        ("opacities", np.asarray((opacities >= 0) & (opacities <= 1)), "numbers from 0 to 1"),
        ("sh", np.asarray(np.isfinite(sh).all(axis=(1, 2))), "finite numbers"),
    ]


def _bounded(array: Floats, least: float) -> NDArray[np.bool_]:
    return np.asarray(((array >= least) & (array <= _LARGEST)).all(axis=1))


def _turning(rotations: Floats) -> NDArray[np.bool_]:
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(rotations, axis=1)
    return np.asarray((lengths > 1e-12) & (lengths < np.inf))


def _as_floats(value: Any, name: str) -> Floats:
    array = as_array(value, name)
    if array.dtype.kind not in "iuf" or array.ndim == 0:
        raise InvalidValueError(
            f"{name}: expected an array of real numbers, got shape {array.shape}, dtype "
            f"{array.dtype}"
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which is refused
        return np.ascontiguousarray(array, np.float32)


def _check_shape(array: Floats, name: str, count: int, rest: tuple[int, ...] | None) -> None:
    if rest is not None:
        fits, wanted = array.shape == (count, *rest), str((count, *rest))
    else:
        fits = array.ndim == 3 and array.shape in {(count, k, 3) for k in HARMONICS}
        wanted = f"({count}, K, 3) with K of {HARMONICS}"
    if not fits:
        raise InvalidValueError(f"{name}: expected shape {wanted}, got {array.shape}")


def _check_each(name: str, fine: NDArray[np.bool_], array: Floats, wanted: str) -> None:
    bad = np.flatnonzero(~fine)
    if bad.size:
        first = int(bad[0])
        raise InvalidValueError(
            f"{name}: expected {wanted}; {bad.size} of {len(array)} gaussians are not so, the "
            f"first is number {first}: {array[first].ravel()[:6].tolist()}"
        )


def _matrices(rotations: Floats) -> Floats64:
    with Requires("scipy"):
        from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_quat(np.roll(rotations, -1, axis=1)).as_matrix()).reshape(
        -1, 3, 3
    )


def _quaternions(matrices: Floats64) -> Floats:
    with Requires("scipy"):
        from scipy.spatial.transform import Rotation

    xyzw = Rotation.from_matrix(matrices).as_quat().reshape(-1, 4)
    return np.ascontiguousarray(np.roll(xyzw, 1, axis=1), np.float32)


@functools.cache
def _sample_directions() -> Floats64:
    """(64, 3) spread over the sphere, enough to tell all harmonics apart."""
    z = 1 - (np.arange(64) + 0.5) / 32
    angle = np.pi * (1 + 5**0.5) * np.arange(64)
    across = np.sqrt(1 - z * z)
    return np.stack((across * np.cos(angle), across * np.sin(angle), z), axis=-1)


def _turned(turn: Floats64, count: int) -> Floats64:
    """Matrix (K, K) that turns coefficients as (3, 3) turns, or mirrors, what they colour."""
    directions = _sample_directions()
    before = harmonics(directions @ turn, count)  # each direction as it was before the turn
    return np.asarray(np.linalg.pinv(harmonics(directions, count)) @ before, np.float64)
