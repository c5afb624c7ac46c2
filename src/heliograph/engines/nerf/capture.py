"""Captures: pictures of a scene from known places, as nerfstudio reads them.

    images/<camera>.png    transforms.json

`transforms.json` says of every picture how its camera stood, (4, 4) with OpenGL's axes, and which
pictures are kept from training to measure what was learnt.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from heliograph import poses
from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.disk import read_file, reason, write_file
from heliograph.engine import Renderer
from heliograph.engines.nerf.frames import CaptureFrame, capture_cameras, read_json
from heliograph.errors import InvalidValueError, RecordError, SceneError, shown
from heliograph.view import View

CAPTURE = "transforms.json"
_IMAGES = "images"
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
_LOWEST, _HIGHEST = math.sin(math.radians(12)), math.sin(math.radians(70))


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture and where it was taken.

    Attributes:
        camera: in the frame of the capture, metres.
        rgb: (H, W, 3) uint8.
    """

    camera: Camera
    rgb: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Capture:
    """What a model is trained on and measured by.

    Attributes:
        training: at least two pictures.
        held_out: pictures that training does not see.
    """

    training: tuple[Photo, ...]
    held_out: tuple[Photo, ...]

    def frame(self) -> CaptureFrame:
        """What the cameras look at becomes the origin, the farthest of them stands at distance 1.

        It is turned nowhere: up stays up.
        """
        stand = np.array([each.camera.world_from_camera for each in self.training])
        origins, axes = stand[:, :3, 3], -stand[:, :3, 2]
        across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
        centre = np.linalg.lstsq(across.sum(0), (across @ origins[..., None]).sum(0), rcond=None)
        moved = np.eye(4)
        moved[:3, 3] = -centre[0][:, 0]
        reach = float(np.linalg.norm(origins + moved[:3, 3], axis=-1).max())
        return CaptureFrame(moved, 1 / max(reach, 1e-6))


def dome_cameras(
    count: int,
    *,
    target: ArrayLike = (0.0, 0.0, 0.0),
    radius: float,
    fov_y: float = 0.9,
    size: tuple[int, int],
) -> tuple[Camera, ...]:
    """Cameras all around a point and above it, evenly spread in angle and in height.

    Args:
        count: how many.
        target: (3,) metres, what they look at.
        radius: of the dome, metres.
        fov_y: vertical field of view, radians.
        size: (width, height), pixels.
    """
    if not isinstance(radius, (int, float)) or not 0 < radius < math.inf:
        raise InvalidValueError(f"radius: expected metres above 0, got {shown(radius)}")
    centre = poses.check_vectors(target, "target", 3)
    cameras = []
    for index in range(check_integer("count", count, 1)):
        up = _LOWEST + (_HIGHEST - _LOWEST) * ((0.5 + index * _GOLDEN_RATIO) % 1)
        across, angle = math.sqrt(1 - up * up), 2 * math.pi * index / count
        way = np.array([across * math.cos(angle), across * math.sin(angle), up])
        cameras.append(
            Camera.look_at(
                eye=centre + radius * way,
                target=centre,
                fov_y=fov_y,
                width=size[0],
                height=size[1],
                name=f"view_{index:04d}",
            )
        )
    return tuple(cameras)


def write_capture(
    renderer: Renderer, cameras: Sequence[Camera], folder: Path, *, hold_out: int = 7
) -> Path:
    """Take a picture with each camera.

    Args:
        renderer: draws `rgb`.
        cameras: of different names, with square or other pixels; perspective.
        folder: is made; what is there is replaced.
        hold_out: every so many pictures one is kept from training.

    Returns:
        The path of `transforms.json`.

    Raises:
        InvalidValueError: too few cameras, or two of one name.
        RecordError: something cannot be written.
    """
    if len(cameras) < 2 or len({camera.name for camera in cameras}) < len(cameras):
        raise InvalidValueError(
            f"cameras: expected at least 2 of different names, got {[c.name for c in cameras]}"
        )
    check_integer("hold_out", hold_out, 2)
    images = folder / _IMAGES
    try:
        images.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{images}: cannot be made ({reason(error)})") from None
    for camera in cameras:
        rgb = renderer.render(View((camera,), ("rgb",)))[camera.name].rgb
        stream = io.BytesIO()
        Image.fromarray(rgb).save(stream, "PNG")
        write_file(images / f"{camera.name}.png", stream.getvalue(), settle=False)
    files = [f"{_IMAGES}/{camera.name}.png" for camera in cameras]
    held = files[hold_out // 2 :: hold_out]
    said = {
        "camera_model": "OPENCV",
        "frames": [_said(camera, file) for camera, file in zip(cameras, files, strict=True)],
        "train_filenames": [file for file in files if file not in held],
        "val_filenames": held,
        "test_filenames": held,
    }
    path = folder / CAPTURE
    write_file(path, json.dumps(said, indent=1).encode(), settle=False)
    return path


def read_capture(folder: Path) -> Capture:
    """Read pictures and cameras; all are for training where the file does not say otherwise.

    Args:
        folder: with `transforms.json`, or the path of this file.

    Raises:
        SceneError: a file is missing, malformed, or a picture has another size than its camera.
    """
    path = folder if folder.suffix == ".json" else folder / CAPTURE
    cameras = capture_cameras(path)
    said = read_json(path)
    files = [str(frame["file_path"]) for frame in said["frames"]]
    photos = {file: _photo(path.parent / file, cameras[Path(file).stem]) for file in files}
    held = _listed(path, said, "test_filenames")
    training = [file for file in files if file not in held]
    if len(training) < 2:
        raise SceneError(f"{path}: expected at least 2 pictures to train with, got {len(training)}")
    return Capture(
        tuple(photos[file] for file in training),
        tuple(photos[file] for file in files if file in held),
    )


def _said(camera: Camera, file: str) -> dict[str, Any]:
    return {
        "file_path": file,
        "w": camera.width,
        "h": camera.height,
        "fl_x": camera.fx,
        "fl_y": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
        "transform_matrix": camera.world_from_camera.tolist(),
    }


def _listed(path: Path, said: Any, name: str) -> set[str]:
    found = said.get(name, [])
    if not isinstance(found, list):
        raise SceneError(f"{path}: {name}: expected a list, got {shown(found)}")
    return {str(each) for each in found}


def _photo(path: Path, camera: Camera) -> Photo:
    try:
        with Image.open(io.BytesIO(read_file(path))) as image:
            rgb = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        told = reason(error) if isinstance(error, OSError) else error
        raise SceneError(f"{path}: expected a picture, got {told}") from None
    if rgb.shape[:2] != (camera.height, camera.width):
        raise SceneError(
            f"{path}: expected {camera.width}x{camera.height} pixels as transforms.json says, got "
            f"{rgb.shape[1]}x{rgb.shape[0]}"
        )
    return Photo(camera, rgb)
