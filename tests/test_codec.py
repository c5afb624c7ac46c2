import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from heliograph import Camera, Frame, Label, Sample
from heliograph.cli.folder import save_sample
from heliograph.codec import decode, decode_array, encode, encode_array
from heliograph.errors import RecordError
from heliograph.frame import Provenance
from heliograph.passes import FileForm, PassSpec, specs


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
    labels[largest] = Label("last", "sphere") if largest != 3 else labels[3]
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
    save_sample(sample, tmp_path, "s")
    facts = json.loads((tmp_path / "s.json").read_text())
    camera, used = facts["cameras"]["top"], sample["top"].camera
    assert np.array_equal(camera["K"], used.K)
    assert np.array_equal(camera["world_from_camera"], used.world_from_camera)
    assert (camera["width"], camera["height"]) == used.size
    assert (camera["near"], camera["far"]) == (used.near, used.far)
    assert facts["labels"]["3"] == ["ball", "sphere"]
    assert (facts["seed"], facts["index"], facts["state"]) == (7, 2, {"qpos": [0.0, 1.0, 2.0]})
    assert facts["randomization"] == {"light": 0.5}
    named = {*camera["files"].values(), "s.json"}
    assert named == {path.name for path in tmp_path.iterdir()}


def test_names_of_cameras_cannot_leave_the_folder_or_meet(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    save_sample(made_sample(("../a/b", ".._a_b", "ok")), folder, "s")
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert len(list(folder.iterdir())) == 3 * 6 + 1


@pytest.mark.parametrize(
    "cameras", [("a.b", "a:b", "a_b-0"), ("a", "A", "a-1"), ("x" * 70, "x" * 80, "x" * 60)]
)
def test_every_camera_has_files_of_its_own(cameras: tuple[str, ...]) -> None:
    sample = made_sample(cameras)
    files = encode(sample)
    assert len({name.lower() for name in files}) == 3 * 6 + 1
    again = decode(files.__getitem__)
    for camera in cameras:
        assert np.array_equal(again[camera].rgb, sample[camera].rgb)


@pytest.mark.parametrize(("most", "form"), [(65535, "png"), (65536, "npy")])
def test_labels_alone_decide_the_form_of_segmentation(most: int, form: str) -> None:
    """Samples of one scene are files of one kind, whatever each of them shows."""
    for shown in (3, most):
        made = made_sample(largest=shown)
        sample = Sample(made.frames, {0: Label("", ""), most: Label("last", "")})
        names = [name for name in encode(sample) if "segmentation" in name]
        assert names == [f"top.segmentation.{form}"]


def test_an_id_that_labels_do_not_reach_is_told_and_never_cut() -> None:
    made = made_sample(largest=65536)
    with pytest.raises(RecordError, match="got 0 to 65536; give labels that name them"):
        encode(Sample(made.frames, {0: Label("", "")}))
    ids = decode_array(encode(Sample(made.frames, {}))["top.segmentation.npy"])
    assert np.array_equal(ids, made["top"].segmentation)


@pytest.mark.parametrize(
    ("form", "dtype", "shape"),
    [
        ("png", "u1", (4, 6, 3)),
        ("png", "u1", (4, 6)),
        ("png", "u2", (4, 6)),
        ("npy", "f4", (4, 6, 2)),
        ("npy", "i8", (4, 6)),
        ("npy", "?", (4, 6)),
    ],
)
def test_arrays_come_back_bit_for_bit(form: FileForm, dtype: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    array = rng.integers(0, 256, (*shape, 8)).astype(np.uint8).view("u8")[..., 0].astype(dtype)
    back = decode_array(encode_array(array, form))
    assert back.dtype == array.dtype
    assert np.array_equal(back, array, equal_nan=dtype[0] == "f")


def test_passes_of_other_engines_are_described_and_come_back() -> None:
    own = specs(
        PassSpec("flow", np.dtype(np.float32), 2, "px", np.inf, "motion"),
        PassSpec("parts", np.dtype(np.int32), 0, "id", 0, "parts of objects", "png"),
        PassSpec("tint", np.dtype(np.uint8), 4, file_form="png"),
    )
    camera = Camera.look_at(eye=(2, 0, 1), target=(0, 0, 0), fov_y=0.9, width=6, height=4)
    passes = {
        name: np.arange(np.prod(spec.shape(camera))).reshape(spec.shape(camera)).astype(spec.dtype)
        for name, spec in own.items()
    }
    frames = {"top": Frame(camera, passes, {}, own)}
    files = encode(Sample(frames, {23: Label("last", "")}, provenance=Provenance(scene_version=5)))
    assert [name.partition(".")[2] for name in files if name != "json"] == [
        "flow.npy",
        "parts.png",
        "tint.png",
    ]
    back = decode(files.__getitem__)
    assert back.provenance.scene_version == 5
    for name, spec in own.items():
        assert back["top"].spec(name) == spec
        assert np.array_equal(back["top"][name], passes[name])


@pytest.mark.parametrize(
    ("name", "dtype", "channels", "value"),
    [
        ("alpha", "f4", 0, 0.5),
        ("rgb", "f4", 3, 0.25),
        ("rgb", "u2", 3, 60000),
        ("segmentation", "i8", 0, 2**40),
        ("distance", "f8", 0, 1e300),
        ("wärme", "f4", 0, 300),
    ],
)
def test_a_known_name_for_something_else_loses_nothing(
    name: str, dtype: str, channels: int, value: float
) -> None:
    spec = PassSpec(name, np.dtype(dtype), channels)
    camera = Camera.look_at(eye=(2, 0, 1), target=(0, 0, 0), fov_y=0.9, width=6, height=4)
    array = np.full(spec.shape(camera), value, spec.dtype)
    files = encode(Sample({"top": Frame(camera, {name: array}, {}, specs(spec))}))
    assert all(each.isascii() for each in files)
    back = decode(files.__getitem__)["top"]
    assert back.spec(name) == spec
    assert back[name].dtype == spec.dtype
    assert np.array_equal(back[name], array)


def test_names_of_files_are_ascii() -> None:
    sample = made_sample(("größe→", "gr__e_"))
    assert all(name.isascii() for name in encode(sample))
    assert len(encode(sample)) == 2 * 6 + 1


def npy(header: str, data: bytes = bytes(96), version: int = 1) -> bytes:
    """A file of numpy's with this header, whatever stands in it."""
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2, "little") + text + data


HOSTILE = {
    "no python": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 6), "),
    "a line": npy("{'descr': '<f4',\n 'fortran_order' (((("),
    "nested": npy("(" * 9000),
    "calls": npy("{'descr': __import__('os').getpid(), 'fortran_order': False, 'shape': (4, 6), }"),
    "huge": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 6), }"),
    "huger": npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'9' * 5000}, 0), }}"),
    "objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (4, 6), }"),
    "short": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 6), }", bytes(90)),
    "another type": npy("{'descr': '<f3', 'fortran_order': False, 'shape': (4, 6), }"),
    "version 9": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 6), }", version=9),
    "zip": b"PK\x03\x04" + bytes(40),
    "pickle": b"\x80\x04N.",
    "nothing": b"",
    "half a png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(13),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_files_that_are_no_arrays_are_errors_of_ours(data: bytes) -> None:
    files = encode(made_sample()) | {"top.depth.npy": data}
    with pytest.raises(RecordError):
        decode(files.__getitem__)


def test_a_header_as_numpy_writes_it_is_read() -> None:
    """So that the table above fails for what is wrong in it, and not for all of it."""
    array = np.arange(24, dtype="<f4").reshape(4, 6)
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 6), }"
    files = encode(made_sample()) | {"top.depth.npy": npy(header, array.tobytes())}
    assert np.array_equal(decode(files.__getitem__)["top"].depth, array)


@pytest.mark.parametrize("facts", ["[" * 9000 + "]" * 9000, "1" * 9000, "null", "[1]", '{"a":', ""])
def test_json_of_any_sort_is_an_error_of_ours(facts: str) -> None:
    with pytest.raises(RecordError):
        decode({"json": facts.encode()}.__getitem__)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_a_sample_or_an_error_of_ours(data: st.DataObject) -> None:
    files = encode(made_sample())
    name = data.draw(st.sampled_from(sorted(files)))
    damaged = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(damaged) - 1))
        damaged[where] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(damaged)))
    try:
        decode((files | {name: bytes(damaged[:cut])}).__getitem__)
    except RecordError:
        return


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=5, unique=True)
    | st.lists(st.text("aA_ .-0", min_size=1, max_size=5), min_size=2, max_size=8, unique=True)
)
def test_cameras_of_any_names_come_back(names: list[str]) -> None:
    sample = made_sample(tuple(names))
    files = encode(sample)
    assert len({name.lower() for name in files}) == len(names) * 6 + 1
    again = decode(files.__getitem__)
    assert list(again.frames) == names
    for name in names:
        for kind, array in sample[name].passes.items():
            assert np.array_equal(again[name][kind], array)


def test_bytes_do_not_depend_on_the_order_of_an_array_in_memory() -> None:
    array = np.arange(24, dtype="f4").reshape(4, 6)
    assert encode_array(np.asfortranarray(array), "npy") == encode_array(array, "npy")
    assert np.array_equal(decode_array(encode_array(array.T, "npy")), array.T)


@pytest.mark.parametrize(
    "facts", [np.longdouble(1), np.zeros(2, np.longdouble), [np.clongdouble(1)]]
)
def test_numbers_that_json_lacks_are_refused(facts: object) -> None:
    made = made_sample()
    with pytest.raises(RecordError, match="longdouble cannot be written as JSON; give float64"):
        encode(Sample(made.frames, made.labels, randomization={"x": facts}))


def test_facts_nested_without_end_are_refused() -> None:
    made, facts = made_sample(), dict[str, Any]()
    facts["again"] = facts
    deep: list[Any] = []
    for _ in range(9000):
        deep = [deep]
    for told in (facts, {"deep": deep}):
        with pytest.raises(RecordError, match="cannot be written as JSON"):
            encode(Sample(made.frames, made.labels, randomization=told))


@pytest.mark.parametrize(
    "kind", ["<U500000000", "V2000000000", "S1", "O", "<m8[s]", "i4,i4", "float64", "", None, 8, []]
)
def test_a_state_is_of_numbers(kind: Any) -> None:
    files = encode(made_sample())
    meta = json.loads(files["json"])
    meta["state"], meta["state_types"] = {"ball": [0, 0, 1]}, {"ball": [kind, [3]]}
    files["json"] = json.dumps(meta).encode()
    with pytest.raises(RecordError):
        decode(files.__getitem__)


def test_pictures_of_another_size_are_not_decoded() -> None:
    """Of a small file that holds millions of pixels the size alone is read."""
    wide = io.BytesIO()
    Image.new("1", (9000, 9000)).save(wide, "PNG")
    files = {**encode(made_sample()), "top.rgb.png": wide.getvalue()}
    tracemalloc.start()
    with pytest.raises(RecordError, match=r"expected a picture of .* \(6, 4\), got \(9000, 9000\)"):
        decode(files.__getitem__)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
