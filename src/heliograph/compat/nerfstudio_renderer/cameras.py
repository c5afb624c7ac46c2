"""Lists of cameras, from coarse to fine: those known by name, and those of a JSON file."""

from __future__ import annotations

import json
import math
import os
from itertools import pairwise
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from heliograph.camera import MAX_SIZE, Camera
from heliograph.checks import check_integer
from heliograph.delivery.progressive import Level
from heliograph.disk import read_file, reason
from heliograph.errors import InvalidValueError, UnknownNameError, shown

PathLike: TypeAlias = str | os.PathLike[str]

_NAME: Final = "camera"


def _list(fov: float, *sizes: tuple[int, int]) -> tuple[Level, ...]:
    return tuple(Level(width, height, math.radians(fov)) for width, height in sizes)


CAMERAS: Final = MappingProxyType(
    {
        "default": _list(35.983, (64, 36), (128, 72), (320, 180), (640, 360), (1280, 720)),
        "document": _list(72.0, (90, 42), (180, 84), (450, 210)),
    }
)
"""Lists by name: the program's own, and the one of the version that its document describes."""


def known_cameras(name: str) -> tuple[Level, ...]:
    """The cameras of a name.

    Raises:
        UnknownNameError: no such list.
    """
    if name not in CAMERAS:
        raise UnknownNameError.of("list of cameras", name, CAMERAS)
    return CAMERAS[name]


def read_cameras(path: PathLike) -> tuple[Level, ...]:
    """The cameras of a JSON file: a list of `{"width", "height", "fov"}`, from coarse to fine.

    `fov` is the vertical field of view in degrees.

    Raises:
        InvalidValueError: no such file, or another content.
    """
    try:
        given = json.loads(read_file(Path(path)))
    except OSError as error:
        raise InvalidValueError(f"camera_config_path: {path}: {reason(error)}") from None
    except ValueError as error:
        raise InvalidValueError(f"camera_config_path: {path}: not JSON ({error})") from None
    if not isinstance(given, list) or not given:
        raise InvalidValueError(
            f"camera_config_path: {path}: expected a list of cameras, got {shown(given)}"
        )
    cameras = tuple(_camera(f"{path}: camera {place}", each) for place, each in enumerate(given))
    for place, (one, two) in enumerate(pairwise(cameras)):
        if two.width * two.height < one.width * one.height:
            raise InvalidValueError(
                f"{path}: expected cameras from coarse to fine, but camera {place + 1} "
                f"({two.width}x{two.height}) is coarser than the one before"
            )
    return cameras


def finest_camera(cameras: tuple[Level, ...], pose: Any) -> Camera:
    """The last camera of a list at a `world_from_camera` pose (4, 4)."""
    width, height, fov_y = cameras[-1]
    return Camera.perspective(
        name=_NAME, fov_y=fov_y or 0.0, width=width, height=height, world_from_camera=pose
    )


def _camera(where: str, given: object) -> Level:
    if not isinstance(given, dict) or given.keys() != {"width", "height", "fov"}:
        raise InvalidValueError(
            f'{where}: expected {{"width", "height", "fov"}}, got {shown(given)}'
        )
    width, height = (
        check_integer(f"{where}: {side}", given[side], 1, MAX_SIZE, what="pixels")
        for side in ("width", "height")
    )
    fov = given["fov"]
    if isinstance(fov, bool) or not isinstance(fov, Real) or not 0 < float(fov) < 180:
        raise InvalidValueError(
            f"{where}: fov: expected degrees, above 0 and below 180, got {shown(fov)}"
        )
    return Level(width, height, math.radians(float(fov)))
