#!/usr/bin/env python
"""Writes docs/support-matrix.md from what the conformance suite finds; `--check` only compares.

Run with the environment's python: .venv/bin/python scripts/support_matrix.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "support-matrix.md"
sys.path.insert(0, str(ROOT / "tests"))

from engine_contract import CASES, report  # noqa: E402
from heliograph.passes import KNOWN_PASSES  # noqa: E402
from heliograph.testing import CHECKS, Report, Verdict  # noqa: E402

HEAD = """# Support matrix

What the conformance suite (`heliograph.testing.check_engine`) finds on each engine. Written by
`scripts/support_matrix.py`; a test fails where this page is not what the suite finds.
"""
PROMISES = """
## Promises

A cell lists the passes for which a promise was checked and holds: "all" are those the engine has,
"yes" stands where no picture is needed. "**no**": it does not hold yet. "-": not checked, as the
engine or the scene gives no occasion for it.
"""


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def cell(engine: str, found: Report, check: str) -> str:
    """What one engine does about one check."""
    outcome = found.outcomes[check]
    if check in CASES[engine].gaps:
        return "**no**"
    if outcome.verdict is Verdict.PASSED:
        every = set(outcome.passes) == set(found.passes)
        names = [name for name in KNOWN_PASSES if name in outcome.passes]
        return "all" if every else ", ".join(names) or "yes"
    return "-"


def page() -> str:
    """The whole page, from a run of the suite on every engine."""
    found = {name: report(name) for name in CASES}
    passes = [
        [name, *("yes" if name in found[engine].passes else "-" for engine in found)]
        for name in KNOWN_PASSES
    ]
    promises = [
        [f"{check.feature} (`{name}`)", *(cell(each, found[each], name) for each in found)]
        for name, check in CHECKS.items()
    ]
    gaps = [f"- {engine}, `{check}`: {why}." for engine in found for check, why in _gaps(engine)]
    parts = [HEAD, "\n## Passes\n\n", table(["pass", *found], passes)]
    parts += [PROMISES, "\n", table(["promise", *found], promises)]
    if gaps:
        parts += ["\n## What does not hold yet\n\n", "\n".join(gaps), "\n"]
    return "".join(parts)


def _gaps(engine: str) -> list[tuple[str, str]]:
    return list(CASES[engine].gaps.items())


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` say whether it is up to date."""
    text = page()
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{PAGE} is out of date: run scripts/support_matrix.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
