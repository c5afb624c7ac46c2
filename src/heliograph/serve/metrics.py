"""What a server has done, as Prometheus reads it (text format 0.0.4)."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of drawing times, seconds."""
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Counted: TypeAlias = Literal["rendered", "failed", "cancelled", "dropped", "refused"]

_COUNTERS: Mapping[Counted, str] = MappingProxyType(
    {
        "rendered": "Pictures that were drawn, each level for itself.",
        "failed": "Orders that could not be drawn.",
        "cancelled": "Orders that nobody waited for any more.",
        "dropped": "Orders that were not begun in time, and those of clients that are gone.",
        "refused": "Requests, connections, messages and orders that were refused.",
    }
)
_SECONDS: Final = "heliograph_drawing_seconds"


class Metrics:
    """The numbers of a server; any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Counted] = Counter()
        self._places = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0

    def count(self, what: Counted, more: int = 1) -> None:
        """Count what has happened."""
        with self._lock:
            self._counts[what] += more

    def drew(self, seconds: float) -> None:
        """Count a picture that was drawn, and how long that took."""
        place = sum(seconds > bound for bound in BUCKETS)
        with self._lock:
            self._counts["rendered"] += 1
            self._places[place] += 1
            self._seconds += seconds

    def __getitem__(self, what: Counted) -> int:
        """How often it has happened."""
        with self._lock:
            return self._counts[what]

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """All of it, with what is so right now.

        Args:
            gauges: full name -> (help, value).
        """
        with self._lock:
            counts, places, seconds = Counter(self._counts), list(self._places), self._seconds
        lines: list[str] = []
        for what, text in _COUNTERS.items():
            name = f"heliograph_{what}_total"
            lines += [*_head(name, "counter", text), f"{name} {counts[what]}"]
        for name, (text, value) in gauges.items():
            lines += [*_head(name, "gauge", text), f"{name} {value:.17g}"]
        lines += _head(_SECONDS, "histogram", "Seconds that drawing a picture took.")
        total = 0
        for bound, number in zip((*BUCKETS, None), places, strict=True):
            total += number
            upper = "+Inf" if bound is None else f"{bound:g}"
            lines.append(f'{_SECONDS}_bucket{{le="{upper}"}} {total}')
        return "\n".join([*lines, f"{_SECONDS}_sum {seconds:.6f}", f"{_SECONDS}_count {total}", ""])


def resident_bytes() -> int:
    """Resident memory of this process, as /proc says; 0 where there is none."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
