"""What a RemoteRenderer is told: ORRB's fields, and how arrays are encoded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from numbers import Real
from pathlib import Path
from typing import Any, Self, TypeVar

from heliograph.camera import MAX_SIZE
from heliograph.checks import is_integer
from heliograph.compat.orrb.problems import RendererError

_E = TypeVar("_E", bound=StrEnum)


class DepthEncoding(StrEnum):
    """What numbers depth is made of."""

    ORRB = "orrb"
    METRIC = "metric"


class NormalsEncoding(StrEnum):
    """What numbers normals are made of."""

    ORRB = "orrb"
    UNIT = "unit"


class SegmentationEncoding(StrEnum):
    """What numbers segmentation is made of."""

    ORRB = "orrb"
    IDS = "ids"


class FirstRow(StrEnum):
    """Which row of a picture comes first."""

    BOTTOM = "bottom"
    TOP = "top"


@dataclass
class RemoteRendererConfig:
    """Fields as ORRB has them, filled in one after the other.

    Attributes:
        camera_names: cameras of the model to draw.
        render_alpha: a fourth channel, 255 where something is and 0 elsewhere.
        render_depth, render_normals, render_segmentation: further arrays.
        image_width, image_height: pixels.
        spawn_servers, renderer_local_binary, renderer_version, workers_count, queues_count,
            streams_count: taken and not needed; every server is a worker process of ours.
        renderer_config_path: JSON with the renderer components.
        model_xml_path: MJCF.
        model_mapping_path: lines `joint_name, qpos_index`; None where qpos is the model's own.
        asset_basedir: what these paths are relative to.
        depth_encoding: `orrb` is z * (far - near) / far + near and 0 where nothing is; `metric`
            is metres and inf.
        normals_encoding: `orrb` is n / 2 + 1/2; `unit` is n.
        segmentation_encoding: `orrb` is uint8 categories; `ids` is int32, one id per object.
        first_row: `bottom` as ORRB, or `top`.
        deadline: seconds that one entry may take before its worker is replaced.
    """

    camera_names: list[str] = field(default_factory=list)
    render_alpha: bool = False
    render_depth: bool = False
    render_normals: bool = False
    render_segmentation: bool = False
    image_width: int = 100
    image_height: int = 100
    spawn_servers: bool = True
    renderer_local_binary: str | None = None
    renderer_version: str | None = None
    renderer_config_path: str | os.PathLike[str] | None = None
    model_xml_path: str | os.PathLike[str] | None = None
    model_mapping_path: str | os.PathLike[str] | None = None
    asset_basedir: str | os.PathLike[str] = "."
    workers_count: int = 4
    queues_count: int = 4
    streams_count: int = 4
    depth_encoding: str = DepthEncoding.ORRB
    normals_encoding: str = NormalsEncoding.ORRB
    segmentation_encoding: str = SegmentationEncoding.ORRB
    first_row: str = FirstRow.BOTTOM
    deadline: float = 120.0


@dataclass(frozen=True)
class Settings:
    """A config as it was when the renderer was made, checked.

    Attributes:
        cameras: names.
        size: (width, height).
        wanted: passes that the caller gets besides rgb.
        alpha: whether rgb has a fourth channel.
        model, components: absolute paths.
        mapping: absolute path, or None.
        depth, normals, segmentation, first_row: encodings.
        deadline: seconds.
    """

    cameras: tuple[str, ...]
    size: tuple[int, int]
    wanted: tuple[str, ...]
    alpha: bool
    model: Path
    components: Path
    mapping: Path | None
    depth: DepthEncoding
    normals: NormalsEncoding
    segmentation: SegmentationEncoding
    first_row: FirstRow
    deadline: float

    @classmethod
    def of(cls, config: RemoteRendererConfig) -> Self:
        """What a config says now.

        Raises:
            RendererError: a field that is missing or of a wrong kind.
        """
        base = Path(config.asset_basedir).absolute()
        passes = ("depth", "normals", "segmentation")
        mapping = config.model_mapping_path
        return cls(
            cameras=_names(config.camera_names),
            size=(_side("image_width", config), _side("image_height", config)),
            wanted=tuple(name for name in passes if getattr(config, f"render_{name}")),
            alpha=bool(config.render_alpha),
            model=_path("model_xml_path", config, base),
            components=_path("renderer_config_path", config, base),
            mapping=None if mapping is None else _path("model_mapping_path", config, base),
            depth=_member(DepthEncoding, "depth_encoding", config),
            normals=_member(NormalsEncoding, "normals_encoding", config),
            segmentation=_member(SegmentationEncoding, "segmentation_encoding", config),
            first_row=_member(FirstRow, "first_row", config),
            deadline=_seconds(config.deadline),
        )


def _names(names: object) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        raise RendererError(f"camera_names: expected a list of names, got {names!r}")
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise RendererError(f"camera_names: expected different names, got {names!r}")
    return tuple(names)


def _side(name: str, config: RemoteRendererConfig) -> int:
    value: Any = getattr(config, name)
    if not is_integer(value, 1, MAX_SIZE):
        raise RendererError(f"{name}: expected pixels from 1 to {MAX_SIZE}, got {value!r}")
    return int(value)


def _path(name: str, config: RemoteRendererConfig, base: Path) -> Path:
    value = getattr(config, name)
    if not isinstance(value, (str, os.PathLike)):
        raise RendererError(f"{name}: expected a path, got {value!r}")
    path = Path(os.path.normpath(base / Path(value)))
    if not path.is_file():
        raise RendererError(f"{name}: no such file: {path}")
    return path


def _member(kind: type[_E], name: str, config: RemoteRendererConfig) -> _E:
    value = getattr(config, name)
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(kind)
        raise RendererError(f"{name}: expected one of {known}, got {value!r}") from None


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < 1e9:
        raise RendererError(f"deadline: expected seconds above 0, got {value!r}")
    return float(value)
