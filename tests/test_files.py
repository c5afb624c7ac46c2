import json
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from heliograph import Camera, Frame, Label, Sample
from heliograph.errors import RecordError
from heliograph.files import save_sample, write_atomically


def made_sample(names: tuple[str, ...] = ("top",), largest: int = 3) -> Sample:
    rng = np.random.default_rng(0)
    frames = {}
    for name in names:
        camera = Camera.look_at(
            name=name, eye=(2, 0, 1), target=(0, 0, 0), fov_y=0.9, width=6, height=4
        )
        ids = rng.integers(0, 4, (4, 6)).astype(np.int32)
        ids[0, 0] = largest
        depth = rng.random((4, 6)).astype(np.float32)
        depth[1, 1] = np.inf
        rgb = rng.integers(0, 256, (4, 6, 3)).astype(np.uint8)
        normals = rng.random((4, 6, 3)).astype(np.float32)
        passes: dict[str, NDArray[Any]] = {
            "rgb": rgb,
            "depth": depth,
            "normals": normals,
            "segmentation": ids,
            "alpha": rgb[..., 0].copy(),
            "distance": depth,
        }
        frames[name] = Frame(camera, passes)
    labels = {0: Label("background", "background"), 3: Label("ball", "sphere")}
    return Sample(frames, labels, {"qpos": np.arange(3.0)}, 7, 2, {"light": np.float32(0.5)})


def read(path: Path) -> NDArray[Any]:
    if path.suffix == ".npy":
        return np.asarray(np.load(path))
    with Image.open(path) as image:
        return np.array(image)


@pytest.mark.parametrize("largest", [3, 65535, 65536, 2**31 - 1])
def test_passes_come_back_bit_for_bit(tmp_path: Path, largest: int) -> None:
    sample = made_sample(largest=largest)
    save_sample(sample, tmp_path, "000002")
    facts = json.loads((tmp_path / "000002.json").read_text())
    for kind, array in sample["top"].passes.items():
        back = read(tmp_path / facts["cameras"]["top"]["files"][kind])
        assert np.array_equal(back, array)
    assert read(tmp_path / "000002_top_depth.npy").dtype == np.float32
    assert read(tmp_path / "000002_top_alpha.png").dtype == np.uint8


def test_the_json_says_what_the_files_are(tmp_path: Path) -> None:
    sample = made_sample()
    paths = save_sample(sample, tmp_path, "s")
    facts = json.loads((tmp_path / "s.json").read_text())
    camera, used = facts["cameras"]["top"], sample["top"].camera
    assert np.array_equal(camera["K"], used.K)
    assert np.array_equal(camera["world_from_camera"], used.world_from_camera)
    assert (camera["width"], camera["height"]) == used.size
    assert (camera["near"], camera["far"]) == (used.near, used.far)
    assert facts["labels"]["3"] == ["ball", "sphere"]
    assert (facts["seed"], facts["index"], facts["state"]) == (7, 2, {"qpos": [0.0, 1.0, 2.0]})
    assert facts["randomization"] == {"light": 0.5}
    assert sorted(paths) == sorted(tmp_path.iterdir())


def test_names_of_cameras_cannot_leave_the_folder_or_meet(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    save_sample(made_sample(("../a/b", ".._a_b", "ok")), folder, "s")
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert len(list(folder.iterdir())) == 3 * 6 + 1


def test_a_file_that_fails_half_way_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(stream: IO[bytes]) -> None:
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(RecordError, match="No space left"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_error_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be written"):
        save_sample(made_sample(), tmp_path / "nowhere", "s")
