"""One version of a scene as arrays: who stands on whom, and what each component draws.

`SceneGraph.edited` makes another version. The two share every array that the edits leave alone, so
an edit costs what it changes:

    edits -> Tree.apply -> keys that changed -> their columns patched -> their world poses patched

A version shows each file as it was when edits last named it. Where they name one that has changed,
all that show it are drawn anew, so that a version has one content of each file.

Rows are the tree's. Instances are what the rasterizer draws, one or more for each component that
draws anything, in the order of the rows.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.shared import cameras as cams
from heliograph.engines.shared.edits import Objects, has_metal
from heliograph.engines.shared.lights import (
    HEAD,
    Gradient,
    LightEdits,
    SceneLight,
    ambient_of,
    flat,
    gradient_of,
    triple,
)
from heliograph.engines.shared.state import check_keys, items, moved_rows
from heliograph.engines.shared.tree import lights as lamps
from heliograph.engines.shared.tree.assets import Deformed, Files
from heliograph.engines.shared.tree.translate import Parts, Translator
from heliograph.errors import InvalidValueError, SceneError, UnknownNameError
from heliograph.frame import Labels
from heliograph.raster import (
    LARGEST,
    SMALLEST,
    DrawList,
    Environment,
    Instances,
    Light,
    Lighting,
    RasterOptions,
    ToneMapping,
)
from heliograph.raster.types import Colour, Transforms
from heliograph.scene import CameraView, Component, Edit, Item, Material, ObjectTable, Splat
from heliograph.scene.components import ENVIRONMENT, Props
from heliograph.scene.files import file_digest
from heliograph.scene.numbers import ObjectIds, Sort, kept_rows
from heliograph.scene.objects import union_box
from heliograph.scene.placement import PLACEMENT
from heliograph.scene.shapes import ARRAYS
from heliograph.scene.textures import USES
from heliograph.scene.tree import Changes, Tree

Matrix = NDArray[np.float64]
Rows = NDArray[np.intp]
Shining = tuple[tuple[Light, ...], Colour, Gradient | None]
"""Lights, and the light from everywhere: what is the same on all sides, and what is not."""
_ARRAYS, _POSITION, _FILES = frozenset(ARRAYS), {"position"}, {"src", "environment"}
_BLACK: Colour = (0.0, 0.0, 0.0)
_NO_LIGHT: Shining = (), _BLACK, None
_CACHED = ("table", "_worn", "fit", "hash")


@dataclass(eq=False)
class Layout:
    """What stays while nothing is added, removed, or drawn in another number of parts.

    Attributes:
        names: (N,) keys.
        types: (N,) types of components.
        numbers: the object id and the sort of each row.
        first: (N + 1,) int64, the first instance of each row.
        parents, depths: (N,) as in `Tree`.
        lines: (M,) which instances are outlines.
    """

    names: Sequence[str]
    types: Sequence[type[Component]]
    numbers: ObjectIds
    first: NDArray[np.int64]
    parents: NDArray[np.int64]
    depths: NDArray[np.int64]
    lines: NDArray[np.bool_]

    @property
    def ids(self) -> NDArray[np.int32]:
        """(N,) the object id of each row; 0 for what is no object."""
        return self.numbers.ids

    @cached_property
    def drawn(self) -> Rows:
        """The rows of what draws something."""
        return np.flatnonzero(self.numbers.sorts == Sort.DRAWN)

    @cached_property
    def lights(self) -> Rows:
        """The rows of lights."""
        return np.flatnonzero(self.numbers.sorts == Sort.LIGHT)

    @cached_property
    def cameras(self) -> Rows:
        """The rows of cameras."""
        return np.flatnonzero(self.numbers.sorts == Sort.CAMERA)

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """(M,) the row of each instance."""
        return np.repeat(np.arange(len(self.ids)), np.diff(self.first))

    @cached_property
    def solid(self) -> NDArray[np.bool_]:
        """(M,) which instances are no splats: these cast no shadow and catch none."""
        splats = [row for row, kind in enumerate(self.types) if kind is Splat]
        return ~np.isin(self.owner, splats)

    @cached_property
    def levels(self) -> list[Rows]:
        """The rows at each depth from 1 on."""
        return [np.flatnonzero(self.depths == d) for d in range(1, int(self.depths.max()) + 1)]

    @cached_property
    def is_leaf(self) -> NDArray[np.bool_]:
        """(N,) what nothing stands on."""
        leaf = np.ones(len(self.ids), bool)
        leaf[self.parents[1:]] = False
        return leaf

    @cached_property
    def objects(self) -> Objects:
        """Which instances show which components."""
        first = self.first.tolist()
        rows = {row: range(first[row], first[row + 1]) for row in self.drawn.tolist()}
        names = {self.names[row]: [row] for row in rows}
        if not self.lines.any():
            return Objects(rows, names)
        lines = set(np.flatnonzero(self.lines).tolist())
        surfaces = {row: [each for each in rows[row] if each not in lines] for row in rows}
        return Objects(rows, names, surfaces)

    @cached_property
    def listed(self) -> Rows:
        """The rows that are objects: what is drawn, then what only groups."""
        grouping = np.setdiff1d(np.flatnonzero(self.ids > 0), self.drawn)
        return np.concatenate([self.drawn, grouping])

    @cached_property
    def state(self) -> tuple[Item, ...]:
        """What `View.state` may hold."""
        return items(self.names)

    @cached_property
    def table(self) -> ObjectTable:
        """The object table, as far as it does not depend on poses and looks."""
        rows = self.listed
        above = np.where(self.parents >= 0, self.ids[self.parents], 0)
        return ObjectTable(
            ids=self.ids[rows],
            names=tuple(self.names[row] for row in rows.tolist()),
            categories=tuple(self.types[row].__name__.lower() for row in rows.tolist()),
            materials=("",) * len(rows),
            parents=above[rows].astype(np.int32),
            boxes=np.full((len(rows), 2, 3), np.nan),
            seen=np.isin(rows, self.drawn),
            poses=np.tile(np.eye(4), (len(rows), 1, 1)),
            colours=np.full((len(rows), 4), np.nan),
        )

    def instances_of(self, rows: Rows) -> Rows:
        """The instances of some rows, one row's after the other's."""
        counts = self.first[rows + 1] - self.first[rows]
        return _ranges(self.first[rows], counts)


@dataclass(eq=False)
class Placed:
    """Where everything is in one state.

    Attributes:
        worlds: (N, 4, 4), world_from_component.
        instances: the instances there.
        corners: (M, 8, 3), world corners of the boxes round the instances, once asked for.
        draw_list: what is to be drawn.
    """

    worlds: Matrix
    instances: Instances
    corners: Matrix | None = None
    draw_list: DrawList = field(init=False)


class SceneGraph:
    """One version of a scene, ready to be drawn in any state.

    Args:
        tree: the scene; the graph's own.
        translator: where components become parts.
        size: of the camera that frames everything, pixels.
        options: how light becomes colours.

    Attributes:
        tree: the scene.

    Raises:
        SceneError: a file of the scene is missing or malformed.
        InvalidValueError: a camera that sees nothing, or something too large or small to be drawn.
    """

    def __init__(
        self,
        tree: Tree,
        translator: Translator,
        size: tuple[int, int],
        options: RasterOptions,
    ) -> None:
        nodes = tree.nodes()
        self.tree = tree
        self._files: Files = {}
        self._paths: Mapping[str, tuple[str, ...]] = {}  # key -> what it shows, if anything
        self._named: Iterable[str] = ()  # files that the last edits named
        self._translator = translator
        self._fit_size = size
        self._options = options
        self._local = np.array([node.local for node in nodes])
        self._shown = np.array([node.get("visible") for node in nodes], bool)
        self._plain = np.zeros(len(nodes), bool)
        self._columns = Parts.joined([])
        self._deformed: Mapping[str, Deformed] = {}
        self._made: tuple[Parts, Instances] | None = None
        self._shining: tuple[object, Shining] = None, _NO_LIGHT
        self._radiance: int | None = None
        self._layout = self._laid_out(ObjectIds.of(tree), np.zeros(len(nodes) + 1, np.int64))
        self._look_again(range(len(nodes)))
        self._draw(set(range(len(nodes))))
        every, worlds = np.arange(len(nodes)), self._local.copy()
        still = self._form.moved(np.zeros((len(self._columns), 3, 4)))
        self._rest = self._moved(Placed(worlds, still), self._local, every)
        self._check_cameras(every)

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (key, type); the same object until something is added or removed."""
        return self._layout.table.labels

    @property
    def objects(self) -> Objects:
        """Which instances show which components."""
        return self._layout.objects

    @property
    def deformed(self) -> Iterable[Deformed]:
        """The vertices that must stand in geometries before it is drawn."""
        return self._deformed.values()

    @cached_property
    def handles(self) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
        """Handles of the geometries, of the textures and of the light all around it."""
        columns = self._columns
        around = frozenset([] if self._radiance is None else [self._radiance])
        return frozenset(columns.geometry.tolist()), frozenset(columns.texture.tolist()), around

    @cached_property
    def hash(self) -> str:
        """Digest of the scene with its files as they are shown here."""
        ordered = sorted(self._paths, key=self.tree.index.__getitem__)
        paths = dict.fromkeys(path for key in ordered for path in self._paths[key])
        return self.tree.scene().digest_with(self._files[path] for path in paths)

    @property
    def outdated(self) -> bool:
        """Whether a file has changed since that the edits named which made this version.

        Raises:
            SceneError: it cannot be read any more.
        """
        return any(file_digest(path) != self._files[path] for path in self._named)

    @property
    def state(self) -> tuple[Item, ...]:
        """What `View.state` may hold."""
        return self._layout.state

    @cached_property
    def table(self) -> ObjectTable:
        """The object table."""
        layout, columns = self._layout, self._columns
        rows, poses = layout.listed, self._rest.worlds
        boxes, colours = np.full((len(rows), 2, 3), np.nan), np.full((len(rows), 4), np.nan)
        first, seen = layout.first[rows], len(layout.drawn)
        shown = np.flatnonzero(layout.first[rows + 1] > first)  # some meshes have no triangles
        if len(shown):
            own = columns.corners
            boxes[shown, 0] = np.minimum.reduceat(own.min(1), first[shown])
            boxes[shown, 1] = np.maximum.reduceat(own.max(1), first[shown])
            colours[shown] = columns.rgba[first[shown]]
        for i, row in enumerate(rows[seen:].tolist(), seen):
            below = (rows[:seen] > row) & (rows[:seen] < self.tree.stop(row))
            boxes[i] = union_box(boxes[:seen][below], poses[rows[:seen]][below], poses[row])
        names = (*self._worn[0], *[""] * (len(rows) - seen))
        return replace(
            layout.table, poses=poses[rows], boxes=boxes, colours=colours, materials=names
        )

    @property
    def materials(self) -> tuple[Material, ...]:
        """The materials, each once; components give them no names, so they are numbered."""
        return self._worn[1]

    @cached_property
    def _worn(self) -> tuple[list[str], tuple[Material, ...]]:
        """The name of the material of each component that is drawn, in order, and the materials."""
        nodes = map(self.tree.node, self._layout.drawn.tolist())
        worn = [self._translator.material(node, self._files) for node in nodes]
        distinct = dict.fromkeys(material for material in worn if material is not None)
        names = {material: f"material-{i}" for i, material in enumerate(distinct, 1)}
        named = tuple(replace(material, name=name) for material, name in names.items())
        return ["" if material is None else names[material] for material in worn], named

    @property
    def lights(self) -> list[tuple[Component, bool]]:
        """The light components, and whether each shines."""
        rows = self._layout.lights.tolist()
        return [(self.tree.node(row), bool(self._row_visible[row])) for row in rows]

    @property
    def lit_from_camera(self) -> bool:
        """Whether nothing in it sheds light, so that one at the camera does."""
        return not len(self._layout.lights) and self._radiance is None

    @property
    def camera_names(self) -> list[str]:
        """Keys of the cameras, and `fit`."""
        names = [self._layout.names[row] for row in self._layout.cameras.tolist()]
        return names if cams.FIT in names else [*names, cams.FIT]

    def camera(self, name: str, placed: Placed) -> Camera:
        """A camera where the components are; `fit` frames the scene in its own state.

        Raises:
            UnknownNameError: there is none called so.
        """
        row = self.tree.index.get(name, 0)
        node = self.tree.node(row)
        if isinstance(node, CameraView):
            return cams.camera(node, placed.worlds[row])
        if name != cams.FIT:
            raise UnknownNameError.of("camera", name, self.camera_names)
        return self.fit

    @cached_property
    def fit(self) -> Camera:
        """A camera that frames everything."""
        return cams.fit(self._seen_corners(self._rest).reshape(-1, 3), self._fit_size)

    def placed(self, state: Mapping[str, NDArray[Any]]) -> Placed:
        """Where everything is in a state.

        Raises:
            UnknownNameError, InvalidValueError: a state that does not fit the scene.
        """
        if not state:
            return self._rest
        rows, placements = moved_rows(state, self.tree, self._local)
        local = self._local.copy()
        local[rows] = placements
        return self._moved(self._rest, local, self._with_below(rows))

    def frames(self, placed: Placed) -> Matrix:
        """Where each instance's component is, (M, 3, 4)."""
        frames: Matrix = placed.worlds[self._layout.owner][:, :3]
        return frames

    def edited(self, edits: Sequence[Edit]) -> SceneGraph:
        """Another version; this one stays as it is.

        Raises:
            HeliographError: an edit that does not fit, or a file that it names does not.
        """
        made = copy.copy(self)
        for name in _CACHED:
            made.__dict__.pop(name, None)
        made.tree = self.tree.copy()
        changes = made.tree.apply(edits)
        kept = kept_rows(self.tree, made.tree, changes)
        instances = np.arange(len(self._columns))
        if changes.spliced:
            made._take_over(self, kept, changes)
            instances = self._layout.instances_of(kept[kept >= 0])
        given = {made.tree.index[key]: props for key, props in changes.given.items()}
        new = np.flatnonzero(kept < 0).tolist()
        tints, moved, placed, looks = _sorted(given, made._plain, made.tree)
        made._place([*placed, *new], moved)
        bent = made._bend(self, kept, {row: given[row] for row in looks})
        covered = {row: PLACEMENT.keys() | bent.get(row, frozenset()) for row in looks}
        drawn = [row for row in looks if not given[row].keys() <= covered[row]]
        outdated = made._look_again([row for row in looks if _names_files(given[row])] + new)
        anew = {*drawn, *new, *outdated}
        if anew:
            instances = _picked(instances, made._draw(anew))
        made._tint(tints)
        made._show_deformed(anew | bent.keys())
        made._forget(self)
        before = made._followed(self._rest, kept, instances)
        rows = np.array(sorted({*moved, *placed, *anew, *bent}), np.intp)
        below = made._with_below(rows)
        made._rest = made._moved(before, made._local, below)
        made._check_cameras(below)
        return made

    def _forget(self, base: SceneGraph) -> None:
        """Forget what was made of the base's columns and is otherwise here."""
        shown, before = self._columns, base._columns
        if (
            shown.geometry is not before.geometry
            or shown.texture is not before.texture
            or self._radiance != base._radiance
        ):
            self.__dict__.pop("handles", None)
        if shown is not before or self._layout is not base._layout:
            self.__dict__.pop("_worn", None)
        if self._shown is not base._shown or self._layout is not base._layout:
            self.__dict__.pop("_visible", None)
            self.__dict__.pop("_row_visible", None)

    def _take_over(self, base: SceneGraph, kept: Rows, changes: Changes) -> None:
        """Columns by row for a tree to which rows were added or from which some went."""
        self._local, self._shown = base._local[kept], base._shown[kept]
        self._plain = base._plain[kept]
        counts = np.where(kept >= 0, np.diff(base._layout.first)[kept], 0)
        self._columns = base._columns.taken(base._layout.instances_of(kept[kept >= 0]))
        self._paths = {k: p for k, p in base._paths.items() if k in self.tree.index}
        self._deformed = {k: d for k, d in base._deformed.items() if k in self.tree.index}
        self._deformed = {k: d for k, d in self._deformed.items() if k not in changes.fresh}
        first = np.concatenate([[0], counts.cumsum()])
        numbers = base._layout.numbers.followed(
            base.tree, self.tree, kept, replaced=changes.replaced
        )
        self._layout = self._laid_out(numbers, first)

    def _laid_out(self, numbers: ObjectIds, first: NDArray[np.int64]) -> Layout:
        tree = self.tree
        check_keys(tree.index)
        names, kinds, lines = tree.names(), tree.kinds(), self._columns.line
        return Layout(names, kinds, numbers, first, tree.parents, tree.depths, lines)

    def _place(self, rows: Sequence[int], moved: Mapping[int, Any]) -> None:
        """Take over where components stand, and of these rows whether they are visible.

        Those `moved` only have another position.
        """
        if not rows and not moved:
            return
        self._local = self._local.copy()
        if moved:
            self._local[[*moved], :3, 3] = [*moved.values()]
        if not rows:
            return
        nodes = [self.tree.node(row) for row in rows]
        self._local[rows] = [node.local for node in nodes]
        shown = np.array([node.get("visible") for node in nodes], bool)
        if (shown != self._shown[rows]).any():
            self._shown = self._shown.copy()
            self._shown[rows] = shown

    def _tint(self, tints: Mapping[int, Any]) -> None:
        """Give plain things other colours."""
        if not tints:
            return
        rgba = self._columns.rgba.copy()
        colours = np.fromiter(chain.from_iterable(tints.values()), np.float32, 3 * len(tints))
        rgba[self._layout.first[[*tints]], :3] = colours.reshape(-1, 3)
        self._columns = replace(self._columns, rgba=rgba)

    def _bend(
        self, base: SceneGraph, kept: Rows, given: Mapping[int, Mapping[str, Any]]
    ) -> dict[int, Set[str]]:
        """Note the vertices of meshes that keep their triangles; their rows, and what that covers.

        No levels of detail are made of such a mesh: whoever moves its vertices moves them again.
        """
        bent: dict[int, Set[str]] = {}
        for row, props in given.items():
            if not props.keys() & _ARRAYS or kept[row] < 0:
                continue
            node, old = self.tree.node(row), base.tree.node(int(kept[row]))
            before = base._deformed.get(str(node.key))
            made = self._translator.assets.deformed(
                node, old if before is None else before.original
            )
            if made is not None:
                self._deformed = {**self._deformed, str(node.key): made}
                bent[row] = _ARRAYS
        for row in given.keys() - bent.keys():
            if given[row].keys() & {"src", *_ARRAYS}:
                key = str(self.tree.node(row).key)
                self._deformed = {k: d for k, d in self._deformed.items() if k != key}
        return bent

    def _show_deformed(self, rows: Set[int]) -> None:
        """Show those among these rows that are deformed with the geometries of their vertices."""
        bent = {self.tree.index[key]: deformed for key, deformed in self._deformed.items()}
        if rows.isdisjoint(bent):
            return
        geometry, corners = self._columns.geometry.copy(), self._columns.corners.copy()
        for row in rows & bent.keys():
            instance, deformed = self._layout.first[row], bent[row]
            geometry[instance], corners[instance] = deformed.geometry, deformed.corners
        self._columns = replace(self._columns, geometry=geometry, corners=corners)

    def _look_again(self, rows: Iterable[int]) -> Iterable[int]:
        """Look at the files of these components; the rows of all that show one that has changed."""
        self._named = digests = _digests(self.tree.node(row) for row in rows)
        return self._look_at(digests)

    def _look_at(self, files: Files) -> Iterable[int]:
        """Show these files from now on; the rows of all that show one that has changed."""
        before = self._files
        changed = {path for path in files if before.get(path, files[path]) != files[path]}
        self._files = {**before, **files}
        showing = self._paths.items() if changed else ()
        return [self.tree.index[key] for key, paths in showing if not changed.isdisjoint(paths)]

    def _draw(self, rows: set[int]) -> Rows:
        """Make the parts of these components anew.

        Args:
            rows: which; those join them that show a file which was written while it was read.

        Returns:
            (M,) which instance of before each is; those at or beyond their number are new.
        """
        source, todo = np.arange(len(self._columns)), sorted(rows)
        while todo:
            files = dict(self._files)
            source = _picked(source, self._draw_once(np.array(todo, np.intp), files))
            todo = sorted(self._look_at(files))
            rows.update(todo)
        shown = chain.from_iterable(self._paths.values())
        self._files = {path: self._files[path] for path in shown}
        return source

    def _draw_once(self, rows: Rows, files: Files) -> Rows:
        nodes = [self._drawn_node(row) for row in rows.tolist()]
        parts = [self._translator.parts(node, files) for node in nodes]
        if not rows[0]:
            self._radiance = self._translator.radiance(nodes[0], files)
        paths = {**self._paths, **{str(node.key): node.files for node in nodes}}
        self._paths = {key: shown for key, shown in paths.items() if shown}
        self._plain = self._plain.copy()
        self._plain[rows] = [part.plain for part in parts]
        first, had = self._layout.first, len(self._columns)
        lengths = np.array([len(part) for part in parts], np.int64)
        starts, counts = first[:-1].copy(), np.diff(first)
        starts[rows], counts[rows] = had + lengths.cumsum() - lengths, lengths
        source = _ranges(starts, counts)
        self._columns = Parts.joined([self._columns, *parts]).taken(source)
        lines = self._columns.line
        if (counts != np.diff(first)).any() or not np.array_equal(lines, self._layout.lines):
            first = np.concatenate([[0], counts.cumsum()])
            self._layout = replace(self._layout, first=first, lines=lines)
        return source

    def _drawn_node(self, row: int) -> Component:
        """A component as its parts are made of it: a deformed mesh with the vertices it had."""
        node = self.tree.node(row)
        deformed = self._deformed.get(str(node.key))
        if deformed is None:
            return node
        given = {name: node.props[name] for name in node.props if name not in _ARRAYS}
        own = deformed.original.props
        return node.changed(props={**given, **{name: own[name] for name in own if name in _ARRAYS}})

    def _followed(self, before: Placed, kept: Rows, instances: Rows) -> Placed:
        """Where everything was before, by the rows and instances there are now."""
        worlds, corners, transforms = before.worlds, before.corners, before.instances.transforms
        poses, scales = transforms.world_from_object, transforms.scales
        if len(kept) != len(worlds) or (kept != np.arange(len(kept))).any():
            worlds = worlds[kept]
        if len(instances) != len(poses) or (instances != np.arange(len(instances))).any():
            inside = np.minimum(instances, max(len(poses) - 1, 0))
            poses = poses[inside] if len(poses) else np.zeros((len(instances), 3, 4))
            scales = poses
            corners = None if corners is None or not len(corners) else corners[inside]
        moved = replace(transforms, world_from_object=poses, scales=scales)
        return Placed(worlds, replace(before.instances, transforms=moved), corners)

    def _moved(self, before: Placed, local: Matrix, rows: Rows) -> Placed:
        """Where everything is if only these rows, and all on them among these, stand elsewhere."""
        layout, worlds = self._layout, before.worlds.copy()
        worlds[0] = local[0]
        for mine in self._in_order(rows):
            worlds[mine] = worlds[layout.parents[mine]] @ local[mine]
        old = before.instances.transforms
        poses, mine = old.world_from_object.copy(), layout.instances_of(rows)
        poses[mine] = (worlds[layout.owner[mine]] @ self._columns.pose[mine])[:, :3]
        self._check_lengths(np.abs(poses[mine]), mine)
        shifted = np.array_equal(old.world_from_object[mine, :, :3], poses[mine, :, :3])
        form, scales = self._form, old.scales if shifted else poses
        transforms = Transforms(poses, scales, self._visible, form.transforms.length)
        instances = replace(form, transforms=transforms)
        corners = before.corners
        if corners is not None:
            corners = corners.copy()
            corners[mine] = self._world_corners(worlds, mine)
        return self._lit(Placed(worlds, instances, corners))

    def _in_order(self, rows: Rows) -> Iterable[Rows]:
        """These rows without the scene's own: groups of them, each after what it stands on."""
        layout = self._layout
        if layout.is_leaf[rows].all():
            return [rows[rows > 0]]
        if len(rows) == len(layout.ids):
            return layout.levels
        return [level[np.isin(level, rows)] for level in layout.levels]

    def _check_lengths(self, placed: Matrix, instances: Rows) -> None:
        """Refuse what is too large, too far or too small to be drawn, given as (K, 3, 4)."""
        if not placed.size:
            return
        axes = np.maximum.reduce(placed, 1)
        if axes.max() <= LARGEST and axes[:, :3].min() >= SMALLEST:
            return
        fits = (axes.max(1) <= LARGEST) & (axes[:, :3].min(1) >= SMALLEST)
        owner, row = self._layout.owner[instances[np.argmin(fits)]], axes[np.argmin(fits)]
        node = self.tree.node(int(owner))
        raise InvalidValueError(
            f"{node.kind} {node.key!r}: expected sizes and positions from {SMALLEST:g} to "
            f"{LARGEST:g} m, got axes of {row[:3].tolist()} at up to {row[3]:g}; give all lengths "
            "in another unit"
        )

    def _with_below(self, rows: Rows) -> Rows:
        """Rows and all that stand on them, in order."""
        if self._layout.is_leaf[rows].all():
            return rows
        return np.unique(
            np.concatenate([np.arange(row, self.tree.stop(row)) for row in rows.tolist()])
        )

    @property
    def _form(self) -> Instances:
        """The instances at some place; the same object, as far as they look the same."""
        if self._made is None or self._made[0] is not self._columns:
            had, columns = self._made, self._columns
            if had is not None and columns.geometry is had[0].geometry:  # but for their colours
                form = had[1].painted(rgba=columns.rgba)
            else:
                form = columns.instances(self._layout.ids[self._layout.owner])
            self._made = columns, form
        return self._made[1]

    @cached_property
    def _row_visible(self) -> NDArray[np.bool_]:
        """(N,) what neither it nor anything above it hides."""
        shown = self._shown
        if not shown.all():
            shown = shown.copy()
            for rows in self._layout.levels:
                shown[rows] &= shown[self._layout.parents[rows]] & shown[0]
        return shown

    @cached_property
    def _visible(self) -> NDArray[np.bool_]:
        """(M,) the instances of what is visible."""
        visible: NDArray[np.bool_] = self._row_visible[self._layout.owner]
        return visible

    def light_edits(self, placed: Placed, moved: Mapping[int, Matrix]) -> LightEdits:
        """Its lights by key, to be edited; `head` without any.

        Args:
            placed: where everything is.
            moved: world_from_component (4, 4) of instances that edits moved.
        """
        if moved:
            corners = self._corners(placed).copy()
            for row, world in moved.items():
                corners[row] = self._columns.corners[row] @ world[:3, :3].T + world[:3, 3]
            placed = replace(placed, corners=corners)
        sphere = partial(_sphere, self._solid_corners(placed).reshape(-1, 3))
        rows = self._layout.lights
        if self.lit_from_camera:
            return LightEdits({HEAD: SceneLight(lamps.DEFAULT)}, {}, sphere, lamps.NEW)
        shown = self._row_visible[rows]
        on, dark = (self._scene_lights(placed, rows[mask]) for mask in (shown, ~shown))
        return LightEdits(on, dark, sphere, lamps.NEW)

    def _scene_lights(self, placed: Placed, rows: Rows) -> dict[str, SceneLight]:
        nodes = [self.tree.node(row) for row in rows.tolist()]
        sphere = None
        if any(node.props.get("castShadow") for node in nodes):
            sphere = _sphere(self._solid_corners(placed).reshape(-1, 3))
        pairs = zip(nodes, placed.worlds[rows], strict=True)
        return lamps.lights(list(pairs), sphere)

    def _check_cameras(self, rows: Rows) -> None:
        """Refuse cameras among these rows that cannot be one."""
        for row in rows[self._layout.numbers.sorts[rows] == Sort.CAMERA].tolist():
            self.camera(self._layout.names[row], self._rest)

    def _lit(self, placed: Placed) -> Placed:
        """With lights, one at the camera for a scene without any, and all that is to be drawn."""
        scene, options = self.tree.node(0), self._options
        default = lamps.DEFAULT, lamps.DEFAULT_AMBIENT, lamps.DEFAULT_GRADIENT
        if self._in_studio:
            default = lamps.DEFAULT, lamps.STUDIO_AMBIENT, lamps.STUDIO_GRADIENT
        lights, ambient, gradient = default if self.lit_from_camera else self._lights_of(placed)
        placed.draw_list = DrawList(
            placed.instances,
            lights,
            self._behind(scene),
            ambient,
            gradient,
            lighting=Lighting.STANDARD,
            tone_mapping=options.toned(ToneMapping(scene.get("toneMapping"))),
            exposure=options.exposure * scene.get("exposure"),
        )
        return placed

    @property
    def _in_studio(self) -> bool:
        """Whether metal in it has nothing to reflect but what we put there."""
        metallic = self._columns.metallic_roughness[:, 0]
        return self.lit_from_camera and bool((metallic > 0).any())

    def reflecting(self, things: DrawList) -> DrawList:
        """What edits left of it, in the studio where they made the first metal."""
        bare = self.lit_from_camera and things.environment.radiance is None
        if not bare or not has_metal(things.instances.materials):
            return things
        around = np.array([things.ambient, *(things.gradient or (_BLACK,) * 3)])
        around -= [lamps.DEFAULT_AMBIENT, *lamps.DEFAULT_GRADIENT]
        around += [lamps.STUDIO_AMBIENT, *lamps.STUDIO_GRADIENT]
        ambient, x, y, z = map(triple, around)
        studio = replace(things.environment, radiance=self._translator.assets.studio)
        return replace(things, ambient=ambient, gradient=(x, y, z), environment=studio)

    def _behind(self, scene: Component) -> Environment:
        colour = scene.get("background")
        shown = colour == ENVIRONMENT
        red, green, blue = _BLACK if shown else colour[:3]
        return Environment(
            (red, green, blue),
            radiance=self._translator.assets.studio if self._in_studio else self._radiance,
            radiance_scale=scene.get("environmentIntensity"),
            radiance_shown=shown,
        )

    def _lights_of(self, placed: Placed) -> Shining:
        """What shines; the rasterizer keeps what it prepared for lights that are the same tuple."""
        rows, (before, shining) = self._layout.lights, self._shining
        rows = rows[self._row_visible[rows]]
        nodes = tuple([self.tree.node(row) for row in rows.tolist()])
        shadows = any(node.props.get("castShadow") for node in nodes)  # which depend on all objects
        key = None if shadows else (nodes, placed.worlds[rows].tobytes())
        if key is None or key != before:
            named = self._scene_lights(placed, rows).values()
            made = flat(named)
            lights = shining[0] if made == shining[0] else made
            shining = lights, ambient_of(named), gradient_of(named)
            self._shining = key, shining
        return shining

    def _world_corners(self, worlds: Matrix, instances: Rows) -> Matrix:
        maps = worlds[self._layout.owner[instances]]
        corners: Matrix = self._columns.corners[instances] @ maps[:, :3, :3].transpose(0, 2, 1)
        return corners + maps[:, None, :3, 3]

    def _corners(self, placed: Placed) -> Matrix:
        """World corners (M, 8, 3) of the boxes round all instances."""
        if placed.corners is None:
            every = np.arange(len(self._columns))
            placed.corners = self._world_corners(placed.worlds, every)
        return placed.corners

    def _seen_corners(self, placed: Placed) -> Matrix:
        """World corners (K, 8, 3) of the boxes round all that is visible."""
        return self._corners(placed)[self._visible]

    def _solid_corners(self, placed: Placed) -> Matrix:
        """As `_seen_corners`, without splats."""
        return self._corners(placed)[self._visible & self._layout.solid]


def _digests(nodes: Iterable[Component]) -> Files:
    """Digests of the files of these components."""
    digests: Files = {}
    for node in nodes:
        for name, path in node.named_files.items():
            try:
                digests[path] = digests.get(path) or file_digest(path)
            except SceneError as error:
                raise SceneError(f"{type(node).__name__} {node.key!r} {name}: {error}") from None
    return digests


def _names_files(props: Props) -> bool:
    return bool(props.keys() & _FILES) or not USES.keys().isdisjoint(props.get("material", ()))


def _sorted(
    given: Mapping[int, Props], plain: NDArray[np.bool_], tree: Tree
) -> tuple[dict[int, Any], dict[int, Any], list[int], list[int]]:
    """What properties given anew change, by row.

    Returns:
        Colours of what is plain and changes nothing else of its looks, positions of what changes
        nothing else of its placement, the rows whose placement changes otherwise, and the rows
        that look otherwise.
    """
    tints, moved, placed, looks = {}, {}, [], []
    tintable = plain.tolist()
    for row, props in given.items():
        material, others = props.get("material"), len(props)
        if others > 1 or material is None:
            there = props.keys() & PLACEMENT.keys()
            others -= len(there)
            if there == _POSITION and tree.is_pending(row):
                moved[row] = props["position"]
            elif there:
                placed.append(row)
        colour = material.get("color") if material and others == len(material) == 1 else None
        if colour and len(colour) == 3 and tintable[row]:
            tints[row] = colour
        elif others:
            looks.append(row)
    return tints, moved, placed, looks


def _picked(instances: Rows, source: Rows) -> Rows:
    """Instances of the base by what they are after some were made anew; any for those."""
    if not len(instances):
        return np.zeros(len(source), np.intp)
    picked: Rows = instances[np.minimum(source, len(instances) - 1)]
    return picked


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> Rows:
    """start, start + 1, ... `count` numbers for each start, one after the other."""
    ends = counts.cumsum()
    offsets = np.repeat(starts - ends + counts, counts)
    ranges: Rows = offsets + np.arange(len(offsets))
    return ranges


def _sphere(corners: Matrix) -> tuple[Matrix, float]:
    if not len(corners):
        return np.zeros(3), 0.0
    centre = (corners.min(0) + corners.max(0)) / 2
    return centre, math.sqrt(float(((corners - centre) ** 2).sum(1).max()))
