"""What a scene of Blender is to the engine, and what draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from heliograph.camera import Camera
from heliograph.frame import Buffers, Labels
from heliograph.passes import PassSpecs
from heliograph.raster import RasterOptions
from heliograph.scene import Description
from heliograph.view import View

FAST = RasterOptions(lod="off")
"""How style `fast` rasterizes unless told otherwise: coarser levels would differ from Cycles in
depth by more than 0.1 %."""


class Numbering(Protocol):
    """What the segmentation pass shows things as."""

    @property
    def labels(self) -> Labels:
        """Id -> (name, category) of all that this view may show."""

    def of_object(self, name: str) -> int:
        """The id of an object; 0 of what is not to be told from the background."""

    def of_material(self, name: str) -> int:
        """The id of a material where materials are told apart; 0 for none."""

    def of_instance(self, parent: str, name: str, persistent_id: Sequence[int]) -> int:
        """The id of an instance that an object makes of another."""


@dataclass(frozen=True)
class Shown:
    """Blender's scene as one view shows it.

    Attributes:
        scene: a `bpy.types.Scene`, its state and edits applied, its view layer up to date.
        view_layer: the `bpy.types.ViewLayer` that is drawn.
        numbering: ids of what is seen.
        by_material: whether ids are those of materials, face by face.
        background: sRGB, 0 to 1, where an edit gave one; None for the scene's own world.
        seed: of what the renderer draws at random, 0 to 2**31 - 1.
    """

    scene: Any
    view_layer: Any
    numbering: Numbering
    by_material: bool
    background: tuple[float, float, float] | None
    seed: int


class World(Protocol):
    """A scene that is open in Blender."""

    @property
    def scene(self) -> Description:
        """What it holds."""

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """Its own cameras, as they stand before any state."""

    @property
    def labels(self) -> Labels:
        """Id -> (name, category)."""

    def shown(self, view: View) -> AbstractContextManager[tuple[Shown, list[Camera]]]:
        """Have Blender's scene show a view: its state, its edits; nothing of it stays afterwards.

        Returns:
            A context of the scene, and the view's cameras where they are then.

        Raises:
            HeliographError: a state or an edit that does not fit.
        """

    def close(self) -> None:
        """Forget the scene; may be called twice."""


class Style(Protocol):
    """A way of drawing."""

    @property
    def device(self) -> str:
        """What draws, for provenance."""

    @property
    def passes(self) -> PassSpecs:
        """What it yields."""

    def draw(
        self,
        shown: Shown,
        cameras: Sequence[Camera],
        specs: PassSpecs,
        buffers: Sequence[Buffers],
    ) -> None:
        """Draw a scene from each camera into the arrays given.

        Raises:
            HeliographError: it cannot be drawn.
        """

    def close(self) -> None:
        """Free what it holds; may be called twice."""
