import inspect
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import mujoco
import numpy as np
import pytest

import heliograph as hg
from heliograph.delivery.call import LocalRenderer
from heliograph.delivery.options import OpenOptions
from heliograph.engine import Renderer
from heliograph.pool import PoolOptions

MJCF = """<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="front" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
    <body><joint name="slide" type="slide" axis="1 0 0"/><geom name="ball" size="0.5"/></body>
  </worldbody>
</mujoco>"""


@pytest.fixture(scope="module")
def renderer() -> Iterator[LocalRenderer]:
    with hg.open(MJCF, size=(32, 24)) as opened:
        yield opened


def test_open_draws_what_the_text_says(renderer: LocalRenderer) -> None:
    sample = renderer.render(hg.View(passes=("rgb", "depth", "normals", "segmentation")))
    frame = sample["front"]
    assert frame.rgb.shape == (24, 32, 3)
    assert abs(frame.depth[12, 16] - 2.5) < 0.01
    assert sample.labels[int(frame.segmentation[12, 16])].name == "ball"


def test_it_is_a_renderer(renderer: LocalRenderer) -> None:
    assert isinstance(renderer, Renderer)
    assert "front" in renderer.cameras
    assert next(iter(renderer.passes)) == "rgb"
    assert renderer.labels[0].name == "background"
    assert renderer.scene.hash


def test_submit_gives_a_finished_future_with_the_sample_or_the_error(
    renderer: LocalRenderer,
) -> None:
    good, bad = renderer.submit(hg.View()), renderer.submit(hg.View(cameras=["nope"], seed=4))
    assert isinstance(good, Future)
    assert good.result(timeout=0)["front"].rgb.shape == (24, 32, 3)
    error = bad.exception(timeout=0)
    assert isinstance(error, hg.UnknownNameError)
    assert (error.seed, error.index) == (4, 0)


def test_something_that_is_no_view_is_refused(renderer: LocalRenderer) -> None:
    with pytest.raises(hg.InvalidValueError, match=r"expected a heliograph\.View"):
        renderer.render("front")  # type: ignore[arg-type]


def test_threads_take_turns(renderer: LocalRenderer) -> None:
    views = [hg.View(state={"qpos": [place]}) for place in (-0.5, 0.0, 0.5)]
    alone = [renderer.render(view)["front"].rgb for view in views]
    seen: dict[int, hg.Frame] = {}
    threads = [
        threading.Thread(target=lambda i=i: seen.update({i: renderer.render(views[i])["front"]}))
        for i in range(len(views))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(seen[i].rgb, alone[i]) for i in range(len(views)))


def test_between_two_samples_of_a_refinement_anything_else_may_be_drawn() -> None:
    with hg.open("fake", size=(16, 12)) as opened:
        alone = [next(iter(sample)).rgb for sample in opened.refine(hg.View())]
        other = hg.View(cameras=["top"], state={"ball": (0, 0, 2)})
        found: list[Any] = []

        def draw() -> None:
            for sample in opened.refine(hg.View()):
                found.append(next(iter(sample)).rgb)
                assert len(list(opened.refine(other))) == len(alone) > 1
                opened.render(other)

        thread = threading.Thread(target=draw, daemon=True)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
    assert all(np.array_equal(a, b) for a, b in zip(found, alone, strict=True))


def test_a_refinement_left_alone_holds_nobody_up_and_ends_with_the_renderer() -> None:
    opened = hg.open("fake", size=(16, 12))
    samples = opened.refine(hg.View(seed=3))
    next(samples)
    closing = threading.Thread(target=opened.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
    with pytest.raises(hg.ClosedError, match="closed"):
        next(samples)
    with pytest.raises(hg.ClosedError):
        next(opened.refine(hg.View()))


def test_closed_renderers_say_so_and_close_twice() -> None:
    opened = hg.open(MJCF, size=(8, 8))
    opened.close()
    opened.close()
    with pytest.raises(hg.ClosedError):
        opened.render(hg.View())


@pytest.mark.parametrize("suffix", [".xml", ".mjcf", ".XML"])
def test_files_open_by_their_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_text(MJCF)
    with hg.open(path, size=(8, 8)) as opened:
        assert "front" in opened.cameras


def test_compiled_models_open() -> None:
    with hg.open(mujoco.MjModel.from_xml_string(MJCF), size=(8, 8)) as opened:
        assert "front" in opened.cameras


def test_files_of_packages_open_without_importing_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "a_package_with_models"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model.xml").write_text(MJCF)
    monkeypatch.syspath_prepend(tmp_path)
    with hg.open("a_package_with_models:model.xml", size=(8, 8)) as opened:
        assert "front" in opened.cameras


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.xml", "no such file.*what can be opened.*MuJoCo"),
        ("nowhere.unknown", "no such file"),
        ("no_such_package:model.xml", "no package 'no_such_package'"),
        ("x" * 5000, "no such file"),
        ("<mujoco><nonsense/></mujoco>", "nonsense"),
        (3.5, "a float: nothing here opens it"),
    ],
)
def test_what_cannot_be_opened_is_a_scene_error(source: object, message: str) -> None:
    with pytest.raises(hg.SceneError, match=message) as caught:
        hg.open(source)
    assert len(str(caught.value)) < 600


def test_unknown_suffixes_are_told_what_can_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "model.docx"
    path.write_text("hello")
    with pytest.raises(hg.SceneError, match=r"nothing here opens it.*\.xml"):
        hg.open(path)


@pytest.mark.parametrize("size", [(0, 0), (100_000, 100_000), (8,), "8x8", (8.5, 8), (True, 8)])
def test_bad_sizes_are_refused(size: Any) -> None:
    with pytest.raises(hg.InvalidValueError, match="size: expected"):
        hg.open(MJCF, size=size)


def test_unknown_engines_and_options_are_named() -> None:
    with pytest.raises(hg.UnknownNameError, match="did you mean 'mujoco'"):
        hg.open(MJCF, engine="mujoko")
    wrong: dict[str, Any] = {"segment_bi": "body"}
    with pytest.raises(hg.UnknownNameError, match=r"'segment_bi'; did you mean 'segment_by'"):
        hg.open(MJCF, **wrong)
    with pytest.raises(hg.UnknownNameError, match=r"option of the mujoco engine.*'segment_by'"):
        hg.open(MJCF, engine_options=wrong)
    with pytest.raises(hg.UnknownNameError, match="option of the fake engine 'msaa'"):
        hg.open("fake", msaa=4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"workers": 2, "dedline": 3}, "unknown option .*'dedline'; did you mean 'deadline'"),
        ({"workres": 2}, "'workres'; did you mean 'workers'"),
        ({"workers": 2, "quality": 1}, "go into engine_options"),
        ({"deadline": 3}, "deadline: is about worker processes.*give workers= as well"),
        ({"workers": 0, "python": "python"}, "python: is about worker processes"),
    ],
)
def test_wrong_keywords_are_refused_before_anything_is_opened(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], message: str
) -> None:
    for opens in ("Pool", "make_engine"):
        monkeypatch.setattr(f"heliograph.delivery.call.{opens}", None)
    with pytest.raises(hg.HeliographError, match=message):
        hg.open("fake", **wrong)


def test_raster_options_are_keywords() -> None:
    with hg.open(MJCF, size=(8, 8), msaa=4, shadows=False, lod="off") as opened:
        opened.render(hg.View())
    wrong: dict[str, Any]
    for wrong in ({"msaa": 3}, {"shadows": "no"}, {"lighting": "pixl"}, {"device": -1}):
        with pytest.raises(hg.InvalidValueError, match=f"^{next(iter(wrong))}: expected"):
            hg.open(MJCF, **wrong)


def test_every_option_is_typed_as_where_it_goes_and_explained_with_its_default() -> None:
    hints = get_type_hints(OpenOptions)
    told = inspect.getdoc(hg.open)
    assert told is not None
    defaults: dict[str, Any] = {"randomize": None, "engine_options": None, "visual": None}
    defaults |= {"style": "raster", "segment_by": "object"}
    defaults |= {"samples": 16, "denoise": False, "trust": False, "allow_missing": False}
    for kind in (hg.RasterOptions, PoolOptions):
        typed = get_type_hints(kind)
        for each in fields(kind):
            defaults[each.name] = each.default
            assert hints[each.name] == typed[each.name], each.name
    assert hints.keys() == defaults.keys()
    defaults["python"] = "this interpreter"
    for name, default in defaults.items():
        shown = default if name == "python" else repr(default)
        assert f"    {name}: ({shown}) " in told, name


def test_threads_of_a_picture_change_no_byte_and_are_not_remembered() -> None:
    view = hg.View(["fit"], ("rgb", "depth", "normals", "segmentation"))
    with hg.open(MJCF, size=(97, 61), backend="cpu") as one:
        expected, opened = one.render(view)["fit"], one.opened
    with hg.open(MJCF, size=(97, 61), backend="cpu", threads=3) as three:
        assert three.opened == opened
        drawn = three.render(view)["fit"]
    for name, array in expected.passes.items():
        assert np.array_equal(drawn[name], array), name
    with pytest.raises(hg.UnknownNameError, match="threads"):
        hg.open("fake", threads=3)


def test_threads_are_those_of_a_picture_in_each_worker_too() -> None:
    view = hg.View(["fit"], ("rgb", "segmentation"))
    with hg.open(MJCF, size=(97, 61), backend="cpu") as one:
        expected, opened = one.render(view)["fit"], one.opened
    with hg.open(MJCF, size=(97, 61), backend="cpu", workers=1, threads=3, cores=1) as pool:
        assert pool.opened == opened
        drawn = pool.render(view)["fit"]
    for name, array in expected.passes.items():
        assert np.array_equal(drawn[name], array), name
    with pytest.raises(hg.InvalidValueError, match="threads: expected an integer from 1 to 64"):
        hg.open(MJCF, workers=1, threads=65)
    with pytest.raises(hg.UnknownNameError, match="threads"):
        hg.open("fake", workers=1, threads=3)
    with pytest.raises(hg.InvalidValueError, match="cores: is about worker processes"):
        hg.open(MJCF, cores=2)


def test_engine_options_are_the_engines_alone() -> None:
    further = {"segment_by": "body"}
    with hg.open(MJCF, size=(8, 8), engine_options=further) as opened:
        assert opened.opened["options"]["segment_by"] == "body"
    with hg.open("fake", workers=1, engine_options={"cost": 1e-4}) as pool:
        assert pool.render(hg.View(index=3)).index == 3
    with pytest.raises(hg.UnknownNameError, match="option of the fake engine 'deadline'"):
        hg.open("fake", engine_options={"deadline": 3})
    with pytest.raises(hg.InvalidValueError, match=r"engine_options: .* got segment_by; give it"):
        hg.open(MJCF, segment_by="body", engine_options=further)
    wrong: Any = ["segment_by"]
    with pytest.raises(hg.InvalidValueError, match="engine_options: expected a mapping"):
        hg.open(MJCF, engine_options=wrong)


def test_importing_heliograph_loads_nothing_heavy() -> None:
    code = (
        "import sys, heliograph; heliograph.View; heliograph.Camera; heliograph.open;"
        "heavy = {'mujoco', 'moderngl', 'PIL', 'tyro', 'tqdm', 'scipy'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there() -> None:
    for name in hg.__all__:
        assert getattr(hg, name) is not None
    assert set(hg.__all__) <= set(dir(hg))
    with pytest.raises(AttributeError, match="nothing_like_it"):
        vars(hg)["__getattr__"]("nothing_like_it")


def test_leaving_the_with_cancels_what_is_pending() -> None:
    with hg.open("blank", engine="fake", size=(8, 8), workers=1) as pool:
        futures = [pool.submit(hg.View(state={"sleep": 60}, index=index)) for index in range(5)]
        done = pool.submit(hg.View())
    for future in (*futures, done):
        assert isinstance(future.exception(timeout=5), hg.ClosedError)
