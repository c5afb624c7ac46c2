"""Servers: worker processes that draw, in a pool for each GPU."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from heliograph.checks import is_integer
from heliograph.compat.orrb.problems import RendererError
from heliograph.errors import HeliographError
from heliograph.frame import Sample
from heliograph.pool import Pool
from heliograph.view import View

_DEVICES = Path("/dev")


class Servers:
    """All worker processes of a renderer.

    Without GPUs the GPU ids of servers mean nothing, and all are workers of one pool. With GPUs
    there is a pool for each id, which is taken as the index of an EGL device.

    Args:
        source: path or text of the model.
        configs: (gpu, port) of each server; ports mean nothing.
        size: (width, height) in pixels.
        deadline: seconds that one entry may take.

    Raises:
        HeliographError: the model cannot be opened.
    """

    def __init__(
        self,
        source: str,
        configs: Sequence[tuple[int, int]],
        size: tuple[int, int],
        deadline: float,
    ) -> None:
        options = {"size": size, "segment_by": "object"}
        self._pools: list[Pool] = []
        try:
            for device, workers in _by_device(configs).items():
                more = {} if device is None else {"device": device}
                opened = Pool("mujoco", source, workers, options | more, deadline=deadline)
                self._pools.append(opened)
        except BaseException:
            self.close()
            raise
        turns = [pool for pool in self._pools for _ in range(pool.workers)]
        self._turns = itertools.cycle(turns)
        self._lock = threading.Lock()
        self.count = len(turns)

    @property
    def first(self) -> Pool:
        """One of the pools; all draw the same."""
        return self._pools[0]

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers there are right now."""
        return [pid for pool in self._pools for pid in pool.pids]

    def submit(self, view: View) -> Future[Sample]:
        """Order one view."""
        with self._lock:
            pool = next(self._turns)
        try:
            return pool.submit(view)
        except HeliographError as error:
            failed: Future[Sample] = Future()
            failed.set_exception(error)
            return failed

    def close(self) -> None:
        """End all workers."""
        for pool in self._pools:
            pool.close()


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
