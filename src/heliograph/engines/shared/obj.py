"""Wavefront OBJ and MTL files: a piece per material, whichever objects show it.

Faces of one piece all have texture coordinates or none, and so with normals; so no object loses its
own because others have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.scene.files import named_files, read_scene_file, text_of

Floats = NDArray[np.float64]
_NUMBERS = ("v", "vt", "vn", "f")


@dataclass(eq=False)
class Material:
    """What an MTL file says: properties as components have them, and the image's file."""

    properties: dict[str, Any] = field(default_factory=dict)
    image: Path | None = None
    missing: str = ""


@dataclass(eq=False)
class Piece:
    """Triangles (T, 3) of one material; colours are sRGB, 0 to 1."""

    name: str
    positions: Floats
    triangles: NDArray[np.intp]
    normals: Floats | None
    uvs: Floats | None
    colours: Floats | None
    material: Material


@dataclass(eq=False)
class _Run:
    """Corners "v/vt/vn" in the order they were met, and triangles of their numbers."""

    corners: dict[str, int] = field(default_factory=dict)
    triangles: list[int] = field(default_factory=list)


class _Reader:
    """Takes an OBJ file line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, list[list[str]]] = {"v": [], "vt": [], "vn": []}
        self._runs: dict[str, _Run] = {}
        self._material = ""
        self._materials: dict[str, Material] = {}

    def read(self) -> Iterator[Piece]:
        """Go through the file; its pieces."""
        text = text_of(read_scene_file(self._path)).replace("\r\n", "\n").replace("\r", "\n")
        for line in text.replace("\\\n", " ").split("\n"):
            tag, *words = line.split() or ("",)
            if tag in _NUMBERS and "#" in line:
                words = line.split("#", 1)[0].split()[1:]
            if tag == "f":
                self._face(words, "-" in line)
            elif tag in self._rows:
                self._rows[tag].append(words)
            elif tag == "usemtl":
                self._material = " ".join(words)
            elif tag == "mtllib":
                self._open(" ".join(words))
        vertices, colours = _vertices(self._rows["v"])
        uvs, normals = _columns(self._rows["vt"], 2), _columns(self._rows["vn"], 3)
        for name, run in self._runs.items():
            material = self._materials.get(name, Material())
            tables = (vertices, uvs, normals, colours)
            yield from _split(name or self._path.stem, run, tables, material)

    def _open(self, names: str) -> None:
        for path in named_files(self._path, names):
            if path.is_file():
                self._materials.update(materials(path))

    def _face(self, words: list[str], relative: bool) -> None:
        if len(words) < 3:
            return
        if relative:
            words = [self._absolute(word) for word in words]
        run = self._runs.setdefault(self._material, _Run())
        known = run.corners
        numbers = [known.setdefault(word, len(known)) for word in words]
        if len(numbers) == 3:
            run.triangles += numbers
            return
        for second, third in pairwise(numbers[1:]):
            run.triangles += (numbers[0], second, third)

    def _absolute(self, corner: str) -> str:
        """A corner with numbers that count from the end turned into ones from the start."""
        parts = corner.split("/")
        for place, (part, rows) in enumerate(zip(parts, self._rows.values(), strict=False)):
            if part.startswith("-"):
                parts[place] = str(len(rows) + 1 + int(part))
        return "/".join(parts)


def read(path: Path) -> list[Piece]:
    """The pieces of an OBJ file.

    Raises:
        ValueError: it is malformed.
        SceneError: it cannot be read.
    """
    return list(_Reader(path).read())


def materials(path: Path) -> dict[str, Material]:
    """The materials of an MTL file by name."""
    found: dict[str, Material] = {}
    now = Material()
    for line in text_of(read_scene_file(path)).replace("\r", "\n").split("\n"):
        tag, *words = line.split() or ("",)
        tag, rest, numbers = tag.lower(), " ".join(words), _floats(words)
        if tag == "newmtl":
            now = found[rest] = Material()
        elif tag == "kd" and numbers:
            red, green, blue = numbers if len(numbers) == 3 else numbers[:1] * 3
            now.properties["color"] = (red, green, blue)
        elif tag == "d" and numbers:
            now.properties["opacity"] = numbers[-1]
        elif tag == "map_kd":
            now.image = next((each for each in named_files(path, rest) if each.is_file()), None)
            now.missing = "" if now.image else rest
    return found


def _floats(words: list[str]) -> list[float]:
    """Numbers from 0 to 1; none if these words are not numbers."""
    try:
        return [min(max(float(word), 0.0), 1.0) for word in words]
    except ValueError:
        return []


def _vertices(rows: list[list[str]]) -> tuple[Floats, Floats | None]:
    """Positions (V, 3), and colours (V, 3) from 0 to 1 if any vertex has one: NaN without."""
    if not any(len(row) >= 6 for row in rows):
        return _columns(rows, 3), None
    colours = _columns([row[3:6] if len(row) >= 6 else ["nan"] * 3 for row in rows], 3)
    if np.nanmax(colours) > 1:
        colours /= 255
    return _columns(rows, 3), colours


def _columns(rows: list[list[str]], width: int) -> Floats:
    """The first numbers of each row, (N, width); a single texture coordinate has v = 0."""
    if any(len(row) < width for row in rows):
        if width == 3:
            raise ValueError("a line has fewer than three numbers")
        rows = [[*row, "0", "0"] for row in rows]
    return np.array([row[:width] for row in rows], float).reshape(-1, width)


def _split(name: str, run: _Run, tables: tuple[Any, ...], material: Material) -> Iterator[Piece]:
    """The pieces of a run: of triangles whose corners have uvs, normals, both or neither."""
    corners = np.array([_numbers(corner) for corner in run.corners], np.intp).reshape(-1, 3)
    corners *= [len(table) > 0 for table in tables[:3]]  # numbers of rows that no line gives
    triangles = np.array(run.triangles, np.intp).reshape(-1, 3)
    forms = (np.all(corners[triangles] > 0, axis=1) * [1, 2, 4]).sum(1)
    for form in dict.fromkeys(forms.tolist()):
        chosen, numbers = np.unique(triangles[forms == form], return_inverse=True)
        vertices, uvs, normals, colours = (
            None
            if table is None or not form >> column & 1
            else table[_rows(corners[chosen, column], len(table))]
            for table, column in zip(tables, (0, 1, 2, 0), strict=True)
        )
        if vertices is None:
            raise ValueError("a face names no vertex")
        if colours is not None:
            colours = None if np.isnan(colours).all() else np.nan_to_num(colours, nan=1.0)
        yield Piece(name, vertices, numbers.reshape(-1, 3), normals, uvs, colours, material)


def _numbers(corner: str) -> tuple[int, ...]:
    """The numbers of a corner's vertex, texture coordinate and normal; 0 where it has none."""
    return tuple(int(part or 0) for part in f"{corner}//".split("/")[:3])


def _rows(numbers: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Numbers from 1 as numbers from 0."""
    if len(numbers) and not 1 <= numbers.min() <= numbers.max() <= count:
        raise ValueError(f"a face names {numbers.min()} to {numbers.max()} of 1 to {count}")
    return numbers - 1
