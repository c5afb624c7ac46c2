"""What type checkers find: every wrong call, and none that is right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MARK = "# expect-error"


def errors_in(path: Path) -> list[tuple[int, str]]:
    command = [sys.executable, "-m", "basedpyright", "--outputjson", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return [
        (row["range"]["start"]["line"] + 1, row["message"])
        for row in found
        if row["severity"] == "error"
    ]


@pytest.mark.parametrize("name", ["public.py", "wrong.py"])
def test_a_checker_finds_each_wrong_call_and_no_other(name: str) -> None:
    path = ROOT / "tests" / "typing" / name
    lines = path.read_text().splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith(MARK)}
    found = errors_in(path)
    assert {number for number, _ in found} == wrong, found
