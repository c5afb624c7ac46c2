"""Depth buffers that keep order at any distance: floats, 1 at the near plane and 0 at the far one.

Floats are finest near 0, and so is depth over a picture far away: each makes up for the other.
This is what is known as reversed z.
"""

from __future__ import annotations

from ctypes import c_int, c_uint
from functools import lru_cache
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.errors import ContextError, InvalidValueError
from heliograph.raster.gl import egl

NEAREST, FARTHEST = 1.0, 0.0
"""Depth of the near and of the far plane."""
IN_FRONT = ">="
"""The comparison that lets nearer things show, and of coinciding ones the later, as MuJoCo does."""
_DEEPEST = 1e30  # beyond it depth is too small for a float
_LOWER_LEFT, _ZERO_TO_ONE = 0x8CA1, 0x935F
_RENDERBUFFER, _FLOATS = 0x8D41, 0x8CAC
_TO_WINDOW = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0.5, 0.5], [0, 0, 0, 1]])

Matrix = NDArray[np.float64]


def set_range(gl: moderngl.Context) -> None:
    """Have clip coordinates of the current context reach from 0 to 1 along z, as a float needs it.

    Raises:
        ContextError: it cannot.
    """
    if gl.version_code < 450 and "GL_ARB_clip_control" not in gl.extensions:
        raise ContextError(
            f"OpenGL {gl.version_code / 100:.1f} here has no glClipControl: OpenGL 4.5 or the "
            "extension GL_ARB_clip_control is needed; update the driver"
        )
    _function("glClipControl", c_uint, c_uint)(_LOWER_LEFT, _ZERO_TO_ONE)


def renderbuffer(gl: moderngl.Context, size: tuple[int, int], samples: int) -> Any:
    """Depth for a framebuffer, 32-bit floats; moderngl's own are 24-bit integers."""
    made = gl.depth_renderbuffer(size, samples=samples)
    _function("glBindRenderbuffer", c_uint, c_uint)(_RENDERBUFFER, made.glo)
    store = _function("glRenderbufferStorageMultisample", c_uint, c_int, c_uint, c_int, c_int)
    store(_RENDERBUFFER, samples, _FLOATS, *size)
    return made


def clip_from_camera(camera: Camera) -> Matrix:
    """The camera's projection (4, 4) for such a buffer.

    Its y is turned, so that row 0 of what is read is the top.

    Raises:
        InvalidValueError: near and far are too far apart for a float.
    """
    near, far = camera.near, camera.far
    if far > _DEEPEST * near:
        raise InvalidValueError(
            f"camera {camera.name!r}: near {near:g} and far {far:g} are too far apart for a depth "
            f"buffer; give a near of at least far / {_DEEPEST:g}"
        )
    matrix = np.array(camera.projection_matrix)
    matrix[1] *= -1
    slope = (1.0 if camera.projection is Projection.ORTHOGRAPHIC else near) / (far - near)
    matrix[2] = 0.0, 0.0, slope, slope * far
    return matrix


def window_from_camera(projection: Matrix) -> Matrix:
    """OpenGL's projection (4, 4), -1 to 1 along z, for a depth of 0 (near) to 1 (far) instead."""
    matrix: Matrix = _TO_WINDOW @ projection
    return matrix


@lru_cache(maxsize=8)
def _function(name: str, *arguments: Any) -> Any:
    return egl.load().function(name, *arguments)
