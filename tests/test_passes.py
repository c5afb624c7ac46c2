"""Specs of passes: what they may be, and how passes are asked for."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heliograph.camera import Camera
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.passes import (
    DEPTH,
    PASSES,
    RGB,
    SEGMENTATION,
    PassSpec,
    check_pass_names,
    select_passes,
)
from heliograph.transport.scenes import pack_pass, unpack_pass
from heliograph.view import View

FLOW = PassSpec("flow", np.dtype(np.float32), 2, "px", np.nan, "to the next frame")
CAMERA = Camera.look_at(
    eye=(1, 1, 1), target=(0, 0, 0), fov_y=0.8, width=7, height=5, name="camera"
)


@pytest.mark.parametrize("spec", [*PASSES.values(), FLOW, replace(FLOW, fill=-np.inf)])
def test_specs_equal_themselves_wherever_they_have_been(spec: PassSpec) -> None:
    copy = pickle.loads(pickle.dumps(spec))
    for other in (copy, unpack_pass(pack_pass(spec)), replace(spec, fill=float(str(spec.fill)))):
        assert other == spec
        assert hash(other) == hash(spec)
    assert spec != replace(spec, fill=1)
    assert spec != replace(spec, meaning="other")
    assert spec != spec.name


def test_shapes_follow_the_channels() -> None:
    assert FLOW.shape(CAMERA) == (5, 7, 2)
    assert DEPTH.shape(CAMERA) == (5, 7)
    assert replace(FLOW, channels=1).shape(CAMERA) == (5, 7, 1)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "a pass"}, "identifier"),
        ({"dtype": "nothing"}, "dtype"),
        ({"dtype": np.dtype("U3")}, "numbers"),
        ({"dtype": np.dtype(np.complex64)}, "numbers"),
        ({"channels": -1}, "channels"),
        ({"channels": 65}, "channels"),
        ({"fill": "blue"}, "fill"),
        ({"fill": 10**400}, "fill"),
        ({"dtype": np.dtype(np.uint8), "fill": 300}, "uint8 holds"),
        ({"dtype": np.dtype(np.int32), "fill": np.nan}, "int32 holds"),
        ({"name": "x" * 65}, "64 letters"),
        ({"meaning": b"x"}, "meaning: expected text"),
        ({"file_form": "png"}, "PNG"),
        ({"file_form": "exr"}, "file_form"),
    ],
)
def test_specs_that_are_none_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidValueError, match=told):
        replace(FLOW, **wrong)


def test_passes_are_asked_for_by_name_by_spec_one_or_several_or_as_a_mapping() -> None:
    for given in (("rgb", "depth"), [RGB, DEPTH], ("rgb", DEPTH), {"rgb": RGB, "depth": DEPTH}):
        assert check_pass_names(given) == ("rgb", "depth")
        view: Any = View(passes=given)
        assert view.passes == view.pass_names == ("rgb", "depth")
    assert View(passes=[FLOW]).pass_names == ("flow",)
    assert View(passes="depth").pass_names == View(passes=DEPTH).pass_names == ("depth",)
    for wrong in ((), ("rgb", RGB), (1,), 1, None):
        with pytest.raises(InvalidValueError, match="passes"):
            View(passes=wrong)  # type: ignore[arg-type]


def test_who_draws_says_which_passes_there_are() -> None:
    assert list(select_passes(("segmentation", "rgb"), PASSES).values()) == [SEGMENTATION, RGB]
    with pytest.raises(UnknownNameError, match="depth"):
        select_passes(("deppth",), PASSES)
