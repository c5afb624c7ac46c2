"""The numbers of objects: the same for everything that draws a scene, also after edits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heliograph.engines.components import ComponentEngine
from heliograph.scene import (
    Add,
    Box,
    CameraView,
    Component,
    Edit,
    Group,
    PointLight,
    Remove,
    Scene,
    Set,
    Sphere,
    Update,
    Upsert,
)
from heliograph.scene.numbers import ObjectIds, Sort, kept_rows
from heliograph.scene.tree import Tree

EDITS: Sequence[Sequence[Edit]] = (
    [Add(Sphere(key="new")), Remove("ball")],
    [Update(Box(key="rod", position=[1, 0, 0]))],
    [Upsert(Sphere(key="ball")), Upsert(Sphere(key="rod"))],  # another object, and another type
    [Set(Scene(Group(Box(key="more"), Sphere(key="new"), key="arm"), PointLight(key="lamp")))],
    [Add(Box(key="rod"), to="arm")],
)


def _scene() -> Scene:
    arm = Group(Box(key="rod"), CameraView(key="eye"), key="arm")
    return Scene(PointLight(key="lamp"), arm, Sphere(key="ball"))


def _named(tree: Tree, numbers: ObjectIds) -> dict[str, int]:
    return dict(zip(tree.names(), numbers.ids.tolist(), strict=True))


def _edited(tree: Tree, numbers: ObjectIds, edits: Sequence[Edit]) -> tuple[Tree, ObjectIds]:
    other = tree.copy()
    changes = other.apply(edits)
    kept = kept_rows(tree, other, changes)
    return other, numbers.followed(tree, other, kept, replaced=changes.replaced)


def test_what_is_drawn_is_numbered_before_groups() -> None:
    tree = Tree(_scene())
    numbers = ObjectIds.of(tree)
    named = {"scene": 0, "lamp": 0, "arm": 3, "rod": 1, "eye": 0, "ball": 2}
    assert _named(tree, numbers) == named
    assert numbers.next_id == 4
    sorts = [Sort(each).name for each in numbers.sorts.tolist()]
    assert sorts == ["GROUP", "LIGHT", "GROUP", "DRAWN", "CAMERA", "DRAWN"]


def test_a_number_is_never_used_again() -> None:
    tree = Tree(_scene())
    numbers = ObjectIds.of(tree)
    owners: dict[int, tuple[str, type[Component]]] = {}
    for edits in EDITS:
        tree, numbers = _edited(tree, numbers, edits)
        ids = numbers.ids[numbers.ids > 0].tolist()
        assert len(set(ids)) == len(ids)
        for thing, number in zip(tree.things(), numbers.ids.tolist(), strict=True):
            assert not number or owners.setdefault(number, thing) == thing
        assert numbers.next_id > max(ids)


def test_edits_leave_the_numbers_of_other_versions_alone() -> None:
    tree = Tree(_scene())
    numbers = ObjectIds.of(tree)
    before = numbers.ids.copy()
    for edits in EDITS[:4]:
        _edited(tree, numbers, edits)
        assert np.array_equal(numbers.ids, before)


def test_the_component_engine_numbers_so() -> None:
    tree = Tree(_scene())
    numbers = ObjectIds.of(tree)
    engine = ComponentEngine(_scene())
    try:
        for edits in EDITS:
            engine.advance(edits)
            tree, numbers = _edited(tree, numbers, edits)
            table = engine.scene.objects
            named = {key: number for key, number in _named(tree, numbers).items() if number}
            assert dict(zip(table.names, table.ids.tolist(), strict=True)) == named
    finally:
        engine.close()
