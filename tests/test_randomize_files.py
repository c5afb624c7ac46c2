"""Files that a randomization is made of: read once, known by what they hold."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import heliograph as hg
from heliograph.errors import InvalidValueError, SceneError, UnknownNameError
from heliograph.lru import LruCache
from heliograph.randomize import Materials, Textures, load_randomization, to_json
from heliograph.randomize import textures as module
from heliograph.randomize.config import as_randomization, describe
from heliograph.record import record
from heliograph.scene import EditMaterials
from heliograph.transport.values import unpack
from heliograph.worker.opening import describe_opening, open_engine, pack_opening

SIZE = (16, 12)
JPEG: dict[str, Any] = {"randomizers": [{"type": "postprocess", "steps": {"jpeg": {"quality": 9}}}]}
ORRB: dict[str, Any] = {"components": [{"type": "PostProcessingRandomizer"}]}
MJCF = """<mujoco><worldbody><light pos="0 0 3"/><camera name="front" pos="0 -3 0"
xyaxes="1 0 0 0 0 1"/><geom name="ball" size="0.5"/></worldbody></mujoco>"""


def painted(folder: Path, colour: tuple[int, int, int] = (10, 20, 30), name: str = "a.png") -> Path:
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (4, 4), colour).save(folder / name)
    return folder


def photos(folder: str = "photos", **more: Any) -> dict[str, Any]:
    textures = {"kinds": [], "folder": folder, **more}
    return {
        "randomizers": [{"type": "materials", "texture_probability": 1.0, "textures": textures}]
    }


def written(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(json.dumps(config))
    return path


@pytest.mark.parametrize("config", [JPEG, ORRB])
def test_workers_get_what_the_config_held(tmp_path: Path, config: dict[str, Any]) -> None:
    path = written(tmp_path / "dr.json", config)
    order = pack_opening("fake", "fake", {"size": SIZE, "randomize": path})
    path.unlink()
    assert set(unpack(order.options)["randomize"]) == set(config)
    open_engine(order).close()


def test_a_replaced_worker_draws_as_the_first_one(tmp_path: Path) -> None:
    path = written(tmp_path / "dr.json", JPEG)
    with hg.open("fake", size=SIZE, workers=1, recycle_after=2, randomize=path) as pool:
        written(path, {"randomizers": []})
        drawn = [pool.render(hg.View(seed=1)) for _ in range(9)]
    assert all(list(each.randomization) == ["postprocess"] for each in drawn)
    assert len({each["front"].rgb.tobytes() for each in drawn}) == 1


def test_a_wrong_config_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    wrong: Any = 5
    for workers in (0, 1):
        with pytest.raises(InvalidValueError, match="cannot be read"):
            hg.open("fake", workers=workers, randomize=tmp_path / "none.json")
        with pytest.raises(InvalidValueError, match="randomize: expected the path"):
            hg.open("fake", workers=workers, randomize=wrong)
    with pytest.raises(InvalidValueError, match="expected a path"):
        load_randomization(wrong)


def test_a_folder_is_relative_to_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted(tmp_path / "photos")
    path = written(tmp_path / "dr.json", photos())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (materials,) = load_randomization(path).randomizers
    textures: Textures = materials.textures  # type: ignore[attr-defined]
    assert textures.folder == str(tmp_path / "photos")
    assert textures.image(["file", "a.png"])[0, 0].tolist() == [10, 20, 30]
    with pytest.raises(InvalidValueError, match=r"dr\.json|config: randomizers\[0\].*photos"):
        load_randomization(photos())


def test_descriptions_hold_the_hash_of_the_files_but_not_where_they_lie(tmp_path: Path) -> None:
    told = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        painted(tmp_path / place / "photos")
        path = written(tmp_path / place / "dr.json", photos())
        told.append(describe_opening("fake", {"randomize": path}))
    assert told[0] == told[1]
    assert str(tmp_path) not in json.dumps(told)
    for change in ("content", "name"):
        folder = tmp_path / "two" / "photos"
        if change == "content":
            painted(folder, (11, 20, 30))
        else:
            painted(folder)
            (folder / "a.png").rename(folder / "b.png")
        again = describe_opening("fake", {"randomize": tmp_path / "two" / "dr.json"})
        assert again != told[0]


def test_a_run_is_not_resumed_with_other_photos(tmp_path: Path) -> None:
    painted(tmp_path / "photos")
    path = written(tmp_path / "dr.json", photos())
    for workers in (0, 1):
        with hg.open(MJCF, size=SIZE, workers=workers, randomize=path) as renderer:
            record(hg.Dataset(renderer, 2), tmp_path / "run", resume=bool(workers))
    painted(tmp_path / "photos", (200, 0, 0))
    with hg.open(MJCF, size=SIZE, randomize=path) as renderer:
        dataset = hg.Dataset(renderer, 2)
        with pytest.raises(hg.RecordError, match=r"randomize\.randomizers"):
            record(dataset, tmp_path / "run", resume=True)


def test_photos_that_change_are_seen_or_told(tmp_path: Path) -> None:
    folder = painted(tmp_path / "photos")
    old = Textures(kinds=(), folder=str(folder))
    assert old.image(["file", "a.png"])[0, 0, 0] == 10
    painted(folder, (99, 0, 0))
    assert Textures(kinds=(), folder=str(folder)).image(["file", "a.png"])[0, 0, 0] == 99
    assert old.image(["file", "a.png"])[0, 0, 0] == 10
    with pytest.raises(InvalidValueError, match="not those that were there"):
        Textures(kinds=(), folder=str(folder), sha256=old.sha256)
    fresh = Textures(kinds=(), folder=str(folder))
    painted(folder, (7, 0, 0))
    fresh_again = fresh.image(["file", "a.png"])  # read before it was changed
    assert fresh_again[0, 0, 0] == 99
    later = Textures(kinds=(), folder=str(folder))
    painted(folder, (8, 0, 0))
    with pytest.raises(SceneError, match="has changed since"):
        later.image(["file", "a.png"])
    with pytest.raises(UnknownNameError, match="texture file"):
        later.image(["file", "../secret.png"])


@pytest.mark.parametrize("what", ["missing", "empty", "text", "cut", "file"])
def test_folders_that_cannot_be_used_are_told_when_the_config_is_loaded(
    tmp_path: Path, what: str
) -> None:
    folder = tmp_path / "photos"
    if what == "file":
        folder.write_text("")
    elif what != "missing":
        folder.mkdir()
        (folder / "notes.txt").write_text("no image")
    if what == "text":
        (folder / "b.png").write_text("no image")
    if what == "cut":
        pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "b.png")
        (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:2000])
    path = written(tmp_path / "dr.json", photos())
    with pytest.raises(InvalidValueError, match=r"dr\.json: randomizers\[0\].*photos"):
        load_randomization(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_photos_of_four_formats_are_read_whatever_their_names(
    tmp_path: Path, kind: str, suffix: str
) -> None:
    Image.new("RGB", (4, 4), (10, 20, 30)).save(tmp_path / f"a{suffix}", kind)
    textures = Textures(kinds=(), folder=str(tmp_path))
    found = textures.image(["file", f"a{suffix}"])
    assert found.shape == (4, 4, 3)
    assert np.abs(found.astype(int) - (10, 20, 30)).max() <= 4


def test_photos_of_16_bits_and_photos_that_lie_on_their_side(tmp_path: Path) -> None:
    deep = np.array([[0, 32768, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise makes it upright
    Image.fromarray((deep >> 8).astype(np.uint8)).save(tmp_path / "turned.png", exif=exif)
    textures = Textures(kinds=(), folder=str(tmp_path))
    assert textures.image(["file", "deep.png"])[0].tolist() == [[0] * 3, [128] * 3, [255] * 3]
    turned = textures.image(["file", "turned.png"])
    assert turned[:, 0].tolist() == [[0] * 3, [128] * 3, [255] * 3]
    Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "light.tif")
    textures = Textures(kinds=(), folder=str(tmp_path))
    with pytest.raises(SceneError, match=r"light\.tif: cannot be shown \(its numbers are no"):
        textures.image(["file", "light.tif"])


@pytest.mark.parametrize("kind", ["BMP", "GIF", "EPS", "PPM", "ICO", "TGA", "PCX", "PDF"])
def test_photos_of_other_formats_are_refused_by_what_they_hold(tmp_path: Path, kind: str) -> None:
    Image.new("RGB", (16, 16), (10, 20, 30)).save(tmp_path / "a.png", kind)
    with pytest.raises(InvalidValueError, match=r"a\.png: expected what a PNG, JPEG, WebP or TIFF"):
        Textures(kinds=(), folder=str(tmp_path))


def test_photos_that_were_read_once_are_not_left_out_in_silence(tmp_path: Path) -> None:
    painted(tmp_path / "photos")
    Image.new("RGB", (4, 4)).save(tmp_path / "photos" / "old.bmp")
    path = written(tmp_path / "dr.json", photos())
    with pytest.raises(
        InvalidValueError, match=r"randomizers\[0\]: .*old\.bmp: expected what a PNG"
    ):
        load_randomization(path)


def test_images_are_kept_up_to_so_many_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IMAGES", LruCache(100_000))
    folder = tmp_path / "photos"
    for i in range(8):
        painted(folder, (i, 0, 0), f"{i}.png")
    made = Textures(kinds=("noise",), count=40, size=64, folder=str(folder))  # 12,288 bytes each
    alive: list[weakref.ref[Any]] = []
    for i in range(40):
        image = made.image(["noise", i])
        assert image is made.image(["noise", i])
        alive += [weakref.ref(image), weakref.ref(made.image(["file", f"{i % 8}.png"]))]
    del image
    kept = {id(array): array.nbytes for each in alive if (array := each()) is not None}
    assert 50_000 < sum(kept.values()) <= 100_000


def test_an_image_that_is_larger_than_what_is_kept_is_drawn_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_IMAGES", LruCache(100))
    paint = Materials(texture_probability=1.0, textures=Textures(kinds=("noise",), count=1))
    (edit,) = paint.build(
        {"objects": [["a"], ["b"]], "texture": [["noise", 0], ["noise", 0]]}
    ).edits
    assert isinstance(edit, EditMaterials)
    assert edit.texture is not None
    assert (edit.texture.tolist(), len(edit.images)) == ([0, 0], 1)


def test_a_config_with_photos_is_written_and_read_again(tmp_path: Path) -> None:
    painted(tmp_path / "photos")
    read = load_randomization(written(tmp_path / "dr.json", photos()))
    again = load_randomization(to_json(read))
    assert again.randomizers == read.randomizers
    assert as_randomization(read) is read
    shutil.rmtree(tmp_path / "photos")
    with pytest.raises(InvalidValueError, match="photos"):
        load_randomization(to_json(read))
    with pytest.raises(InvalidValueError, match="sha256 is of a folder"):
        Textures(sha256="0" * 64)


def test_randomizers_of_ones_own_are_described(tmp_path: Path) -> None:
    from heliograph.randomize import Drawn, Randomization, Randomizer

    class Own(Randomizer):
        def choose(self, rng: Any, scene: Any) -> dict[str, Any]:
            return {}

        def build(self, values: Any) -> Drawn:
            return Drawn()

    told = describe(Randomization([Own()], ["mine"]))
    assert told == {"randomizers": [{"type": "Own", "name": "mine"}]}


PLAIN = """
import sys
import heliograph as hg
from heliograph.engines.registry import make_engine
config = {"randomizers": [{"type": "materials"}, {"type": "lights"}, {"type": "camera_jitter"}]}
engine = make_engine("mujoco", sys.argv[1], {"size": (16, 12), "randomize": config})
engine.render(hg.View(seed=1))
import heliograph.worker.serve
print(*(name for name in sys.modules if "compat" in name.split(".")))
"""


def test_a_plain_randomized_worker_imports_nothing_of_orrb() -> None:
    command = [sys.executable, "-c", PLAIN, MJCF]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
