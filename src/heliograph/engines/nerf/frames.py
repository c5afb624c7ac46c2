"""The frame of a capture, the model's own frame, and the cameras that took the pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heliograph import poses
from heliograph.camera import Camera
from heliograph.disk import reason
from heliograph.errors import HeliographError, InvalidValueError, SceneError, shown
from heliograph.poses import Floats

TRANSFORMS = "dataparser_transforms.json"
MAX_JSON_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class CaptureFrame:
    """How poses of the capture become poses of the model: turned and moved, then scaled.

    Attributes:
        model_from_capture: (4, 4) rigid, metres.
        scale: lengths in the model's frame for one metre.
    """

    model_from_capture: Floats
    scale: float

    @classmethod
    def identity(cls) -> CaptureFrame:
        """The model's own frame."""
        return cls(np.eye(4), 1.0)

    @classmethod
    def read(cls, path: Path) -> CaptureFrame:
        """Read `dataparser_transforms.json`.

        Raises:
            SceneError: it is missing or not as nerfstudio writes it.
        """
        said = read_json(path)
        matrix, scale = said.get("transform"), said.get("scale")
        try:
            rows = poses.check_numbers([*matrix, [0, 0, 0, 1]], "transform")  # type: ignore[misc]
            pose = poses.check_pose(rows, "transform")
        except (TypeError, HeliographError) as error:
            raise SceneError(
                f"{path}: transform: expected a rotation and a translation, (3, 4): {error}"
            ) from None
        if not isinstance(scale, (int, float)) or not (math.isfinite(scale) and scale > 0):
            raise SceneError(f"{path}: scale: expected a number above 0, got {shown(scale)}")
        return cls(pose, float(scale))

    def pose(self, world_from_camera: Floats) -> Floats:
        """(4, 4) of the capture -> (4, 4) of the model."""
        moved = self.model_from_capture @ world_from_camera
        moved[:3, 3] *= self.scale
        return moved

    def points(self, points: Floats) -> Floats:
        """(N, 3) of the model -> (N, 3) of the capture."""
        inverse = poses.invert(self.model_from_capture)
        return poses.transform(inverse, points / self.scale)


def read_json(path: Path) -> Mapping[str, Any]:
    """A file that holds a JSON object.

    Raises:
        SceneError: it is missing, or something else.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_JSON_BYTES + 1)
        said = json.loads(data) if len(data) <= MAX_JSON_BYTES else None
    except OSError as error:
        raise SceneError(f"{path}: {reason(error)}") from None
    except (ValueError, RecursionError) as error:
        raise SceneError(f"{path}: expected JSON, got {shown(str(error))}") from None
    if not isinstance(said, Mapping):
        raise SceneError(f"{path}: expected a JSON object, got {shown(said)}")
    return said


def capture_cameras(path: Path) -> dict[str, Camera]:
    """The cameras of a `transforms.json`, by the names of their pictures; pinhole only.

    Raises:
        SceneError: it is missing, or an entry is not as nerfstudio writes it.
    """
    said = read_json(path)
    applied = np.eye(4)
    frames = said.get("frames")
    if not isinstance(frames, list):
        raise SceneError(f"{path}: frames: expected a list, got {shown(frames)}")
    try:
        if "applied_transform" in said:
            applied = poses.check_pose([*said["applied_transform"], [0, 0, 0, 1]])
        undo = poses.invert(applied)
        cameras = [_camera({**said, **frame}, undo) for frame in frames]
    except (TypeError, KeyError, AttributeError, HeliographError) as error:
        told = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise SceneError(f"{path}: a camera is not as nerfstudio writes it: {told}") from None
    return {camera.name: camera for camera in cameras}


def _camera(said: Mapping[str, Any], undo: Floats) -> Camera:
    name = Path(str(said["file_path"])).stem
    pose = poses.check_matrix(said["transform_matrix"], f"{name}: transform_matrix", 4)
    width, height = (round(said[key]) for key in ("w", "h"))
    focal = said["fl_x"]
    if not isinstance(focal, (int, float)):
        raise InvalidValueError(f"fl_x: expected a number, got {shown(focal)}")
    return Camera(
        name=name,
        world_from_camera=undo @ pose,
        width=width,
        height=height,
        fx=focal,
        fy=said.get("fl_y", focal),
        cx=said.get("cx", width / 2),
        cy=said.get("cy", height / 2),
    )
