"""Samplers draw what they say, and are read from and written to JSON."""

from __future__ import annotations

import colorsys
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.randomize import Materials, sampler
from heliograph.randomize.hsv import hsv_to_rgb, rgb_to_hsv
from heliograph.randomize.samplers import KINDS, Sampler, Span, normal
from heliograph.randomize.streams import stream

FORMS: list[Any] = [
    0.5,
    "spot",
    True,
    [0, {"uniform": [1, 2]}, 3.0],
    {"uniform": [-1, 2]},
    {"angle": [-90, 90]},
    {"normal": [1, 2]},
    {"normal": [1, 2, 0, 3]},
    normal(1, 2, low=0.5),
    normal(1, 2, high=0.5),
    {"log_uniform": [0.01, 10]},
    {"integer": [1, 3]},
    {"choice": [1, 2, 5]},
    {"choice": [[1, 0, 0], [0, 1, 0]]},
    {"hsv": [{"uniform": [0, 1]}, 0.5, 1.0]},
    {"on_sphere": 2.0},
    {"on_dome": {"uniform": [1, 2]}},
    {"in_ball": 3},
    {"quaternion": 180},
    {"quaternion": 10},
]


def draw(form: Any, count: int = 1000) -> Any:
    return sampler(form).draw(stream(0, 0, "test"), count)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_forms_go_to_json_and_back(form: Any) -> None:
    once = sampler(form)
    again = sampler(json.loads(json.dumps(once.to_json())))
    assert again.to_json() == once.to_json()
    np.testing.assert_array_equal(draw(form, 10), again.draw(stream(0, 0, "test"), 10))


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_shapes(form: Any) -> None:
    each: Sampler = sampler(form)
    item = (each.width,) if each.width else ()
    rng = stream(0, 0, "x")
    assert each.draw(rng).shape == item
    assert each.draw(rng, 5).shape == (5, *item)
    assert each.draw(rng, 0).shape == (0, *item)


numbers = st.floats(-1e6, 1e6)


@given(low=numbers, high=numbers, seed=st.integers(0, 1000))
def test_uniform_stays_in_range(low: float, high: float, seed: int) -> None:
    low, high = min(low, high), max(low, high)
    drawn = sampler({"uniform": [low, high]}).draw(stream(seed, 0, "u"), 100)
    assert drawn.min() >= low
    assert drawn.max() <= high


def test_uniform_fills_its_range() -> None:
    drawn = draw({"uniform": [2, 4]}, 10_000)
    np.testing.assert_allclose(np.quantile(drawn, [0.25, 0.5, 0.75]), [2.5, 3, 3.5], atol=0.05)


def test_degrees_become_radians() -> None:
    drawn = draw({"angle": [90, 180]})
    assert drawn.min() >= math.pi / 2
    assert drawn.max() <= math.pi


def test_normal_and_its_limits() -> None:
    assert draw({"normal": [3, 2]}, 20_000).std() == pytest.approx(2, abs=0.05)
    drawn = draw({"normal": [3, 2, 2, 4]})
    assert (drawn.min(), drawn.max()) == (2, 4)


def test_log_uniform_has_as_much_in_each_decade() -> None:
    drawn = draw({"log_uniform": [0.01, 1]}, 10_000)
    assert (drawn < 0.1).mean() == pytest.approx(0.5, abs=0.02)
    assert 0.01 <= drawn.min() <= drawn.max() <= 1


def test_integers_and_choices_reach_every_value() -> None:
    assert set(draw({"integer": [1, 3]}).tolist()) == {1, 2, 3}
    assert set(draw({"choice": ["a", "b"]}).tolist()) == {"a", "b"}


def test_points_on_and_in_spheres() -> None:
    for form in ({"on_sphere": 2}, {"on_dome": 2}):
        points = draw(form)
        np.testing.assert_allclose(np.linalg.norm(points, axis=1), 2)
        assert (points[:, 2] >= 0).all() == (form == {"on_dome": 2})
    assert np.abs(draw({"on_sphere": 1}, 20_000).mean(axis=0)).max() < 0.02
    inside = np.linalg.norm(draw({"in_ball": 1}, 10_000), axis=1)
    assert inside.max() <= 1 + 1e-12
    assert (inside < 0.5).mean() == pytest.approx(1 / 8, abs=0.02)


def test_quaternions_are_unit_and_within_their_angle() -> None:
    for limit in (180, 10):
        drawn = draw({"quaternion": limit})
        np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1)
        assert np.degrees(2 * np.arccos(np.abs(drawn[:, 0]))).max() <= limit + 1e-6


@given(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)))
def test_hsv_is_as_everyone_computes_it(colour: tuple[float, float, float]) -> None:
    expected = colorsys.hsv_to_rgb(*colour)
    np.testing.assert_allclose(hsv_to_rgb(*colour), expected, atol=1e-9)
    h, s, v = colorsys.rgb_to_hsv(*colour)
    ours = rgb_to_hsv(colour)
    np.testing.assert_allclose(ours[1:], (s, v), atol=1e-9)
    if s > 1e-6:
        assert abs((ours[0] - h + 0.5) % 1 - 0.5) < 1e-6


def test_hue_wraps() -> None:
    np.testing.assert_allclose(hsv_to_rgb(1.25, 1, 1), hsv_to_rgb(0.25, 1, 1), atol=1e-12)
    np.testing.assert_allclose(hsv_to_rgb(-0.1, 1, 1), hsv_to_rgb(0.9, 1, 1), atol=1e-12)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"uniform": [2, 1]}, "low <= high"),
        ({"uniform": [1]}, "expected 2 parameters"),
        ({"uniform": ["a", 1]}, "expected numbers, got 'a'"),
        ({"uniform": [0, math.inf]}, "finite"),
        ({"normal": [0, -1]}, "deviation >= 0"),
        ({"normal": [0, 1, "a", 2]}, "normal: expected numbers, got 'a'"),
        ({"normal": [0, 1, 0, True]}, "normal: expected numbers, got True"),
        ({"normal": [0, 1, 2, 1]}, "low <= high"),
        ({"log_uniform": ["a", 1]}, "log_uniform: expected numbers, got 'a'"),
        ({"integer": ["a", 1]}, "integer: expected numbers, got 'a'"),
        ({"quaternion": "a"}, "quaternion: expected numbers, got 'a'"),
        ({"in_ball": -1}, "in_ball: expected a radius of 0 or more"),
        ({"choice": [{"uniform": [0, 1]}]}, "choice: expected one or more numbers"),
        ({"choice": [[[1]]]}, "samplers of numbers"),
        ({"normal": [0, 1, 2]}, "expected 2 or 4 parameters"),
        ({"log_uniform": [0, 1]}, "above 0"),
        ({"integer": [0.5, 2]}, "whole"),
        ({"choice": []}, "one or more"),
        ({"choice": [1, [1, 2]]}, "one length"),
        ({"hsv": [1, 1]}, "expected 3 parameters"),
        ({"quaternion": 200}, "at most 180"),
        ({"uniform": [0, 1], "normal": [0, 1]}, "one of uniform"),
        (None, "expected a number"),
        (math.nan, "finite"),
        ([[1, 2], 3], "samplers of numbers"),
    ],
)
def test_what_is_no_sampler_is_refused(form: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        sampler(form)


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'uniform'"):
        sampler({"unifrom": [0, 1]})


def test_a_sampler_knows_what_it_may_draw() -> None:
    for form in FORMS:
        each = sampler(form)
        if each.span is None:
            assert form in ("spot", True)
            continue
        rows = each.draw(stream(1, 0, "x"), 2000)
        assert each.span.low - 1e-12 <= rows.min() <= rows.max() <= each.span.high + 1e-12
        if each.span.whole:
            assert (rows == np.round(rows)).all()
        if each.outcomes and not each.width:
            assert set(rows.tolist()) <= set(each.outcomes)


def test_a_kind_of_ones_own_is_a_sampler_with_rows() -> None:
    def rows(_: np.random.Generator, count: int) -> Any:
        return np.full(count, 0.25)

    made = Materials(specular=Sampler({"quarter": []}, rows, Span(0.0, 1.0)), colour=None)
    assert made.specular is not None
    assert made.specular.to_json() == {"quarter": []}
    with pytest.raises(InvalidValueError, match="which draws from -inf to inf"):
        Materials(specular=Sampler({"unknown": []}, rows))


def test_samplers_of_one_form_are_equal_and_their_forms_are_copies() -> None:
    for form in FORMS:
        again = pickle.loads(pickle.dumps(sampler(form)))
        assert again == sampler(form)
        assert sampler(sampler(form).to_json()) == again
        assert (draw(again, 5) == draw(form, 5)).all()
    made = sampler({"uniform": [0, 1]})
    made.to_json()["uniform"][0] = 5
    assert made.to_json() == {"uniform": [0, 1]}


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["spot", "", 2**63, -(2**63), 10**400, 1e308, -1e308, 0, 1, 180]),
    st.floats(),
    st.integers(-5, 5),
)
ANYTHING: Any = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from([*KINDS, "unifrom"]), inner, min_size=1, max_size=2),
    ),
    max_leaves=8,
)


@given(ANYTHING)
@settings(max_examples=300, deadline=None)
def test_anything_is_a_sampler_that_draws_what_it_says_or_refused(value: Any) -> None:
    try:
        made = sampler(value)
    except (InvalidValueError, UnknownNameError):
        return
    rows = made.draw(stream(0, 0, "x"), 5)
    assert rows.shape == ((5, made.width) if made.width else (5,))
    assert sampler(made.to_json()) == made
    if made.span is not None:
        assert np.isfinite(rows).all()
        slack = 1e-9 * max(map(abs, made.span[:2]))
        assert made.span.low - slack <= rows.min() <= rows.max() <= made.span.high + slack
