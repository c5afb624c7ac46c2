"""Points that are seen."""

# No `from __future__ import annotations`: properties are read from them when this is imported.
from typing import Annotated, ClassVar, Unpack

import numpy as np

from heliograph.errors import InvalidValueError
from heliograph.scene import values as v
from heliograph.scene.components import Component, Props
from heliograph.scene.props import Number, Prop, Rows
from heliograph.scene.shapes import Shape, UnlitProps

POINT_ARRAYS = ("vertices", "colors")


class PointCloudProps(UnlitProps, total=False):
    """What a cloud of points takes."""

    vertices: Annotated[Rows, Prop(v.array(3, np.float64), None, "(N, 3) positions.", "m")]
    colors: Annotated[
        Rows, Prop(v.vertex_colours, None, "(N, 3 or 4) colours, 0 to 1, or whole ones 0 to 255.")
    ]
    size: Annotated[Number, Prop(v.number(0, above=True), 0.01, "Of a point, edge to edge.", "m")]


class PointCloud(Shape):
    """Points, each a small octahedron, together one object; unlit if nothing else is said.

    The octahedron of a point has its six corners `size / 2` from the point along x, y and z of the
    cloud, and eight faces; the normal of a corner is the way from the point to it, so that a lit
    point is shaded like a ball. All take the point's colour, multiplied by the material's.
    """

    TOGETHER: ClassVar[tuple[str, ...]] = ()
    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[PointCloudProps]
    ) -> None:
        self._build(children, key, props)

    @classmethod
    def _check_together(cls, props: Props, where: str) -> None:
        if "colors" in props and "vertices" in props:
            count, came = len(props["vertices"]), len(props["colors"])
            if came != count:
                raise InvalidValueError(f"{where} colors: expected {count} rows, got {came}")
