import hashlib
import json
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

import heliograph as hg
from heliograph import cli
from heliograph.delivery.views import random_states
from heliograph.engines import fake
from heliograph.pool import Pool
from heliograph.record import Recording
from heliograph.transport.views import pack_view

MJCF = """<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="front" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
    <body><joint name="x" type="slide" axis="1 0 0" range="-1 1"/>
      <geom name="ball" size="0.5"/></body>
  </worldbody>
</mujoco>"""


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    """The command in this process: exit code, stdout, stderr."""
    code: object = 0
    try:
        cli.main(["generate", *map(str, arguments)])
    except SystemExit as done:
        code = done.code or 0
    told = capsys.readouterr()
    return code, told.out, told.err


def words(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "heliograph", "generate", *map(str, arguments)]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_a_run_of_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = tmp_path / "model.xml", tmp_path / "out"
    model.write_text(MJCF)
    arguments = ("--count", 5, "--seed", 7, "--size", "32x24", "--shard-size", 2, "--out", out)
    code, told, progress = run(capsys, model, *arguments)
    assert code == 0
    assert told.splitlines() == [
        f"{out}/contact_sheet.png",
        f"{out}: 5 of 5 samples, 0 failed",
    ]
    assert "5/5" in progress
    recording = Recording(out, verify=True)
    assert [(sample.index, sample.seed) for sample in recording] == [(i, 7) for i in range(5)]
    assert len({float(sample.state["qpos"][0]) for sample in recording}) == 5
    assert recording[0]["front"].rgb.shape == (24, 32, 3)
    assert recording.manifest.source["seed"] == 7
    assert "numpy" in recording.manifest.versions
    with Image.open(out / "contact_sheet.png") as sheet:
        assert sheet.width > 300


def test_a_finished_run_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = ("fake", "--count", 4, "--size", "16x12", "--out", out)
    assert run(capsys, *arguments)[0] == 0
    before = digests(out)
    code, _, told = run(capsys, *arguments)
    assert (code, "--resume goes on with it" in told) == (2, True)
    assert run(capsys, *arguments, "--resume")[0] == 0
    for other in (("--seed", 1), ("--size", "12x12"), ("--passes", "rgb"), ("--shard-size", 9)):
        code, _, told = run(capsys, *arguments, "--resume", *other)
        assert (code, "holds another run" in told) == (2, True), told
    assert digests(out) == before


def test_cameras_passes_and_states_are_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ("--cameras", "top,plan", "--passes", "depth", "rgb", "--no-random-states")
    assert run(capsys, "fake", "--count", 2, "--size", "8x8", "--out", out, *arguments)[0] == 0
    sample = Recording(out)[1]
    assert [(f.camera.name, list(f.passes)) for f in sample] == [
        ("top", ["depth", "rgb"]),
        ("plan", ["depth", "rgb"]),
    ]
    assert dict(sample.state) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fake", "--count", 0), "--count: expected an integer from 1 to 2**63 - 1, got 0"),
        (("fake", "--count", 2, "--seed", -1), "--seed"),
        (("fake", "--count", 2, "--shard-size", 0), "--shard-size"),
        (("fake", "--count", 2, "--workers", -1), "--workers"),
        (("fake", "--count", 2, "--size", "big"), "--size"),
        (("fake", "--count", 2, "--cameras", "frond"), "did you mean 'front'"),
        (("fake", "--count", 2, "--passes", "deppth"), "did you mean 'depth'"),
        (("fake", "--count", 2, "--randomize", "nowhere.json"), "nowhere.json"),
        (("nowhere.xml", "--count", 2), "no such file"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[object, ...],
    message: str,
) -> None:
    code, _, told = run(capsys, *arguments, "--out", tmp_path / "out")
    assert code == 2
    assert message in told
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    code, _, told = run(capsys, "fake", "--count", 2, "--out", tmp_path, "--resume")
    assert (code, "thesis.tex" in told) == (2, True)


def test_failed_samples_are_told_and_the_exit_code_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = True

    class Brittle(fake.FakeEngine):
        def random_state(self, rng: object) -> dict[str, object]:  # type: ignore[override]
            self.asked = getattr(self, "asked", 0) + 1
            return {"crash": 3 if broken and self.asked == 2 else 0}

    monkeypatch.setattr(fake, "FakeEngine", Brittle)
    arguments = ("fake", "--count", 3, "--size", "8x8", "--out", tmp_path / "out")
    code, told, errors = run(capsys, *arguments)
    assert code == 1
    assert "2 of 3 samples, 1 failed" in told
    assert "failed: this view was told to fail" in errors
    assert "index 1, seed 0" in errors
    assert "the same command with --retry-failed draws those that failed again" in errors
    broken = False
    code, told, errors = run(capsys, *arguments, "--resume")
    assert (code, "1 failed" in told, "--retry-failed" in errors) == (1, True, True)
    assert [sample.index for sample in Recording(tmp_path / "out")] == [0, 2]
    code, told, errors = run(capsys, *arguments, "--retry-failed")
    assert (code, "3 of 3 samples, 0 failed" in told, "--retry-failed" in errors) == (
        0,
        True,
        False,
    )
    assert [sample.index for sample in Recording(tmp_path / "out")] == [0, 1, 2]
    other = (*arguments[:-1], tmp_path / "other")
    assert run(capsys, *other, "--retry-failed")[0] == 0
    assert digests(tmp_path / "out") == digests(tmp_path / "other")


def test_killed_at_ten_random_points_and_resumed_gives_the_same_bytes(tmp_path: Path) -> None:
    arguments = ("fake", "--count", 600, "--size", "48x36", "--shard-size", 20)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run(words(*arguments, "--out", whole), check=True, capture_output=True)
    rng = random.Random(20)
    states = {0}
    for _ in range(10):
        goal = max(states) + rng.randint(
            1, 3
        )  # by what is done, so on fast and slow machines alike
        process = subprocess.Popen(
            words(*arguments, "--out", cut, "--resume"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while len(list(cut.glob("*.tar"))) < goal and process.poll() is None:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.03))
        process.kill()
        process.wait()
        states.add(len(list(cut.glob("*.tar"))))
    subprocess.run(words(*arguments, "--out", cut, "--resume"), check=True, capture_output=True)
    assert digests(cut) == digests(whole)
    assert len(states) > 2  # it was killed with work done and work left


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    arguments = ("fake", "--count", 5000, "--size", "48x36", "--shard-size", 5, "--out", tmp_path)
    process = subprocess.Popen(words(*arguments), stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "shard-000001.json").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "--resume" in told
    assert "Traceback" not in told
    assert (tmp_path / "shard-000000.tar").exists()
    assert not list(tmp_path.glob("*.part"))


def test_workers_change_no_byte(tmp_path: Path) -> None:
    for workers in (0, 2):
        arguments = ("--count", 40, "--size", "16x12", "--shard-size", 15, "--workers", workers)
        out = tmp_path / str(workers)
        subprocess.run(words("fake", *arguments, "--out", out), check=True, capture_output=True)
    assert digests(tmp_path / "0") == digests(tmp_path / "2")


def test_randomizers_are_read_applied_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, config, out = tmp_path / "model.xml", tmp_path / "dr.json", tmp_path / "out"
    model.write_text(MJCF)
    config.write_text('{"randomizers": [{"type": "camera_jitter"}]}')
    arguments = (model, "--count", 2, "--size", "16x12", "--randomize", config, "--out", out)
    assert run(capsys, *arguments)[0] == 0
    recording = Recording(out)
    assert list(recording[0].randomization) == ["camera_jitter"]
    renderer = recording.manifest.source["renderer"]
    assert renderer["randomize"]["randomizers"][0]["type"] == "camera_jitter"
    config.write_text('{"randomizers": []}')
    code, _, told = run(capsys, *arguments, "--resume")
    assert (code, "source.renderer.randomize.randomizers" in told) == (2, True)


TEXTURED = {
    "randomizers": [
        {"type": "materials", "texture_probability": 1},
        {"type": "lights"},
        {"type": "camera_jitter"},
    ]
}


def files_of(folder: Path, index: int) -> tuple[dict[tuple[str, str], bytes], dict[str, Any]]:
    """What `render` wrote of a sample: files by camera and pass, and the facts beside them."""
    facts = json.loads((folder / f"{index:06d}.json").read_bytes())
    return _apart(facts, lambda name: (folder / name).read_bytes())


def members_of(folder: Path, index: int) -> tuple[dict[tuple[str, str], bytes], dict[str, Any]]:
    """The same of a sample in the first shard of a recording."""
    with tarfile.open(folder / "shard-000000.tar") as tar:
        whole = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    facts = json.loads(whole[f"{index:09d}.json"])
    return _apart(facts, lambda name: whole[f"{index:09d}.{name}"])


def _apart(
    facts: dict[str, Any], read: Callable[[str], bytes]
) -> tuple[dict[tuple[str, str], bytes], dict[str, Any]]:
    files = {
        (camera, kind): read(name)
        for camera, each in facts["cameras"].items()
        for kind, name in each.pop("files").items()
    }
    return files, facts


@pytest.mark.parametrize("workers", [0, 1])
def test_render_shows_a_sample_of_the_run_byte_for_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    model, config = tmp_path / "model.xml", tmp_path / "dr.json"
    model.write_text(MJCF)
    config.write_text(json.dumps(TEXTURED))
    common = (model, "--seed", 7, "--size", "16x12", "--randomize", config)
    run_of = ("--count", 4, "--workers", workers, "--out", tmp_path / "run")
    assert run(capsys, *common, *run_of)[0] == 0
    for words, out in ((("--index", 3), "one"), (("--index", 2, "--count", 2), "two")):
        with pytest.raises(SystemExit) as done:
            cli.main(["render", *map(str, (*common, *words, "--out", tmp_path / out))])
        assert not done.value.code
    recorded, told = members_of(tmp_path / "run", 3)
    assert (told["seed"], told["index"]) == (7, 3)
    assert set(told["randomization"]) == {"materials", "lights", "camera_jitter"}
    assert len(recorded) == 4
    assert files_of(tmp_path / "one", 3) == files_of(tmp_path / "two", 3) == (recorded, told)
    assert files_of(tmp_path / "two", 2) == members_of(tmp_path / "run", 2)


def test_render_takes_the_words_of_generate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("fake", "--seed", 3, "--size", "8x8", "--cameras", "top,plan", "--passes", "rgb")
    for more, name in (((), "moving"), (("--no-random-states",), "still")):
        out = tmp_path / name
        assert run(capsys, *words, *more, "--count", 3, "--out", out / "run")[0] == 0
        with pytest.raises(SystemExit) as done:
            cli.main(["render", *map(str, (*words, *more, "--index", 2, "--out", out / "one"))])
        assert not done.value.code
        assert files_of(out / "one", 2) == members_of(out / "run", 2)
        assert bool(files_of(out / "one", 2)[1]["state"]) == (name == "moving")


def test_the_samples_of_a_run_are_those_of_the_library(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = tmp_path / "model.xml", tmp_path / "out"
    model.write_text(MJCF)
    arguments = ("--count", 3, "--seed", 5, "--size", "16x12", "--passes", "rgb", "--out", out)
    assert run(capsys, model, *arguments)[0] == 0
    with hg.open(str(model), size=(16, 12), seed=5) as renderer:
        made = list(hg.samples(renderer, count=3, state=random_states(renderer)))
    for sample, recorded in zip(made, Recording(out), strict=True):
        assert np.array_equal(sample["front"].rgb, recorded["front"].rgb)
        assert np.array_equal(sample.state["qpos"], recorded.state["qpos"])


def test_workers_draw_what_is_random_and_orders_stay_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, config, out = tmp_path / "model.xml", tmp_path / "dr.json", tmp_path / "out"
    model.write_text(MJCF)
    config.write_text(json.dumps(TEXTURED))
    orders: list[bytes] = []
    submit = Pool.submit

    def watched(pool: Pool, view: hg.View, *, priority: int = 0) -> Future[hg.Sample]:
        orders.append(msgspec.msgpack.encode(pack_view(view, pool.cameras)))
        return submit(pool, view, priority=priority)

    monkeypatch.setattr(Pool, "submit", watched)
    arguments = ("--count", 3, "--size", "16x12", "--randomize", config, "--workers", 1)
    assert run(capsys, model, *arguments, "--out", out)[0] == 0
    assert len(orders) == 3
    assert max(map(len, orders)) < 1000
    drawn = [sample.randomization["materials"]["texture"] for sample in Recording(out)]
    assert drawn[0] != drawn[1] != drawn[2]


def test_with_workers_no_engine_is_opened_in_the_driver(tmp_path: Path) -> None:
    model, config, out = tmp_path / "model.xml", tmp_path / "dr.json", tmp_path / "out"
    model.write_text(MJCF)
    config.write_text(json.dumps(TEXTURED))
    arguments = ["generate", model, "--count", 2, "--size", "16x12", "--randomize", config]
    code = (
        "import sys\nfrom heliograph import cli\n"
        f"try:\n    cli.main({[*map(str, arguments), '--workers', '1', '--out', str(out)]!r})\n"
        "finally:\n    print('heavy:', *sorted({'mujoco', 'moderngl'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["heavy:"]
    assert len(Recording(out)) == 2


def test_light_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "model.xml"
    model.write_text(MJCF)
    means = []
    for exposure in (1, 2):
        out = tmp_path / str(exposure)
        look = ("--shading", "standard", "--tone-mapping", "none", "--exposure", exposure)
        arguments = ("--count", 1, "--size", "16x12", "--passes", "rgb", "--out", out, *look)
        assert run(capsys, model, *arguments)[0] == 0
        means.append(Recording(out)[0]["front"].rgb.mean())
    assert means[1] > means[0]
