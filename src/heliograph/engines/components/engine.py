"""The component engine: scenes of components and mesh files, drawn by our rasterizer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TypeAlias

from heliograph.camera import Camera
from heliograph.disk import printable
from heliograph.engine import resolve_cameras
from heliograph.engines.components import state as states
from heliograph.engines.components.assets import Assets
from heliograph.engines.components.graph import SceneGraph
from heliograph.engines.components.lights import HEAD, is_light
from heliograph.engines.components.translate import Translator
from heliograph.engines.shared.edits import APPEARANCE, EditApplier, camera_moves, edited_camera
from heliograph.errors import ClosedError, InvalidValueError, SceneError
from heliograph.frame import (
    PASSES,
    Buffers,
    Frame,
    Labels,
    Sample,
    own_or_given,
)
from heliograph.lru import LruCache
from heliograph.raster import (
    Rasterizer,
    RasterOptions,
)
from heliograph.scene import (
    Component,
    Description,
    Edit,
    Item,
    Mesh,
    MoveCamera,
    Scene,
    apply,
)
from heliograph.scene.shapes import SUFFIXES
from heliograph.view import View

Source: TypeAlias = Component | str | os.PathLike[str]
_MAX_GRAPH_BYTES = 32 << 20  # bytes


class ComponentEngine:
    """Draws a scene of components.

    Its cameras are the scene's `CameraView`s and `fit`, which frames everything. `View.state`
    moves components (`scene.state` lists them), `View.edits` are all of `heliograph.scene`'s:
    those of the tree come first, then those of how things look. A scene
    without a light is lit from the camera. Files of the opened scene are shown as they were when it
    was opened, those that edits name as they are.

    Args:
        source: a component, or the path of a .glb, .gltf, .obj, .ply or .stl file.
        size: (width, height) in pixels of the camera `fit`.
        options: how to rasterize.

    Raises:
        SceneError: a file is missing or malformed.
        ContextError: no usable GL here.
        InvalidValueError: another kind of source.
    """

    def __init__(
        self,
        source: Source,
        *,
        size: tuple[int, int] = (320, 240),
        options: RasterOptions | None = None,
    ) -> None:
        scene, name = _opened(source)
        self._size = size
        digest = scene.digest()
        self._rasterizer: Rasterizer | None = Rasterizer(options)
        try:
            self._assets = Assets(self._rasterizer)
            self._translator = Translator(self._assets)
            self._base = SceneGraph(scene, {}, self._translator, size)
            self._scene = _describe(scene, name, digest)
            self._base.cameras  # noqa: B018 -- a bad camera is found when the scene is opened
            self._translator.pin()
        except BaseException:
            self.close()
            raise
        self._graphs: LruCache[SceneGraph] = LruCache(_MAX_GRAPH_BYTES)

    @property
    def scene(self) -> Description:
        """What the scene holds."""
        return self._scene

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The scene's cameras by key, and `fit`, which frames everything."""
        return dict(self._base.cameras)

    @property
    def passes(self) -> tuple[str, ...]:
        """All passes."""
        return tuple(PASSES)

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (key, type); a sample's own labels know what its edits added."""
        return self._base.labels

    def render(self, view: View, out: Sequence[Buffers] | None = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        rasterizer = self._open
        looks = [edit for edit in view.edits if isinstance(edit, APPEARANCE)]
        graph = self._graph(tuple(edit for edit in view.edits if not isinstance(edit, APPEARANCE)))
        looks, moves = camera_moves(looks, graph.cameras)
        worlds = graph.worlds(view.state)
        known = resolve_cameras(view, graph.cameras)
        wanted = view.cameras or (known[0].name,)
        cameras = [
            _moved(graph.camera(name, worlds), moves) if isinstance(name, str) else camera
            for name, camera in zip(wanted, known, strict=True)
        ]
        buffers = own_or_given(cameras, view.passes, out)
        things = graph.draw_list(worlds)
        if looks:
            scenery = EditApplier(
                things,
                graph.light_names,
                graph.objects,
                partial(graph.frames, worlds),
                rasterizer,
            )
            things = scenery.apply(looks)
        rasterizer.draw(things, cameras, view.passes, buffers)
        labels = graph.labels
        frames = {
            camera.name: Frame(camera, passes, labels)
            for camera, passes in zip(cameras, buffers, strict=True)
        }
        return Sample(frames, labels, view.state, view.seed, view.index)

    def together(self) -> AbstractContextManager[None]:
        """See `heliograph.engine.Gathering`."""
        return self._open.together()

    def settle(self) -> None:
        """See `heliograph.engine.Gathering`."""
        self._open.settle()

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

    def _graph(self, edits: tuple[Edit, ...]) -> SceneGraph:
        """The scene with edits applied; the last ones used are kept."""
        if not edits:
            return self._base
        self._assets.look_again()
        graph = self._graphs.get(edits)
        if graph is None or any(self._assets.digest(p) != d for p, d in graph.files.items()):
            self._trim()
            scene = apply(self._base.scene, edits)
            graph = SceneGraph(scene, self._base.ids, self._translator, self._size)
            self._graphs.put(edits, graph, graph.size + sum(map(_size, edits)))
        self._assets.touch(*graph.handles)
        return graph

    def _trim(self) -> None:
        """Forget what was not used for long; nothing that is drawn now may depend on it."""
        gone = self._translator.trim()
        self._graphs.drop_if(lambda graph: _overlap(graph.handles, gone))
        self._graphs.trim()


def _overlap(some: tuple[set[int], set[int]], others: tuple[set[int], set[int]]) -> bool:
    return not all(a.isdisjoint(b) for a, b in zip(some, others, strict=True))


def _size(edit: Edit) -> int:
    """Bytes of the arrays that an edit brings."""
    brought = vars(edit).get("component") or vars(edit).get("scene")
    return sum(node.size for node in brought.walk()) if isinstance(brought, Component) else 0


def _moved(camera: Camera, moves: Mapping[str, list[MoveCamera]]) -> Camera:
    return edited_camera(camera, moves[camera.name]) if camera.name in moves else camera


def _opened(source: Source) -> tuple[Scene, str]:
    """The scene of a source, and a name for it."""
    if isinstance(source, Scene):
        return source, "Scene"
    if isinstance(source, Component):
        return Scene(source), type(source).__name__
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidValueError(
            f"expected a component or the path of a {' '.join(SUFFIXES)} file, got {source!r}"
        )
    path = Path(source)
    if path.suffix.lower() not in SUFFIXES:
        raise SceneError(f"{path}: expected a file of {' '.join(SUFFIXES)}")
    return Scene(Mesh(key=path.stem or "mesh", src=str(path))), printable(path)


def _describe(scene: Scene, name: str, digest: str) -> Description:
    nodes = list(scene.walk())
    return Description(
        source=name,
        hash=digest,
        objects=tuple(Item(str(node.key), node.kind) for node in nodes if node.drawable),
        lights=tuple(Item(str(node.key), node.kind) for node in nodes if is_light(node))
        or (Item(HEAD, "light", "at the camera, as the scene has none"),),
        state=states.items(scene),
    )
