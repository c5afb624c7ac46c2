"""Integers that users give: one check for all of them."""

from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.checks import MAX_INTEGER, check_integer, is_integer
from heliograph.pool.options import PoolOptions, check_workers


@pytest.mark.parametrize("value", [0, 7, np.int8(7), np.uint64(7), np.array(7), MAX_INTEGER])
def test_integers_become_pythons_own(value: Any) -> None:
    found = check_integer("index", value)
    assert type(found) is int
    assert found == value


@pytest.mark.parametrize(
    "value",
    [-1, 2**63, True, np.True_, 1.0, np.float64(1), "1", None, [1], np.array([1, 2]), np.zeros(3)],
)
def test_what_is_no_integer_is_named(value: Any) -> None:
    assert not is_integer(value)
    with pytest.raises(hg.InvalidValueError, match=r"^index: expected an integer from 0 to"):
        check_integer("index", value)


def test_a_view_keeps_pythons_own_integers() -> None:
    view = hg.View(seed=np.int64(3), index=np.array(4))  # type: ignore[arg-type]
    assert (type(view.seed), type(view.index)) == (int, int)


def test_more_workers_than_any_machine_runs_are_refused_before_one_starts() -> None:
    assert check_workers(64) == 64
    with pytest.raises(hg.InvalidValueError, match=r"^workers: expected an integer from 1 to"):
        hg.open("fake", workers=1_000_000)
    with pytest.raises(hg.InvalidValueError, match=r"^cores: expected an integer from 1 to 4096"):
        PoolOptions(cores=1_000_000)
    with pytest.raises(hg.InvalidValueError, match=r"^depth: expected an integer from 1 to 1024"):
        PoolOptions(depth=10**9)
