"""Opens what a scene of Blender comes from: a .blend file, or a script that builds one.

A .blend may hold Python: texts that register themselves, and drivers that are more than simple
arithmetic. Blender runs none of it unless the file is trusted. A driver that does not run leaves
what it drives where it was saved, so a file with one is refused; a text that registers itself
mostly adds panels to the user interface, so it is left out, with a warning. A domain of fluids has
Mantaflow run Python and write files wherever the .blend says, as soon as Blender evaluates it, so
an untrusted file is looked through for domains before it is opened. A script that the user names is
code that the user wants run, but not what is in a .blend that it loads.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import runpy
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import bpy

from heliograph.disk import printable
from heliograph.engines.blender.quiet import quiet
from heliograph.engines.blender.suffixes import BLEND, SCRIPT
from heliograph.errors import SceneError, UnknownNameError

Handlers: TypeAlias = Mapping[str, tuple[Callable[..., object], ...]]
"""Name of a list of `bpy.app.handlers` -> what is called."""

_MAGIC = (b"BLENDER", b"\x28\xb5\x2f\xfd", b"\x1f\x8b")
"""How a .blend begins: as it is, packed by zstd, or by gzip."""

_MOST_LISTED = 20
_EXTERNAL_IMAGES = ("FILE", "SEQUENCE", "MOVIE")
_SEEN = (
    "MESH",
    "CURVE",
    "SURFACE",
    "META",
    "FONT",
    "CURVES",
    "POINTCLOUD",
    "VOLUME",
    "GREASEPENCIL",
)
SEEN_TYPES = frozenset(_SEEN)
"""Types of objects that have a surface or a volume of their own."""


@dataclass(frozen=True)
class Opened:
    """A scene that Blender has open.

    Attributes:
        name: the path, for people.
        digest: of the file or script, of every file that it shows, and of Blender's version.
        scene: the `bpy.types.Scene`.
        view_layer: the `bpy.types.ViewLayer`.
        handlers: what was to be called on Blender's events before.
    """

    name: str
    digest: str
    scene: Any
    view_layer: Any
    handlers: Handlers


def open_source(
    source: str | os.PathLike[str],
    *,
    trust: bool = False,
    allow_missing: bool = False,
    scene: str | None = None,
    view_layer: str | None = None,
) -> Opened:
    """Open a .blend file, or run a script that builds a scene.

    Args:
        source: a path that ends in .blend or .py.
        trust: whether code that a .blend holds is run, also one that a script loads.
        allow_missing: whether files that a scene names and that are not there are left out.
        scene: name of the scene; the active one without it.
        view_layer: name of the view layer; the scene's first that renders without it.

    Raises:
        SceneError: the file is missing, damaged, too new or no .blend; the script raised; files
            are missing; drivers were not run, fluids not trusted; nothing is to be seen.
        UnknownNameError: no such scene or view layer.
    """
    path = Path(source)
    if path.suffix.lower() not in (BLEND, SCRIPT):
        raise SceneError(f"{printable(path)}: expected a {BLEND} file or a script {SCRIPT}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SceneError(f"{printable(path)}: cannot be read ({error.strerror})") from None
    handlers = _handlers()
    if path.suffix.lower() == BLEND:
        _open_blend(path, content, trust=trust)
        foreign = True
    else:
        foreign = _run(path, trust=trust)
    name = printable(path)
    if not allow_missing:
        _check_missing(name)
    chosen, layer = _chosen(name, scene, view_layer)
    if foreign and not trust:
        _check_blocked(name, chosen)
    if not any(each.type in SEEN_TYPES or each.is_instancer for each in chosen.objects):
        raise SceneError(f"{name}: nothing is to be seen in scene {chosen.name!r}; add an object")
    return Opened(name, _digest(content), chosen, layer, handlers)


def close_source(opened: Opened) -> None:
    """Have Blender forget a scene, and what its scripts wanted to be called."""
    with quiet():
        bpy.ops.wm.read_factory_settings(use_empty=True)
    for name, before in opened.handlers.items():
        calls = getattr(bpy.app.handlers, name)
        calls[:] = [call for call in calls if call in before]


def _handlers() -> Handlers:
    lists = {name: getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)}
    return {name: tuple(calls) for name, calls in lists.items() if isinstance(calls, list)}


def _open_blend(path: Path, content: bytes, *, trust: bool) -> None:
    name = printable(path)
    if not content.startswith(_MAGIC):
        raise SceneError(f"{name}: is no .blend file; it begins with {content[:8]!r}")
    with quiet():
        bpy.ops.wm.read_factory_settings(use_empty=True)
        load_blend(path, trust=trust)


def load_blend(path: Path, *, trust: bool) -> None:
    """Load a .blend file in place of what is open.

    Raises:
        SceneError: it is damaged, newer than this Blender, or has fluids that are not trusted.
    """
    name, ours = printable(path), bpy.app.version
    try:
        if not trust:
            _link_scenes(path)
            _check_fluids(name)
        bpy.ops.wm.open_mainfile(filepath=str(path.absolute()), use_scripts=trust, load_ui=False)
    except (RuntimeError, OSError) as error:
        raise SceneError(
            f"{name}: Blender {bpy.app.version_string} cannot open it, it is damaged, cut off "
            f"or too new ({str(error).strip()})"
        ) from None
    saved = bpy.data.version
    if tuple(saved[:2]) > tuple(ours[:2]):
        raise SceneError(
            f"{name}: saved by Blender {_dotted(saved)}, newer than this one, {_dotted(ours)}, "
            "which would show it otherwise; use a newer bpy, or save it with this version"
        )


def _link_scenes(path: Path) -> None:
    """Link all that the scenes of a file use, which evaluates nothing of it."""
    with bpy.data.libraries.load(str(path.absolute()), link=True) as (there, wanted):
        wanted.scenes = there.scenes


def _check_fluids(name: str) -> None:
    """Refuse domains of fluids."""
    domains = [
        each.name
        for each in bpy.data.objects
        if any(one.type == "FLUID" and one.fluid_type == "DOMAIN" for one in each.modifiers)
    ]
    if domains:
        raise SceneError(
            f"{name}: fluids run Python and write files where the file says, which they may only "
            f"with trust=True (give it where you trust the file): {listed(sorted(domains))}"
        )


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def _run(path: Path, *, trust: bool) -> bool:
    """Run a script in an empty scene; whether it loaded .blend files.

    Its drivers run when it has ended, if nothing is among them that a file brought along.

    Raises:
        SceneError: it raised, with its traceback; or fluids that it loaded are not trusted.
    """
    with quiet():
        bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.use_scripts_auto_execute = trust
    with _loads() as loaded:
        _run_main(path)
    if loaded and not trust:
        _check_fluids(printable(path))
    if loaded or trust:
        return bool(loaded)
    bpy.context.preferences.filepaths.use_scripts_auto_execute = True
    for block in itertools.chain.from_iterable(_collections()):
        for curve in _drivers(block):  # one that could not run is not tried again
            curve.driver.expression = curve.driver.expression
    return False


@contextmanager
def _loads() -> Iterator[list[str]]:
    """What .blend files are opened, appended from or linked to within."""
    found: list[str] = []

    @bpy.app.handlers.persistent  # type: ignore[untyped-decorator,unused-ignore]
    def note_opened(path: str, *_: object) -> None:
        if path:  # none is a start with no file
            found.append(path)

    @bpy.app.handlers.persistent  # type: ignore[untyped-decorator,unused-ignore]
    def note_imported(*_: object) -> None:
        found.append("")

    handlers = bpy.app.handlers
    added = ((handlers.load_post, note_opened), (handlers.blend_import_post, note_imported))
    for calls, call in added:
        calls.append(call)
    try:
        yield found
    finally:
        for calls, call in added:
            if call in calls:
                calls.remove(call)


def _run_main(path: Path) -> None:
    """Run a script as `__main__`."""
    before, folder = list(sys.argv), str(path.absolute().parent)
    sys.argv = [str(path)]
    sys.path.insert(0, folder)
    try:
        with quiet():
            runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        if end.code not in (None, 0):
            raise SceneError(f"{printable(path)}: ended with {end.code!r}") from None
    except Exception as error:  # noqa: BLE001 -- whatever a script raises
        told = "".join(traceback.format_exception(error, limit=-_frames_below(error)))
        raise SceneError(f"{printable(path)}: the script raised\n{told.strip()}") from None
    finally:
        sys.argv = before
        if folder in sys.path:
            sys.path.remove(folder)


def _frames_below(error: Exception) -> int:
    """How many frames of a traceback are the script's, below those of `runpy`."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    ours = sum("runpy" in Path(each).name for each in files) + 1
    return max(len(files) - ours, 1)


def _check_blocked(name: str, scene: Any) -> None:
    """Refuse a file whose scene has drivers that were not run, and say which texts were not.

    Blender runs a driver of plain arithmetic in any case. Of the others it knows only once it
    evaluates them, so those count too of what is hidden or excluded and that a state may show.
    """
    used = _used(scene)
    blocked = [
        f"{block.name}: {curve.data_path} = {curve.driver.expression}"
        for block in used
        for curve in _drivers(block)
        if curve.driver.type == "SCRIPTED" and not (curve.mute or curve.driver.is_simple_expression)
    ]
    if blocked:
        raise SceneError(
            f"{name}: drivers that run Python move what is seen, and they run only with trust=True "
            f"(give it where you trust the file): {listed(sorted(blocked))}"
        )
    texts = [each.name for each in bpy.data.texts if each.use_module]
    if texts:
        warnings.warn(
            f"{name}: texts that would run as it is opened were not run, as trust=True was not "
            f"given: {listed(texts)}",
            stacklevel=3,
        )


def _used(scene: Any) -> set[Any]:
    """A scene, and all data blocks that it uses in any way."""
    uses: dict[Any, list[Any]] = {}
    for block, users in bpy.data.user_map().items():
        for user in users:
            uses.setdefault(user, []).append(block)
    found, waiting = {scene}, [scene]
    while waiting:
        more = set(uses.get(waiting.pop(), ())) - found
        found |= more
        waiting.extend(more)
    return found


def _drivers(block: Any) -> Iterator[Any]:
    """Curves of the drivers of a data block and of its nodes."""
    for each in (block, getattr(block, "node_tree", None)):
        animation = getattr(each, "animation_data", None)
        if animation is not None:
            yield from animation.drivers


def _collections() -> Iterator[Any]:
    for prop in bpy.data.bl_rna.properties:
        if prop.type == "COLLECTION":
            yield getattr(bpy.data, prop.identifier)


def _check_missing(name: str) -> None:
    missing = [f"{kind} {path}" for kind, path in _files() if not Path(path).is_file()]
    lost = [
        f"{type(block).__name__.lower()} {block.name!r} of a library"
        for blocks in _collections()
        for block in blocks
        if block.library is not None and block.is_missing
    ]
    if missing or lost:
        raise SceneError(
            f"{name}: files that it shows are missing: {listed(missing + lost)}; put them there, "
            "or give allow_missing=True to show it without them"
        )


def listed(names: Sequence[str]) -> str:
    """Names for a message, the first of them where they are many."""
    more = f", ... and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more


def _files() -> list[tuple[str, str]]:
    """What files the open scene shows, as (what it is, absolute path), each once, sorted."""
    data = bpy.data
    named = [("library", each) for each in data.libraries if each.packed_file is None]
    named += [("image", each) for each in data.images if _is_external(each)]
    for kind, blocks in (("font", data.fonts), ("volume", data.volumes)):
        named += [(kind, each) for each in blocks if each.users and each.packed_file is None]
    for kind, blocks in (("cache", data.cache_files), ("movie", data.movieclips)):
        named += [(kind, each) for each in blocks if each.users]
    found = {
        (kind, bpy.path.abspath(each.filepath, library=each.library))
        for kind, each in named
        if each.filepath and not each.filepath.startswith("<")
    }
    return sorted(found)


def _is_external(image: Any) -> bool:
    shown = image.users > 0 and image.source in _EXTERNAL_IMAGES
    return shown and not len(image.packed_files)


def _chosen(name: str, scene: str | None, view_layer: str | None) -> tuple[Any, Any]:
    """The scene and its view layer, made the active ones."""
    if scene is not None:
        if scene not in bpy.data.scenes:
            raise UnknownNameError.of(f"scene of {name}", scene, bpy.data.scenes.keys())
        bpy.context.window.scene = bpy.data.scenes[scene]
    chosen = bpy.context.scene
    layers = chosen.view_layers
    if view_layer is None:
        layer = next((each for each in layers if each.use), layers[0])
    elif view_layer in layers:
        layer = layers[view_layer]
    else:
        raise UnknownNameError.of(f"view layer of {chosen.name}", view_layer, layers.keys())
    bpy.context.window.view_layer = layer
    return chosen, layer


def _digest(content: bytes) -> str:
    made = hashlib.sha256(bpy.app.version_string.encode())
    made.update(hashlib.sha256(content).digest())
    for kind, path in _files():
        made.update(kind.encode())
        try:
            with Path(path).open("rb") as file:
                made.update(hashlib.file_digest(file, "sha256").digest())
        except OSError:  # it was allowed to be missing
            made.update(b"missing")
    return made.hexdigest()
