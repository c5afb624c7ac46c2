"""The versions of a scene of components, and what one view shows of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from weakref import WeakValueDictionary

from heliograph.camera import Camera
from heliograph.engine import VERSIONS_KEPT, check_version
from heliograph.engines.shared.edits import APPEARANCE, EditApplier, camera_moves, edited_camera
from heliograph.engines.shared.lights import HEAD
from heliograph.engines.shared.source import Source, scene_of
from heliograph.engines.shared.tree.assets import Assets, Deformed, Handles
from heliograph.engines.shared.tree.graph import Placed, SceneGraph
from heliograph.engines.shared.tree.translate import Translator
from heliograph.raster import DrawList, RasterOptions
from heliograph.raster.store import AssetStore
from heliograph.scene import Description, Edit, Item, MoveCamera
from heliograph.scene.tree import Tree
from heliograph.view import View

_EDITED_KEPT = 8


@dataclass(frozen=True, eq=False)
class Scenery:
    """What one view shows.

    Attributes:
        version: of the scene.
        graph: that version with the view's edits of the tree.
        cameras: the view's, where they are then.
        things: what is to be drawn.
        deformed: geometries whose vertices are others since the last view.
    """

    version: int
    graph: SceneGraph
    cameras: list[Camera]
    things: DrawList
    deformed: list[int]


class TreeVersions:
    """A scene of components, and the versions that `advance` makes of it.

    Args:
        source: a component, or the path of a file that is a scene.
        size: (width, height) in pixels of the camera `fit`.
        store: where geometry and pixels go.
        options: how light becomes colours.

    Attributes:
        assets: what is in the store.

    Raises:
        SceneError: a file is missing or malformed.
        InvalidValueError: another kind of source.
    """

    def __init__(
        self, source: Source, size: tuple[int, int], store: AssetStore, options: RasterOptions
    ) -> None:
        scene, self._name = scene_of(source)
        self._store, self.assets = store, Assets(store)
        self._translator = Translator(self.assets)
        graph = SceneGraph(Tree(scene), self._translator, size, options)
        self.assets.opened()
        self._versions: OrderedDict[int, SceneGraph] = OrderedDict({0: graph})
        self._edited: OrderedDict[tuple[int, ...], tuple[Sequence[Edit], SceneGraph]]
        self._edited = OrderedDict()
        self._shows: WeakValueDictionary[int, Deformed] = WeakValueDictionary()

    @property
    def newest(self) -> tuple[int, SceneGraph]:
        """The newest version, and its number."""
        return next(reversed(self._versions.items()))

    @property
    def description(self) -> Description:
        """What the newest version holds."""
        version, graph = self.newest
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
        graph = self.newest[1]
        placed = graph.placed({})
        return {name: graph.camera(name, placed) for name in graph.camera_names}

    def advance(self, changes: Sequence[Edit]) -> int:
        """Make another version of the newest one; its number.

        Raises:
            HeliographError: an edit that does not fit.
        """
        version, graph = self.newest
        self._versions[version + 1] = graph.edited(changes)
        self._trim()
        return version + 1

    def shown(self, view: View) -> Scenery:
        """What a view shows; the store holds it until the next one is asked for.

        Raises:
            HeliographError: a version, a state, a camera or an edit that does not fit.
        """
        version = check_version(view, next(iter(self._versions)), self.newest[0])
        looks = [edit for edit in view.edits if isinstance(edit, APPEARANCE)]
        changes = [edit for edit in view.edits if not isinstance(edit, APPEARANCE)]
        graph = self._graph(version, changes)
        placed = graph.placed(view.state)
        looks, moves = camera_moves(looks, graph.camera_names)
        asked = view.cameras or (graph.camera_names[0],)
        cameras = [_camera(graph, placed, camera, moves) for camera in asked]
        things = self._edited_things(graph, placed, looks) if looks else placed.draw_list
        return Scenery(version, graph, cameras, things, self._deform(graph))

    def _edited_things(self, graph: SceneGraph, placed: Placed, looks: Sequence[Edit]) -> DrawList:
        applier = EditApplier(
            placed.draw_list,
            partial(graph.light_edits, placed),
            graph.objects,
            partial(graph.frames, placed),
            self._store,
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
        self.assets.touch(graph.handles)
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

    def _deform(self, graph: SceneGraph) -> list[int]:
        """Give geometries that several versions share the vertices of this one."""
        moved = []
        for deformed in graph.deformed:
            if self._shows.get(deformed.geometry) is not deformed:
                self._store.update_geometry(deformed.geometry, deformed.positions, deformed.normals)
                self._shows[deformed.geometry] = deformed
                moved.append(deformed.geometry)
        return moved


def _handles(graphs: Iterable[SceneGraph]) -> Handles:
    found: tuple[set[int], set[int], set[int]] = set(), set(), set()
    for handles in {id(graph.handles): graph.handles for graph in graphs}.values():
        for together, some in zip(found, handles, strict=True):
            together |= some
    return found


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
