"""A pass that only one engine has goes through everything unharmed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

import heliograph as hg
import heliograph.torch as hgt
from heat_engine import HEAT, SOURCE, HeatEngine, heat
from heliograph import cli, codec, picture
from heliograph.engine import Renderer
from heliograph.errors import UnknownNameError
from heliograph.passes import PASSES, RGB, PassSpec
from heliograph.record import Recording, record
from heliograph.testing import Verdict, check_engine

SIZE = (24, 18)
EVERY = (*PASSES.values(), HEAT)
SHOWN: Any = ("heat", "rgb", "depth", "segmentation")


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`heat` is an engine of this process and of those it starts, as an installed package is."""
    folder = tmp_path_factory.mktemp("plugin")
    facts = folder / "heat_engine-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: heat-engine\nVersion: 1.0\n")
    entry = "[heliograph.engines]\nheat = heat_engine:HeatEngine\n"
    (facts / "entry_points.txt").write_text(entry)
    paths = [str(folder), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        yield


@pytest.fixture(scope="module")
def pool(plugin: None) -> Iterator[Renderer]:
    with hg.open(SOURCE, size=SIZE, workers=2) as opened:
        yield opened


@pytest.fixture(scope="module")
def local(plugin: None) -> Iterator[Renderer]:
    with hg.open(SOURCE, size=SIZE) as opened:
        yield opened


@pytest.fixture(params=["local", "pool"])
def renderer(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def ball(index: int) -> dict[str, Any]:
    return {"ball": (0.2 * index - 0.3, -0.4, 0.6)}


def moving(rng: np.random.Generator) -> dict[str, Any]:
    return {"ball": rng.uniform(-0.5, 1, 3)}


class Interrupted(hg.Dataset):
    """A dataset over which somebody hits Ctrl-C."""

    def outcomes(self, positions: Any, together: int | None = None) -> Any:
        for position, outcome in super().outcomes(positions, together):
            if position == 5:
                raise KeyboardInterrupt
            yield position, outcome


def check(frame: hg.Frame) -> None:
    """The pass holds what depth and ids say, bit for bit, and its spec is known."""
    assert frame["heat"].dtype == np.float32
    assert np.array_equal(frame["heat"], heat(frame), equal_nan=True)
    assert np.isnan(frame["heat"]).any()
    assert np.nanmax(frame["heat"][..., 0]) > 290
    assert frame.spec("heat") == HEAT


def test_the_engine_keeps_its_promises() -> None:
    found = check_engine(HeatEngine, other_state={"ball": (0.0, -0.6, 0.5)})
    assert not found.of(Verdict.FAILED)
    assert found.passes == (*PASSES, "heat")
    for name in ("nothing_holds_the_fill", "arrays_are_laid_out", "draws_into_given_buffers"):
        assert "heat" in found.passes
        assert found.outcomes[name].verdict is Verdict.PASSED


def test_it_is_asked_for_by_name_by_spec_and_with_all_others(renderer: Renderer) -> None:
    assert renderer.passes["heat"] == HEAT
    for passes in (SHOWN, [HEAT, *PASSES.values()], renderer.passes):
        sample = renderer.render(hg.View(("front", "top"), passes, ball(1)))
        assert len(sample) == 2
        check(sample["front"])
        assert sample.provenance.engine == "heat"


def test_engines_without_it_say_which_they_have() -> None:
    with hg.open("fake", size=SIZE) as plain, pytest.raises(UnknownNameError, match="depth"):
        plain.render(hg.View(passes=EVERY))


def test_pools_draw_what_this_process_draws(local: Renderer, pool: Renderer) -> None:
    for index in range(4):
        view = hg.View((), SHOWN, ball(index), seed=3, index=index)
        (one,), (other,) = local.render(view), pool.render(view)
        assert list(one.passes) == list(other.passes) == list(SHOWN)
        for name in SHOWN:
            assert one[name].tobytes() == other[name].tobytes()


def test_batches_stack_it(renderer: Renderer, local: Renderer) -> None:
    places = np.array([ball(index)["ball"] for index in range(5)])
    batch = {"ball": places, "seed": 0, "passes": SHOWN, "cameras": ["front"]}
    stacked = renderer.submit_batch(batch).result()
    assert stacked["front_heat"].shape == (5, 18, 24, 2)
    for index in range(5):
        frame = local.render(hg.View((), SHOWN, ball(index)))["front"]
        assert np.array_equal(stacked["front_heat"][index], frame["heat"], equal_nan=True)


def test_samples_and_datasets_yield_it(renderer: Renderer) -> None:
    for sample in hg.samples(renderer, count=3, passes=SHOWN, state=moving):
        check(sample["front"])
    dataset = hgt.Dataset(renderer, 5, passes=EVERY, state=moving)
    exact = hg.Dataset(renderer, 5, passes=EVERY, state=moving)
    for collate in (None, hgt.collate):
        batches = list(DataLoader(dataset, batch_size=2, collate_fn=collate))
        tensor = batches[1]["frames"]["front"]["heat"]
        assert tuple(tensor.shape) == (2, 18, 24, 2)
        assert tensor.numpy()[1].tobytes() == exact[3]["front"]["heat"].tobytes()


def test_recordings_hold_it(renderer: Renderer, tmp_path: Path) -> None:
    options: Any = {"passes": EVERY, "state": moving, "seed": 4}
    dataset = hg.Dataset(renderer, 7, **options)
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    record(dataset, whole, shard_size=3)

    with pytest.raises(KeyboardInterrupt):
        record(Interrupted(renderer, 7, **options), halves, shard_size=3)
    recording = record(dataset, halves, shard_size=3, resume=True)
    assert len(list(whole.glob("*.tar"))) == 3
    for path in whole.glob("*.tar"):
        assert path.read_bytes() == (halves / path.name).read_bytes()
    for position, sample in enumerate(dataset):
        replayed = recording[position]["front"]
        check(replayed)
        for name in sample["front"].passes:
            assert replayed[name].tobytes() == sample["front"][name].tobytes()
    loaded = next(iter(DataLoader(hgt.Dataset(Recording(halves)), batch_size=4)))
    assert tuple(loaded["frames"]["front"]["heat"].shape) == (4, 18, 24, 2)


def test_what_is_written_about_it_is_json_for_everybody(local: Renderer) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    files = codec.encode(local.render(hg.View(passes=SHOWN)))
    meta = json.loads(files["json"], parse_constant=refuse)
    assert [each["name"] for each in meta["passes"]] == ["heat"]


@pytest.mark.parametrize("most", [7, 65535, 65536, -1])
def test_ids_that_a_png_does_not_hold_are_written_all_the_same(local: Renderer, most: int) -> None:
    spec = PassSpec("marks", np.dtype(np.int32), 0, "id", 0, "", "png")
    frame = local.render(hg.View())["front"]
    marks = np.zeros((18, 24), np.int32)
    marks[3, 4] = most
    own = replace(frame, passes={"marks": marks}, specs={"marks": spec})
    files = codec.encode(hg.Sample({"front": own}))
    assert np.array_equal(codec.decode(files.__getitem__)["front"]["marks"], marks)


def test_people_see_it(local: Renderer, tmp_path: Path) -> None:
    sample = local.render(hg.View(("front", "top"), SHOWN, ball(2)))
    shown = picture.pass_picture(HEAT, sample["front"]["heat"])
    assert shown.shape == (18, 24, 3)
    assert shown.dtype == np.uint8
    assert not shown[np.isnan(sample["front"]["heat"]).any(-1)].any()
    assert np.ptp(shown) > 100
    sheet = picture.contact_sheet([sample])
    assert sheet.width > 4 * 200
    assert "heat" in picture.sample_html(sample)
    assert picture.frame_png(sample["front"])[:4] == b"\x89PNG"


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    words = ["render", SOURCE, "--passes", "heat", "rgb", "--size", "24x18", "--out", str(out)]
    with pytest.raises(SystemExit) as done:
        cli.main(words)
    assert not done.value.code, capsys.readouterr().err
    written = np.load(next(out.glob("*heat.npy")))
    with hg.open(SOURCE, size=SIZE) as renderer:
        expected = renderer.render(hg.View(passes=[HEAT, RGB], seed=0))["front"]["heat"]
    assert np.array_equal(written, expected, equal_nan=True)
    with Image.open(out / "contact_sheet.png") as sheet:
        assert sheet.size[0] > 400
