"""What a dependency graph shows, kept in step with it: only what changed is read again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.engines.blender import lamps
from heliograph.engines.blender.evaluated import EvaluatedMeshes, Piece
from heliograph.engines.blender.images import Textures
from heliograph.engines.blender.materials import Paint, paint
from heliograph.engines.blender.numbering import is_itself
from heliograph.engines.blender.updates import Stamp, Updated, Updates
from heliograph.engines.blender.world import Numbering
from heliograph.raster import Light, Rasterizer

_INSTANCE, _NO_MATERIAL = -1, -1

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surface:
    """A part of a thing.

    Attributes:
        piece: its triangles.
        material: the name of what it is made of, "" for nothing.
        look: tells materials apart that had the same name, one after the other.
        paint: how that looks.
        texture: handle, -1 for none.
        clear: whether the texture is see-through anywhere.
    """

    piece: Piece
    material: str
    look: int
    paint: Paint
    texture: int
    clear: bool


@dataclass(frozen=True, eq=False)
class Thing:
    """An object, or an instance of one.

    Attributes:
        name: the object's.
        maker: of an instance, the name of who makes it, and its persistent id.
        place: which of the graph's objects it is; -1 of an instance.
        pose: world_from_object (4, 4) of an instance.
        surfaces: what is drawn.
        lamp: of an instance, its light.
    """

    name: str
    maker: tuple[str, tuple[int, ...]] | None
    place: int
    pose: Matrix | None
    surfaces: tuple[Surface, ...] = ()
    lamp: Light | None = None

    def identity(self, numbering: Numbering) -> int:
        """What it is shown as, where objects are told apart."""
        if self.maker is None:
            return numbering.of_object(self.name)
        parent, persistent_id = self.maker
        return numbering.of_instance(parent, self.name, persistent_id)


class ThingTable:
    """The things of a dependency graph.

    Args:
        rasterizer: where their triangles and textures are.

    Attributes:
        things: all of them, in the graph's order.
        matrices: world_from_object (M, 4, 4) of the graph's objects.
    """

    def __init__(self, rasterizer: Rasterizer) -> None:
        self._updates = Updates()
        self._meshes = EvaluatedMeshes(rasterizer, self._updates.stamp)
        self._textures = Textures(rasterizer)
        self._paints: dict[int, tuple[Paint, tuple[Any, ...] | None]] = {}
        self._graph: tuple[int, str] | None = None
        self._names: list[tuple[str, int]] = []
        self._stamps: list[Stamp] = []
        self._hidden = np.empty(0, np.bool_)
        self._instanced = False
        self._dirty: list[Any] = []
        self._lamps: list[int] = []
        self._places: dict[str, int] = {}
        self.things: list[Thing] = []
        self.matrices: Matrix = np.empty((0, 4, 4))

    def refresh(self, scene: Any, layer: Any) -> bool:
        """Read again what changed; whether the things are other ones, or look otherwise."""
        graph, updated = layer.depsgraph, self._updates.take()
        here, before = (scene.session_uid, layer.name), self._graph
        self._graph = None  # all is read again after an error
        objects = list(graph.objects)
        names = [(each.name_full, each.original.session_uid) for each in objects]
        stamps = [self._updates.stamp(each.data) for each in objects]
        hidden = np.empty(len(objects), np.bool_)
        graph.objects.foreach_get("hide_render", hidden)
        matrices = np.empty((len(objects), 4, 4), np.float32)
        graph.objects.foreach_get("matrix_world", matrices.reshape(-1))
        self.matrices = matrices.transpose(0, 2, 1).astype(float)
        changed = self._forget_looks(updated, other=here != before)
        if (
            changed
            or updated.everything
            or updated.structure
            or (self._instanced and updated.anything)
            or here != before
            or names != self._names
            or not np.array_equal(hidden, self._hidden)
        ):
            self._names, self._hidden = names, hidden
            self._scan(layer, graph)
            changed = True
        else:
            changed = self._update(objects, stamps, updated)
        self._graph, self._stamps = here, stamps
        return changed

    def lights(self, graph: Any) -> list[Light]:
        """Lights that shine, as they are now."""
        found = [each.lamp for each in self.things if each.lamp is not None]
        if self._lamps:
            objects = graph.objects
            made = [lamps.light(objects[at].data, self.matrices[at]) for at in self._lamps]
            found += [each for each in made if each is not None]
        return found

    @property
    def approximated(self) -> dict[str, str]:
        """Materials that do not look as Blender draws them, and why."""
        surfaces = (surface for each in self.things for surface in each.surfaces)
        return {
            each.material: each.paint.approximated for each in surfaces if each.paint.approximated
        }

    def close(self) -> None:
        """Stop listening to Blender; may be called twice."""
        self._updates.close()

    def _forget_looks(self, updated: Updated, *, other: bool) -> bool:
        """Forget how materials look, where one may look otherwise; whether so.

        Args:
            updated: what changed.
            other: whether another scene is shown, whose materials may have the same names.
        """
        self._textures.forget(updated.images)
        looks = updated.looks or updated.everything or other
        if not looks:
            told = [(each.maps, key) for each, key in self._paints.values() if key is not None]
            looks = any(self._textures.key(each) != key for each, key in told)
        if looks:
            self._paints = {}
        return looks

    def _scan(self, layer: Any, graph: Any) -> None:
        """Read all things."""
        self._places = {name: place for place, (name, _) in enumerate(self._names)}
        self._instanced, self._lamps, self.things = False, [], []
        unseen = _hidden_by_collection(layer)
        uids: set[Stamp] = set()
        for instance in graph.object_instances:
            thing = instance.object
            self._instanced |= instance.is_instance
            if thing.type in ("MESH", "LIGHT") and _rendered(instance, unseen):
                self._add(instance, thing, uids)
        used = {surface.look for each in self.things for surface in each.surfaces}
        self._paints = {key: self._paints[key] for key in used}
        self._meshes.keep(
            uids, {self._names[each.place][0] for each in self.things if each.place >= 0}
        )
        self._textures.keep({key for _, key in self._paints.values() if key is not None})

    def _add(self, instance: Any, thing: Any, uids: set[Stamp]) -> None:
        place = None if instance.is_instance else self._places.get(thing.name_full)
        if place is not None:
            if thing.type == "LIGHT":
                self._lamps.append(place)
            else:
                self.things.append(self._thing(thing, place))
            return
        pose = np.array(instance.matrix_world)
        maker = None
        if instance.is_instance and not is_itself(instance):
            maker = instance.parent.name, tuple(instance.persistent_id)
        if thing.type == "LIGHT":
            lamp = lamps.light(thing.data, pose)
            self.things.append(Thing(thing.name, maker, _INSTANCE, pose, lamp=lamp))
            return
        uids.add(self._updates.stamp(thing.data))
        surfaces = self._surfaces(thing, self._meshes.of_instance(thing.data))
        self.things.append(Thing(thing.name, maker, _INSTANCE, pose, surfaces))

    def _thing(self, thing: Any, place: int) -> Thing:
        pieces = self._meshes.of_object(thing)
        return Thing(thing.name, None, place, None, self._surfaces(thing, pieces))

    def _update(self, objects: list[Any], stamps: list[Stamp], updated: Updated) -> bool:
        """Read things again that are not what they were; whether there are any."""
        stale = {self._places[each] for each in updated.objects if each in self._places}
        stale |= {place for place, uid in enumerate(stamps) if uid != self._stamps[place]}
        places = [(n, each.place) for n, each in enumerate(self.things) if each.place in stale]
        for number, place in places:
            self.things[number] = self._thing(objects[place], place)
        return bool(places)

    def _surfaces(self, thing: Any, pieces: list[Piece]) -> tuple[Surface, ...]:
        return tuple(self._surface(piece, _material(thing, piece.slot)) for piece in pieces)

    def _surface(self, piece: Piece, material: Any) -> Surface:
        name, key = "", _NO_MATERIAL
        if material is not None:
            name, key = material.name, material.original.session_uid
        if key not in self._paints:
            look = paint(material)
            state = self._textures.key(look.maps) if look.maps.images else None
            self._paints[key] = look, state
        look = self._paints[key][0]
        texture, clear = self._textures.take(look.maps)
        return Surface(piece, name, key, look, texture, clear)


def _hidden_by_collection(layer: Any) -> set[str]:
    """Full names of objects that are in no collection that renders show."""
    hidden: set[str] = set()
    shown: set[str] = set()
    for each, seen in _collections(layer.layer_collection, seen=True):
        (shown if seen else hidden).update(one.name_full for one in each.objects)
    return hidden - shown


def _collections(layer: Any, *, seen: bool) -> Iterator[tuple[Any, bool]]:
    """Collections of a view layer, and whether renders show them; none but where some are not."""
    seen = seen and not layer.collection.hide_render
    yield layer.collection, seen
    for child in layer.children:
        yield from _collections(child, seen=seen)


def _rendered(instance: Any, unseen: set[str]) -> bool:
    thing = instance.object
    if instance.is_instance:
        parent = instance.parent
        if thing.hide_render and parent.instance_type == "COLLECTION":
            return False  # what nodes and particles show may itself be hidden
        return not (parent.hide_render or parent.name_full in unseen)
    if thing.hide_render or thing.name_full in unseen:
        return False
    return bool(not thing.is_instancer or thing.show_instancer_for_render)


def _material(thing: Any, slot: int) -> Any:
    """What the faces of a slot are made of; faces beyond the last one have its material."""
    own = thing.data.materials
    if not len(own):
        return None
    slot = min(slot, len(own) - 1)
    slots = thing.material_slots
    if slot < len(slots) and slots[slot].link == "OBJECT":
        return slots[slot].material
    return own[slot]
