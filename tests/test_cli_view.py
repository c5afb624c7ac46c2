"""`heliograph view` and `heliograph render --trajectory`, as people run them."""

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import heliograph as hg
from heliograph import cli
from viewer_pages import opened

MJCF = """<mujoco><worldbody><light pos="0 0 3"/>
<camera name="front" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
<body><joint name="x" type="slide" axis="1 0 0"/><geom name="ball" size="0.5"/></body>
</worldbody></mujoco>"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.xml"
    path.write_text(MJCF)
    return path


def eye(number: int) -> hg.Camera:
    return hg.Camera.look_at(
        eye=(0.1 * number, -3, 1), target=(0, 0, 0), fov_y=0.8, width=40, height=30
    )


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    """The command in this process: exit code, stdout, stderr."""
    code: object = 0
    try:
        cli.main([str(each) for each in arguments])
    except SystemExit as done:
        code = done.code or 0
    told = capsys.readouterr()
    return code, told.out, told.err


def pixels(path: Path) -> Any:
    with Image.open(path) as image:
        return np.array(image)


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_the_address_serves_and_ends_with_the_signal(
    model: Path, tmp_path: Path, way: signal.Signals
) -> None:
    words = [sys.executable, "-m", "heliograph", "view", str(model), "--size", "32x24"]
    began = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=tmp_path, text=True)
    assert began.stdout is not None
    try:
        url = began.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{20,}", url)

        async def look() -> Any:
            async with opened(SimpleNamespace(url=url)) as page:
                show, shown = await page.seen(eye(0))
                assert show.facts["engine"] == "mujoco"
                return shown

        shown = asyncio.run(look())
        began.send_signal(way)
        assert began.wait(timeout=60) == 130
    finally:
        began.kill()
        began.stdout.close()
    with hg.open(model, msaa=4) as renderer:
        assert np.array_equal(shown, renderer.render(hg.View([eye(0)]))["camera"].rgb)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere.xml",), "nowhere.xml: no such file"),
        (("model.xml", "--size", "big"), "--size: expected WIDTHxHEIGHT"),
        (("model.xml", "--port", "70000"), "--port: expected an integer from 0 to 65535"),
        (("model.xml", "--host", "192.0.2.1"), "192.0.2.1"),
        (("model.xml", "--engine", "blendr"), "unknown engine 'blendr'"),
        (("model.xml", "--origins", "robots.example.org"), "origins: expected such as 'https://"),
    ],
)
def test_mistakes_are_one_line(
    model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    told: Any,
) -> None:
    monkeypatch.chdir(model.parent)
    before = signal.getsignal(signal.SIGTERM)
    try:
        code, out, err = run(capsys, "view", *words)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_render_replays_a_trajectory(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    states = [{"qpos": [0.1 * number]} for number in range(3)]
    views = [hg.View([eye(i)], ("rgb", "depth"), state) for i, state in enumerate(states)]
    file = tmp_path / f"walk{suffix}"
    hg.Trajectory.of(views).save(file)
    out = tmp_path / "out"
    assert run(capsys, "render", model, "--trajectory", file, "--out", out)[0] == 0
    assert len([*out.iterdir()]) == 3 * 3 + 1
    with hg.open(model, msaa=4) as renderer:
        for number, view in enumerate(views):
            frame = renderer.render(view)["camera"]
            assert np.array_equal(pixels(out / f"{number:06d}_camera_rgb.png"), frame.rgb)
            assert np.array_equal(np.load(out / f"{number:06d}_camera_depth.npy"), frame.depth)
    words = ("--trajectory", file, "--passes", "segmentation", "--out", tmp_path / "ids")
    assert run(capsys, "render", model, *words)[0] == 0
    assert len([*(tmp_path / "ids").iterdir()]) == 2 * 3 + 1


def test_a_trajectory_goes_with_nothing_else_that_chooses_views(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "walk.npz"
    hg.Trajectory.of([hg.View([eye(0)])]).save(file)
    words = ("--trajectory", file, "--count", 2, "--camera", "front")
    code, _, err = run(capsys, "render", model, *words)
    assert code == 2
    assert "leave out --camera, --count" in err
    code, _, err = run(capsys, "render", model, "--trajectory", tmp_path / "no.npz")
    assert code == 2
    assert "no.npz: no such file" in err


def test_no_other_command_loads_what_serves() -> None:
    words = (
        "import sys\nfrom heliograph.cli import main\n"
        "try:\n    main(['inspect', '--help'])\nfinally:\n    print('aiohttp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"
