"""Gaussian splats."""

# No `from __future__ import annotations`: properties are read from them when this is imported.
from collections.abc import Mapping
from typing import Annotated, ClassVar, Unpack

from heliograph.scene import values as v
from heliograph.scene.components import Component
from heliograph.scene.placement import PlacementProps
from heliograph.scene.props import FilePath, Prop


class SplatProps(PlacementProps, total=False):
    """What splats take."""

    src: Annotated[FilePath, Prop(v.path, None, "A file of splats: .ply, .splat, .ksplat, .spz.")]


class Splat(Component):
    """Gaussian splats of a file, which meshes hide and are hidden by.

    The component engine draws .ply and .splat files in all passes, with the native module; the page
    draws all of them, in rgb alone.
    """

    drawable: ClassVar[bool] = True
    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[SplatProps]
    ) -> None:
        self._build(children, key, props)

    @property
    def named_files(self) -> Mapping[str, str]:
        """Path of its file."""
        source = self.get("src")
        return {"src": source} if source else {}
