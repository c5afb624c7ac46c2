import hashlib
import io
import json
import pickle
import re
import resource
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from heliograph.camera import Camera
from heliograph.delivery.call import LocalRenderer
from heliograph.delivery.dataset import Dataset
from heliograph.delivery.samples import samples
from heliograph.engines.fake import FakeEngine
from heliograph.errors import EngineError, HeliographError, InvalidValueError, RecordError
from heliograph.frame import Frame, Label, Sample
from heliograph.passes import PASSES
from heliograph.record import Recording, record
from heliograph.source import Outcome
from heliograph.view import View

SIZE = (16, 12)
ALL = PASSES


def local() -> LocalRenderer:
    return LocalRenderer(FakeEngine(size=SIZE))


def ball(rng: np.random.Generator) -> dict[str, Any]:
    return {"ball": rng.uniform(-0.5, 1, 3)}


def fourths_fail(view: View) -> tuple[View, dict[str, Any]]:
    crash = 3 if view.index % 4 == 1 else 0
    return replace(view, state={**view.state, "crash": crash}), {"index": view.index}


def third_fails(view: View) -> tuple[View, dict[str, Any]]:
    return replace(view, state={**view.state, "crash": 3 if view.index == 3 else 0}), {}


def dataset(renderer: LocalRenderer, count: int = 10, **options: Any) -> Dataset:
    return Dataset(renderer, count, passes=ALL, state=ball, **options)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def same(one: Sample, other: Sample) -> bool:
    facts = (one.seed, one.index, one.labels, one.randomization, one.annotations)
    if facts != (other.seed, other.index, other.labels, other.randomization, other.annotations):
        return False
    states = one.state.keys() == other.state.keys() and all(
        value.dtype == other.state[key].dtype and np.array_equal(value, other.state[key])
        for key, value in one.state.items()
    )
    return states and list(one.frames) == list(other.frames) and all(map(same_frame, one, other))


def same_frame(one: Frame, other: Frame) -> bool:
    return (
        one.camera == other.camera
        and list(one.passes) == list(other.passes)
        and all(
            one[name].dtype == other[name].dtype and one[name].tobytes() == other[name].tobytes()
            for name in one.passes
        )
    )


class Stopping:
    """A source that stops like a process that is killed: in the middle of things."""

    def __init__(self, source: Dataset, after: int) -> None:
        self.source, self.left = source, after

    def __len__(self) -> int:
        return len(self.source)

    def describe(self) -> Any:
        return self.source.describe()

    def outcomes(self, positions: Any) -> Iterator[Outcome]:
        for outcome in self.source.outcomes(positions):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            yield outcome


def test_a_recording_is_the_dataset_without_the_engine(tmp_path: Path) -> None:
    with local() as renderer:
        source = dataset(renderer, 10, seed=3, start=5, cameras=["front", "plan"])
        recording = record(source, tmp_path / "run", shard_size=4)
        live = list(source)
    assert (len(recording), recording.failed) == (10, ())
    assert all(map(same, live, recording))
    assert same(recording[-1], live[9])
    assert [same(recording[i], live[i]) for i in (7, 0, 4)] == [True] * 3
    array = recording[0]["front"].rgb
    array[:] = 0  # its arrays are the caller's
    assert same(recording[0], live[0])
    recording.verify()
    again: Recording = pickle.loads(pickle.dumps(recording))
    assert same(again[3], live[3])
    with pytest.raises(IndexError):
        recording[10]
    with pytest.raises(InvalidValueError):
        recording["0"]  # type: ignore[index]


def test_any_tar_reads_a_shard_in_webdataset_s_layout(tmp_path: Path) -> None:
    with local() as renderer:
        record(dataset(renderer, 3), tmp_path / "run", shard_size=2)
        live = dataset(renderer, 3)[1]
    with tarfile.open(tmp_path / "run" / "shard-000000.tar") as tar:
        names = tar.getnames()
        files = {name: tar.extractfile(name).read() for name in names}  # type: ignore[union-attr]
        assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in tar} == {(0, 0, 0, "", 0o644)}
    one = [name for name in names if name.startswith("000000001.")]
    assert names[: len(one)] == [name.replace("1.", "0.", 1) for name in one]
    assert one == [
        "000000001.front.rgb.png",
        "000000001.front.depth.npy",
        "000000001.front.normals.npy",
        "000000001.front.segmentation.png",
        "000000001.json",
    ]
    frame = live["front"]
    with Image.open(io.BytesIO(files["000000001.front.rgb.png"])) as image:
        assert np.array_equal(np.array(image), frame.rgb)
    with Image.open(io.BytesIO(files["000000001.front.segmentation.png"])) as image:
        assert np.array_equal(np.array(image), frame.segmentation)
    stored = np.load(io.BytesIO(files["000000001.front.depth.npy"]))
    assert np.array_equal(stored, frame.depth)
    meta = json.loads(files["000000001.json"])
    assert meta["cameras"]["front"]["K"] == frame.camera.K.tolist()
    assert meta["state"]["ball"] == live.state["ball"].tolist()


@settings(max_examples=15, deadline=None)
@given(count=st.integers(0, 9), size=st.integers(1, 10), stops=st.lists(st.integers(0, 5)))
def test_stopped_and_resumed_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, count: int, size: int, stops: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("record")
    with local() as renderer:
        options: Any = {"shard_size": size, "on_error": lambda error: None}
        source = dataset(renderer, count, randomize=fourths_fail)
        record(source, folder / "whole", **options)
        for after in stops:
            try:
                record(Stopping(source, after), folder / "cut", resume=True, **options)
            except KeyboardInterrupt:
                continue
        recording = record(source, folder / "cut", resume=True, **options)
        record(source, folder / "cut", resume=True, **options)
    assert digests(folder / "cut") == digests(folder / "whole")
    assert [failure.position for failure in recording.failed] == list(range(1, count, 4))
    assert [s.index for s in recording] == [i for i in range(count) if i % 4 != 1]


def test_shards_of_any_size_hold_the_same_samples(tmp_path: Path) -> None:
    with local() as renderer:
        runs = [record(dataset(renderer, 7), tmp_path / str(n), shard_size=n) for n in (1, 3, 7)]
    assert all(same(a, b) and same(b, c) for a, b, c in zip(*runs, strict=True))
    members = []
    for run in runs:
        names: list[str] = []
        for path in sorted(run.path.glob("*.tar")):
            with tarfile.open(path) as tar:
                names += tar.getnames()
        members.append(names)
    assert members[0] == members[1] == members[2]


def test_samples_one_after_another_can_be_recorded_and_resumed(tmp_path: Path) -> None:
    with local() as renderer:
        whole = record(samples(renderer, count=5, state=ball), tmp_path / "a", shard_size=2)
        with pytest.raises(EngineError):
            record(
                samples(renderer, count=5, state=ball, randomize=third_fails),
                tmp_path / "b",
                shard_size=2,
            )
        cut = record(
            list(samples(renderer, count=5, state=ball)),
            tmp_path / "b",
            shard_size=2,
            resume=True,
        )
    assert [s.index for s in cut] == [s.index for s in whole] == list(range(5))
    assert whole.manifest.length == 5


def test_a_recording_can_be_recorded(tmp_path: Path) -> None:
    with local() as renderer:
        first = record(dataset(renderer, 5), tmp_path / "a", shard_size=2)
    second = record(first, tmp_path / "b", shard_size=5)
    assert all(map(same, first, second))


def test_the_first_failure_is_raised_and_finished_shards_stay(tmp_path: Path) -> None:
    failed: list[HeliographError] = []
    with local() as renderer:
        source = dataset(renderer, 4, randomize=fourths_fail, start=2)
        with pytest.raises(EngineError, match="index 5"):
            record(source, tmp_path / "run", shard_size=2)
        assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
            "manifest.json",
            "shard-000000.json",
            "shard-000000.tar",
        ]
        with pytest.raises(RecordError, match=r"not finished \(1 shards are\); resume it"):
            Recording(tmp_path / "run")
        recording = record(
            source, tmp_path / "run", shard_size=2, resume=True, on_error=failed.append
        )
    assert [error.index for error in failed] == [5]
    assert "told to fail" in recording.failed[0].message
    assert len(recording) == 3


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"x")
    with local() as renderer:
        with pytest.raises(RecordError, match=r"holds 'photo.png' but no manifest.json"):
            record(dataset(renderer), tmp_path, resume=True)
        run = tmp_path / "run"
        record(dataset(renderer, 3), run)
        before = digests(run)
        with pytest.raises(RecordError, match="holds a recording; resume it"):
            record(dataset(renderer, 3), run)
        for other, what in (
            (dataset(renderer, 3, seed=1), "source.seed: expected 0, got 1"),
            (dataset(renderer, 4), "source.count: expected 3, got 4"),
            (dataset(renderer, 3, cameras=["top"]), "source.views.cameras"),
            (
                dataset(renderer, 3, randomize=fourths_fail),
                "source.views.randomize: expected None, got",
            ),
        ):
            with pytest.raises(RecordError, match=what):
                record(other, run, resume=True)
        with pytest.raises(RecordError, match="shard_size: expected 1000, got 2"):
            record(dataset(renderer, 3), run, resume=True, shard_size=2)
        with pytest.raises(InvalidValueError, match="shard_size"):
            record(dataset(renderer, 3), run, shard_size=0)
    assert digests(run) == before
    with pytest.raises(RecordError, match=r"no manifest\.json"):
        Recording(tmp_path)
    with pytest.raises(RecordError, match="no such folder"):
        Recording(tmp_path / "nowhere")
    with pytest.raises(RecordError, match="is no folder"):
        Recording(tmp_path / "photo.png")


def test_two_processes_do_not_record_into_one_folder(tmp_path: Path) -> None:
    with local() as renderer:

        def nested() -> Iterator[Sample]:
            yield renderer.render(dataset(renderer).order(0).view)
            record(dataset(renderer), tmp_path / "run", resume=True)

        with pytest.raises(RecordError, match="another process is recording there"):
            record(nested(), tmp_path / "run")


def damaged(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    elif how == "short":
        path.write_bytes(data[:-600])
    else:
        middle = len(data) // 2
        data[middle : middle + 64] = bytes(64)
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["gone", "short", "zeros"])
@pytest.mark.parametrize("name", ["shard-000001.tar", "shard-000001.json", "manifest.json"])
def test_damage_is_told_with_the_file(tmp_path: Path, name: str, how: str) -> None:
    with local() as renderer:
        record(dataset(renderer, 6), tmp_path, shard_size=3)
    damaged(tmp_path / name, how)
    with pytest.raises(RecordError, match="manifest" if name[0] == "m" else name[:12]):
        Recording(tmp_path, verify=True)


def test_a_damaged_sample_is_an_error_of_its_own(tmp_path: Path) -> None:
    with local() as renderer:
        recording = record(dataset(renderer, 6), tmp_path, shard_size=6)
    path = tmp_path / "shard-000000.tar"
    data = path.read_bytes()
    start = data.index(b"\x89PNG")
    path.write_bytes(data[: start + 20] + bytes(40) + data[start + 60 :])
    with pytest.raises(RecordError, match=r"shard-000000.tar: sample 0: a damaged sample"):
        recording[0]
    assert [isinstance(result, Sample) for _, result in recording.outcomes(range(6))] == [
        False,
        *[True] * 5,
    ]


def hostile(folder: Path, old: str, new: str) -> None:
    path = folder / "manifest.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


DEEP = "[" * 5000 + "]" * 5000
HUGE = "1" + "0" * 400


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *(('"complete": true', f'"complete": true, "more": {each}') for each in (DEEP, DEEP * 20)),
        *(('"source": {', f'"source": {{"more": {each}, ') for each in (DEEP, "1" * 5000)),
        *(('"shard_size": 3', f'"shard_size": {each}') for each in (HUGE, "0", "-1", DEEP)),
        *(('"length": 6', f'"length": {each}') for each in (HUGE, "-1")),
        *(('"size": ', f'"size": {each}') for each in (HUGE, "-")),
        *(('"samples": 3', f'"samples": {each}') for each in (HUGE, "-3", "9" * 18)),
        ('"failed": []', '"failed": [{"position": 7, "message": ""}]'),
        *(
            ('"shard-000000"', f'"{each}"')
            for each in ("/etc/passwd", "../other/shard-000000", "shard-000001", "", "\\u0000")
        ),
    ],
    ids=range(21),
)
def test_hostile_manifests_are_errors_of_ours(tmp_path: Path, old: str, new: str) -> None:
    run = tmp_path / "run"
    with local() as renderer:
        source = dataset(renderer, 6)
        record(source, run, shard_size=3)
        record(source, tmp_path / "other", shard_size=3)
        hostile(run, old, new)
        with pytest.raises(RecordError):
            Recording(run)[0]
        if "more" not in new:
            with pytest.raises(RecordError):
                record(source, run, shard_size=3, resume=True).verify()


def test_a_number_of_any_size_in_a_description_is_compared(tmp_path: Path) -> None:
    with local() as renderer:
        record(dataset(renderer, 3), tmp_path)
        hostile(tmp_path, '"seed": 0', f'"seed": {HUGE}')
        with pytest.raises(RecordError, match=r"source\.seed: expected 1000"):
            record(dataset(renderer, 3), tmp_path, resume=True)


@pytest.mark.parametrize("name", ["shard-000000.tar", "shard-000000.json", "manifest.json"])
def test_links_are_not_followed_out_of_a_recording(tmp_path: Path, name: str) -> None:
    with local() as renderer:
        run = record(dataset(renderer, 3), tmp_path / "run").path
    (tmp_path / "link").symlink_to(run)  # the folder itself may be one
    Recording(tmp_path / "link", verify=True)
    (run / name).rename(tmp_path / name)
    (run / name).symlink_to(tmp_path / name)
    with pytest.raises(RecordError, match=f"{name}: .*got a link"):
        Recording(run)[0]


def test_a_description_that_is_no_json_is_refused(tmp_path: Path) -> None:
    class Odd(Recording):
        def describe(self) -> Any:
            return told

    told: dict[str, Any] = {}
    told["again"] = told
    with local() as renderer:
        odd = Odd(record(dataset(renderer, 1), tmp_path / "a").path)
    for description in (told, {"x": np.longdouble(1)}):
        told = description
        with pytest.raises(RecordError, match="the description of the samples is not JSON"):
            record(odd, tmp_path / "b")


def test_longdouble_states_are_refused(tmp_path: Path) -> None:
    with local() as renderer:
        sample = renderer.render(View(state={"ball": np.zeros(3, np.longdouble)}))
        with pytest.raises(RecordError, match="longdouble cannot be written as JSON; give float64"):
            record([sample], tmp_path)


def reindexed(folder: Path, change: Callable[[list[Any]], list[Any]], **facts: Any) -> None:
    """Change the index of a recording's first shard, with all hashes made right."""
    path = folder / "shard-000000.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    manifest = json.loads((folder / "manifest.json").read_text())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest["shards"][0] |= {"index_sha256": digest, **facts}
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "change",
    [
        lambda places: [places[0], places[0], places[2]],
        lambda places: [places[1], places[0], places[2]],
        lambda places: [*places[:2], {**places[2], "position": 3}],
        lambda places: [{**places[0], "members": places[1]["members"]}, *places[1:]],
        lambda places: [{**places[0], "members": places[0]["members"] * 2}, *places[1:]],
    ],
)
def test_an_index_names_every_sample_once(tmp_path: Path, change: Any) -> None:
    with local() as renderer:
        source = dataset(renderer, 6)
        record(source, tmp_path, shard_size=3)
        whole = digests(tmp_path)
        reindexed(tmp_path, change)
        for verify in (False, True):
            with pytest.raises(RecordError, match=r"shard-000000\.json: damaged"):
                Recording(tmp_path, verify=verify)[0]
        record(source, tmp_path, shard_size=3, resume=True)
        assert digests(tmp_path) == whole


def test_a_failure_that_is_recorded_as_well_is_not_drawn_twice(tmp_path: Path) -> None:
    with local() as renderer:
        source = dataset(renderer, 2)
        record(source, tmp_path)
        whole = digests(tmp_path)
        failed = [{"position": 0, "message": ""}]
        reindexed(tmp_path, lambda places: places[:1], samples=1, failed=failed)
        again = record(source, tmp_path, retry_failed=True)
        assert [sample.index for sample in again] == [0, 1]
        assert digests(tmp_path) == whole


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with local() as renderer:
        return record(
            dataset(renderer, 5), tmp_path_factory.mktemp("pristine") / "run", shard_size=3
        ).path


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_without_verifying_is_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, pristine: Path, data: st.DataObject
) -> None:
    """Bytes flipped, overwritten or cut off anywhere: samples, or a RecordError, and no other."""
    folder = shutil.copytree(pristine, tmp_path_factory.mktemp("fuzz") / "run")
    path = folder / data.draw(st.sampled_from(sorted(path.name for path in folder.iterdir())))
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        where = data.draw(st.integers(0, len(damaged) - 1))
        damaged[where : where + 4] = data.draw(st.binary(min_size=1, max_size=4))
    path.write_bytes(damaged[: data.draw(st.none() | st.integers(0, len(damaged)))])
    try:
        recording = Recording(folder)
    except RecordError:
        return
    results = [result for _, result in recording.outcomes(range(len(recording)))]
    assert all(isinstance(result, (Sample, RecordError)) for result in results)


def many_cameras(names: list[str], index: int) -> Sample:
    frames = {}
    for number, name in enumerate(names):
        camera = Camera.perspective(fov_y=1, width=3, height=2, name=name)
        passes = {
            kind: np.full(spec.shape(camera), number, spec.dtype) for kind, spec in ALL.items()
        }
        frames[name] = Frame(camera, passes, {0: Label("", ""), 200: Label("", "")})
    return Sample(frames, {0: Label("", ""), 200: Label("", "")}, index=index)


@pytest.mark.parametrize(
    "names",
    [
        ["a b", "a_b", "a_b-0", "a_b-1", "A_b", "a.b", "a/b"],
        ["größe→" * 33 + f"{number:02x}" for number in range(120)],
        [f"{number:03d}" + "x" * 197 for number in range(120)],
    ],
    ids=["alike", "unicode", "long"],
)
def test_every_camera_of_a_view_is_recorded(tmp_path: Path, names: list[str]) -> None:
    samples = [many_cameras(names, index) for index in (0, 2**63 - 1)]
    recording = record(samples, tmp_path)
    recording.verify()
    assert all(map(same, recording, samples))
    with tarfile.open(tmp_path / "shard-000000.tar") as tar:
        found = tar.getnames()
        assert len(set(found)) == len(found) == 2 * (len(names) * len(ALL) + 1)
        assert all(tar.extractfile(name) for name in found)


FULL = """
import resource, sys
from heliograph.delivery.call import LocalRenderer
from heliograph.delivery.dataset import Dataset
from heliograph.engines.fake import FakeEngine
from heliograph.record import record
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
with LocalRenderer(FakeEngine(size=(16, 12))) as renderer:
    try:
        record(Dataset(renderer, 9), sys.argv[1], shard_size=int(sys.argv[3]), resume=True)
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_a_full_disk_leaves_finished_shards_whole(tmp_path: Path) -> None:
    def limited(limit: int, size: int) -> str:
        words = [sys.executable, "-c", FULL, str(tmp_path / "cut"), str(limit), str(size)]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    told = limited(8000, 9)
    assert told.startswith("RecordError")
    assert "shard-000000.tar: cannot be written (File too large)" in told
    assert "make room, then resume" in told
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["manifest.json"]
    assert limited(2**20, 9) == ""
    with local() as renderer:
        record(Dataset(renderer, 9), tmp_path / "whole", shard_size=9)
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


SMALL = """
import ctypes, os, resource, sys
from heliograph.delivery.call import LocalRenderer
from heliograph.delivery.dataset import Dataset
from heliograph.engines.fake import FakeEngine
from heliograph.errors import RecordError
from heliograph.record import record

folder, first = sys.argv[1], int(sys.argv[2])
mount = ctypes.CDLL(None).mount
NEW_NAMESPACE, REMOUNT, PRIVATE = 0x20000, 32, 0x44000

def resize(pages, flags=REMOUNT):
    return mount(b"none", folder.encode(), b"tmpfs", flags, f"size={pages * 4096}".encode()) == 0

def limit(pages):
    resource.setrlimit(resource.RLIMIT_FSIZE, (pages * 1024, resource.RLIM_INFINITY))

alone = ctypes.CDLL(None).unshare(NEW_NAMESPACE) == 0 and not mount(None, b"/", None, PRIVATE, None)
change = resize if alone and resize(first, 0) else limit
with LocalRenderer(FakeEngine(size=(64, 48))) as renderer:
    source = Dataset(renderer, 12, passes=("rgb", "depth"))
    for pages in range(first, 1000, 8):
        change(pages)
        try:
            record(source, folder + "/run", shard_size=3, resume=True)
            break
        except RecordError as error:
            print(error, file=sys.stderr)
os.system(f"sha256sum {folder}/run/*")
"""


@pytest.mark.parametrize("pages", [1, 6, 23])
def test_a_disk_that_fills_up_again_and_again_costs_nothing_but_time(
    tmp_path: Path, pages: int
) -> None:
    """A real disk of few pages, where that may be mounted; else files of bounded size."""
    with LocalRenderer(FakeEngine(size=(64, 48))) as renderer:
        record(Dataset(renderer, 12, passes=("rgb", "depth")), tmp_path / "whole", shard_size=3)
    small = tmp_path / "small"
    small.mkdir()
    words = [sys.executable, "-c", SMALL, str(small), str(pages)]
    ended = subprocess.run(words, capture_output=True, text=True, check=True)
    found = {Path(name).name: digest for digest, name in map(str.split, ended.stdout.splitlines())}
    assert found == digests(tmp_path / "whole")
    errors = ended.stderr.splitlines()
    assert errors
    reasons = "No space left on device|File too large"
    assert all(re.search(f"cannot be written \\(({reasons})\\).*then resume", e) for e in errors)


def test_a_read_only_folder_is_told() -> None:
    with local() as renderer, pytest.raises(RecordError, match="cannot be written"):
        record(dataset(renderer), Path("/proc/heliograph"))  # read-only for root too


def test_odd_samples_come_back_as_they_were(tmp_path: Path) -> None:
    names = ["a.b/c", "a_b_c", "größe", "x" * 200]
    cameras = [Camera.perspective(fov_y=1, width=3, height=2, name=name) for name in names]
    orthographic = Camera.orthographic(extent_y=1 / 3, width=3, height=2, name="o", near=0.1)
    ids = np.array([[0, -1, 2**31 - 1], [65536, 5, 6]], np.int32)
    depth = np.array([[np.inf, 1e-7, 3], [1, 2, 3]], np.float32)
    frames = {c.name: Frame(c, {"segmentation": ids, "depth": depth}) for c in cameras}
    frames["o"] = Frame(orthographic, {"segmentation": ids.clip(0, 65535)})
    state = {"a": np.zeros((2, 0), np.float32), "b": np.array(True), "c": np.arange(3, dtype="u1")}
    odd = Sample(
        frames,
        {0: Label("nothing", "background"), 2**31 - 1: Label('"quoted"\n', "ä")},
        state,
        seed=None,
        index=12345678901,
        randomization={"hue": [0.1, 1 / 3], "nested": {"on": True, "none": None}},
    )
    odd = Sample(
        {k: Frame(f.camera, f.passes, odd.labels) for k, f in odd.frames.items()},
        odd.labels,
        odd.state,
        odd.seed,
        odd.index,
        odd.randomization,
    )
    assert same(record([odd], tmp_path)[0], odd)


def test_what_json_does_not_know_is_told(tmp_path: Path) -> None:
    with local() as renderer:
        sample = renderer.render(dataset(renderer).order(0).view)
    odd = Sample(sample.frames, sample.labels, index=7, randomization={"light": object()})
    with pytest.raises(RecordError, match="sample 7 cannot be written as JSON: object"):
        record([odd], tmp_path)


def test_two_samples_with_one_index_are_refused(tmp_path: Path) -> None:
    with LocalRenderer(FakeEngine("fake")) as renderer:
        sample = renderer.render(View())
        with pytest.raises(RecordError, match="two samples with index 0"):
            record([sample, sample], tmp_path / "run")
