"""The Blender engine: .blend files, scripts and components, drawn by `bpy` without a screen."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, cast, runtime_checkable

from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.engine import (
    CancelToken,
    Capability,
    Engine,
    Outs,
    check_levels,
    check_version,
    made_sample,
)
from heliograph.engines.blender.numbering import By
from heliograph.engines.blender.suffixes import BLEND, SCRIPT
from heliograph.engines.blender.world import FAST, Shown, Style, World
from heliograph.errors import ClosedError, EngineError, UnknownNameError
from heliograph.frame import Buffers, Labels, Provenance, Sample, own_or_given
from heliograph.passes import PassSpecs, select_passes
from heliograph.raster import RasterOptions
from heliograph.scene import Component, Description
from heliograph.view import View

StyleName: TypeAlias = Literal["fast", "cycles", "eevee"]
"""A way of drawing."""


@dataclass(frozen=True)
class _Entry:
    """Where a style is, and which options of the engine it takes."""

    place: str
    options: tuple[str, ...] = ()

    def load(self, given: Mapping[str, Any]) -> Style:
        module, _, name = self.place.partition(":")
        made = getattr(import_module(module), name)
        return cast("Style", made(**{each: given[each] for each in self.options}))


STYLES: dict[str, _Entry] = {
    "fast": _Entry("heliograph.engines.blender.fast:FastStyle", ("options",)),
    "cycles": _Entry("heliograph.engines.blender.cycles:CyclesStyle", ("samples", "denoise")),
    "eevee": _Entry("heliograph.engines.blender.eevee:EeveeStyle", ("samples", "options")),
}
"""The styles by name."""


@runtime_checkable
class RefiningStyle(Style, Protocol):
    """A style that draws with fewer samples first."""

    def refine(
        self,
        shown: Shown,
        cameras: Sequence[Camera],
        specs: PassSpecs,
        levels: Sequence[float],
        cancel: CancelToken | None,
    ) -> Iterator[list[Buffers]]:
        """For each part of its samples, ascending, what each camera yields; fresh arrays."""


_SEGMENTS = ("object", "material", "collection")


class BlenderEngine(Engine):
    """Draws scenes of Blender.

    Its cameras are the scene's, the active one first, as far as they have a pinhole, and `fit`,
    which frames everything. `View.state` is told by `scene.state`: the `frame`, `poses` of objects,
    and any number that a data path of Blender's leads to. `View.edits` are those of how things
    look; objects may be named by their collections. Blender holds one scene in a process, so one
    such engine is open at a time: use a pool for more.

    Args:
        source: the path of a .blend file or of a script that builds a scene, or what the component
            engine opens.
        size: (width, height) in pixels of the scene's cameras; without it the scene's resolution,
            320 x 240 where it has none.
        style: "fast" draws evaluated meshes with our rasterizer; "cycles" traces paths; "eevee" is
            Blender's own rasterizer.
        samples: of each pixel, of "cycles" and "eevee".
        denoise: whether pictures of "cycles" are denoised.
        segment_by: what the segmentation pass tells apart: "object" (and instances), "material" or
            "collection".
        trust: whether code that a .blend holds is run: drivers in Python, texts that register.
        allow_missing: whether files that a scene names and that are not there are left out.
        scene, view_layer: names of those of a .blend file; the active ones without them.
        options: how "fast", and the passes of "eevee" other than rgb, are rasterized.

    Raises:
        SceneError: a file is missing, damaged, too new or does not say what it needs to.
        InvalidValueError: another kind of source, or an option that is not as said here.
        EngineError: another scene of Blender is open in this process.
        MissingDependencyError: no `bpy` here.
    """

    suffixes: ClassVar[tuple[str, ...]] = (BLEND,)
    _holder: ClassVar[list[BlenderEngine]] = []

    def __init__(  # noqa: PLR0913 -- options of the engine
        self,
        source: str | os.PathLike[str] | Component,
        *,
        size: tuple[int, int] | None = None,
        style: StyleName = "fast",
        samples: int = 16,
        denoise: bool = False,
        segment_by: By = "object",
        trust: bool = False,
        allow_missing: bool = False,
        scene: str | None = None,
        view_layer: str | None = None,
        options: RasterOptions = FAST,
    ) -> None:
        _check_options(style, samples, segment_by)
        if self._holder:
            raise EngineError(
                "Blender holds one scene in a process, and one is open: close it first, or use a "
                "pool, whose workers are processes of their own"
            )
        self._world: World | None = None
        self._style: Style | None = None
        self._holder.append(self)
        try:
            given = {"samples": samples, "denoise": denoise, "options": options}
            if _is_blender_s(source):
                from heliograph.engines.blender.blend_world import BlendWorld

                self._world = BlendWorld(
                    cast("str | os.PathLike[str]", source),
                    size=size,
                    segment_by=segment_by,
                    trust=trust,
                    allow_missing=allow_missing,
                    scene=scene,
                    view_layer=view_layer,
                )
            else:
                self._world = _component_world(source, size or (320, 240), segment_by)
            self._style = STYLES[style].load(given)
            self._made = Provenance("blender", self._style.device)
            self._passes = self._style.passes
        except BaseException:
            self.close()
            raise

    @property
    def scene(self) -> Description:
        """What it holds."""
        return self._open[0].scene

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The scene's cameras as they stand before any state, and `fit`."""
        return self._open[0].cameras

    @property
    def passes(self) -> PassSpecs:
        """What the style yields."""
        return self._passes

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category); a sample's own labels know its instances as well."""
        return self._open[0].labels

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Random frames where something is animated; "cycles" refines by samples."""
        found = set()
        if self.scene.space.drawable:
            found.add(Capability.RANDOM_STATE)
        if isinstance(self._style, RefiningStyle):
            found.add(Capability.REFINE)
        return frozenset(found)

    @property
    def provenance(self) -> Provenance:
        """Who draws."""
        return self._made

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        begun = time.time()
        world, style = self._open
        check_version(view, 0, 0)
        specs = select_passes(view.pass_names, self._passes)
        with world.shown(view) as (what, cameras):
            buffers = own_or_given(cameras, specs, out)
            style.draw(what, cameras, specs, buffers)
            labels = what.numbering.labels
        made = self._made.drawn(begun, 0)
        return made_sample(view, cameras, buffers, labels, made, self._passes)

    def close(self) -> None:
        """Have Blender forget the scene; may be called twice."""
        style, self._style = self._style, None
        world, self._world = self._world, None
        if style is not None:
            style.close()
        if world is not None:
            world.close()
        if self in self._holder:
            self._holder.remove(self)

    @property
    def _open(self) -> tuple[World, Style]:
        if self._world is None or self._style is None:
            raise ClosedError("this renderer is closed")
        return self._world, self._style

    def refine(
        self,
        view: View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
    ) -> Iterator[Sample]:
        """Draw one view by more and more samples; see `heliograph.engine.Engine`.

        The scene shows the view for each level anew, so that others may be drawn in between.
        """
        style = self._open[1]
        check_version(view, 0, 0)
        if not isinstance(style, RefiningStyle):
            yield from super().refine(view, cancel, levels)
            return
        for part in check_levels(levels):
            if cancel is not None and cancel.cancelled:
                return
            if part == 1:
                yield self.render(view)
            else:
                yield from self._refined(view, style, part, cancel)

    def _refined(
        self, view: View, style: RefiningStyle, part: float, cancel: CancelToken | None
    ) -> Iterator[Sample]:
        begun, world = time.time(), self._open[0]
        specs = select_passes(view.pass_names, self._passes)
        with world.shown(view) as (what, cameras):
            drawn = list(style.refine(what, cameras, specs, (part,), cancel))
            labels = what.numbering.labels
        for buffers in drawn:
            made = self._made.drawn(begun, 0)
            yield made_sample(view, cameras, buffers, labels, made, self._passes)


def _is_blender_s(source: object) -> bool:
    return isinstance(source, (str, os.PathLike)) and (
        Path(source).suffix.lower() in (BLEND, SCRIPT)
    )


def _component_world(source: Any, size: tuple[int, int], segment_by: By) -> World:
    from heliograph.engines.blender.component_world import ComponentWorld

    return ComponentWorld(source, size=size, segment_by=segment_by)


def _check_options(style: str, samples: int, segment_by: str) -> None:
    if style not in STYLES:
        raise UnknownNameError.of("style", style, STYLES)
    if segment_by not in _SEGMENTS:
        raise UnknownNameError.of("segment_by", segment_by, _SEGMENTS)
    check_integer("samples", samples, 1)
