"""Files of gaussian splats: the .ply of 3D Gaussian splatting, and .splat."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from heliograph.disk import printable, read_file, reason, write_file
from heliograph.errors import InvalidValueError, SceneError
from heliograph.splats.gaussians import HARMONICS, Gaussians, requirements

MAX_HEADER: Final = 1 << 16  # bytes

_TYPES: Final = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_ORDERS: Final = {"binary_little_endian": "<", "binary_big_endian": ">"}

_POSITION: Final = ("x", "y", "z")
_SCALE: Final = ("scale_0", "scale_1", "scale_2")
_ROTATION: Final = ("rot_0", "rot_1", "rot_2", "rot_3")
_FLAT: Final = ("f_dc_0", "f_dc_1", "f_dc_2")
_NEEDED: Final = (*_POSITION, *_FLAT, "opacity", *_SCALE, *_ROTATION)

_FLAT_HARMONIC: Final = 0.28209479177387814
_SPLAT: Final = np.dtype(
    [("position", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("rotation", "u1", 4)]
)
_OPAQUE: Final = 1 - 1e-6  # what is written for an opacity of 1, whose logit is infinite


def read_splats(path: str | Path, *, drop_invalid: bool = False) -> Gaussians:
    """Read a file of gaussian splats.

    Args:
        path: a binary `.ply` as 3D Gaussian splatting writes it, with spherical harmonics of
            degree 0 to 3, or a `.splat` (32 bytes each).
        drop_invalid: leave out gaussians with NaN, infinities or scales and rotations of 0, as
            some trainings leave behind, instead of refusing the file.

    Raises:
        SceneError: a file that cannot be read, is cut short, says it holds more or fewer than it
            does, lacks properties (named), or holds gaussians that cannot be drawn.
    """
    name = printable(path)
    reader = _READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise SceneError(
            f"{name}: expected a file of splats that ends in {' or '.join(_READERS)}; convert "
            "other formats to .ply"
        )
    try:
        data = read_file(path)
    except OSError as error:
        raise SceneError(f"{name}: cannot be read: {reason(error)}") from None
    try:
        arrays = reader(data)
        if drop_invalid:
            keep = np.logical_and.reduce([fine for _, fine, _ in requirements(*arrays)])
            arrays = tuple(array[keep] for array in arrays)
        return Gaussians(*arrays)
    except InvalidValueError as error:
        hint = "" if drop_invalid else " (read_splats(..., drop_invalid=True) leaves those out)"
        raise SceneError(f"{name}: {error}{hint}") from None
    except _FormatError as error:
        raise SceneError(f"{name}: {error}") from None


def write_ply(path: str | Path, gaussians: Gaussians) -> None:
    """Write gaussians as 3D Gaussian splatting does: a binary little-endian .ply.

    Opacities are written as logits, so that one of 1 comes back as 0.999999.

    Raises:
        RecordError: the file cannot be written.
    """
    rest = gaussians.sh.shape[1] - 1
    names = (*_POSITION, "nx", "ny", "nz", *_FLAT, *(f"f_rest_{i}" for i in range(3 * rest)))
    names = (*names, "opacity", *_SCALE, *_ROTATION)
    opacities = np.clip(gaussians.opacities.astype(np.float64), 1 - _OPAQUE, _OPAQUE)
    columns = (
        gaussians.positions,
        np.zeros((len(gaussians), 3)),
        gaussians.sh[:, 0],
        gaussians.sh[:, 1:].transpose(0, 2, 1).reshape(len(gaussians), 3 * rest),
        np.log(opacities / (1 - opacities))[:, None],
        np.log(gaussians.scales),
        gaussians.rotations,
    )
    header = "".join(f"property float {name}\n" for name in names)
    start = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(gaussians)}\n"
    body = np.concatenate(columns, axis=1, dtype="<f4", casting="same_kind")
    write_file(Path(path), f"{start}{header}end_header\n".encode() + body.tobytes())


class _FormatError(ValueError):
    """A file that is not what its name says; its text has no path yet."""


Arrays = tuple[NDArray[Any], ...]


def _read_ply(data: bytes) -> Arrays:
    kind, count, start = _ply_layout(data)
    fields = set(kind.names or ())
    missing = [name for name in _NEEDED if name not in fields]
    if missing:
        packed = "; it is a compressed one: convert it" if "packed_position" in fields else ""
        raise _FormatError(
            f"expected the properties of gaussian splats, lacks {', '.join(missing)}{packed}"
        )
    rows = np.frombuffer(data, kind, count, start)
    rest = sum(name.startswith("f_rest_") for name in fields)
    rest_names = tuple(f"f_rest_{i}" for i in range(rest))
    if rest % 3 or 1 + rest // 3 not in HARMONICS or not fields.issuperset(rest_names):
        raise _FormatError(
            "expected 0, 9, 24 or 45 properties f_rest_0, f_rest_1, ... (spherical harmonics of "
            f"degree 0 to 3), got {rest}"
        )
    higher = _columns(rows, rest_names).reshape(count, 3, rest // 3).transpose(0, 2, 1)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused later
        return (
            _columns(rows, _POSITION),
            np.exp(_columns(rows, _SCALE)),
            _columns(rows, _ROTATION),
            1 / (1 + np.exp(-_columns(rows, ("opacity",))[:, 0])),
            np.concatenate((_columns(rows, _FLAT)[:, None], higher), axis=1),
        )


def _columns(rows: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.float32]:
    columns = np.empty((len(rows), len(names)), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for i, name in enumerate(names):
            columns[:, i] = rows[name]
    return columns


def _ply_layout(data: bytes) -> tuple[np.dtype[Any], int, int]:
    """Type of a vertex, how many there are, and where the first one begins; checked by the size."""
    head, end, _ = data[:MAX_HEADER].partition(b"end_header\n")
    if not data.startswith((b"ply\n", b"ply\r\n")) or not end:
        raise _FormatError(f"expected a .ply, whose header ends within {MAX_HEADER} bytes")
    lines = [line.split() for line in head.decode("ascii", "replace").splitlines()[1:]]
    lines = [line for line in lines if line and line[0] not in {"comment", "obj_info"}]
    order = _ply_order(lines[0] if lines else [])
    elements = [i for i, line in enumerate(lines) if line[0] == "element"]
    if not elements or lines[elements[0]][1:2] != ["vertex"]:
        raise _FormatError("expected 'element vertex' as the first element of its header")
    count = _ply_count(lines[elements[0]])
    last = elements[1] if len(elements) > 1 else len(lines)
    kind = _ply_type(lines[elements[0] + 1 : last], order)
    start, size = len(head) + len(end), count * kind.itemsize
    found = len(data) - start
    if found < size or (found > size and len(elements) == 1):
        raise _FormatError(
            f"its header says {count} gaussians of {kind.itemsize} bytes, {size} bytes in all; it "
            f"holds {found}: it is cut short, damaged or not what it says"
        )
    return kind, count, start


def _ply_order(line: list[str]) -> str:
    if line[:2] == ["format", "ascii"]:
        raise _FormatError("is an ascii .ply: convert it to binary_little_endian")
    if len(line) != 3 or line[0] != "format" or line[1] not in _ORDERS:
        raise _FormatError(f"expected 'format binary_little_endian 1.0', got {' '.join(line)!r}")
    return _ORDERS[line[1]]


def _ply_count(line: list[str]) -> int:
    if len(line) != 3 or not (line[2].isascii() and line[2].isdecimal()) or len(line[2]) > 18:
        raise _FormatError(f"expected 'element vertex' and a count, got {' '.join(line)[:80]!r}")
    return int(line[2])


def _ply_type(lines: list[list[str]], order: str) -> np.dtype[Any]:
    for line in lines:
        if len(line) != 3 or line[0] != "property" or line[1] not in _TYPES:
            raise _FormatError(f"expected 'property TYPE NAME', got {' '.join(line)[:80]!r}")
    names = [line[2] for line in lines]
    if len(set(names)) != len(names) or not names:
        raise _FormatError("expected vertices with properties of different names")
    return np.dtype([(name, order + _TYPES[kind]) for _, kind, name in lines])


def _read_splat(data: bytes) -> Arrays:
    count, rest = divmod(len(data), _SPLAT.itemsize)
    if rest:
        raise _FormatError(
            f"expected {_SPLAT.itemsize} bytes for each gaussian, got {len(data)} bytes, "
            f"{rest} too many: it is cut short or no .splat"
        )
    rows = np.frombuffer(data, _SPLAT, count)
    rgba = rows["rgba"].astype(np.float32) / 255
    return (
        rows["position"].astype(np.float32),
        rows["scale"].astype(np.float32),
        (rows["rotation"].astype(np.float32) - 128) / 128,
        rgba[:, 3],
        ((rgba[:, :3] - 0.5) / np.float32(_FLAT_HARMONIC))[:, None],
    )


_READERS: Final = {".ply": _read_ply, ".splat": _read_splat}
