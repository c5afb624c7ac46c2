"""Pictures of a live scene on request: ours and, in the same run, vuer's and viser's.

Every side draws the same six shapes at 320x240 and is asked for one picture after the other; before
each the camera is moved (`moved`), or nothing is (`still`). The sides run in turn, several times,
each as a process of its own with a headless Chromium of its own where it needs one; medians. Prints
a Markdown table; ratios are to vuer with the same passes. The peers are installed into out/peers,
an environment of their own. Who draws has all cores, on every side.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import venv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
SIDES = Path(__file__).parent / "live"
PEERS = ROOT / "out" / "peers"
PINNED = ("vuer==0.1.6", "viser==1.1.1")
PATIENCE = 120.0
THREADS = {"LP_NUM_THREADS": str(os.cpu_count()), "OMP_NUM_THREADS": str(os.cpu_count())}
OURS = "heliograph_side"

Numbers = dict[str, dict[str, float]]


class Side(NamedTuple):
    """One way of asking for pictures."""

    name: str
    program: str
    argument: str


PEER_SIDES = (
    Side("vuer, rgb", "vuer_side", "rgb"),
    Side("vuer, rgb + depth", "vuer_side", "depth"),
    Side("viser, jpeg", "viser_side", "jpeg"),
    Side("viser, png", "viser_side", "png"),
)
OUR_SIDES = (
    *(
        Side(f"{name}, {passes}", OURS, f"{renderer} {what}")
        for name, renderer in (
            ("no browser", "engine"),
            ("headless Chromium", "browser"),
            ("page of a tab", "page"),
        )
        for passes, what in (("rgb", "rgb"), ("rgb + depth", "depth"), ("four passes", "all"))
    ),
)
PROMISES = (
    Side("no browser", OURS, "engine promises"),
    Side("headless Chromium", OURS, "browser promises"),
    Side("page of a tab", OURS, "page promises"),
)


def install_peers() -> None:
    """Into an environment of their own: their pins are none of ours."""
    stamp = PEERS / "installed"
    if stamp.exists() and stamp.read_text() == str(PINNED):
        return
    print("live_peers: installing", *PINNED, "into", PEERS, file=sys.stderr)
    venv.create(PEERS, with_pip=True, clear=True)
    pip = [str(PEERS / "bin" / "python"), "-m", "pip", "--quiet", "install"]
    subprocess.run([*pip, *PINNED], check=True)
    stamp.write_text(str(PINNED))


def run(side: Side, count: int, port: int) -> Numbers:
    """What a side says of itself; its processes and files are gone afterwards."""
    python = sys.executable if side.program == OURS else str(PEERS / "bin" / "python")
    program = str(SIDES / f"{side.program}.py")
    command = [python, program, str(count), str(port), *side.argument.split()]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "log"
        with (
            log.open("wb") as errors,
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, **THREADS, "TMPDIR": folder},
            ) as process,
        ):
            watch = threading.Timer(PATIENCE, end, (process.pid,))
            watch.start()
            line = process.stdout.readline() if process.stdout else b""
            watch.cancel()
            end(process.pid)
        if not line:
            said = log.read_text(errors="replace")[-2000:]
            raise SystemExit(f"live_peers: {side.name} gave no numbers:\n{said}")
    numbers: Numbers = json.loads(line)
    return numbers


def end(group: int) -> None:
    """End a side with its browser."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def middle(found: list[Numbers], way: str, what: str) -> float:
    """Median of one number over the rounds."""
    return statistics.median(numbers[way][what] for numbers in found)


def print_tables(found: dict[str, list[Numbers]]) -> None:
    """Requests a second, and what an idle server takes."""
    names = [
        side.name for side in PEER_SIDES if side.name.startswith("vuer") and side.name in found
    ]
    bases = {name.partition(", ")[2]: middle(found[name], "moved", "rate") for name in names}
    print("\n| side | moved, 1/s | times vuer | still, 1/s | first, s | idle server, % | late |")
    print("|---|---|---|---|---|---|---|")
    for name, numbers in found.items():
        moved, still = middle(numbers, "moved", "rate"), middle(numbers, "still", "rate")
        base = bases.get(name.partition(", ")[2], 0.0)
        ratio = f"{moved / base:.1f}x" if base else "-"
        first, idle = middle(numbers, "moved", "first"), middle(numbers, "moved", "idle")
        late = sum(each["moved"]["late"] for each in numbers)
        row = f"{moved:.1f} | {ratio} | {still:.1f} | {first:.1f} | {idle:.2f} | {late:.0f}"
        print(f"| {name} | {row} |", flush=True)


def print_promises(found: dict[str, list[Numbers]]) -> None:
    """Several cameras in a request, a stream, and many objects that move."""
    if not found:
        return
    print("\n| four passes | 4 cameras / 1 | stream, fps | update to picture, p95 ms |", end="")
    print(" 3,000 updates/s, server % | grab among them, ms |\n|---|---|---|---|---|---|")
    for name, numbers in found.items():
        parts = (
            f"{middle(numbers, 'cameras', 'ratio'):.1f}",
            f"{middle(numbers, 'stream', 'fps'):.1f}",
            f"{middle(numbers, 'stream', 'p95'):.0f}",
            f"{middle(numbers, 'thousand', 'server'):.0f}",
            f"{middle(numbers, 'thousand', 'grab'):.0f}",
        )
        print(f"| {name} | {' | '.join(parts)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="requests of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=8431, help="first of those that are used")
    parser.add_argument("--only", default="", help="run the sides whose name begins so")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out")
    arguments = parser.parse_args()
    sides = OUR_SIDES if arguments.no_peers else (*PEER_SIDES, *OUR_SIDES)
    sides = tuple(side for side in sides if side.name.startswith(arguments.only))
    if any(side.program != OURS for side in sides):
        install_peers()
    found = measure(sides, arguments)
    print_tables(found)
    promises = tuple(side for side in PROMISES if side.name.startswith(arguments.only))
    print_promises(measure(promises, arguments))


def measure(sides: Sequence[Side], arguments: argparse.Namespace) -> dict[str, list[Numbers]]:
    """What every side says of itself, in turn, several times."""
    found: dict[str, list[Numbers]] = {side.name: [] for side in sides}
    for _ in range(arguments.rounds):
        for side in sides:
            found[side.name].append(run(side, arguments.count, arguments.port))
            arguments.port += 1
    return found


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
