# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Masks as run lengths, outlines and categories, read back by pycocotools."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from heliograph.annotate import category_map, polygons, rles
from heliograph.errors import InvalidValueError, MissingDependencyError, UnknownNameError
from heliograph.frame import BACKGROUND, Label

# pycocotools' own array type, which numpy 2 asks for a copy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
IDS = arrays(np.int32, SHAPES, elements=st.integers(0, 3))
MASKS = arrays(bool, SHAPES)
LABELS = {0: BACKGROUND, 1: Label("a", "box"), 2: Label("b", "ball"), 9: Label("c", "box")}


def drawn(outlines, shape):
    codes = coco_mask.frPyObjects([outline.ravel().tolist() for outline in outlines], *shape)
    return coco_mask.decode(coco_mask.merge(codes)).astype(bool)


def area(outline):
    x, y = outline.T
    return (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2


@given(IDS)
def test_run_lengths_are_the_mask(ids):
    found = rles(ids)
    assert [*found] == sorted(set(ids.ravel().tolist()) - {0})
    for number, code in found.items():
        mask = np.asfortranarray(ids == number).astype(np.uint8)
        assert code["counts"].encode() == coco_mask.encode(mask)["counts"]
        assert np.array_equal(coco_mask.decode(code), mask)


@given(IDS | MASKS)
def test_outlines_draw_the_very_pixels(ids):
    found = polygons(ids)
    assert [*found] == sorted(set(ids.astype(int).ravel().tolist()) - {0})
    for number, outlines in found.items():
        assert np.array_equal(drawn(outlines, ids.shape), ids == number)
        assert sum(map(area, outlines)) == (ids == number).sum()
        assert min(map(area, outlines)) > 0


def test_a_square_has_four_corners_clockwise():
    mask = np.zeros((6, 7), bool)
    mask[1:4, 2:6] = True
    (outline,) = polygons(mask)[1]
    start = outline.tolist().index([2, 1])
    assert np.roll(outline, -start, 0).tolist() == [[2, 1], [6, 1], [6, 4], [2, 4]]


def test_a_ring_is_one_outline():
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    (outline,) = polygons(mask)[1]
    assert area(outline) == 24
    assert len(outline) == 4 + 2 + 4, "four corners outside, four inside, two where they join"


def test_holes_one_below_another_and_islands_in_them():
    y, x = np.mgrid[:41, :41] - 20
    rings = np.hypot(x, y).astype(int) // 4 % 2 == 0
    rings[:, 18:22] |= True
    rings[5:36:3, 20] = False
    found = polygons(rings)[1]
    assert np.array_equal(drawn(found, rings.shape), rings)


def test_an_empty_picture_has_no_masks():
    empty = np.zeros((4, 5), np.int32)
    assert polygons(empty) == {}
    assert rles(empty) == {}


def test_categories_are_numbered_by_name():
    ids = np.array([[0, 1, 2], [9, 9, 0]], np.int32)
    picture, meaning = category_map(ids, LABELS)
    assert picture.tolist() == [[0, 2, 1], [2, 2, 0]]
    assert picture.dtype == np.int32
    assert meaning == {0: "background", 1: "ball", 2: "box"}


def test_categories_may_have_numbers_of_their_own():
    ids = np.array([[0, 1, 2]], np.int32)
    picture, meaning = category_map(ids, LABELS, {"box": 7, "ball": 0, "car": 3})
    assert picture.tolist() == [[0, 7, 0]]
    assert meaning[7] == "box"
    with pytest.raises(UnknownNameError, match="ball"):
        category_map(ids, LABELS, {"box": 7})
    with pytest.raises(InvalidValueError, match="categories: expected"):
        category_map(ids, LABELS, {"box": -1, "ball": 0})
    with pytest.raises(InvalidValueError, match="id 3 is not in the labels"):
        category_map([[3]], LABELS)


def test_run_lengths_name_the_extra_that_brings_pycocotools(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(MissingDependencyError, match=r"heliograph\[coco\]"):
        rles(np.ones((2, 2), bool))
