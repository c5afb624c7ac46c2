import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WRONG = sorted((ROOT / "tests" / "typing").glob("errors_*.py"))
MARK = "# expect-error"


def errors_of(path: Path, config: Path) -> dict[int, str]:
    """What strict basedpyright finds: line, from 1 -> message."""
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "-p", str(config), str(path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = json.loads(run.stdout)["generalDiagnostics"]
    return {each["range"]["start"]["line"] + 1: each["message"] for each in found}


@pytest.mark.parametrize("path", WRONG, ids=[path.stem for path in WRONG])
def test_a_type_checker_finds_what_is_wrong_and_nothing_else(path: Path, tmp_path: Path) -> None:
    settings = {
        "include": [str(path)],
        "typeCheckingMode": "strict",
        "extraPaths": [str(ROOT / "src")],
        "venvPath": str(Path(sys.prefix).parent),
        "venv": Path(sys.prefix).name,
    }
    config = tmp_path / "pyrightconfig.json"
    config.write_text(json.dumps(settings))
    lines = path.read_text().splitlines()
    expected = {number for number, line in enumerate(lines, 1) if line.endswith(MARK)}
    assert expected
    assert errors_of(path, tmp_path).keys() == expected
