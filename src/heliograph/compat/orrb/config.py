"""What a RemoteRenderer is told: ORRB's fields, and how arrays are encoded."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

from heliograph.camera import MAX_SIZE
from heliograph.checks import check_integer
from heliograph.compat.orrb.encoding import CHOICES, Encoding
from heliograph.compat.orrb.problems import RendererError


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
    depth_encoding: str = Encoding.depth_encoding
    normals_encoding: str = Encoding.normals_encoding
    segmentation_encoding: str = Encoding.segmentation_encoding
    first_row: str = Encoding.first_row
    deadline: float = 120.0

    @property
    def passes(self) -> dict[str, str]:
        """Passes of the workers -> what stands after a camera's name in the response."""
        wanted = ("depth", "normals", "segmentation")
        named = {f"orrb_{name}": f"_{name}" for name in wanted if getattr(self, f"render_{name}")}
        return {"orrb_rgb": "", **named}

    @property
    def engine_options(self) -> dict[str, Any]:
        """What the workers' engine is told of pictures."""
        encoding = {name: getattr(self, name) for name in CHOICES}
        encoding["render_alpha"] = bool(self.render_alpha)
        return {"size": (self.image_width, self.image_height), "encoding": encoding}


def checked(config: RemoteRendererConfig) -> RemoteRendererConfig:
    """A copy of a config as it is now, its paths absolute.

    Raises:
        RendererError: a field that is missing or of a wrong kind.
    """
    made = copy.copy(config)
    base = Path(config.asset_basedir).absolute()
    made.camera_names = _names(config.camera_names)
    for name in ("image_width", "image_height"):
        setattr(made, name, check_integer(name, getattr(config, name), 1, MAX_SIZE))
    made.model_xml_path = _path("model_xml_path", config, base)
    made.renderer_config_path = _path("renderer_config_path", config, base)
    if config.model_mapping_path is not None:
        made.model_mapping_path = _path("model_mapping_path", config, base)
    for name, known in CHOICES.items():
        if (value := getattr(config, name)) not in known:
            raise RendererError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
    made.deadline = _seconds(config.deadline)
    return made


def _names(names: object) -> list[str]:
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        raise RendererError(f"camera_names: expected a list of names, got {names!r}")
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise RendererError(f"camera_names: expected different names, got {names!r}")
    return list(names)


def _path(name: str, config: RemoteRendererConfig, base: Path) -> Path:
    value = getattr(config, name)
    if not isinstance(value, (str, os.PathLike)):
        raise RendererError(f"{name}: expected a path, got {value!r}")
    path = Path(os.path.normpath(base / Path(value)))
    if not path.is_file():
        raise RendererError(f"{name}: no such file: {path}")
    return path


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < 1e9:
        raise RendererError(f"deadline: expected seconds above 0, got {value!r}")
    return float(value)
