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

from heliograph.errors import ContextError
from heliograph.raster.gl import egl

FARTHEST = 0.0
"""Depth of the far plane; that of the near one is 1."""
NEARER, IN_FRONT = ">", ">="
"""Comparisons that let nearer things show, and of coinciding ones the first or the last drawn."""
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


def window_from_camera(projection: Matrix) -> Matrix:
    """OpenGL's projection (4, 4), -1 to 1 along z, for a depth of 0 (near) to 1 (far) instead."""
    matrix: Matrix = _TO_WINDOW @ projection
    return matrix


@lru_cache(maxsize=8)
def _function(name: str, *arguments: Any) -> Any:
    return egl.load().function(name, *arguments)
