"""Ids of instances are a function of what is shown alone."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph.engines.blender import numbering
from heliograph.engines.blender.numbering import (
    FIRST_INSTANCE,
    LAST_ID,
    InstanceKey,
    SceneNumbering,
    hashed,
    instance_ids,
)
from heliograph.frame import BACKGROUND, Label

LABELS = {0: BACKGROUND, 1: Label("Tree", "mesh"), 2: Label("Leaf", "mesh")}
UNUSED = 0x7FFFFFFF

keys = st.tuples(st.text(max_size=4), st.text(max_size=4), st.tuples(st.integers(0, 9)))


@given(st.lists(keys, max_size=40), st.randoms())
def test_ids_differ_and_do_not_depend_on_the_order(some: list[InstanceKey], random: Random) -> None:
    ids = instance_ids(some)
    shuffled = list(some)
    random.shuffle(shuffled)
    assert instance_ids(shuffled) == ids
    assert len(set(ids.values())) == len(ids) == len(set(some))
    assert all(FIRST_INSTANCE <= number < LAST_ID for number in ids.values())


def test_equal_hashes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "hashed", lambda _key: LAST_ID - 1)
    ids = instance_ids([("b", "x", (1,)), ("a", "x", (1,)), ("c", "x", (1,))])
    assert list(ids.values()) == [LAST_ID - 1, FIRST_INSTANCE, FIRST_INSTANCE + 1]
    assert list(ids) == sorted(ids)


def test_an_id_is_the_same_in_every_process() -> None:
    assert hashed(("Tree", "Leaf", (3,))) == 8103644


def test_instances_are_labelled_and_found() -> None:
    shown = [("Tree", "Leaf", (3,)), ("Tree", "Leaf", (4,))]
    numbering = SceneNumbering("object", {"Tree": 1, "Leaf": 2}, {}, LABELS, lambda: shown)
    number = numbering.of_instance("Tree", "Leaf", (3, *[UNUSED] * 7))
    assert number == hashed(shown[0])
    assert numbering.labels[number] == ("Tree/Leaf.3", "mesh")
    assert numbering.labels[2] == ("Leaf", "mesh")
    assert len(numbering.labels) == 5


def test_without_instances_the_labels_are_the_scene_s() -> None:
    numbering = SceneNumbering("object", {"Tree": 1}, {}, LABELS)
    assert numbering.labels is LABELS
    assert (numbering.of_object("Tree"), numbering.of_object("Sky")) == (1, 0)


def test_instances_belong_to_the_collection_of_what_they_are_made_of() -> None:
    numbering = SceneNumbering("collection", {"Tree": 1, "Leaf": 2}, {}, LABELS)
    assert numbering.of_instance("Tree", "Leaf", (1,)) == 2
    assert numbering.of_instance("Tree", "elsewhere", (1,)) == 1


def test_materials() -> None:
    numbering = SceneNumbering("material", {"Tree": 1}, {"Bark": 7}, LABELS)
    assert (numbering.of_material("Bark"), numbering.of_material("")) == (7, 0)
