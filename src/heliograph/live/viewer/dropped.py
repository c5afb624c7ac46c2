"""Files that somebody dropped on a page, in a private folder, ready to be opened."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from heliograph.errors import InvalidValueError, SceneError
from heliograph.live.viewer.controls import check_whole
from heliograph.live.viewer.named_paths import check_named_paths

MOST_BYTES: Final = 64 << 20
"""Of all files that are dropped together; larger ones are opened by their path."""
MOST_FILES: Final = 2000
_PREFIX: Final = "heliograph-dropped-"

_SCENES: Final = (".xml", ".mjcf", ".urdf", ".gltf", ".glb", ".ply", ".obj", ".stl")
"""Endings of what can be dropped as a scene; the first kind that is there is opened. What runs code
as it is opened (Python, .blend, checkpoints) is opened only where it is named to the program."""
_NAMED: Final = re.compile(rb"""(?<![\w-])(?:file|filename)\s*=\s*["']([^"']+)["']""")
_FOLDERS: Final = re.compile(rb"""(?:meshdir|texturedir|assetdir)\s*=\s*["']([^"']+)["']""")
_COMMENTS: Final = re.compile(rb"<!--.*?-->", re.DOTALL)


def private_folder() -> Path:
    """A new folder for dropped files, named after this process."""
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))


def remove_stale_folders() -> None:
    """Remove our folders whose processes were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        try:
            if folder.stat().st_uid == os.getuid():
                os.kill(int(folder.name.removeprefix(_PREFIX).partition("-")[0]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError, OverflowError):
            continue  # it has just gone, or is somebody else's


def place_files(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write dropped files into an empty folder and return the one to open.

    Files that a scene names are put where it looks for them, wherever they were dropped from.

    Args:
        files: content by name; names may have folders, as those of a dropped folder do.
        folder: empty, and nobody else's.

    Raises:
        SceneError: none is a scene, a scene names files that were not dropped or that are not
            beside it, or a name or a path in a file leads out of the folder.
    """
    _check_sizes(files)
    inside = {_inside(name): data for name, data in files.items()}
    scene = _scene(inside)
    check_named_paths(scene, inside)
    root = scene.parent
    by_name = {path.name: path for path in inside}
    missing = []
    for places in _needed(scene, inside[scene]):
        found = by_name.get(places[0].name)
        if found is None:
            missing.append(str(places[0]))
            continue
        for place in places:
            inside.setdefault(_inside(str(root / place)), inside[found])
    if missing:
        are_not = "is not" if len(missing) == 1 else "are not"
        raise SceneError(
            f"{scene.name}: names {', '.join(sorted(missing)[:20])}, which {are_not} among what "
            "was dropped; drop them together, or the folder that holds them"
        )
    for path, data in inside.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder / scene


def sent_files(given: object, body: memoryview) -> dict[str, bytes]:
    """Files that a page sent, by name.

    Args:
        given: a list of maps with `name`, and `offset` and `nbytes` in the body.
        body: their bytes.

    Raises:
        InvalidValueError: something else.
    """
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise InvalidValueError("drop: expected a list of files, each with name, offset, nbytes")
    found: dict[str, bytes] = {}
    for each in given:
        name = each.get("name")
        if not isinstance(name, str):
            raise InvalidValueError("drop: expected a name for each file")
        start = check_whole("offset", each.get("offset"), 0, len(body))
        nbytes = check_whole("nbytes", each.get("nbytes"), 0, len(body) - start)
        found[name] = bytes(body[start : start + nbytes])
    return found


def _check_sizes(files: Mapping[str, bytes]) -> None:
    nbytes = sum(map(len, files.values()))
    if not files or len(files) > MOST_FILES or nbytes > MOST_BYTES:
        raise SceneError(
            f"dropped files: expected 1 to {MOST_FILES} of {MOST_BYTES >> 20} MiB in all, got "
            f"{len(files)} of {nbytes / (1 << 20):.1f} MiB"
        )


def _inside(name: str) -> PurePosixPath:
    """A name as a path that stays in the folder.

    Raises:
        SceneError: it does not.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    parts = [part for part in path.parts if part != "."]
    bad = not parts or path.is_absolute() or ".." in parts or "\0" in name or ":" in parts[0]
    if bad or max(map(len, parts)) > 200:
        raise SceneError(f"{name[:200]!r}: expected the name of a file beside the scene")
    return PurePosixPath(*parts)


def _scene(files: Mapping[PurePosixPath, bytes]) -> PurePosixPath:
    """The file to open: of the first kind there is, the one nearest to the top."""
    for suffix in _SCENES:
        found = [path for path in files if path.suffix.lower() == suffix]
        mains = [path for path in found if not _is_part(files[path], suffix)]
        if mains:
            return min(mains, key=lambda path: (len(path.parts), str(path)))
    names = ", ".join(path.name for path in list(files)[:5])
    raise SceneError(f"{names}: expected a scene that ends in {', '.join(_SCENES)}")


def _is_part(data: bytes, suffix: str) -> bool:
    """Whether this is XML of another kind, or a piece that other MJCF includes."""
    return suffix == ".xml" and not re.search(rb"<(mujoco|robot)[\s>]", _COMMENTS.sub(b"", data))


def _needed(scene: PurePosixPath, data: bytes) -> Iterator[list[PurePosixPath]]:
    """For each file that a scene names, the places relative to it where it is looked for."""
    suffix = scene.suffix.lower()
    if suffix in (".xml", ".mjcf", ".urdf"):
        yield from _needed_by_xml(_COMMENTS.sub(b"", data))
    elif suffix == ".gltf":
        yield from _needed_by_gltf(data)
    elif suffix == ".obj":
        for name in re.findall(rb"^mtllib\s+(.+?)\s*$", data, re.MULTILINE):
            yield [_relative(name)]


def _needed_by_xml(data: bytes) -> Iterator[list[PurePosixPath]]:
    folders = [_relative(name) for name in _FOLDERS.findall(data)]
    for name in dict.fromkeys(_NAMED.findall(data)):
        text = name.decode(errors="replace")
        scheme, found, rest = text.partition("://")
        path = _inside(rest if found else text)
        if scheme in ("package", "model"):  # the first part is the package's name
            yield [path, PurePosixPath(path.name)]
        else:
            yield [path, *(folder / path for folder in folders)]


def _needed_by_gltf(data: bytes) -> Iterator[list[PurePosixPath]]:
    try:
        document: Any = json.loads(data)
        parts = [*document.get("buffers", []), *document.get("images", [])]
        names = [part["uri"] for part in parts if "uri" in part]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return  # the engine says what is wrong with it
    for name in names:
        if isinstance(name, str) and not name.startswith("data:"):
            yield [_inside(name)]


def _relative(name: bytes) -> PurePosixPath:
    return _inside(name.decode(errors="replace"))
