import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ClassVar

import mujoco
import numpy as np
import pytest

import heliograph as hg
from heliograph.delivery import call
from heliograph.delivery.call import LocalRenderer
from heliograph.engine import Renderer
from heliograph.engines import registry
from heliograph.engines.fake import FakeEngine

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
    with pytest.raises(hg.UnknownNameError, match="segment_by"):
        hg.open(MJCF, segment_bi="body")


def test_raster_options_are_keywords() -> None:
    with hg.open(MJCF, size=(8, 8), msaa=4, shadows=False, lod="off") as opened:
        opened.render(hg.View())
    with pytest.raises(hg.InvalidValueError, match="msaa"):
        hg.open(MJCF, msaa=3)
    with pytest.raises(hg.InvalidValueError, match="not both"):
        hg.open(MJCF, msaa=4, options=hg.RasterOptions())


class Entry:
    name = "other"

    def load(self) -> type:
        return OtherEngine


class OtherEngine(FakeEngine):
    made: ClassVar[list[tuple[object, tuple[int, int]]]] = []

    def __init__(self, source: object, *, size: tuple[int, int]) -> None:
        super().__init__(size=size)
        self.made.append((source, size))

    @staticmethod
    def accepts(source: object) -> bool:
        return str(source).startswith("other://")


def test_installed_engines_are_asked_for_what_we_do_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [Entry()])
    with hg.open("other://thing", size=(5, 4)) as opened:
        assert OtherEngine.made == [("other://thing", (5, 4))]
        assert opened.cameras["front"].size == (5, 4)
    assert "other" in call.engine_names()


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
