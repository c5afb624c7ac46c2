"""The component engine: scenes of components and mesh files, drawn by our rasterizer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from heliograph.camera import Camera
from heliograph.engine import Capability, Engine, Outcome, Outs, attempt_all, made_sample
from heliograph.engines.components.splats import SplatCompositor
from heliograph.engines.shared.source import Source
from heliograph.engines.shared.tree.versions import TreeVersions
from heliograph.errors import ClosedError, InvalidValueError
from heliograph.frame import Labels, Provenance, Sample, own_or_given
from heliograph.passes import PassSpecs, select_passes
from heliograph.raster import Lighting, Rasterizer, RasterOptions, make_rasterizer
from heliograph.scene import Description, Edit
from heliograph.view import View


class ComponentEngine(Engine):
    """Draws a scene of components.

    Its cameras are the scene's `CameraView`s and `fit`, which frames everything. `View.state`
    moves components (`scene.state` lists them), `View.edits` are all of `heliograph.scene`'s:
    those of the tree come first, then those of how things look. Light is added in linear space with
    three.js's formulas; a scene without a light or an environment is lit from the camera. A file is
    shown as it was when the scene was opened or `advance` named it last; edits of a view that name
    one show it as it is.

    `advance` takes edits of the tree, and refuses what a scene could not be opened with. The newest
    16 versions may be asked for.

    Args:
        source: a component, or the path of a .glb, .gltf, .obj, .ply, .stl or .urdf file.
        size: (width, height) in pixels of the camera `fit`.
        options: how to rasterize.

    Raises:
        SceneError: a file is missing or malformed.
        ContextError: GL is to draw, and there is no usable one here.
        InvalidValueError: another kind of source, or options of the classic look.
    """

    def __init__(
        self,
        source: Source,
        *,
        size: tuple[int, int] = (320, 240),
        options: RasterOptions | None = None,
    ) -> None:
        _check_options(options or RasterOptions())
        self._rasterizer: Rasterizer | None = make_rasterizer(options)
        try:
            self._tree = TreeVersions(source, size, self._rasterizer, self._rasterizer.options)
            self._compositor = SplatCompositor(self._rasterizer, self._tree.assets.splats)
            lights = self._tree.newest[1].placed({}).draw_list.lights
            self._rasterizer.expect_lights(lights)
        except BaseException:
            self.close()
            raise
        self._provenance = Provenance("components", self._rasterizer.device)

    @property
    def scene(self) -> Description:
        """What the newest version holds."""
        return self._tree.description

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The newest version's cameras by key, and `fit`, which frames everything."""
        return self._tree.cameras

    @property
    def passes(self) -> PassSpecs:
        """All passes."""
        return self._open.passes

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (key, type); a sample's own labels know what its edits added."""
        return self._tree.newest[1].labels

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Several views in one go, and versions."""
        return frozenset({Capability.RENDER_MANY, Capability.ADVANCE})

    @property
    def provenance(self) -> Provenance:
        """Who draws."""
        return replace(self._provenance, scene_version=self._tree.newest[0])

    def advance(self, changes: Sequence[Edit]) -> int:
        """Make another version of the newest one; see `heliograph.engine.Described`."""
        return self._tree.advance(changes)

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        begun, rasterizer = time.time(), self._open
        shown = self._tree.shown(view)
        specs = select_passes(view.pass_names, rasterizer.passes)
        buffers = own_or_given(shown.cameras, specs, out)
        self._compositor.draw(shown.things, shown.cameras, view.pass_names, buffers)
        made = self._provenance.drawn(begun, shown.version)
        return made_sample(view, shown.cameras, buffers, shown.graph.labels, made)

    def render_many(
        self, views: Iterable[View], outs: Iterable[Outs] | None = None
    ) -> list[Outcome]:
        """Draw several views; a GPU is waited for once. See `heliograph.engine.Engine`."""
        with self._open.together():
            return attempt_all(self, views, outs)

    def close(self) -> None:
        """Free all it holds; may be called twice."""
        rasterizer, self._rasterizer = self._rasterizer, None
        if rasterizer is not None:
            rasterizer.close()

    @property
    def _open(self) -> Rasterizer:
        if self._rasterizer is None:
            raise ClosedError("this renderer is closed")
        return self._rasterizer


def _check_options(options: RasterOptions) -> None:
    if options.lit(Lighting.STANDARD) is not Lighting.STANDARD:
        raise InvalidValueError(
            "a scene of components adds light in linear space, so expected shading='standard' "
            f"and lighting='auto', got shading={options.shading!r} and "
            f"lighting={options.lighting!r}; leave both out"
        )
