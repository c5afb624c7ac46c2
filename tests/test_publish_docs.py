"""The programs in docs/publishing.md run as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

_TEXT = (Path(__file__).parent.parent / "docs" / "publishing.md").read_text()
_BLOCKS = re.findall(r"```py\n(.*?)```", _TEXT, re.DOTALL)


@pytest.mark.parametrize("number", range(1, len(_BLOCKS)))
def test_the_page_runs(number: int, tmp_path: Path) -> None:
    (tmp_path / "stream.py").write_text(_BLOCKS[0])
    done = subprocess.run(
        [sys.executable, "-c", _BLOCKS[number]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if number == 1:
        lines = [f"{index} {index % 2} (48, 64, 3)" for index in range(16)]
        assert done.stdout.splitlines() == lines
