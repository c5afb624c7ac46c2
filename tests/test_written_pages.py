"""Pages that are written by scripts are what the scripts would write now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.mark.parametrize("script", ["support_matrix.py", "randomizer_tables.py", "gallery.py"])
def test_the_page_is_up_to_date(script: str) -> None:
    command = [sys.executable, str(SCRIPTS / script), "--check"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
