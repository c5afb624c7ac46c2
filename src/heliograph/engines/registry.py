"""Which engines there are, which one opens a source, and how one is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from heliograph.disk import open_file, reason
from heliograph.engine import Engine
from heliograph.engines.entries import SHIPPED, EngineEntry, installed, installed_entry
from heliograph.errors import (
    EngineError,
    HeliographError,
    SceneError,
    UnknownNameError,
)
from heliograph.randomize.config import as_randomization
from heliograph.requires import missing
from heliograph.wrappers import PostProcessingEngine, RandomizedEngine

HEAD_BYTES = 4096
"""How much of a file is looked at to find out who opens it."""


def engine_names() -> list[str]:
    """The engines that can be named here: shipped ones and installed ones."""
    return sorted({*SHIPPED, *installed()})


def load_engine(name: str) -> Callable[..., Engine]:
    """The class of an engine.

    Raises:
        UnknownNameError: no such engine.
        MissingDependencyError: a package it needs is not installed.
        EngineError: an installed engine that cannot be imported.
    """
    if name not in engine_names():
        raise UnknownNameError.of("engine", name, engine_names())
    entry = SHIPPED.get(name) or EngineEntry(name, installed()[name])
    try:
        loaded: Callable[..., Engine] = entry.load()
    except ModuleNotFoundError as error:
        raise missing(error, extra=entry.extra) from error
    except Exception as error:
        if name in SHIPPED or isinstance(error, HeliographError):
            raise
        raise EngineError(f"engine {name!r} cannot be imported: {_told(error)}") from error
    return loaded


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
    factory = load_engine(name)
    own = {key: value for key, value in options.items() if key != "randomize"}
    arguments = _arguments(name, factory, own)
    config = options.get("randomize")
    randomization = None if config is None else as_randomization(config)
    engine = PostProcessingEngine(factory(source, **arguments))
    try:
        return engine if randomization is None else RandomizedEngine(engine, randomization)
    except BaseException:
        engine.close()
        raise


def _arguments(
    name: str, factory: Callable[..., Engine], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The keywords of an engine's class; fields of `RasterOptions` become one where it takes it.

    Raises:
        UnknownNameError: an option that it does not take.
    """
    parameters = list(inspect.signature(factory).parameters.values())[1:]
    usual = {each.name: each.default for each in parameters}.get("options")
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        return dict(given)
    known, ours = {each.name for each in parameters}, set[str]()
    if rasterizes(name):
        from heliograph.raster import RasterOptions

        ours = {field.name for field in fields(RasterOptions)}
        known = (known - {"options"}) | ours
    for option in given:
        if option not in known:
            raise UnknownNameError.of(f"option of the {name} engine", option, sorted(known))
    rest = {key: value for key, value in given.items() if key not in ours}
    if not ours & given.keys():
        return rest
    base = usual if isinstance(usual, RasterOptions) else RasterOptions()
    return {**rest, "options": replace(base, **{key: given[key] for key in ours & given.keys()})}


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
        raise SceneError(
            f"{source}: no package {package!r} is installed here; {_known(SHIPPED.values())}"
        )
    return str(Path(spec.submodule_search_locations[0]) / inside)


def rasterizes(name: str) -> bool:
    """Whether an engine takes the fields of `RasterOptions`."""
    return name in SHIPPED and SHIPPED[name].rasterizes


def interpreter_of(name: str) -> Path | None:
    """The interpreter that an engine draws in; None for this one.

    Raises:
        MissingDependencyError: it needs another one, and there is none.
    """
    return SHIPPED[name].interpreter() if name in SHIPPED else None


def engine_of(source: object) -> str:
    """The name of the engine that opens a source: all are asked, ours and installed ones.

    Raises:
        SceneError: no such file, nothing opens it, or more than one engine does.
    """
    file = Path(source) if isinstance(source, (str, Path)) and _exists(source) else None
    head = b"" if file is None else _head(file)
    entries, claims, broken = list(SHIPPED.values()), list[str](), ""
    for name, place in installed().items():
        try:
            entry = installed_entry(name, place)
            entries.append(entry)
            claims += [name] * entry.claims(source, file, head)
        except Exception as error:  # noqa: BLE001 -- a broken engine must not stop the others
            broken += f"; engine {name!r} failed: {_told(error)}"
    claims += [name for name, entry in SHIPPED.items() if entry.claims(source, file, head)]
    if len(claims) != 1:
        raise SceneError(f"{_unopened(source, file, claims)}; {_known(entries)}{broken}")
    return claims[0]


def _unopened(source: object, file: Path | None, claims: list[str]) -> str:
    """Why a source is not opened."""
    named = isinstance(source, (str, Path))
    what = str(source)[:200] if named else f"a {type(source).__name__}"
    if claims:
        return f"{what}: {' and '.join(claims)} all open it; say which, as engine={claims[0]!r}"
    return f"{what}: {'no such file' if named and file is None else 'nothing here opens it'}"


def _exists(path: str | Path) -> bool:
    with suppress(OSError, ValueError):  # too long, or a NUL inside
        return Path(path).exists()
    return False


def _head(path: Path) -> bytes:
    """The first bytes of a file; none of a folder. What would block or never end is not read."""
    if path.is_dir():
        return b""
    try:
        with open_file(path) as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise SceneError(f"{path}: {reason(error)}") from None


def _known(entries: Iterable[EngineEntry]) -> str:
    files = [
        f"{' '.join(entry.suffixes)} ({entry.description})" for entry in entries if entry.suffixes
    ]
    return (
        f"what can be opened: {', '.join(files)}, MJCF text, mujoco.MjModel, scene components, "
        "package:path/of/a/file"
    )


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
