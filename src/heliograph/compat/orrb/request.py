"""Requests: a dict with qpos and seeds, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.batch import column
from heliograph.compat.orrb.mapping import QposMapping
from heliograph.compat.orrb.problems import RendererError
from heliograph.view import MAX_SEED

_LOW, _HIGH = -(2**63), 2**63 - 1


def read_request(
    batch: Mapping[str, Any], mapping: QposMapping
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What is to be drawn.

    Returns:
        The model's own qpos (N, nq), and N seeds from 0 to 2**63 - 1; a negative one stands for
        itself less its sign bit.

    Raises:
        HeliographError: a key is missing, or its value of a wrong kind, shape or range.
    """
    if "qpos" not in batch:
        raise RendererError("the batch has no 'qpos'; expected joint states, shape (N, nq)")
    states = column("qpos", batch["qpos"])
    if states.ndim != 2 and states.size:
        raise RendererError(f"qpos: expected shape (N, nq), a row per entry, got {states.shape}")
    qpos = mapping.rows(states.astype(float))
    seeds = [seed & MAX_SEED for seed in _seeds(batch, len(qpos))]
    return qpos, np.array(seeds, np.int64)


def _seeds(batch: Mapping[str, Any], count: int) -> list[int]:
    if batch.get("seeds") is not None:
        return _listed(batch["seeds"], count)
    if batch.get("seed") is None:
        raise RendererError(
            "the batch has neither 'seed', an integer (entry i uses seed + i), nor 'seeds', (N,)"
        )
    first = _whole(batch["seed"], "seed")
    if first + max(count - 1, 0) > _HIGH:
        raise RendererError(f"seed: {first} + {count - 1} is beyond int64")
    return [first + i for i in range(count)]


def _listed(value: Any, count: int) -> list[int]:
    try:
        listed = np.asarray(value, object).tolist()
    except ValueError as error:
        raise RendererError(f"seeds: expected shape (N,) ({error})") from None
    if not isinstance(listed, list) or len(listed) != count:
        came = len(listed) if isinstance(listed, list) else repr(value)
        raise RendererError(f"seeds: expected {count}, one for each row of qpos, got {came}")
    return [_whole(each, f"seeds[{i}]") for i, each in enumerate(listed)]


def _whole(value: Any, name: str) -> int:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if not isinstance(value, (int, np.integer)) or isinstance(value, (bool, np.bool_)):
        raise RendererError(f"{name}: expected an integer, got {value!r}")
    if not _LOW <= int(value) <= _HIGH:
        raise RendererError(f"{name}: {value} is beyond int64")
    return int(value)
