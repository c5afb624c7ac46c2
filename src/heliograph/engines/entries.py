"""What each engine opens, told without importing what only drawing needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any

from heliograph.engine import Opener
from heliograph.scene import Component

GROUP = "heliograph.engines"
"""The group of entry points by which an installed package brings an engine."""

_XML = (".xml", ".mjcf", ".urdf")
_ROOT = re.compile(rb"<([A-Za-z_][\w.:-]*)")
_COMMENT = re.compile(rb"<!--.*?(-->|\Z)", re.DOTALL)
_MODELS = (*_XML, ".mjb")
_CONFIGS = (".yml", ".yaml")
_MESHES = (".glb", ".gltf", ".obj", ".ply", ".stl")
_SPLATS = (".ply", ".splat")


@dataclass(frozen=True)
class EngineEntry:
    """An engine, and what it opens.

    Attributes:
        name: of the engine.
        place: of its class, `module:Class`; imported when it is loaded.
        suffixes: endings of the files that it may open, for messages.
        description: what these files are, for messages.
        opens: whether it opens this file or folder, by its path and its first bytes.
        accepts: whether it opens what is no file.
        rasterizes: whether its option `options` is a `RasterOptions`.
        extra: of this package, which brings what it needs; None for what is always there.
        interpreter: of another environment, in which it draws; None where it draws in this one.
    """

    name: str
    place: str
    suffixes: tuple[str, ...] = ()
    description: str = ""
    opens: Callable[[Path, bytes], bool] = lambda _path, _head: False
    accepts: Callable[[object], bool] = lambda _source: False
    rasterizes: bool = False
    extra: str | None = None
    interpreter: Callable[[], Path | None] = lambda: None

    def load(self) -> Any:
        """Its class."""
        return EntryPoint(self.name, self.place, GROUP).load()

    def claims(self, source: object, file: Path | None, head: bytes) -> bool:
        """Whether it opens this source, which may be a file that begins so."""
        return self.accepts(source) or (file is not None and self.opens(file, head))


def _is_model(path: Path, head: bytes) -> bool:
    """XML with another root element than MuJoCo's is somebody else's."""
    suffix = path.suffix.lower()
    root = _ROOT.search(_COMMENT.sub(b"", head)) if suffix in _XML else None
    return suffix in _MODELS and (root is None or root[1] in (b"mujoco", b"robot"))


def _is_model_here(source: object) -> bool:
    text = isinstance(source, str) and source.lstrip().startswith("<")
    return text or type(source).__module__.partition(".")[0] == "mujoco"


def _is_mesh(path: Path, head: bytes) -> bool:
    return path.suffix.lower() in _MESHES and not _is_splats(path, head)


def _is_splats(path: Path, head: bytes) -> bool:
    """Points with `f_dc_0` and without faces are gaussian splats."""
    if path.suffix.lower() == ".ply":
        return b"property float f_dc_0" in head and b"element face" not in head
    return path.suffix.lower() == ".splat"


def _is_nerf(path: Path, head: bytes) -> bool:
    """A config of nerfstudio, or the folder of one."""
    if path.is_dir():
        return (path / "config.yml").is_file() and (path / "dataparser_transforms.json").is_file()
    return path.suffix.lower() in _CONFIGS and b"!!python/object:nerfstudio." in head


def _blender_interpreter() -> Path | None:
    from heliograph.engines.blender.install import blender_python, has_bpy

    return None if has_bpy() else blender_python()


_OURS = (
    EngineEntry(
        "mujoco",
        "heliograph.engines.mujoco:MujocoEngine",
        _MODELS,
        "MuJoCo",
        _is_model,
        _is_model_here,
        rasterizes=True,
    ),
    EngineEntry(
        "components",
        "heliograph.engines.components:ComponentEngine",
        _MESHES,
        "meshes",
        _is_mesh,
        lambda source: isinstance(source, Component),
        rasterizes=True,
    ),
    EngineEntry(
        "splat",
        "heliograph.engines.splat:SplatEngine",
        _SPLATS,
        "gaussian splats",
        _is_splats,
    ),
    EngineEntry(
        "fake",
        "heliograph.engines.fake:FakeEngine",
        accepts=lambda source: isinstance(source, str) and source == "fake",
    ),
    EngineEntry(
        "nerf",
        "heliograph.engines.nerf.engine:NerfEngine",
        _CONFIGS,
        "nerfstudio's config.yml",
        _is_nerf,
        extra="nerf",
    ),
    EngineEntry("web", "heliograph.engines.web.engine:WebEngine"),
    EngineEntry(
        "blender",
        "heliograph.engines.blender.engine:BlenderEngine",
        (".blend",),
        "Blender",
        lambda path, _: path.suffix.lower() == ".blend",
        rasterizes=True,
        interpreter=_blender_interpreter,
    ),
    EngineEntry("orrb", "heliograph.compat.orrb.engine:OrrbEngine", rasterizes=True),
)
SHIPPED: Mapping[str, EngineEntry] = MappingProxyType({entry.name: entry for entry in _OURS})
"""The engines of this package, by name."""


def installed() -> dict[str, str]:
    """The engines that other packages bring: name -> place of the class. Ours keep their names."""
    found = entry_points(group=GROUP)
    return {each.name: each.value for each in found if each.name not in SHIPPED}


def installed_entry(name: str, place: str) -> EngineEntry:
    """What an installed engine opens, as its class tells it; see `heliograph.engine.Opener`.

    Raises:
        Exception: whatever importing it raises.
    """
    loaded = EngineEntry(name, place).load()
    if not isinstance(loaded, Opener):
        return EngineEntry(name, place)
    return EngineEntry(name, place, tuple(loaded.suffixes), name, loaded.opens, loaded.accepts)
