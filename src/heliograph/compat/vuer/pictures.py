"""Pictures as Vuer's events carry them: encoded, with the numbers of their camera."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.codec import encode_jpeg
from heliograph.frame import Frame, Sample


def picture_value(sample: Sample, *, depth: bool, quality: float, delta: float) -> dict[str, Any]:
    """The value of an event about the one camera of a sample.

    Args:
        sample: with the pass `rgb`, and `depth` where that was asked for.
        depth: whether it was.
        quality: of the encoded pictures, 0 to 1.
        delta: seconds since the picture before.

    Returns:
        `frame` and `depthFrame` as bytes of JPEG files (`depthFrame` is None without depth),
        `width`, `height`, `dpr` and `delta`, the camera as used (`matrix`, `fov`, `near`, `far`),
        and `version` of the scene that is shown.
    """
    (frame,) = sample
    camera = frame.camera
    jpeg = partial(encode_jpeg, quality=round(100 * quality), fine_colours=True)
    return {
        "dpr": 1,
        "delta": delta,
        "width": camera.width,
        "height": camera.height,
        "frame": jpeg(frame.rgb),
        "depthFrame": jpeg(depth_picture(frame)) if depth else None,
        "matrix": [float(number) for number in camera.world_from_camera.T.ravel()],
        "fov": math.degrees(camera.fov_y) if camera.projection is Projection.PERSPECTIVE else None,
        "near": camera.near,
        "far": camera.far,
        "version": sample.provenance.scene_version,
    }


def depth_picture(frame: Frame) -> NDArray[np.uint8]:
    """(H, W, 3) grey: white at the near plane, black at the far one and beyond, linear."""
    camera: Camera = frame.camera
    share = (frame.depth - camera.near) / (camera.far - camera.near)
    grey = np.round(255 * (1 - np.clip(share, 0, 1))).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
