#!/usr/bin/env python
"""Writes docs/support-matrix.md from what the conformance suite finds; `--check` only compares.

Run with the environment's python: .venv/bin/python scripts/support_matrix.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "support-matrix.md"
sys.path.insert(0, str(ROOT / "tests"))

from engine_contract import CASES, report  # noqa: E402
from heliograph.engines.blender import install  # noqa: E402
from heliograph.passes import KNOWN_PASSES  # noqa: E402
from heliograph.testing import CHECKS, Outcome, Report, Verdict  # noqa: E402

HEAD = """# Support matrix

What the conformance suite (`heliograph.testing.check_engine`) finds on each engine. Written by
`scripts/support_matrix.py`; a test fails where this page is not what the suite finds.
"""
EEVEE = """
Blender's style `eevee` takes rgb from EEVEE and every other pass from `fast`.
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


def inside_blender() -> tuple[dict[str, Report], dict[str, Mapping[str, str]]]:
    """What the suite finds on the Blender engine's styles, and their gaps; it runs in Blender."""
    ran = subprocess.run(
        [str(install.blender_python()), str(ROOT / "tests" / "blender_contract.py")],
        env={**install.environment(), "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told = json.loads(ran.stdout.splitlines()[-1])
    reports = {}
    for name, found in told.items():
        outcomes = {
            check: Outcome(CHECKS[check], Verdict(verdict), "", tuple(passes))
            for check, (verdict, passes) in found["outcomes"].items()
        }
        reports[name] = Report(outcomes, tuple(found["passes"]), 0.0)
    return reports, {name: found["gaps"] for name, found in told.items()}


def cell(found: Report, gaps: Mapping[str, str], check: str) -> str:
    """What one engine does about one check."""
    outcome = found.outcomes[check]
    if check in gaps:
        return "**no**"
    if outcome.verdict is Verdict.PASSED:
        every = set(outcome.passes) == set(found.passes)
        names = [name for name in KNOWN_PASSES if name in outcome.passes]
        return "all" if every else ", ".join(names) or "yes"
    return "-"


def page() -> str:
    """The whole page, from a run of the suite on every engine."""
    found = {name: report(name) for name in CASES}
    gaps = {name: case.gaps for name, case in CASES.items()}
    blender, blender_gaps = inside_blender()
    found, gaps = {**found, **blender}, {**gaps, **blender_gaps}
    passes = [
        [name, *("yes" if name in found[engine].passes else "-" for engine in found)]
        for name in KNOWN_PASSES
    ]
    promises = [
        [
            f"{check.feature} (`{name}`)",
            *(cell(found[each], gaps[each], name) for each in found),
        ]
        for name, check in CHECKS.items()
    ]
    parts = [HEAD, "\n## Passes\n\n", table(["pass", *found], passes), EEVEE]
    parts += [PROMISES, "\n", table(["promise", *found], promises)]
    lines = [
        f"- {engine}, `{check}`: {why}."
        for engine, each in gaps.items()
        for check, why in each.items()
    ]
    if lines:
        parts += ["\n## What does not hold yet\n\n", "\n".join(lines), "\n"]
    return "".join(parts)


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
