"""What dropped files name: nothing but files that were dropped with them.

XML is read by a parser, so that a path is seen as the engine sees it, however it is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote
from xml.parsers import expat

from heliograph.errors import SceneError
from heliograph.scene.files import text_of

XML: Final = (".xml", ".mjcf", ".urdf")
_SCHEME: Final = re.compile(r"(package|model)://")
_ABSOLUTE: Final = re.compile(r"/|~|[A-Za-z]:/|[A-Za-z][A-Za-z0-9+.-]+:/")
_TEXTURE: Final = re.compile(r"(?mi)^comment\s+texturefile\s+(.+?)\s*$")
_JSON: Final = b"JSON"


def check_named_paths(scene: PurePosixPath, files: Mapping[PurePosixPath, bytes]) -> None:
    """Check what a scene and the files beside it name; XML that the scene leads to, others all.

    Args:
        scene: the file that is opened.
        files: content by name.

    Raises:
        SceneError: a path leads out of what was dropped, or XML is malformed.
    """
    waiting, names = [scene], dict[PurePosixPath, list[str]]()
    while waiting:
        path = waiting.pop()
        if path in names:
            continue
        names[path] = list(_names(path, files[path]))
        ends = {PurePosixPath(name.replace("\\", "/")).name for name in names[path]}
        waiting += [each for each in files if each.name in ends]
    for path in files:
        if path.suffix.lower() not in XML:
            names.setdefault(path, list(_names(path, files[path])))
    for path, found in names.items():
        for name in found:
            if _leads_out(name):
                raise SceneError(
                    f"{path}: names {name[:200]!r}; expected a path beside it, without '..'"
                )


def _leads_out(name: str) -> bool:
    path = _SCHEME.sub("", name.strip().replace("\\", "/"), count=1)
    return _ABSOLUTE.match(path) is not None or ".." in path.split("/")


def _names(path: PurePosixPath, data: bytes) -> Iterator[str]:
    """All that may be a path in a file."""
    suffix = path.suffix.lower()
    if suffix in XML:
        yield from _of_xml(path, data)
    elif suffix in (".obj", ".mtl"):
        yield from _of_obj(suffix, text_of(data))
    elif suffix in (".gltf", ".glb"):
        for name in _of_gltf(data):
            yield from () if name.startswith("data:") else (name, unquote(name))
    elif suffix == ".ply":
        yield from _TEXTURE.findall(text_of(data.partition(b"end_header")[0]))


def _of_xml(path: PurePosixPath, data: bytes) -> list[str]:
    """The values of all attributes."""
    found: list[str] = []

    def element(tag: str, attributes: dict[str, str]) -> None:
        found.extend(attributes.values())
        part = attributes.get("file", "")
        is_xml = tag in ("include", "model") and part
        if is_xml and PurePosixPath(part.strip()).suffix.lower() not in XML:
            raise SceneError(f"{path}: includes {part[:200]!r}; expected the name of an .xml file")

    def doctype(*_: object) -> None:
        raise SceneError(f"{path}: has a DOCTYPE; expected XML without one")

    parser = expat.ParserCreate()
    parser.StartElementHandler = element
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise SceneError(f"{path}: expected XML ({error})") from None
    return found


def _of_obj(suffix: str, text: str) -> Iterator[str]:
    """The words that may be paths; names may have spaces, so words together are paths as well."""
    text = text.replace("\r", "\n")
    if suffix == ".obj":
        text = re.sub(r"\\\n+", " ", text)
    for line in text.split("\n"):
        tag, *words = line.split() or ("",)
        material = tag.lower() != "newmtl" and not tag.startswith("#")
        if tag == "mtllib" if suffix == ".obj" else material:
            yield from words


def _of_gltf(data: bytes) -> Iterator[str]:
    """Each `uri`, of keys that are there twice both."""
    if data[:4] == b"glTF" and data[16:20] == _JSON:
        data = data[20 : 20 + int.from_bytes(data[12:16], "little")]
    try:
        waiting: list[Any] = [json.loads(data, object_pairs_hook=tuple)]
    except (ValueError, RecursionError):
        return  # the engine says what is wrong with it
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple) and len(part) == 2 and part[0] == "uri":
            yield str(part[1])
        elif isinstance(part, (list, tuple)):
            waiting.extend(part)
