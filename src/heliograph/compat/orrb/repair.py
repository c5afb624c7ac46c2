"""Old MJCF: what today's MuJoCo refuses in ORRB's files is repaired in memory, and logged.

Exactly four things: `apirate`, texture grids that do not fit their `gridlayout`, inertias that
no body can have, and texture files that are not there. The user's files are never written to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from heliograph.compat.orrb.problems import RendererError
from heliograph.errors import SceneError

Load = Callable[[str | Path], tuple[Any, str]]
"""Compiles a path or a text; returns the model first."""

_LOG = logging.getLogger(__name__)
_SIDES = ("file", "fileright", "fileleft", "fileup", "filedown", "filefront", "fileback")
_FOLDERS = {"texture": "texturedir", "mesh": "meshdir", "hfield": "meshdir", "skin": "meshdir"}
_FLAT = {"builtin": "flat", "rgb1": "0.8 0.8 0.8", "width": "8", "height": "8"}
_UNBALANCED = "balanceinertia"
_DEEPEST = 32
_LISTED = 3
_GRID_CELLS = 12


def load_repaired(path: Path, load: Load) -> tuple[str, Any]:
    """Compile a model, repaired where it has to be.

    Args:
        path: MJCF.
        load: what compiles.

    Returns:
        What to open in other processes (the path, or the repaired text) and the model.

    Raises:
        RendererError: MuJoCo refuses it for another reason.
    """
    try:
        return str(path), load(path)[0]
    except SceneError as error:
        refused = error
    if path.suffix == ".mjb":
        raise RendererError(refused.message)
    root = flattened(path)
    repairs = [line for repair in (_apirates, _grids, _textures) for line in repair(root)]
    return _compiled(root, path, load, repairs, refused)


def flattened(path: Path) -> Element:
    """The file with what it includes in it, and every file it names by an absolute path.

    Raises:
        RendererError: a file that is missing or not XML.
    """
    root = _parse(path)
    _include(root, path, path, 0)
    _make_absolute(root, path.parent)
    return root


def _compiled(
    root: Element, path: Path, load: Load, repairs: list[str], refused: SceneError
) -> tuple[str, Any]:
    for _ in range(2):
        text = ElementTree.tostring(root, encoding="unicode")
        try:
            model = load(text)[0]
        except SceneError as error:
            if _UNBALANCED not in error.message or not _balance(root):
                after = f"{error.message} (after these repairs: {'; '.join(repairs)})"
                message = after if repairs else refused.message
                raise RendererError(f"{path}: {message}") from None
            repairs.append(f"balanced inertias, of which MuJoCo says: {error.message}")
            continue
        for repair in repairs:
            _LOG.warning("%s: %s", path, repair)
        return text, model
    raise RendererError(refused.message)


def _parse(path: Path) -> Element:
    try:
        return ElementTree.parse(path).getroot()
    except OSError as error:
        raise RendererError(f"{path}: cannot be read ({error.strerror})") from None
    except ElementTree.ParseError as error:
        raise RendererError(f"{path}:{error.position[0]}: not XML ({error})") from None


def _include(element: Element, main: Path, own: Path, depth: int) -> None:
    """Put the children of included files where the `include` stands."""
    if depth > _DEEPEST:
        raise RendererError(f"{own}: files include each other")
    children: list[Element] = []
    for child in list(element):
        if child.tag != "include":
            _include(child, main, own, depth)
            children.append(child)
            continue
        path = _included(child, main, own)
        part = _parse(path)
        _include(part, main, path, depth + 1)
        children += list(part)
    element[:] = children


def _included(child: Element, main: Path, own: Path) -> Path:
    name = child.get("file", "")
    for folder in (main.parent, own.parent):
        if (folder / name).is_file():
            return folder / name
    raise RendererError(f"{own}: includes {name!r}, which is not there")


def _make_absolute(root: Element, base: Path) -> None:
    folders: dict[str, str] = {}
    strips = False
    for compiler in root.iter("compiler"):
        for key in ("assetdir", "meshdir", "texturedir", "strippath"):
            value = compiler.attrib.pop(key, None)
            if value is None:
                continue
            if key == "strippath":
                strips = value == "true"
            elif key == "assetdir":
                folders |= {"meshdir": value, "texturedir": value}
            else:
                folders[key] = value
    for element, key in _named_files(root):
        name = Path(element.attrib[key].replace("\\", "/"))
        folder = folders.get(_FOLDERS.get(element.tag, ""), "")
        name = Path(name.name) if strips else name
        element.set(key, str((base / folder / name).absolute()))


def _named_files(root: Element) -> Iterator[tuple[Element, str]]:
    for element in root.iter():
        for key in _SIDES:
            if key in element.attrib:
                yield element, key


def _line(what: str, of: list[str]) -> list[str]:
    """One line for all that was repaired alike; none for nothing."""
    more = f" and {len(of) - _LISTED} more" if len(of) > _LISTED else ""
    return [f"{what}: {', '.join(of[:_LISTED])}{more}"] if of else []


def _apirates(root: Element) -> list[str]:
    options = [option for option in root.iter("option") if "apirate" in option.attrib]
    values = [option.attrib.pop("apirate") for option in options]
    return _line("left out apirate of <option>, which MuJoCo has no more", values)


def _grids(root: Element) -> list[str]:
    wrong = [texture for texture in root.iter("texture") if not _grid_fits(texture)]
    for texture in wrong:
        texture.attrib.pop("gridsize", None)
        del texture.attrib["gridlayout"]
    return _line(
        "left out gridlayout of textures, which does not go with their gridsize",
        [_name(texture) for texture in wrong],
    )


def _grid_fits(texture: Element) -> bool:
    layout = texture.get("gridlayout")
    if layout is None:
        return True
    try:
        rows, columns = (int(part) for part in texture.get("gridsize", "1 1").split())
    except ValueError:
        return False
    return "file" in texture.attrib and len(layout) == rows * columns <= _GRID_CELLS


def _textures(root: Element) -> list[str]:
    gone = []
    for texture in root.iter("texture"):
        files = [key for key in _SIDES if key in texture.attrib]
        missing = [texture.attrib[key] for key in files if not Path(texture.attrib[key]).is_file()]
        if missing:
            name = _name(texture)
            for key in (*files, "gridsize", "gridlayout", "content_type"):
                texture.attrib.pop(key, None)
            texture.attrib |= {"name": name, **_FLAT}
            gone.append(f"{name} ({missing[0]})")
    return _line("textures are plain grey, as there is no file", gone)


def _name(texture: Element) -> str:
    return texture.get("name") or Path(texture.get("file", "texture")).stem


def _balance(root: Element) -> bool:
    """Ask the compiler to balance inertias; whether that was not asked before."""
    compilers = list(root.iter("compiler"))
    if any(compiler.get(_UNBALANCED) == "true" for compiler in compilers):
        return False
    if not compilers:
        compilers = [Element("compiler")]
        root.insert(0, compilers[0])
    for compiler in compilers:
        compiler.set(_UNBALANCED, "true")
    return True
