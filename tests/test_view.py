"""Views, frames and samples: copies of them, here and for other processes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.frame import BACKGROUND, Label

EYE = hg.Camera.perspective(fov_y=1.0, width=4, height=3, name="eye")
LABELS = MappingProxyType({0: BACKGROUND, 1: Label("cube", "object")})

copies = pytest.mark.parametrize(
    "copied",
    [
        lambda value: pickle.loads(pickle.dumps(value)),
        lambda value: pickle.loads(pickle.dumps(value, protocol=2)),
        copy.deepcopy,
        copy.copy,
    ],
    ids=["pickle", "old pickle", "deepcopy", "copy"],
)
Copied = Callable[[Any], Any]


def a_view() -> hg.View:
    edits = (hg.Hide(("cube",)), hg.Add(hg.Box(key="box")), hg.MoveObject("cube", np.eye(4)))
    return hg.View(("top", EYE), ("rgb", "depth"), {"qpos": [0.5, 1.0]}, edits, 3, 8)


def a_frame() -> hg.Frame:
    depth = np.full((3, 4), np.inf, np.float32)
    passes: dict[str, Any] = {"rgb": np.full((3, 4, 3), 7, np.uint8), "depth": depth}
    return hg.Frame(EYE, MappingProxyType(passes), LABELS)


def a_sample() -> hg.Sample:
    drawn = {"paint": MappingProxyType({"colour": [1.0, 0.5], "more": MappingProxyType({"a": 1})})}
    frames = MappingProxyType({"eye": a_frame(), "other": a_frame()})
    state = MappingProxyType({"qpos": np.array([0.5, 1.0])})
    return hg.Sample(frames, LABELS, state, 3, 8, drawn, {"boxes": [[1, 2]]})


def same_arrays(one: Any, other: Any) -> bool:
    return list(one) == list(other) and all(
        one[key].dtype == other[key].dtype and np.array_equal(one[key], other[key]) for key in one
    )


def same_frame(one: hg.Frame, other: hg.Frame) -> bool:
    labels = dict(one.labels) == dict(other.labels)
    return one.camera == other.camera and labels and same_arrays(one.passes, other.passes)


@copies
def test_views_can_be_copied(copied: Copied) -> None:
    view = a_view()
    other: Any = copied(view)
    assert type(other) is type(view)
    assert other.cameras == view.cameras
    assert (other.passes, other.seed, other.index) == (view.passes, view.seed, view.index)
    assert same_arrays(other.state, view.state)
    edits: Any = other.edits
    hide, add, move = edits
    assert (type(hide), hide.objects) == (hg.Hide, ("cube",))
    assert (type(add), add.component.key) == (hg.Add, "box")
    assert (type(move), move.pose.tolist()) == (hg.MoveObject, np.eye(4).tolist())


@copies
def test_a_copied_view_is_read_only_too(copied: Copied) -> None:
    state = copied(a_view()).state
    assert isinstance(state, MappingProxyType)
    assert not state["qpos"].flags.writeable


@copies
def test_frames_can_be_copied(copied: Copied) -> None:
    assert same_frame(copied(a_frame()), a_frame())


@copies
def test_samples_can_be_copied(copied: Copied) -> None:
    sample = a_sample()
    other = copied(sample)
    assert list(other.frames) == list(sample.frames)
    assert all(same_frame(one, two) for one, two in zip(other, sample, strict=True))
    assert dict(other.labels) == dict(sample.labels)
    assert same_arrays(other.state, sample.state)
    assert (other.seed, other.index) == (3, 8)
    assert other.randomization == {"paint": {"colour": [1.0, 0.5], "more": {"a": 1}}}
    assert other.annotations == {"boxes": [[1, 2]]}


@copies
def test_labels_that_frames_share_stay_shared(copied: Copied) -> None:
    other = copied(a_sample())
    assert other["eye"].labels is other["other"].labels is other.labels


def test_a_deep_copy_has_arrays_of_its_own() -> None:
    sample = a_sample()
    other = copy.deepcopy(sample)
    other["eye"].rgb[:] = 0
    assert sample["eye"].rgb.min() == 7


@copies
def test_what_was_rendered_can_be_copied(copied: Copied) -> None:
    scene = hg.Scene(hg.Box(key="box"), hg.CameraView(key="eye", position=[0, -3, 0]))
    with hg.open(scene) as renderer:
        sample = renderer.render(hg.View(passes=("rgb", "segmentation")))
    other = copied(sample)
    assert same_frame(other["eye"], sample["eye"])
    assert dict(other.labels) == dict(sample.labels)


@pytest.mark.parametrize("randomize", [3, [1], b"config.json", True])
def test_a_randomization_that_is_none_is_refused(randomize: Any) -> None:
    expected = "randomize: expected the path of a config, a mapping .* or a Randomization, got"
    with pytest.raises(hg.InvalidValueError, match=expected):
        hg.open(hg.Scene(hg.Box()), randomize=randomize)


@pytest.mark.parametrize("keys", ["ball", ("a\0b",), ("\ud800",), (3,), None])
def test_keys_of_columns_that_are_none_are_told(keys: Any) -> None:
    with pytest.raises(hg.InvalidValueError, match="poses"):
        hg.View(state={"poses": (keys, np.zeros((1, 3)))})
