"""How many of this machine's cores a process may use."""

from __future__ import annotations

import os


def usable() -> int:
    """Cores that the system lets this process use, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def threads() -> int:
    """Threads for all usable cores, at most what the environment's OMP_NUM_THREADS says."""
    limit, cores = os.environ.get("OMP_NUM_THREADS", ""), usable()
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) > 0 else cores
