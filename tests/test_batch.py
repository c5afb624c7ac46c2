import queue
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.batch import Batch
from heliograph.delivery.batch import render_batch, render_batch_async
from heliograph.engines.fake import FAIL, KILL, Paint
from heliograph.errors import WorkerError
from heliograph.passes import PASSES
from heliograph.pool import Pool
from heliograph.pool.buffers import MOST_LENT

ALL = PASSES
MJCF = "<mujoco><worldbody><body><joint/><geom name='ball' size='1'/></body></worldbody></mujoco>"
Faces = hg.LocalRenderer | Pool


@pytest.fixture(scope="module")
def local() -> Iterator[hg.LocalRenderer]:
    with hg.open("fake", size=(32, 24)) as opened:
        yield opened


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool("fake", "fake", 2, {"size": (32, 24)}) as opened:
        yield opened


@pytest.fixture(scope="module", params=["local", "pool"])
def face(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def places(count: int) -> Any:
    return np.random.default_rng(3).uniform((-0.6, -0.6, 0.4), (0.6, 0.6, 1.2), (count, 3))


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 100])
def test_batches_are_their_views_stacked(pool: Pool, local: hg.LocalRenderer, count: int) -> None:
    balls = places(count)
    batch = {"ball": balls, "seed": 4, "passes": ALL, "cameras": ("front", "top")}
    for made in (render_batch(pool, batch), local.render_batch(batch), pool.render_batch(batch)):
        names = [f"{c}{suffix}" for c in ("front", "top") for suffix in ("", *_suffixes())]
        assert list(made) == names
        assert made["front"].shape == (count, 24, 32, 3)
        assert made["top_depth"].shape == (count, 24, 32)
        for i in range(count):
            view = hg.View(("front", "top"), ALL, {"ball": balls[i]}, seed=4 + i)
            for frame in local.render(view):
                for name in ALL:
                    key = frame.camera.name + ("" if name == "rgb" else f"_{name}")
                    assert np.array_equal(made[key][i], frame[name])


def _suffixes() -> list[str]:
    return [f"_{name}" for name in ALL if name != "rgb"]


def test_seeds_count_up_or_are_given() -> None:
    with Pool("fake", "blank", 2, {"size": (8, 8)}) as pool:
        made = pool.render_batch({"seed": 10, "sleep": np.zeros(40)})["front"]
        assert [int(row.flat[0]) for row in made] == [(31 * (10 + i)) % 256 for i in range(40)]
        seeds = [5, 3, 2**63 - 1]
        made = pool.render_batch({"seeds": seeds, "seed": 1})["front"]
        assert [int(row.flat[0]) for row in made] == [(31 * each) % 256 for each in seeds]


def test_entries_have_poses_and_edits_of_their_own(face: Any, local: hg.LocalRenderer) -> None:
    poses = [
        hg.Camera.look_at(
            eye=(2 + i, 1, 2), target=(0, 0, 0), fov_y=1, width=2, height=2
        ).world_from_camera
        for i in range(20)
    ]
    edits = [(Paint("ball", (i / 20, 0, 0)),) for i in range(20)]
    made = face.render_batch(
        {"seed": 0, "camera_poses": {"front": poses}, "edits": edits, "cameras": ["top", "front"]}
    )
    for i in range(20):
        camera = local.cameras["front"].moved(poses[i])
        sample = local.render(hg.View(("top", camera), edits=edits[i], seed=i))
        assert np.array_equal(made["front"][i], sample["front"].rgb)
        assert np.array_equal(made["top"][i], sample["top"].rgb)


def test_results_belong_to_the_caller(pool: Pool) -> None:
    batch = {"ball": places(20), "seed": 0}
    first = pool.render_batch(batch)["front"]
    kept = first.copy()
    tail = first[3:]
    for _ in range(5):
        pool.render_batch({"ball": places(20) + 0.2, "seed": 0})
    assert np.array_equal(first, kept)
    first[:3] = 0
    del first
    pool.render_batch({"ball": places(20) + 0.2, "seed": 0})
    assert np.array_equal(tail, kept[3:])
    assert np.array_equal(pool.render_batch(batch)["front"], kept)


def test_memory_of_results_is_used_again(pool: Pool) -> None:
    batch = {"ball": places(20), "seed": 0}
    seen = {pool.render_batch(batch)["front"].ctypes.data for _ in range(20)}
    assert len(seen) <= 3


def test_many_results_may_be_kept(pool: Pool) -> None:
    kept = [pool.render_batch({"seeds": [i]})["front"] for i in range(MOST_LENT + 20)]
    assert all(np.array_equal(kept[0], each) for each in kept)


def test_results_outlive_the_pool() -> None:
    with Pool("fake", "blank", 1, {"size": (8, 8)}) as pool:
        made = pool.render_batch({"seeds": [3]})["front"]
    assert (made == 93).all()
    made[:] = 1


def test_queues_get_results_and_errors(face: Any) -> None:
    got: queue.Queue[Any] = queue.Queue()
    batch = {"ball": places(5), "seed": 0}
    face.render_batch_async(batch, got)
    expected = face.render_batch(batch)
    assert np.array_equal(got.get(timeout=10)["front"], expected["front"])
    render_batch_async(face, {"seeds": [1], "crash": [FAIL]}, got)
    assert isinstance(got.get(timeout=10), hg.EngineError)
    with pytest.raises(hg.InvalidValueError):
        face.render_batch_async({}, got)


def test_a_failing_entry_is_named(face: Any) -> None:
    crash = np.zeros(40, int)
    crash[[21, 30]] = FAIL
    with pytest.raises(hg.EngineError, match=r"entry 21 of 40.*told to fail") as caught:
        face.render_batch({"crash": crash, "seed": 100})
    assert caught.value.seed == 121


def test_a_failing_entry_is_told_with_the_sample_that_it_is(local: hg.LocalRenderer) -> None:
    with pytest.raises(hg.EngineError, match="entry 2 of 3") as caught:
        local.render_batch({"crash": [0, 0, FAIL], "seed": 7, "index": [5, 6, 9]})
    assert (caught.value.index, caught.value.seed) == (9, 7)
    with pytest.raises(hg.EngineError, match="entry 2 of 3") as caught:
        local.render_batch({"crash": [0, 0, FAIL], "seed": 7})
    assert (caught.value.index, caught.value.seed) == (0, 9)


def test_an_entry_that_kills_is_named() -> None:
    crash = np.zeros(40, int)
    crash[21] = KILL
    with Pool("fake", "blank", 2, {"size": (8, 8)}) as pool:
        with pytest.raises(WorkerError, match=r"entry 21 of 40.*workers died") as caught:
            pool.render_batch({"crash": crash, "seed": 100})
        assert (caught.value.index, caught.value.seed) == (0, 121)
        assert caught.value.repro is not None
        pool.render_batch({"seed": 100, "sleep": np.zeros(4)})


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([1, 2], "expected a mapping|heliograph.View"),
        ({}, "expected 'seed', an integer.*or 'seeds'"),
        ({"ball": places(3)}, "expected 'seed', an integer.*or 'seeds'"),
        ({"seed": 1}, "nothing says how many entries"),
        ({"ball": places(3), "seeds": [1, 2]}, "ball 3, seeds 2"),
        ({"ball": places(3), "globe": places(4), "seed": 0}, "ball 3, globe 4"),
        ({"ball": places(3), "seed": 2**63 - 2}, "from 0 to 9223372036854775805, got"),
        ({"ball": places(3), "seed": -1}, "'seed'"),
        ({"ball": places(3), "seed": 1.5}, "'seed'"),
        ({"ball": places(3), "seed": True}, "'seed'"),
        ({"ball": places(3), "seed": None}, "'seed'"),
        ({"seeds": [2**63]}, "2\\*\\*63 - 1"),
        ({"seeds": [2**70]}, "seeds"),
        ({"seeds": [-1]}, "from -1 to -1"),
        ({"seeds": [1.5]}, "dtype float64"),
        ({"seeds": [[1]]}, "shape"),
        ({"seeds": [[1], [1, 2]]}, "seeds"),
        ({"ball": [[0, 0, 1], [0, 0]], "seed": 0}, "'ball'.*rows of different lengths"),
        ({"ball": [[0, 0, np.nan]], "seed": 0}, r"'ball'.*NaN or infinity at index \[0, 2\]"),
        ({"ball": 3.0, "seed": 0}, "'ball'.*a row per entry"),
        ({"ball": ["a"], "seed": 0}, "'ball'.*numbers"),
        ({"seeds": [1], "camera_poses": 5}, "camera_poses.*expected camera name"),
        ({"seeds": [1], "camera_poses": {"front": [[1]]}}, "camera_poses.*shape"),
        ({"seeds": [1], "camera_poses": {"front": [np.zeros((4, 4))]}}, "camera_poses"),
        ({"seeds": [1], "edits": 3}, "edits"),
        ({"seeds": [1], "edits": [[3]]}, "edits"),
        ({"seeds": [1], 3: 4}, "names as keys"),
        ({"index": [1]}, "expected 'seed', an integer.*or 'seeds'"),
        ({"seeds": [1, 2], "index": range(3)}, "seeds 2, index 3"),
        ({"seed": 1, "index": 5}, r"'index'.*shape \(N,\)"),
        ({"seed": 1, "index": [-1]}, "'index'.*from -1 to -1"),
        ({"seed": 1, "index": [True]}, "'index'.*dtype bool"),
        ({"ball": np.zeros((2, 2)), "seed": 0}, "entry 0 of 2.*shape"),
    ],
)
def test_bad_batches_are_refused(face: Any, batch: Any, message: str) -> None:
    with pytest.raises(hg.InvalidValueError, match=message):
        face.render_batch(batch)


@pytest.mark.parametrize(
    "batch",
    [
        {"seeds": [1], "cameras": ["nope"]},
        {"seeds": [1], "passes": ["nope"]},
        {"seeds": [1], "nope": [1]},
        {"seeds": [1], "camera_poses": {"top": [np.eye(4)]}},
    ],
)
def test_unknown_names_are_refused(face: Any, batch: Any) -> None:
    with pytest.raises(hg.UnknownNameError):
        face.render_batch(batch)


def test_outputs_of_one_name_are_refused(face: Any) -> None:
    twin = face.cameras["front"].replace(name="top_depth")
    with pytest.raises(hg.InvalidValueError, match="top_depth would stand twice"):
        face.render_batch({"seeds": [1], "cameras": ["top", twin], "passes": ("rgb", "depth")})


def test_a_state_that_is_left_out_is_the_scenes_own() -> None:
    with hg.open(MJCF, size=(8, 8)) as local:
        made = local.render_batch({"seeds": [1, 2]})
        given = local.render_batch({"seed": 1, "qpos": np.zeros((2, 1))})
        for key, pictures in made.items():
            assert np.array_equal(pictures, given[key])


def test_entries_without_an_index_are_runs_of_their_own() -> None:
    made = Batch.of({"seed": 7, "ball": places(3)})
    assert (made.seeds.tolist(), made.indices.tolist()) == ([7, 8, 9], [0, 0, 0])
    assert [(v.seed, v.index) for v in views(made)] == [(7, 0), (8, 0), (9, 0)]


def test_entries_with_an_index_are_samples_of_one_run_or_of_theirs() -> None:
    run = Batch.of({"seed": 2**63 - 1, "index": range(4, 7)})
    assert [(v.seed, v.index) for v in views(run)] == [(2**63 - 1, i) for i in (4, 5, 6)]
    paired = Batch.of({"seed": 1, "seeds": [3, 2], "index": np.array([9, 2**63 - 1])})
    assert [(v.seed, v.index) for v in views(paired)] == [(3, 9), (2, 2**63 - 1)]
    assert run.indices.dtype == paired.seeds.dtype == np.int64
    assert len(Batch.of({"seed": 1, "index": []})) == 0


def test_a_batch_of_indices_is_the_samples_of_a_run() -> None:
    config = {"randomizers": [{"type": "background"}, {"type": "camera_jitter"}]}
    with hg.open(MJCF, size=(16, 12), randomize=config, seed=7) as local:
        batch = local.render_batch({"seed": 7, "index": range(2, 5), "cameras": ["free"]})
        run = list(hg.samples(local, count=5, cameras=["free"]))[2:]
        for i, sample in enumerate(run):
            assert np.array_equal(batch["free"][i], sample["free"].rgb)
        assert not np.array_equal(
            local.render_batch({"seed": 7, "seeds": [9]})["free"][0], run[0]["free"].rgb
        )


def views(batch: Batch) -> list[hg.View]:
    return [batch.view(entry, {}) for entry in range(len(batch))]
