"""The component engine: scenes of components and mesh files, drawn by our rasterizer."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

from heliograph.camera import Camera
from heliograph.engine import (
    VERSIONS_KEPT,
    Capability,
    Engine,
    Outcome,
    Outs,
    attempt_all,
    check_version,
    made_sample,
)
from heliograph.engines.components.splats import SplatCompositor
from heliograph.engines.shared.edits import APPEARANCE, EditApplier, camera_moves, edited_camera
from heliograph.engines.shared.lights import HEAD
from heliograph.engines.shared.source import Source, scene_of
from heliograph.engines.shared.tree.assets import Assets, Deformed, Handles
from heliograph.engines.shared.tree.graph import Placed, SceneGraph
from heliograph.engines.shared.tree.translate import Translator
from heliograph.errors import ClosedError, InvalidValueError
from heliograph.frame import Labels, Provenance, Sample, own_or_given
from heliograph.passes import PassSpecs, select_passes
from heliograph.raster import DrawList, Lighting, Rasterizer, RasterOptions
from heliograph.scene import Description, Edit, Item, MoveCamera
from heliograph.scene.tree import Tree
from heliograph.view import View

_EDITED_KEPT = 8


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
        ContextError: no usable GL here.
        InvalidValueError: another kind of source, or options of the classic look.
    """

    def __init__(
        self,
        source: Source,
        *,
        size: tuple[int, int] = (320, 240),
        options: RasterOptions | None = None,
    ) -> None:
        scene, self._name = scene_of(source)
        _check_options(options or RasterOptions())
        self._rasterizer: Rasterizer | None = Rasterizer(options)
        try:
            self._assets = Assets(self._rasterizer)
            self._translator = Translator(self._assets)
            self._compositor = SplatCompositor(self._rasterizer, self._assets.splats)
            graph = SceneGraph(Tree(scene), self._translator, size, self._rasterizer.options)
            self._assets.opened()
            self._versions: OrderedDict[int, SceneGraph] = OrderedDict({0: graph})
            self._rasterizer.expect_lights(graph.placed({}).draw_list.lights)
        except BaseException:
            self.close()
            raise
        self._provenance = Provenance("components", self._rasterizer.device)
        self._edited: OrderedDict[tuple[int, ...], tuple[Sequence[Edit], SceneGraph]]
        self._edited = OrderedDict()
        self._shows: WeakValueDictionary[int, Deformed] = WeakValueDictionary()

    @property
    def scene(self) -> Description:
        """What the newest version holds."""
        version, graph = self._newest
        lights = tuple(Item(str(node.key), node.kind, active=shown) for node, shown in graph.lights)
        if graph.lit_from_camera:
            lights = (Item(HEAD, "head", "at the camera, as nothing in the scene sheds light"),)
        return Description(
            source=self._name,
            hash=graph.hash,
            objects=graph.table,
            materials=graph.materials,
            lights=lights,
            state=graph.state,
            version=version,
        )

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The newest version's cameras by key, and `fit`, which frames everything."""
        graph = self._newest[1]
        placed = graph.placed({})
        return {name: graph.camera(name, placed) for name in graph.camera_names}

    @property
    def passes(self) -> PassSpecs:
        """All passes."""
        return self._open.passes

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (key, type); a sample's own labels know what its edits added."""
        return self._newest[1].labels

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Several views in one go, and versions."""
        return frozenset({Capability.RENDER_MANY, Capability.ADVANCE})

    @property
    def provenance(self) -> Provenance:
        """Who draws."""
        return replace(self._provenance, scene_version=self._newest[0])

    def advance(self, changes: Sequence[Edit]) -> int:
        """Make another version of the newest one; see `heliograph.engine.Described`."""
        version, graph = self._newest
        self._versions[version + 1] = graph.edited(changes)
        self._trim()
        return version + 1

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        begun, rasterizer = time.time(), self._open
        version = check_version(view, next(iter(self._versions)), self._newest[0])
        looks = [edit for edit in view.edits if isinstance(edit, APPEARANCE)]
        changes = [edit for edit in view.edits if not isinstance(edit, APPEARANCE)]
        graph = self._graph(version, changes)
        placed = graph.placed(view.state)
        specs = select_passes(view.pass_names, rasterizer.passes)
        looks, moves = camera_moves(looks, graph.camera_names)
        cameras = [_camera(graph, placed, camera, moves) for camera in _asked(view, graph)]
        buffers = own_or_given(cameras, specs, out)
        things = self._edited_things(graph, placed, looks) if looks else placed.draw_list
        self._deform(graph)
        self._compositor.draw(things, cameras, view.pass_names, buffers)
        made = self._provenance.drawn(begun, version)
        return made_sample(view, cameras, buffers, graph.labels, made)

    def render_many(
        self, views: Iterable[View], outs: Iterable[Outs] | None = None
    ) -> list[Outcome]:
        """Draw several views; a GPU is waited for once. See `heliograph.engine.Engine`."""
        with self._open.together():
            return attempt_all(self, views, outs)

    def close(self) -> None:
        """Free the GL context; may be called twice."""
        rasterizer, self._rasterizer = self._rasterizer, None
        if rasterizer is not None:
            rasterizer.close()

    @property
    def _open(self) -> Rasterizer:
        if self._rasterizer is None:
            raise ClosedError("this renderer is closed")
        return self._rasterizer

    @property
    def _newest(self) -> tuple[int, SceneGraph]:
        return next(reversed(self._versions.items()))

    def _edited_things(self, graph: SceneGraph, placed: Placed, looks: Sequence[Edit]) -> DrawList:
        applier = EditApplier(
            placed.draw_list,
            partial(graph.light_edits, placed),
            graph.objects,
            partial(graph.frames, placed),
            self._open,
        )
        return graph.reflecting(applier.apply(looks))

    def _graph(self, version: int, changes: Sequence[Edit]) -> SceneGraph:
        """A version with edits of the tree; the last ones used are kept."""
        base = self._versions[version]
        if not changes:
            return base
        key = (version, *map(id, changes))
        found = self._edited.pop(key, None)
        graph = base.edited(changes) if found is None or found[1].outdated else found[1]
        self._edited[key] = changes, graph
        self._assets.touch(graph.handles)
        while len(self._edited) > _EDITED_KEPT:
            self._edited.popitem(last=False)
        self._trim()
        return graph

    def _trim(self) -> None:
        """Forget versions beyond those kept, and free what nothing shows any more."""
        dropped: list[SceneGraph] = []
        while len(self._versions) > VERSIONS_KEPT:
            dropped.append(self._versions.popitem(last=False)[1])
        graphs = [*self._versions.values(), *(graph for _, graph in self._edited.values())]
        self._translator.trim(_handles(graphs), _handles(dropped))

    def _deform(self, graph: SceneGraph) -> None:
        """Give geometries that several versions share the vertices of this one."""
        for deformed in graph.deformed:
            if self._shows.get(deformed.geometry) is not deformed:
                self._open.update_geometry(deformed.geometry, deformed.positions, deformed.normals)
                self._shows[deformed.geometry] = deformed


def _handles(graphs: Iterable[SceneGraph]) -> Handles:
    found: tuple[set[int], set[int], set[int]] = set(), set(), set()
    for handles in {id(graph.handles): graph.handles for graph in graphs}.values():
        for together, some in zip(found, handles, strict=True):
            together |= some
    return found


def _asked(view: View, graph: SceneGraph) -> Sequence[str | Camera]:
    return view.cameras or (graph.camera_names[0],)


def _camera(
    graph: SceneGraph,
    placed: Placed,
    asked: str | Camera,
    moves: Mapping[str, list[MoveCamera]],
) -> Camera:
    """A camera by value; one that is named follows the state and edits."""
    if isinstance(asked, Camera):
        return asked
    camera = graph.camera(asked, placed)
    return edited_camera(camera, moves[asked]) if asked in moves else camera


def _check_options(options: RasterOptions) -> None:
    if options.lit(Lighting.STANDARD) is not Lighting.STANDARD:
        raise InvalidValueError(
            "a scene of components adds light in linear space, so expected shading='standard' "
            f"and lighting='auto', got shading={options.shading!r} and "
            f"lighting={options.lighting!r}; leave both out"
        )
