"""A scene of components, or a mesh file, as a scene of Blender."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.blender.mesh_store import MeshStore
from heliograph.engines.blender.mirror import Mirror
from heliograph.engines.blender.numbering import By
from heliograph.engines.blender.seeds import seed_of
from heliograph.engines.blender.world import Shown
from heliograph.engines.shared.source import Source
from heliograph.engines.shared.tree.graph import SceneGraph
from heliograph.engines.shared.tree.versions import Scenery, TreeVersions
from heliograph.errors import ClosedError, InvalidValueError, SceneError
from heliograph.frame import Labels
from heliograph.raster import DrawList, RasterOptions, Shading, ToneMapping
from heliograph.scene import Description, Splat
from heliograph.view import View

_REFUSED = {Shading.NORMAL: "normal", Shading.DEPTH: "depth"}


class ComponentWorld:
    """A scene of components that is open in Blender; ids are those of the component engine.

    Looks, as far as Blender has them: `lambert` is a Principled shader without gloss, `phong` one
    whose gloss is as wide in the middle, `basic` emits. Lights fade with the square of the
    distance and do not end; `castShadow` says whether they cast shadows, which here are exact.
    Light from everywhere is reflected too, and is kept from corners. Occlusion maps are left out.

    Args:
        source: a component, or the path of a .glb, .gltf, .obj, .ply, .stl or .urdf file.
        size: (width, height) in pixels of the camera `fit`.
        segment_by: "object".

    Raises:
        SceneError: a file is missing or malformed, or something in it that Blender cannot show:
            splats, materials that show normals or depth, ACES tone mapping.
        InvalidValueError: another kind of source.
    """

    def __init__(
        self, source: Source, *, size: tuple[int, int] = (320, 240), segment_by: By = "object"
    ) -> None:
        if segment_by != "object":
            raise InvalidValueError(
                "segment_by: a scene of components tells objects apart, so expected 'object', got "
                f"{segment_by!r}"
            )
        self._store = MeshStore()
        self._tree = TreeVersions(source, size, self._store, RasterOptions())
        graph = self._tree.newest[1]
        _check(graph, graph.placed({}).draw_list)
        self._mirror: Mirror | None = Mirror(self._store)
        self._graph, self._numbering = graph, _Numbering([], graph.labels, np.empty(0, np.int32))

    @property
    def scene(self) -> Description:
        """What it holds."""
        return self._tree.description

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """Its cameras by key, and `fit`, which frames everything."""
        return self._tree.cameras

    @property
    def labels(self) -> Labels:
        """Id -> (key, type)."""
        return self._tree.newest[1].labels

    @contextmanager
    def shown(self, view: View) -> Iterator[tuple[Shown, list[Camera]]]:
        """Have Blender's scene show a view; the next one shows nothing of it.

        Raises:
            HeliographError: a state or an edit that does not fit, or what Blender cannot show.
        """
        mirror = self._mirror
        if mirror is None:
            raise ClosedError("this scene is closed")
        seen = self._tree.shown(view)
        if seen.graph is not self._graph:
            _check(seen.graph, seen.things)
            self._graph = seen.graph
        mirror.show(seen.things, seen.cameras[0], seen.deformed)
        self._store.trim()
        behind = seen.things.environment
        shown = Shown(
            scene=mirror.scene,
            view_layer=mirror.scene.view_layers[0],
            numbering=self._numbered(mirror, seen),
            by_material=False,
            background=None if behind.radiance_shown else behind.colour,
            seed=seed_of(view),
        )
        yield shown, seen.cameras

    def _numbered(self, mirror: Mirror, seen: Scenery) -> _Numbering:
        """The ids of what is seen; the same as before, as long as they are."""
        ids, labels = seen.things.instances.table.ids, seen.graph.labels
        if ids is not self._numbering.ids or labels is not self._numbering.labels:
            self._numbering = _Numbering(mirror.names, labels, ids)
        return self._numbering

    def close(self) -> None:
        """Remove the scene from Blender; may be called twice."""
        mirror, self._mirror = self._mirror, None
        if mirror is not None:
            mirror.close()


class _Numbering:
    """Ids of the objects that show instances.

    Args:
        names: (N,) theirs.
        labels: of all ids.
        ids: (N,).
    """

    def __init__(self, names: Sequence[str], labels: Labels, ids: NDArray[np.int32]) -> None:
        self.ids, self._labels = ids, labels
        self._ids: dict[str, int] = dict(zip(names, ids.tolist(), strict=True))

    @property
    def labels(self) -> Labels:
        """Id -> (key, type)."""
        return self._labels

    def of_object(self, name: str) -> int:
        """The id of what an object shows a part of."""
        return self._ids.get(name, 0)

    def of_material(self, _: str) -> int:
        """Materials are not told apart."""
        return 0

    def of_instance(self, _: str, name: str, __: Sequence[int]) -> int:
        """There are no instances that an object makes of another."""
        return self.of_object(name)


def _check(graph: SceneGraph, things: DrawList) -> None:
    """Refuse what Blender cannot show.

    Raises:
        SceneError: there is such.
    """
    for node in graph.tree.nodes():
        if isinstance(node, Splat):
            raise SceneError(
                f"Splat {node.key!r}: Blender draws no splats; open it with engine='components', "
                "or leave it out"
            )
    kinds = things.instances.table.shading
    for kind, name in _REFUSED.items():
        if (kinds == kind).any():
            raise SceneError(
                f"materialType {name!r}: Blender does not draw it; ask for the pass of that name"
            )
    if things.tone_mapping is ToneMapping.ACES:
        raise SceneError(
            "toneMapping 'aces': Blender does not have it; expected 'none' or 'neutral'"
        )
