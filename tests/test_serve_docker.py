"""The image's own steps, in a clean folder and a clean venv; no container engine is needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import heliograph as hg

ROOT = Path(__file__).parent.parent


def steps() -> list[str]:
    text = (ROOT / "docker/Dockerfile").read_text()
    return re.findall(r"^(?:RUN|COPY) .*$", text, re.MULTILINE)


def test_what_is_copied_is_there_and_scripts_are_sound() -> None:
    for words in map(str.split, steps()):
        assert words[0] == "RUN" or (ROOT / words[1]).exists()
    for script in ("install.sh", "system.sh"):
        subprocess.run(["sh", "-n", ROOT / "docker" / script], check=True)


def test_installed_as_in_the_image_it_serves(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "opt"
    left_out = shutil.ignore_patterns(".*", "node_modules", "tests", "out", "__pycache__")
    shutil.copytree(ROOT, source, symlinks=True, ignore=left_out)
    subprocess.run([sys.executable, "-m", "venv", target], check=True)
    site = next(target.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(
        sysconfig.get_path("purelib")
    )  # what it depends on is here
    (step,) = (each for each in steps() if "install.sh" in each)
    command = step.removeprefix("RUN ").replace("/source", str(source))
    command = command.replace("/opt/heliograph", str(target)).replace("${VARIANT}", "cpu")
    told = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    options = "--no-deps --ignore-installed --quiet"
    clean = {**told, "PIP_OPTIONS": options}
    subprocess.run(["sh", "-c", command], check=True, cwd=tmp_path, env=clean)
    token = "a-token-of-the-tests"
    server = [str(target / "bin/heliograph"), "serve", "fake", "--engine", "fake", "--port", "0"]
    with subprocess.Popen(
        server,
        cwd=tmp_path,
        env={**told, "HELIOGRAPH_TOKEN": token},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.endswith(token)
            with hg.connect(url) as remote:
                assert remote.render(hg.View())["front"].rgb.any()
        finally:
            process.terminate()
        assert process.wait(60) == 0
