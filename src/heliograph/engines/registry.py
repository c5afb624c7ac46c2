"""Which engines there are, which one opens a source, and how one is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from heliograph.engine import Engine
from heliograph.errors import (
    InvalidValueError,
    MissingDependencyError,
    SceneError,
    UnknownNameError,
)
from heliograph.randomize.config import as_randomization
from heliograph.wrappers import PostProcessingEngine, RandomizedEngine

SHIPPED: Mapping[str, str] = MappingProxyType(
    {
        "mujoco": "heliograph.engines.mujoco:MujocoEngine",
        "components": "heliograph.engines.components:ComponentEngine",
        "fake": "heliograph.engines.fake:FakeEngine",
    }
)
_SUFFIXES = {
    "mujoco": (".xml", ".mjcf", ".mjb", ".urdf"),
    "components": (".glb", ".gltf", ".obj", ".ply", ".stl"),
}
_RASTERIZED = tuple(_SUFFIXES)
_KNOWN = (
    f"what can be opened: {' '.join(_SUFFIXES['mujoco'])} (MuJoCo), "
    f"{' '.join(_SUFFIXES['components'])} (meshes), MJCF text, mujoco.MjModel, scene components, "
    "package:path/of/a/file"
)


def engine_names() -> list[str]:
    """The engines that can be named here: shipped ones and installed ones."""
    shipped = (name for name, place in SHIPPED.items() if find_spec(place.partition(":")[0]))
    return sorted({*shipped, *(entry.name for entry in _installed())})


def load_engine(name: str) -> Callable[..., Engine]:
    """The class of an engine.

    Raises:
        UnknownNameError: no such engine.
        MissingDependencyError: a package it needs is not installed.
    """
    if name not in engine_names():
        raise UnknownNameError.of("engine", name, engine_names())
    try:
        return _imported(name)
    except ModuleNotFoundError as error:
        raise MissingDependencyError.of(str(error.name)) from None


def make_engine(name: str, source: object, options: Mapping[str, Any]) -> Engine:
    """Open a source with an engine, so that its views may also hold `EditImage`.

    With an option `randomize` (the path of a config, or what it holds) views that have a seed are
    randomized.

    Args:
        name: of the engine.
        source: as `resolve_source` returns it.
        options: the engine's own; for those that rasterize also the fields of `RasterOptions`.

    Raises:
        UnknownNameError: no such engine, or it has no such option.
        HeliographError: whatever the engine says about the source.
    """
    own = {key: value for key, value in options.items() if key != "randomize"}
    arguments = _folded(name, own)
    factory = load_engine(name)
    _check_options(name, factory, arguments)
    config = options.get("randomize")
    randomization = None if config is None else as_randomization(config)
    engine = PostProcessingEngine(factory(source, **arguments))
    return engine if randomization is None else RandomizedEngine(engine, randomization)


def resolve_source(source: object) -> object:
    """Turn `package:path` into the path of a file that a package carries, without importing it.

    Raises:
        SceneError: no such package.
    """
    if not isinstance(source, str) or source.lstrip().startswith("<"):
        return source
    package, colon, inside = source.partition(":")
    if not colon or not package.isidentifier() or inside.startswith("//") or _exists(source):
        return source
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SceneError(f"{source}: no package {package!r} is installed here; {_KNOWN}")
    return str(Path(spec.submodule_search_locations[0]) / inside)


def engine_of(source: object) -> str:
    """The name of the engine that opens a source.

    Raises:
        SceneError: no such file, or nothing opens it.
    """
    if isinstance(source, (str, Path)):
        return _engine_of_text(str(source))
    home = type(source).__module__
    if home.split(".")[0] == "mujoco":
        return "mujoco"
    return "components" if f"{home}.".startswith("heliograph.scene.") else _asked(source)


def _exists(path: str | Path) -> bool:
    with suppress(OSError, ValueError):  # too long, or a NUL inside
        return Path(path).exists()
    return False


def _engine_of_text(source: str) -> str:
    if source.lstrip().startswith("<"):
        return "mujoco"
    if source == "fake":
        return "fake"
    suffix = Path(source).suffix.lower()
    if _exists(source):
        for name, suffixes in _SUFFIXES.items():
            if suffix in suffixes:
                return name
    return _asked(source)


def _asked(source: object) -> str:
    """Ask installed engines that are not ours whether they take this source."""
    for entry in _installed():
        accepts = None if entry.name in SHIPPED else getattr(entry.load(), "accepts", None)
        if accepts is not None and accepts(source):
            return str(entry.name)
    if isinstance(source, (str, Path)):
        what = "nothing here opens it" if _exists(source) else "no such file"
        raise SceneError(f"{str(source)[:200]}: {what}; {_KNOWN}")
    raise SceneError(f"a {type(source).__name__}: nothing here opens it; {_KNOWN}")


def _folded(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Keywords that are fields of `RasterOptions` become one, for engines that rasterize."""
    if name not in _RASTERIZED or not options:
        return options
    from heliograph.raster import RasterOptions

    ours = {field.name for field in fields(RasterOptions)} & options.keys()
    if not ours:
        return options
    if options.get("options") is not None:
        raise InvalidValueError(f"give either options= or {', '.join(sorted(ours))}, not both")
    rest = {key: value for key, value in options.items() if key not in ours}
    return {**rest, "options": RasterOptions(**{key: options[key] for key in ours})}


def _check_options(name: str, factory: Callable[..., Engine], given: Mapping[str, Any]) -> None:
    known = inspect.signature(factory).parameters
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in known.values()):
        return
    for option in given:
        if option not in known:
            raise UnknownNameError.of(f"option of the {name} engine", option, known)


def _imported(name: str) -> Callable[..., Engine]:
    for entry in _installed():
        if entry.name == name:
            loaded: Callable[..., Engine] = entry.load()
            return loaded
    module, _, attribute = SHIPPED[name].partition(":")
    found: Callable[..., Engine] = getattr(import_module(module), attribute)
    return found


def _installed() -> list[Any]:
    return list(entry_points(group="heliograph.engines"))
