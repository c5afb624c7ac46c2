"""Opening a scene, and calling an engine in this process."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import fields
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from numbers import Integral
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from heliograph.camera import MAX_SIZE, Camera
from heliograph.engine import Engine
from heliograph.errors import (
    HeliographError,
    InvalidValueError,
    MissingDependencyError,
    SceneError,
    UnknownNameError,
)
from heliograph.frame import Labels, Sample
from heliograph.scene import Description
from heliograph.view import View

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


def open(  # noqa: A001
    source: object, *, size: tuple[int, int] = (320, 240), engine: str | None = None, **options: Any
) -> LocalRenderer:
    """Open a scene in this process.

    Args:
        source: a path, `package:path/inside/it`, MJCF text, or an object that an engine takes.
        size: (width, height) in pixels of cameras that the scene names without one.
        engine: which engine, by name; without it the source decides.
        **options: the engine's own; for those that rasterize also `msaa`, `shadows`,
            `shadow_size`, `lod` and `device`, as in `heliograph.RasterOptions`.

    Raises:
        SceneError: no such file, nothing opens it, or the engine refuses it.
        UnknownNameError: no such engine, or it has no such option.
        ContextError: no usable GL here.
    """
    source = _resolve(source)
    name = engine or _engine_of(source)
    arguments: dict[str, Any] = {"size": _check_size(size), **_folded(name, options)}
    factory = load_engine(name)
    _check_options(name, factory, arguments)
    return LocalRenderer(factory(source, **arguments))


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


class LocalRenderer:
    """A renderer over an engine in this process; threads take turns.

    Args:
        engine: the engine; closed with the renderer.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._lock = threading.Lock()

    @property
    def scene(self) -> Description:
        """What the scene holds."""
        return self.engine.scene

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The scene's cameras by name."""
        return self.engine.cameras

    @property
    def passes(self) -> tuple[str, ...]:
        """The passes it can yield."""
        return self.engine.passes

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category)."""
        return self.engine.labels

    def render(self, view: View) -> Sample:
        """Draw one view and wait for it.

        Raises:
            HeliographError: the view cannot be drawn; it names the sample if the view has a seed.
        """
        if not isinstance(view, View):
            raise InvalidValueError(f"expected a heliograph.View, got {type(view).__name__}")
        with self._lock:
            try:
                return self.engine.render(view)
            except HeliographError as error:
                if view.seed is not None and error.seed is None:
                    error.index, error.seed = view.index, view.seed
                raise

    def submit(self, view: View) -> Future[Sample]:
        """Draw one view now; the future that comes back is finished."""
        future: Future[Sample] = Future()
        try:
            future.set_result(self.render(view))
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to the future
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Close the engine; may be called twice."""
        with self._lock:
            self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _check_size(size: object) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, (tuple, list)) else ()
    whole = all(isinstance(side, Integral) and not isinstance(side, bool) for side in sides)
    if len(sides) != 2 or not whole or not all(1 <= side <= MAX_SIZE for side in sides):
        raise InvalidValueError(
            f"size: expected (width, height) in pixels, each from 1 to {MAX_SIZE}, got {size!r}"
        )
    return int(sides[0]), int(sides[1])


def _resolve(source: object) -> object:
    """Turn `package:path` into the path of a file that a package carries, without importing it."""
    if not isinstance(source, str) or source.lstrip().startswith("<"):
        return source
    package, colon, inside = source.partition(":")
    if not colon or not package.isidentifier() or inside.startswith("//") or _exists(source):
        return source
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SceneError(f"{source}: no package {package!r} is installed here; {_KNOWN}")
    return str(Path(spec.submodule_search_locations[0]) / inside)


def _exists(path: str | Path) -> bool:
    with suppress(OSError, ValueError):  # too long, or a NUL inside
        return Path(path).exists()
    return False


def _engine_of(source: object) -> str:
    if isinstance(source, (str, Path)):
        return _engine_of_text(str(source))
    home = type(source).__module__
    if home.split(".")[0] == "mujoco":
        return "mujoco"
    return "components" if f"{home}.".startswith("heliograph.scene.") else _asked(source)


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
