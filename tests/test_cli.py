import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import heliograph as hg
from heliograph import cli
from heliograph.cli.folder import whole_folder
from heliograph.cli.states import parse_size, read_states

MJCF = """<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="front" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
    <camera name="top" pos="0 0 3"/>
    <body><joint name="x" type="slide" axis="1 0 0"/><joint name="z" type="slide"/>
      <geom name="ball" size="0.5"/></body>
  </worldbody>
</mujoco>"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.xml"
    path.write_text(MJCF)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    """The command in this process: exit code, stdout, stderr."""
    code: object = 0
    try:
        cli.main([str(each) for each in arguments])
    except SystemExit as done:
        code = done.code or 0
    told = capsys.readouterr()
    return code, told.out, told.err


def pixels(path: Path) -> NDArray[Any]:
    with Image.open(path) as image:
        return np.array(image)


def command(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as people run it."""
    words = [sys.executable, "-m", "heliograph", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd, timeout=60)


def test_render_writes_every_pass_and_a_sheet(model: Path, tmp_path: Path) -> None:
    done = command("render", model, "--count", 2, "--size", "32x24", "--out", "a/b", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["a/b/contact_sheet.png"]
    out = tmp_path / "a" / "b"
    assert len(list(out.iterdir())) == 2 * (4 + 1) + 1
    assert pixels(out / "contact_sheet.png").shape[1] > 300
    assert pixels(out / "000001_front_rgb.png").shape == (24, 32, 3)
    assert np.load(out / "000001_front_depth.npy").dtype == np.float32
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_render_writes_the_passes_asked_for(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--passes", "alpha", "distance", "--size", "32x24", "--msaa", 0)
    out = tmp_path / "out"
    assert run(capsys, "render", model, *words, "--out", out)[0] == 0
    assert len(list(out.iterdir())) == 2 + 1 + 1
    alpha, distance = (
        pixels(out / "000000_front_alpha.png"),
        np.load(out / "000000_front_distance.npy"),
    )
    assert set(np.unique(alpha)) == {0, 255}
    assert np.array_equal(alpha == 255, np.isfinite(distance))
    assert distance.min() == pytest.approx(2.5, rel=0.01)


@pytest.mark.parametrize(
    ("words", "smooth"), [((), True), (("--msaa", 0), False), (("--index", 0), False)]
)
def test_edges_are_smooth_but_in_samples_of_a_run(
    words: tuple[object, ...], smooth: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "flat.xml"
    path.write_text(
        """<mujoco><visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
        <worldbody><geom size="0.5" rgba="1 1 1 1"/><camera name="front" pos="0 -3 0"
        xyaxes="1 0 0 0 0 1"/></worldbody></mujoco>"""
    )
    shown = ("--camera", "front", "--passes", "rgb", "--no-random-states", "--size", "48x36")
    assert run(capsys, "render", path, *shown, *words, "--out", tmp_path / "out")[0] == 0
    grey = pixels(tmp_path / "out" / "000000_front_rgb.png")[..., 0]
    assert ((grey > 5) & (grey < 250)).any() == smooth


def test_mistakes_are_one_line_and_exit_code_2_in_a_real_process(tmp_path: Path) -> None:
    done = command("render", "nowhere.xml", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: nowhere.xml: no such file")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_random_states_depend_on_seed_and_index_alone(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for out, count in (("few", 1), ("many", 2)):
        options = ("--size", "8x8", "--seed", 5, "--passes", "rgb", "--out", tmp_path / out)
        assert run(capsys, "render", model, "--count", count, *options)[0] == 0
    one, same = (
        json.loads((tmp_path / out / "000000.json").read_text()) for out in ("few", "many")
    )
    other = json.loads((tmp_path / "many" / "000001.json").read_text())
    assert one["state"] == same["state"] != other["state"]
    assert (other["seed"], other["index"]) == (5, 1)


def test_randomized_pictures_depend_on_seed_and_index_alone(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "dr.json"
    config.write_text('{"randomizers": [{"type": "materials"}, {"type": "camera_jitter"}]}')
    for out, seed, count in (("a", 3, 2), ("b", 3, 1), ("c", 4, 1)):
        options = ("--randomize", config, "--size", "32x24", "--out", tmp_path / out)
        code, _, told = run(capsys, "render", model, "--seed", seed, "--count", count, *options)
        assert (code, told) == (0, "")
    first, again, other = (pixels(tmp_path / out / "000000_front_rgb.png") for out in "abc")
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    config.write_text('{"randomizers": [{"type": "material"}]}')
    code, _, told = run(capsys, "render", model, *options, "--overwrite")
    assert code == 2
    assert "did you mean 'materials'" in told


def test_qpos_files_and_cameras_by_name(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "q.npy", [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    out = tmp_path / "out"
    cameras = ("--camera", "top", "front", "--passes", "depth,rgb", "--size", "8x8")
    code, _, _ = run(
        capsys, "render", model, "--qpos", tmp_path / "q.npy", "--out", out, "--count", 2, *cameras
    )
    assert code == 0
    facts = json.loads((out / "000001.json").read_text())
    assert facts["state"] == {"qpos": [0.3, 0.4]}
    assert list(facts["cameras"]) == ["top", "front"]
    assert not (out / "000002.json").exists()
    words = ("--qpos", tmp_path / "q.npy", "--index", 2, "--out", tmp_path / "last", *cameras)
    assert run(capsys, "render", model, *words)[0] == 0
    facts = json.loads((tmp_path / "last" / "000002.json").read_text())
    assert (facts["state"], facts["index"]) == ({"qpos": [0.5, 0.6]}, 2)


@pytest.mark.parametrize("words", [("--index", 3), ("--index", 2, "--count", 2), ("--count", 4)])
def test_rows_that_a_file_does_not_hold(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[object, ...]
) -> None:
    np.save(tmp_path / "q.npy", np.zeros((3, 2)))
    out = ("--out", tmp_path / "out")
    code, _, told = run(capsys, "render", model, "--qpos", tmp_path / "q.npy", *words, *out)
    assert (code, "expected some of the 3 states" in told) == (2, True), told
    assert not (tmp_path / "out").exists()


BAD = [
    (("--size", "0x0"), "from 1 to 16384 pixels, got 0x0"),
    (("--size", "100000x100000"), "from 1 to 16384 pixels"),
    (("--size", "junk"), "WIDTHxHEIGHT like 320x240, got 'junk'"),
    (("--size", "-3x4"), "WIDTHxHEIGHT"),
    (("--size", "9" * 5000 + "x1"), "WIDTHxHEIGHT"),
    (("--passes", "rgb", "dept"), "did you mean 'depth'"),
    (("--camera", "frnt"), "did you mean 'front'"),
    (("--count", "0"), "--count: expected an integer from 1"),
    (("--index=-1",), "--index: expected an integer from 0"),
    (("--seed=-1",), "--seed: expected an integer from 0"),
    (("--qpos", "nowhere.npy"), "nowhere.npy: no such file"),
    (("--engine", "nope"), "unknown engine 'nope'"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_options_are_one_line_and_leave_nothing(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    code, _, told = run(capsys, "render", model, "--out", tmp_path / "deep" / "out", *options)
    assert code == 2
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert message in told
    assert [path.name for path in tmp_path.iterdir()] == ["model.xml"]


@pytest.mark.parametrize("text", ["<mujoco><oops/></mujoco>", "<mujoco", "", "<a/>"])
def test_malformed_models_say_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "bad.xml"
    path.write_text(text)
    code, _, told = run(capsys, "render", path, "--out", tmp_path / "out")
    assert (code, told.count("\n")) == (2, 1)
    assert "bad.xml" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["1 2 3", "1 x", "", "nan 0"])
def test_bad_states_leave_nothing(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "q.txt").write_text(text)
    code, _, told = run(
        capsys, "render", model, "--qpos", tmp_path / "q.txt", "--out", tmp_path / "a" / "out"
    )
    assert (code, told.count("\n")) == (2, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.xml", "q.txt"]


def test_what_is_there_is_replaced_only_if_it_is_ours_and_asked_for(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    order = ("render", model, "--size", "8x8", "--passes", "rgb", "--out", out)
    assert run(capsys, *order)[0] == 0
    (out / "mine").touch()
    assert run(capsys, *order)[0] == 2
    assert run(capsys, *order, "--overwrite")[0] == 0
    assert not (out / "mine").exists()
    assert run(capsys, *order[:-1], tmp_path, "--overwrite")[0] == 2
    assert run(capsys, *order[:-1], model)[0] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.xml", "out"]


def test_an_interrupted_run_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"

    def interrupted() -> None:
        with whole_folder(out) as folder:
            (folder / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    assert run(capsys, "doctor") == (130, "", "")


def test_inspect_lists_what_there_is(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = run(capsys, "inspect", model)
    assert code == 0
    assert all(name in told for name in ("front", "top", "ball", "qpos", "segmentation"))
    facts = json.loads(run(capsys, "inspect", model, "--json")[1])
    assert [camera["name"] for camera in facts["cameras"]] == ["front", "top", "free", "fit"]
    assert facts["objects"][0]["name"] == "ball"


def test_doctor_draws_with_the_engines(capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = run(capsys, "doctor")
    assert code == 0
    assert "engine mujoco: works" in told
    assert "drew ball" in told
    assert "GL: " in told


def test_doctor_tries_the_backend_that_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = run(capsys, "doctor", "--backend", "gl")
    assert code == 0
    assert "rasterizer: gl, as backend='gl' was given\n" in told


@pytest.mark.parametrize(
    ("words", "device"),
    [
        (("--backend", "cpu"), "heliograph cpu rasterizer"),
        (("--backend", "gl"), "llvmpipe"),
        (("--backend", "auto"), "heliograph cpu rasterizer"),
    ],
)
def test_render_draws_with_the_backend_that_it_is_told(
    words: tuple[str, ...],
    device: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawn: list[str | None] = []

    def save(sample: hg.Sample, folder: Path, stem: str) -> None:
        drawn.append(sample.provenance.device)

    monkeypatch.setattr("heliograph.raster.choice.has_gpu", lambda: False)
    monkeypatch.setattr("heliograph.cli.render.save_sample", save)
    words = ("--size", "16x12", "--out", str(tmp_path / "out"), *words)
    assert run(capsys, "render", model, *words)[0] == 0
    assert [device in str(each) for each in drawn] == [True]


@pytest.mark.parametrize("name", ["render", "generate", "fly", "view", "serve", "splat", "doctor"])
def test_an_unknown_backend_is_refused_by_every_command_that_draws(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"doctor": (), "splat": ("model.xml", "out.ply"), "generate": ("a.xml", "--count", 1)}
    code, out, err = run(capsys, name, *given.get(name, ("a.xml",)), "--backend", "vulkan")
    assert (code, out) == (2, "")
    told = " ".join(err.replace("|", "").split())
    assert "invalid choice 'vulkan' for argument '--backend'" in told
    assert "Expected one of ('auto', 'cpu', 'gl')" in told


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"heliograph {hg.__version__}\n", "")
    code, told, _ = run(capsys)
    assert code == 0
    assert all(word in told for word in ("render", "inspect", "doctor"))
    assert run(capsys, "render", "model.xml", "--msaa", 3)[0] == 2


def test_light_at_the_command_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looks = {
        "classic": (),
        "standard": ("--shading", "standard", "--tone-mapping", "none"),
        "bright": ("--shading", "standard", "--tone-mapping", "none", "--exposure", 2),
    }
    means = {}
    for name, options in looks.items():
        out = tmp_path / name
        assert run(capsys, "render", model, "--size", "32x24", "--out", out, *options)[0] == 0
        picture = next(path for path in out.glob("*rgb*.png"))
        means[name] = np.asarray(Image.open(picture)).mean()
    assert means["classic"] != means["standard"]
    assert means["bright"] > means["standard"]
    code, _, told = run(capsys, "render", model, "--exposure", 2, "--out", tmp_path / "refused")
    assert code
    assert "shading='standard'" in told


@pytest.mark.parametrize("text", ["320x240", "320X240"])
def test_sizes(text: str) -> None:
    assert parse_size(text) == (320, 240)


def test_states_may_be_one_row_or_one_column(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("1,2,3\n")
    assert read_states(path).tolist() == [[1, 2, 3]]
    path.write_text("1\n2\n3\n")
    assert read_states(path, width=1).tolist() == [[1], [2], [3]]
    assert read_states(path, width=3).tolist() == [[1, 2, 3]]
