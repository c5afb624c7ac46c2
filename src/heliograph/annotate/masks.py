"""Masks of objects as run-length codes, and pictures of categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.annotate.runs import check_ids, runs_of
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.frame import Label, Labels
from heliograph.requires import Requires


class Rle(TypedDict):
    """A mask as COCO has it: run lengths down the columns, compressed to text."""

    size: list[int]
    counts: str


def rles(segmentation: ArrayLike) -> dict[int, Rle]:
    """The mask of every id as COCO's compressed RLE, which `pycocotools.mask.decode` takes.

    Args:
        segmentation: (H, W) ids, or a mask of true and false; the background, 0, has none.

    Raises:
        MissingDependencyError: pycocotools is not installed.
    """
    with Requires("pycocotools"):
        from pycocotools import mask

    ids = check_ids(segmentation)
    height, width = ids.shape
    runs = runs_of(ids.T.reshape(1, -1))
    order = np.argsort(runs.places, kind="stable")
    edges = np.stack([runs.starts, runs.stops], 1)[order]
    first = np.searchsorted(runs.places[order], np.arange(len(runs.known) + 1))
    found: dict[int, Rle] = {}
    for place, number in enumerate(runs.known.tolist()):
        if number:
            own = edges[first[place] : first[place + 1]].ravel()
            rest = [ids.size] if own[-1] < ids.size else []
            counts = np.diff(own, prepend=0, append=rest).tolist()
            code = mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
            found[int(number)] = {"size": [height, width], "counts": code["counts"].decode()}
    return found


def category_numbers(labels: Labels, numbers: Mapping[str, int] | None = None) -> dict[str, int]:
    """A number for each category of a sample's labels: the background 0, others from 1 by name.

    Args:
        labels: `sample.labels`.
        numbers: those of a run of several scenes, instead.

    Raises:
        UnknownNameError: a category of the labels is not in `numbers`.
        InvalidValueError: a number that is none of 32 bits.
    """
    names = sorted({label.category for number, label in labels.items() if number})
    if numbers is None:
        return {name: place for place, name in enumerate(names, 1)}
    for name in names:
        if name not in numbers:
            raise UnknownNameError.of("category", name, numbers)
    bad = [n for n in numbers.values() if isinstance(n, bool) or not 0 <= n < 2**31]
    if bad:
        raise InvalidValueError(f"categories: expected numbers from 0 to 2**31 - 1, got {bad[0]!r}")
    return dict(numbers)


def category_map(
    segmentation: ArrayLike, labels: Labels, numbers: Mapping[str, int] | None = None
) -> tuple[NDArray[np.int32], dict[int, str]]:
    """A picture (H, W) int32 of the categories, 0 for the background, and what its numbers mean.

    Args:
        segmentation: (H, W) ids.
        labels: `sample.labels`.
        numbers: see `category_numbers`.

    Raises:
        InvalidValueError: an id that the labels do not have.
        UnknownNameError: a category without a number.
    """
    table = category_numbers(labels, numbers)
    ids, runs = check_ids(segmentation), runs_of(segmentation)
    known: list[int] = runs.known.tolist()
    meaning = [table[label_of(labels, each).category] if each else 0 for each in known]
    shown = np.array(meaning, np.int32)
    picture = np.repeat(shown[runs.places], runs.stops - runs.starts).reshape(ids.shape)
    return picture, {0: "background", **{number: name for name, number in table.items()}}


def label_of(labels: Labels, number: int) -> Label:
    """The label of an id.

    Raises:
        InvalidValueError: it has none.
    """
    if number not in labels:
        raise InvalidValueError(
            f"segmentation: id {number} is not in the labels; give those of the same sample"
        )
    return labels[number]
