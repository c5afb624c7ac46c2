"""Arrays as ORRB's users get them, each a pass of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import SceneError
from heliograph.frame import Buffers, Frame
from heliograph.passes import PassSpec, PassSpecs, specs
from heliograph.scene import ObjectTable

_NOT_GEOMS = ("site", "tendon", "skin", "flex", "actuator", "sensor", "body")
_MOST = 255


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How arrays are made of what is drawn; see `RemoteRendererConfig` for the fields."""

    render_alpha: bool = False
    depth_encoding: Literal["orrb", "metric"] = "orrb"
    normals_encoding: Literal["orrb", "unit"] = "orrb"
    segmentation_encoding: Literal["orrb", "ids"] = "orrb"
    first_row: Literal["bottom", "top"] = "bottom"

    @cached_property
    def passes(self) -> PassSpecs:
        """The passes, by name."""
        ids = np.dtype(np.uint8 if self.segmentation_encoding == "orrb" else np.int32)
        floats = np.dtype(np.float32)
        return specs(
            PassSpec("orrb_rgb", np.dtype(np.uint8), 4 if self.render_alpha else 3, "sRGB"),
            PassSpec("orrb_depth", floats, fill=0 if self.depth_encoding == "orrb" else np.inf),
            PassSpec("orrb_normals", floats, 3),
            PassSpec("orrb_segmentation", ids),
        )

    def needed(self, passes: Sequence[str]) -> tuple[str, ...]:
        """The plain passes that these are made of."""
        plain = {name.removeprefix("orrb_"): None for name in passes}
        return (*plain, *(["depth"] if self.render_alpha and "depth" not in plain else []))

    def encode(self, frame: Frame, out: Buffers, table: NDArray[np.uint8]) -> None:
        """Write the arrays of one camera.

        Args:
            frame: what was drawn.
            out: arrays by pass.
            table: ORRB's category of each segmentation id.
        """
        flip = slice(None, None, -1 if self.first_row == "bottom" else 1)
        plain = {name: frame[name.removeprefix("orrb_")][flip] for name in out}
        if "orrb_rgb" in out:
            out["orrb_rgb"][..., :3] = plain.pop("orrb_rgb")
        if not plain and not self.render_alpha:
            return
        hit = _hit(frame)[flip]
        if self.render_alpha and "orrb_rgb" in out:
            np.multiply(hit, np.uint8(255), out=out["orrb_rgb"][..., 3])
        rows, columns = _extent(hit)
        for name, picture in plain.items():
            array, part = out[name], out[name][rows, columns]
            if getattr(self, f"{name.removeprefix('orrb_')}_encoding") != "orrb":
                array[...] = picture
                continue
            array[...] = 0
            if name == "orrb_depth":
                near, far = frame.camera.near, frame.camera.far
                np.multiply(picture[rows, columns], np.float32((far - near) / far), out=part)
                part += np.float32(near)
                np.copyto(part, 0, where=~hit[rows, columns])
            elif name == "orrb_normals":
                _write_normals(picture, hit, array, (rows, columns))
            else:
                part[...] = table.take(picture[rows, columns], mode="clip")


CHOICES: dict[str, tuple[str, ...]] = {
    name: get_args(kind) for name, kind in get_type_hints(Encoding).items() if get_args(kind)
}
"""What each field of `Encoding` may be, but for `render_alpha`, which is a truth value."""


def _hit(frame: Frame) -> NDArray[np.bool_]:
    """Which pixels show something."""
    if "depth" in frame.passes:
        return np.isfinite(frame.depth)
    if "segmentation" in frame.passes:
        return np.not_equal(frame.segmentation, 0)
    x, y, z = (frame.normals[..., axis] != 0 for axis in range(3))
    return np.asarray(x | y | z)


def _extent(hit: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The rows and columns in which anything is: all else is 0, and not looked at again."""
    rows, columns = (np.flatnonzero(hit.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _write_normals(
    normals: NDArray[Any], hit: NDArray[np.bool_], out: NDArray[Any], block: tuple[slice, slice]
) -> None:
    """Halve and shift normals; 0 where nothing is. Masks of triples take four times as long."""
    rows, columns = block
    wide = rows, slice(3 * (columns.start or 0), 3 * columns.stop)
    part = out.reshape(len(out), -1)[wide]
    np.multiply(normals.reshape(len(out), -1)[wide], np.float32(0.5), out=part)
    part += np.float32(0.5)
    triples = out.view("V12")[rows, columns, 0]
    np.copyto(triples, np.zeros((), "V12"), where=~hit[block])


def category_table(objects: ObjectTable) -> NDArray[np.uint8]:
    """ORRB's category of each segmentation id: of a geom, the part of its name before a colon.

    The parts are sorted and counted from 1; whatever else there is has 0.

    Raises:
        SceneError: more categories than a byte holds.
    """
    parts = {
        item.id: item.name.partition(":")[0]
        for item in objects
        if ":" in item.name and item.category not in _NOT_GEOMS
    }
    places = {part: 1 + place for place, part in enumerate(sorted(set(parts.values())))}
    if len(places) > _MOST:
        raise SceneError(
            f"segmentation: the geoms have {len(places)} categories (the part of their name "
            f"before a colon), a byte holds {_MOST}; use segmentation_encoding='ids'"
        )
    table = np.zeros(1 + int(objects.ids.max(initial=0)), np.uint8)
    for number, part in parts.items():
        table[number] = places[part]
    return table
