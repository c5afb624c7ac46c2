"""Servers: worker processes that draw, in a pool for each GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from heliograph.batch import Stacked
from heliograph.checks import is_integer
from heliograph.compat.orrb.engine import COMPONENTS
from heliograph.compat.orrb.problems import RendererError
from heliograph.pool import Pool

_DEVICES = Path("/dev")


def open_pools(
    source: str, configs: Sequence[tuple[int, int]], options: Mapping[str, Any], deadline: float
) -> list[Pool]:
    """Start the worker processes of a renderer.

    Without GPUs the GPU ids of servers mean nothing, and all are workers of one pool. With GPUs
    there is a pool for each id, which is taken as the index of an EGL device.

    Args:
        source: path or text of the model.
        configs: (gpu, port) of each server; ports mean nothing.
        options: of the workers' engine.
        deadline: seconds that one entry may take.

    Raises:
        HeliographError: the model cannot be opened.
    """
    pools: list[Pool] = []
    try:
        for device, workers in _by_device(configs).items():
            chosen = {**options} if device is None else {**options, "device": device}
            pools.append(Pool("orrb", source, workers, chosen, deadline=deadline))
    except BaseException:
        for pool in pools:
            pool.close()
        raise
    return pools


def submit(pools: Sequence[Pool], columns: Mapping[str, Any]) -> list[Future[Stacked]]:
    """Order a batch, its rows shared out by how many workers a pool has.

    Raises:
        HeliographError: something is wrong with it, or a pool is closed.
    """
    count, begun, futures = len(columns["qpos"]), 0, []
    total = sum(pool.workers for pool in pools)
    for pool in pools:
        rows = slice(count * begun // total, count * (begun + pool.workers) // total)
        begun += pool.workers
        part = {key: columns[key][rows] for key in ("qpos", "seeds", COMPONENTS)}
        futures.append(pool.submit_batch({**columns, **part}))
    return futures


def check_servers(configs: Any) -> tuple[tuple[int, int], ...]:
    """The servers of a list of (gpu, port).

    Raises:
        RendererError: it is not one, or empty.
    """
    what = "server_configs: expected a list of (gpu, port), such as [[0, 7000]]"
    try:
        pairs = tuple(tuple(each) for each in configs)
    except TypeError:
        raise RendererError(f"{what}, got {configs!r}") from None
    whole = all(is_integer(n) for pair in pairs for n in pair)
    if not pairs or not whole or any(len(pair) != 2 for pair in pairs):
        raise RendererError(f"{what}, got {configs!r}")
    return tuple((int(gpu), int(port)) for gpu, port in pairs)


def _by_device(configs: Sequence[Sequence[int]]) -> dict[int | None, int]:
    """Workers by EGL device; None where there are no GPUs to choose from."""
    if not any(_DEVICES.glob("nvidia[0-9]*")):
        return {None: len(configs)}
    counts: dict[int | None, int] = {}
    for gpu, _ in configs:
        counts[gpu] = counts.get(gpu, 0) + 1
    return counts
