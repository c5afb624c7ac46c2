"""What a scene of Blender holds: object table, lights, materials, keys of its state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from heliograph.colour import encoded
from heliograph.engines.blender.numbering import By
from heliograph.engines.blender.opening import SEEN_TYPES, listed
from heliograph.engines.blender.physics import is_simulated
from heliograph.engines.blender.shaders import principled
from heliograph.errors import SceneError
from heliograph.scene import Item, Material, ObjectTable, SceneObject, StateSpace
from heliograph.view import POSES

FRAME = "frame"
"""State key of the frame."""

_NO_BOX: NDArray[np.float64] = np.full((2, 3), np.nan)
_ELSEWHERE = ("CAMERA", "LIGHT", "LIGHT_PROBE", "SPEAKER")
_KINDS: Mapping[str, str] = {"FONT": "text", "SUN": "directional"}
_POSES = "(names, (K, 4, 4) world_from_object or (K, 3) metres)"
_FRAME = "() frame of the animation, with a fraction between two"


@dataclass(frozen=True, eq=False)
class Inventory:
    """What a scene holds.

    Attributes:
        table: the object table; collections and, where they are told apart, materials stand in it
            as rows that are not seen themselves.
        objects: object name -> id that it is shown as.
        materials: material name -> id, where materials are told apart.
    """

    table: ObjectTable
    objects: Mapping[str, int]
    materials: Mapping[str, int]


def inventory(scene: Any, by: By) -> Inventory:
    """The objects of a `bpy.types.Scene` as they stand now.

    Raises:
        SceneError: two objects have one name, or two materials where these are told apart.
    """
    _check_names("objects", scene.objects)
    things = sorted(
        (each for each in scene.objects if each.type not in _ELSEWHERE),
        key=lambda each: each.name,
    )
    collections = list(_collections(scene.collection))
    materials = sorted(bpy.data.materials, key=lambda each: each.name) if by == "material" else []
    _check_names("materials", materials)
    ids = {thing: number for number, thing in enumerate([*things, *collections, *materials], 1)}
    above = _above(collections)
    rows = [_object_row(thing, ids, above) for thing in things]
    rows += [_group_row(each, "collection", ids, above) for each in collections]
    rows += [_group_row(each, "material", ids, above) for each in materials]
    shown_as = _shown_as(things, by, ids, above)
    groups = [ids[each] if _is_shown(each, by, shown_as, ids) else 0 for each in collections]
    table = ObjectTable.of(rows)
    poses = np.array(table.poses)
    colours = np.array(table.colours)
    for row, thing in enumerate(things):
        poses[row] = thing.matrix_world
        colours[row] = _colour(thing)
    column = [*shown_as, *groups, *(ids[each] for each in materials)]
    table = replace(table, poses=poses, colours=colours, shown_as=np.array(column, np.int32))
    objects = {thing.name: number for thing, number in zip(things, shown_as, strict=True)}
    return Inventory(table, objects, {each.name: ids[each] for each in materials})


def _check_names(kind: str, blocks: Iterable[Any]) -> None:
    """Refuse blocks of one name, which labels, states and edits could not tell apart."""
    found: dict[str, list[str]] = {}
    for each in blocks:
        found.setdefault(each.name, []).append(each.name_full)
    twice = [" and ".join(sorted(names)) for names in found.values() if len(names) > 1]
    if twice:
        raise SceneError(
            f"{kind} of one name from several files cannot be told apart: "
            f"{listed(sorted(twice))}; rename them in the files, or use instances of linked "
            "collections"
        )


def _collections(collection: Any) -> Iterator[Any]:
    """A collection and all below it, each once, from above."""
    found: dict[Any, None] = {}
    waiting = [collection]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found[each] = None
            waiting.extend(sorted(each.children, key=lambda one: one.name, reverse=True))
    yield from found


def _above(collections: Sequence[Any]) -> dict[Any, Any]:
    """The first collection that each object or collection stands in."""
    found: dict[Any, Any] = {}
    for collection in collections:
        for each in (*collection.objects, *collection.children):
            found.setdefault(each, collection)
    return found


def _object_row(thing: Any, ids: Mapping[Any, int], above: Mapping[Any, Any]) -> SceneObject:
    parent = thing.parent
    while parent is not None and parent not in ids:
        parent = parent.parent
    material = next((slot.material.name for slot in thing.material_slots if slot.material), "")
    return SceneObject(
        ids[thing],
        thing.name,
        _KINDS.get(thing.type, thing.type.lower()),
        material,
        ids[above[thing] if parent is None else parent],
        _box(thing),
        seen=thing.type in SEEN_TYPES,
    )


def _group_row(
    group: Any, category: str, ids: Mapping[Any, int], above: Mapping[Any, Any]
) -> SceneObject:
    parent = ids[above[group]] if group in above else 0
    return SceneObject(ids[group], group.name, category, "", parent, _NO_BOX, seen=False)


def _shown_as(
    things: Sequence[Any], by: By, ids: Mapping[Any, int], above: Mapping[Any, Any]
) -> list[int]:
    """The id that each object is shown as; of its first material where materials are told apart."""
    if by == "object":
        return [ids[each] if each.type in SEEN_TYPES else 0 for each in things]
    if by == "collection":
        return [ids[above[each]] for each in things]
    worn = [next((slot.material for slot in each.material_slots), None) for each in things]
    return [0 if each is None else ids[each] for each in worn]


def _is_shown(collection: Any, by: By, shown_as: Sequence[int], ids: Mapping[Any, int]) -> bool:
    return by == "collection" and ids[collection] in shown_as


def _box(thing: Any) -> NDArray[np.float64]:
    """Lower and upper corner (2, 3) of what is seen of an object, in its own axes."""
    if thing.type not in SEEN_TYPES or not any(thing.dimensions):
        return _NO_BOX
    corners = np.array(thing.bound_box, float)
    return np.stack([corners.min(0), corners.max(0)])


def _colour(thing: Any) -> NDArray[np.float64]:
    material = next((slot.material for slot in thing.material_slots if slot.material), None)
    return np.full(4, np.nan) if material is None else np.array(material_value(material).base_color)


def material_value(material: Any) -> Material:
    """What a `bpy.types.Material` says, as far as numbers say it."""
    node = principled(material)
    if node is None:
        red, green, blue, alpha = material.diffuse_color
        given = {"metallic": material.metallic, "roughness": material.roughness}
        return Material(
            material.name, base_color=_srgb((red, green, blue), alpha), **_shares(given)
        )
    value = {
        each.name: each.default_value for each in node.inputs if hasattr(each, "default_value")
    }
    emissive = np.array(value["Emission Color"][:3])
    given = {
        "metallic": value["Metallic"],
        "roughness": value["Roughness"],
        "specular": value["Specular IOR Level"],
    }
    alpha = value["Alpha"]
    linked = node.inputs["Base Color"].is_linked
    base = (1.0, 1.0, 1.0) if linked else tuple(value["Base Color"][:3])
    return Material(
        material.name,
        base_color=_srgb(base, alpha),
        emissive=_srgb(emissive / max(emissive.max(), 1.0))[:3],
        emissive_strength=float(value["Emission Strength"] * max(emissive.max(), 1.0)),
        side="front" if material.use_backface_culling else "double",
        alpha_mode="blend" if alpha < 1 else "opaque",
        **_shares(given),
    )


def _shares(given: Mapping[str, float]) -> Any:
    return {name: min(max(value, 0.0), 1.0) for name, value in given.items()}


def _srgb(light: Any, alpha: float = 1.0) -> tuple[float, float, float, float]:
    red, green, blue = encoded(np.clip(light, 0, 1)).tolist()
    return red, green, blue, min(max(alpha, 0.0), 1.0)


def lights(scene: Any) -> tuple[Item, ...]:
    """The lights of a scene."""
    found = sorted(
        (each for each in scene.objects if each.type == "LIGHT"), key=lambda one: one.name
    )
    return tuple(
        Item(
            each.name,
            _KINDS.get(each.data.type, each.data.type.lower()),
            f"{each.data.energy:g} W",
            not each.hide_render,
        )
        for each in found
    )


def state_items(scene: Any) -> tuple[Item, ...]:
    """What may stand in a state: the frame, poses, and data paths of what is made to be moved."""
    items = [Item(FRAME, "frame", _FRAME), Item(POSES, "poses", _POSES)]
    for thing in sorted(scene.objects, key=lambda each: each.name):
        path = f'objects["{bpy.utils.escape_identifier(thing.name)}"]'
        items.append(Item(f"{path}.location", "data path", "(3,) metres in its parent"))
        keys = getattr(thing.data, "shape_keys", None)
        items += [] if keys is None else _shape_keys(keys)
        for bone in thing.pose.bones if thing.pose is not None else ():
            rotation = "rotation_quaternion" if bone.rotation_mode == "QUATERNION" else ""
            rotation = rotation or "rotation_euler"
            name = f'{path}.pose.bones["{bpy.utils.escape_identifier(bone.name)}"].{rotation}'
            items.append(Item(name, "data path", "of a bone"))
    return tuple({item.name: item for item in items}.values())


def _shape_keys(keys: Any) -> list[Item]:
    start = f'shape_keys["{bpy.utils.escape_identifier(keys.name)}"].key_blocks'
    return [
        Item(f'{start}["{bpy.utils.escape_identifier(each.name)}"].value', "data path", "() share")
        for each in keys.key_blocks[1:]
    ]


def state_space(scene: Any, layer: Any) -> StateSpace:
    """Frames, where anything that a view layer shows is animated or simulated."""
    moves = is_simulated(scene) or any(map(_is_animated, layer.depsgraph.ids))
    low, high = np.array(float(scene.frame_start)), np.array(float(scene.frame_end))
    if not moves or low >= high:
        return StateSpace()
    rest = {FRAME: np.array(float(scene.frame_current_final))}
    return StateSpace(rest, ranges={FRAME: (low, high)})


def _is_animated(block: Any) -> bool:
    """Whether a data block has an action, or strips of some."""
    animation = getattr(block, "animation_data", None)
    if animation is None:
        return False
    strips = animation.use_nla and any(len(each.strips) for each in animation.nla_tracks)
    return animation.action is not None or strips
