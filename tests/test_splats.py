"""Gaussian splats: values, files, and pictures against a plain float64 renderer."""

import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import plyfile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

import heliograph as hg
import splat_reference
from heliograph import _native
from heliograph.errors import InvalidValueError, SceneError, UnknownNameError
from heliograph.splats import (
    PASSES,
    Gaussians,
    draw_splats,
    harmonics,
    prepare,
    read_splats,
    write_ply,
)
from heliograph.splats import draw as drawing

Floats = NDArray[np.float64]
FLAT = 0.28209479177387814
CENTRE: dict[str, Any] = {"eye": (0, -4, 0), "target": (0, 0, 0), "fov_y": 0.8}


def cloud(count: int = 300, seed: int = 0, coefficients: int = 16) -> Gaussians:
    rng = np.random.default_rng(seed)
    sh = rng.normal(0, 0.15, (count, coefficients, 3))
    sh[:, 0] = rng.normal(0, 1, (count, 3))
    return Gaussians(
        rng.normal(size=(count, 3)),
        np.exp(rng.normal(-2.5, 0.8, (count, 3))),
        rng.normal(size=(count, 4)),
        1 / (1 + np.exp(-rng.normal(1, 2, count))),
        sh,
    )


def ball(
    position: ArrayLike = (0, 0, 0),
    scale: float = 0.2,
    opacity: float = 1.0,
    colour: ArrayLike = (0.9, 0.5, 0.1),
) -> Gaussians:
    return Gaussians(
        np.array([position]), np.full((1, 3), scale), np.array([[1.0, 0, 0, 0]]),
        np.array([opacity]), (np.array(colour)[None, None] - 0.5) / FLAT,
    )  # fmt: skip


def joined(*parts: Gaussians) -> Gaussians:
    names = [field.name for field in dataclasses.fields(Gaussians)]
    return Gaussians(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def camera(width: int = 96, height: int = 72, **options: Any) -> hg.Camera:
    return hg.Camera.look_at(**{**CENTRE, **options}, width=width, height=height)


CAMERAS = {
    "centred": camera(),
    "odd size": camera(97, 61, eye=(1, -3, 2)),
    "principal point": camera(eye=(-2, -3, 1)).replace(cx=20.0, cy=60.5, fx=150.0),
    "inside": camera(eye=(0.1, 0.2, 0), target=(1, 0.3, 0.2), fov_y=1.6, near=0.05),
    "orthographic": hg.Camera.orthographic(
        extent_y=3, width=96, height=72, world_from_camera=camera().world_from_camera
    ),
    "parallel, askew": hg.Camera.orthographic(
        extent_y=3, width=70, height=72, world_from_camera=camera(eye=(2, -3, 2)).world_from_camera
    ).replace(cx=20.0, far=4.0),
}


def psnr(ours: NDArray[Any], truth: NDArray[Any]) -> float:
    return float(-10 * np.log10(np.mean((ours.astype(np.float64) - truth) ** 2)))


def check_equal_to_reference(ours: dict[str, NDArray[Any]], truth: dict[str, NDArray[Any]]) -> None:
    assert psnr(ours["colour"], truth["colour"]) > 60
    assert np.abs(ours["alpha"] - truth["alpha"]).max() < 5e-3
    # On either side of one half they may fall apart by rounding.
    clear = np.abs(truth["alpha"] - 0.5) > 1e-3
    for name in ("depth", "median_depth"):
        assert np.array_equal(np.isfinite(ours[name])[clear], np.isfinite(truth[name])[clear])
    both = np.isfinite(truth["depth"]) & clear
    np.testing.assert_allclose(ours["depth"][both], truth["depth"][both], rtol=1e-3)
    same = ours["index"] == truth["index"]
    assert same.mean() > 0.995
    same &= np.isfinite(truth["median_depth"])
    np.testing.assert_allclose(ours["median_depth"][same], truth["median_depth"][same], rtol=1e-3)


@pytest.mark.parametrize("name", CAMERAS)
def test_pictures_are_those_of_the_reference(name: str) -> None:
    gaussians = cloud()
    truth = splat_reference.draw(gaussians, CAMERAS[name])
    ours = draw_splats(prepare(gaussians), CAMERAS[name])
    assert truth["alpha"].mean() > 0.1
    check_equal_to_reference(ours, truth)


@pytest.mark.parametrize("coefficients", [1, 4, 9, 16])
def test_every_degree_of_harmonics(coefficients: int) -> None:
    gaussians = cloud(100, 3, coefficients)
    at = camera(eye=(2, -3, 1))
    ours = draw_splats(prepare(gaussians), at)
    check_equal_to_reference(ours, splat_reference.draw(gaussians, at))


def test_needles_and_discs_at_once() -> None:
    rng = np.random.default_rng(5)
    scales = rng.choice([1e-6, 1e-3, 1.0, 3.0], (200, 3), p=[0.4, 0.3, 0.2, 0.1])
    gaussians = dataclasses.replace(cloud(200, 1), scales=scales)
    check_equal_to_reference(
        draw_splats(prepare(gaussians), CAMERAS["centred"]),
        splat_reference.draw(gaussians, CAMERAS["centred"]),
    )


@pytest.mark.parametrize("name", CAMERAS)
def test_what_is_behind_hides_what_is_farther(name: str) -> None:
    at = CAMERAS[name]
    gaussians = cloud()
    behind = np.full((at.height, at.width), np.inf, np.float32)
    behind[:, : at.width // 2] = 3.9
    behind[: at.height // 2, :10] = 0.5
    truth = splat_reference.draw(gaussians, at, behind)
    check_equal_to_reference(draw_splats(prepare(gaussians), at, depth_behind=behind), truth)


def test_nothing_is_cut_where_there_is_nothing_behind() -> None:
    prepared, at = prepare(cloud()), CAMERAS["odd size"]
    free = draw_splats(prepared, at)
    nothing = draw_splats(prepared, at, depth_behind=np.full((61, 97), np.inf))
    assert all(np.array_equal(free[name], nothing[name]) for name in PASSES)


@pytest.mark.parametrize("projection", [hg.Projection.PERSPECTIVE, hg.Projection.ORTHOGRAPHIC])
def test_an_opaque_ball_is_where_the_camera_projects_it(projection: hg.Projection) -> None:
    position = np.array([0.31, 0.4, -0.22])
    at = camera(160, 120, eye=(0.5, -3, 0.7)).replace(projection=projection)
    at = at.replace(fx=60.0, fy=60.0) if projection is hg.Projection.ORTHOGRAPHIC else at
    drawn = draw_splats(prepare(ball(position, 0.15)), at)
    weights = drawn["alpha"][..., None]
    middle = (weights * at.pixel_centres()).sum((0, 1)) / weights.sum()
    np.testing.assert_allclose(middle, at.project(position), atol=0.02)
    x, y = at.project(position).astype(int)
    assert drawn["index"][y, x] == 0
    assert drawn["depth"][y, x] == pytest.approx(at.depth_of(position), rel=2e-3)
    assert drawn["median_depth"][y, x] == pytest.approx(at.depth_of(position), rel=2e-3)
    assert drawn["alpha"][y, x] == pytest.approx(0.99, abs=5e-3)
    seen = drawn["colour"][y, x] / drawn["alpha"][y, x]
    np.testing.assert_allclose(seen, (0.9, 0.5, 0.1), atol=1e-5)


def test_the_nearer_of_two_covers_the_other_whatever_their_order() -> None:
    near, far = ball((0, -1, 0), 0.3, 1.0, (1, 0, 0)), ball((0, 1, 0), 0.3, 1.0, (0, 1, 0))
    for parts, first in (((near, far), 0), ((far, near), 1)):
        drawn = draw_splats(prepare(joined(*parts)), camera())
        assert drawn["index"][36, 48] == first
        np.testing.assert_allclose(drawn["colour"][36, 48], (0.99, 0.0099, 0), atol=2e-3)
        assert drawn["median_depth"][36, 48] == pytest.approx(3, abs=1e-3)


def test_flat_splats_lie_at_the_depth_of_their_plane() -> None:
    """A tilted wall of discs: depth is the plane's, at every pixel, to a fraction of a percent."""
    grid = np.stack(np.meshgrid(np.linspace(-3, 3, 60), np.linspace(-3, 3, 60)), -1).reshape(-1, 2)
    turn = Rotation.from_euler("xz", [50, 20], degrees=True)
    points = turn.apply(np.column_stack((grid, np.zeros(len(grid)))))
    quaternion = np.roll(turn.as_quat(), 1)
    count = len(points)
    wall = Gaussians(
        points, np.tile((0.07, 0.07, 1e-4), (count, 1)), np.tile(quaternion, (count, 1)),
        np.full(count, 0.95), np.zeros((count, 1, 3)),
    )  # fmt: skip
    at = camera(288, 216)
    normal = turn.as_matrix()[:, 2]
    rays = at.unproject(at.pixel_centres(), np.ones((216, 288))) - at.world_from_camera[:3, 3]
    truth = -(at.world_from_camera[:3, 3] @ normal) / (rays @ normal)
    drawn = draw_splats(prepare(wall), at)
    inside = np.linalg.norm(at.unproject(at.pixel_centres(), truth), axis=-1) < 2.3
    assert inside.mean() > 0.2
    np.testing.assert_allclose(drawn["depth"][inside], truth[inside], rtol=1.5e-3)
    np.testing.assert_allclose(drawn["median_depth"][inside], truth[inside], rtol=3e-3)


def test_splats_behind_and_at_the_planes_are_not_drawn() -> None:
    at = camera(near=0.5, far=5.0)
    for y, shown in ((-4.5, False), (-4, False), (-3.51, False), (-3.49, True), (1.01, False)):
        drawn = draw_splats(prepare(ball((0, y, 0), 0.01)), at)
        assert (drawn["alpha"].max() > 0) == shown, y
    for y in np.linspace(-4.2, -3.9, 61):  # close to the eye
        drawn = draw_splats(prepare(ball((0.05, y, 0.01), 0.3)), camera(near=1e-3))
        assert all(not np.isnan(drawn[name]).any() for name in PASSES)


def test_bits_do_not_depend_on_threads_instructions_or_what_was_drawn_before() -> None:
    gaussians, at = cloud(5000, 2), camera(203, 151)
    prepared = prepare(gaussians)
    first = draw_splats(prepared, at, threads=1)
    draw_splats(prepared, CAMERAS["inside"])
    plain = {name: np.zeros_like(array) for name, array in first.items()}
    prepared.draw(
        camera=drawing._numbers(at), width=203, height=151, orthographic=False, **plain,
        behind=None, cancel=_native.CancelFlag(), threads=1, level=1,
    )  # fmt: skip
    others = [draw_splats(prepared, at, threads=count) for count in (2, 3, 7)]
    for other in (*others, plain, draw_splats(prepare(gaussians), at)):
        assert all(np.array_equal(first[name], other[name]) for name in PASSES)
    only = draw_splats(prepared, at, ("colour",))
    assert list(only) == ["colour"]
    assert np.array_equal(only["colour"], first["colour"])


def test_the_order_in_the_file_does_not_show() -> None:
    gaussians, at = cloud(1000, 4), camera()
    order = np.random.default_rng(0).permutation(1000)
    other = Gaussians(*(getattr(gaussians, f.name)[order] for f in dataclasses.fields(Gaussians)))
    a, b = draw_splats(prepare(gaussians), at), draw_splats(prepare(other), at)
    for name in ("colour", "alpha", "depth", "median_depth"):
        assert np.array_equal(a[name], b[name])
    front = a["index"] >= 0
    assert np.array_equal(a["index"][front], order[b["index"][front]])


def test_far_from_the_origin_nothing_shakes() -> None:
    """Positions that float32 holds exactly, eight kilometres out."""
    gaussians = cloud(100, 6)
    positions = np.round(gaussians.positions * 512) / 512
    shift = np.array([8192.0, -4096.0, 1024.0])
    here = dataclasses.replace(gaussians, positions=positions)
    there = dataclasses.replace(gaussians, positions=positions + shift)
    at = camera(eye=(0.3, -4.1, 0.7))
    pose = at.world_from_camera.copy()
    pose[:3, 3] += shift
    a, b = draw_splats(prepare(here), at), draw_splats(prepare(there), at.moved(pose))
    np.testing.assert_allclose(a["colour"], b["colour"], atol=1e-4)


def test_several_threads_draw_one_scene_at_once() -> None:
    prepared, views = prepare(cloud(3000)), list(CAMERAS.values())
    alone = [draw_splats(prepared, view) for view in views]
    together: list[list[dict[str, NDArray[Any]]]] = [[] for _ in views]

    def draw(i: int) -> None:
        together[i] = [draw_splats(prepared, views[i], threads=2) for _ in range(5)]

    threads = [threading.Thread(target=draw, args=(i,)) for i in range(len(views))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, many in zip(alone, together, strict=True):
        assert all(np.array_equal(one[name], each[name]) for each in many for name in PASSES)


def test_a_cancelled_picture_ends_early_and_the_next_one_is_whole() -> None:
    prepared, at, token = prepare(cloud()), camera(), hg.CancelToken()
    whole = draw_splats(prepared, at)
    token.cancel()
    assert not draw_splats(prepared, at, cancel=token)["alpha"].any()
    again = draw_splats(prepared, at, cancel=hg.CancelToken())
    assert np.array_equal(again["colour"], whole["colour"])


def test_cancelling_while_it_draws() -> None:
    """Splats that fill the picture, none of which hides much: it would take seconds."""
    count = 100_000
    haze = Gaussians(
        np.random.default_rng(0).normal(0, 0.2, (count, 3)), np.full((count, 3), 3.0),
        np.tile((1.0, 0, 0, 0), (count, 1)), np.full(count, 0.0045), np.zeros((count, 1, 3)),
    )  # fmt: skip
    prepared, token, at = prepare(haze), hg.CancelToken(), camera(1280, 960)
    timer = threading.Timer(0.05, token.cancel)
    timer.start()
    drawn = draw_splats(prepared, at, cancel=token, threads=2)
    timer.join()
    assert (drawn["alpha"][-1] == 0).all()  # its last rows were never begun


def test_no_gaussians_give_an_empty_picture() -> None:
    drawn = draw_splats(prepare(cloud(0)), camera())
    assert not drawn["colour"].any()
    assert np.isinf(drawn["depth"]).all()
    assert (drawn["index"] == -1).all()
    assert np.isnan(cloud(0).bounds).all()


def test_wrong_passes_shapes_and_threads_are_named() -> None:
    prepared, at = prepare(ball()), camera()
    with pytest.raises(UnknownNameError, match="did you mean 'colour'"):
        draw_splats(prepared, at, ("color",))
    with pytest.raises(InvalidValueError, match=r"depth_behind: expected the camera's shape"):
        draw_splats(prepared, at, depth_behind=np.zeros((4, 4)))
    with pytest.raises(InvalidValueError, match="threads: expected"):
        draw_splats(prepared, at, threads=0)


def test_threads_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert drawing._thread_count(None) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "nonsense")
    assert drawing._thread_count(None) >= 1
    assert drawing._thread_count(5) == 5


def test_without_the_native_module_it_says_how_to_build_it() -> None:
    program = (
        "import sys; sys.modules['heliograph._native'] = None\n"
        "import heliograph.splats as s, numpy as np\n"
        "g = s.Gaussians(np.zeros((1, 3)), np.ones((1, 3)), np.ones((1, 4)), np.ones(1), "
        "np.zeros((1, 1, 3)))\n"
        "try: s.prepare(g)\n"
        "except ImportError as error: print(type(error).__name__, error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.startswith("MissingDependencyError"), run.stderr
    assert "C++ compiler" in run.stdout


# Values.


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"positions": np.array([[0, np.nan, 0]])}, "positions: expected finite numbers, metres"),
        ({"scales": np.array([[1, 0, 1]])}, "scales: expected finite metres above 0"),
        ({"scales": np.array([[1, np.inf, 1]])}, "scales: expected finite"),
        ({"scales": np.array([[1, -1, 1]])}, "the first is number 0"),
        ({"rotations": np.zeros((1, 4))}, "rotations: expected finite quaternions"),
        ({"opacities": np.array([1.5])}, "opacities: expected numbers from 0 to 1"),
        ({"opacities": np.array([np.nan])}, "opacities: expected"),
        ({"sh": np.full((1, 4, 3), np.nan)}, "sh: expected finite numbers"),
        ({"sh": np.zeros((1, 5, 3))}, r"sh: expected shape \(1, K, 3\)"),
        ({"scales": np.ones((2, 3))}, r"scales: expected shape \(1, 3\), got \(2, 3\)"),
        ({"positions": np.array(["a"])}, "positions: expected an array of real numbers"),
        ({"positions": 3.0}, "positions: expected an array of real numbers"),
    ],
)
def test_gaussians_that_cannot_be_drawn_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        dataclasses.replace(ball(), **change)


def test_gaussians_keep_arrays_that_fit_and_never_change() -> None:
    positions = np.zeros((1, 3), np.float32)
    kept = dataclasses.replace(ball(), positions=positions)
    assert np.shares_memory(kept.positions, positions)
    assert positions.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        kept.positions[0] = 1
    assert repr(cloud(7, coefficients=9)) == "Gaussians(7, spherical harmonics of degree 2)"


def test_harmonics_are_orthonormal() -> None:
    z, weights = np.polynomial.legendre.leggauss(12)
    angles = np.arange(24) * 2 * np.pi / 24
    across = np.sqrt(1 - z * z)
    directions = np.stack(
        (np.outer(across, np.cos(angles)), np.outer(across, np.sin(angles)),
         np.broadcast_to(z[:, None], (12, 24))), -1,
    )  # fmt: skip
    basis = harmonics(directions, 16)
    products = np.einsum(
        "ab,abi,abj->ij", weights[:, None] * np.full(24, 2 * np.pi / 24), basis, basis
    )
    np.testing.assert_allclose(products, np.eye(16), atol=1e-12)


number = st.floats(-1, 1)


@st.composite
def similarities(draw: st.DrawFn) -> Floats:
    turn = Rotation.from_rotvec(draw(st.tuples(*[st.floats(-3, 3)] * 3))).as_matrix()
    mirror = np.diag(draw(st.sampled_from([(1, 1, 1), (1, -1, 1), (-1, -1, -1)])))
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ mirror * draw(st.floats(0.3, 3))
    matrix[:3, 3] = draw(st.tuples(*[number] * 3))
    return matrix


@settings(max_examples=40, deadline=None)
@given(similarities(), st.integers(0, 100))
def test_turned_gaussians_look_turned(matrix: Floats, seed: int) -> None:
    gaussians = cloud(20, seed)
    turned = gaussians.transformed(matrix)
    linear = matrix[:3, :3]
    expected = linear @ gaussians.covariances @ linear.T
    np.testing.assert_allclose(turned.covariances, expected, atol=1e-5 * np.abs(expected).max())
    directions = np.random.default_rng(seed).normal(size=(20, 3))
    before, after = gaussians.colours(directions), turned.colours(directions @ linear.T)
    np.testing.assert_allclose(after, before, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(number, min_size=9, max_size=9), st.integers(0, 100))
def test_stretched_gaussians_are_exact(numbers: list[float], seed: int) -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(numbers, (3, 3)) + 2 * np.eye(3)
    gaussians = cloud(20, seed)
    stretched = gaussians.transformed(matrix)
    expected = matrix[:3, :3] @ gaussians.covariances @ matrix[:3, :3].T
    np.testing.assert_allclose(stretched.covariances, expected, atol=2e-6 * np.abs(expected).max())


def test_a_turned_cloud_gives_the_picture_of_a_turned_camera() -> None:
    gaussians, at = cloud(), camera(eye=(1, -3, 1))
    move = np.eye(4)
    move[:3, :3] = Rotation.from_euler("zyx", [0.5, -1, 2]).as_matrix()
    move[:3, 3] = (3, 1, -2)
    still = draw_splats(prepare(gaussians), at)
    moved = draw_splats(prepare(gaussians.transformed(move)), at.moved(move @ at.world_from_camera))
    assert psnr(still["colour"], moved["colour"]) > 60


@pytest.mark.parametrize("matrix", [np.zeros((4, 4)), np.diag([1, 1, 0, 1]), np.diag([1, 1, 1, 2])])
def test_matrices_that_flatten_or_are_not_affine_are_refused(matrix: Floats) -> None:
    with pytest.raises(InvalidValueError, match="affine matrix that can be inverted"):
        ball().transformed(matrix)


def test_bounds_hold_what_is_seen() -> None:
    low, high = joined(ball((1, 2, 3), 0.5), ball((0, 0, 0), 0.1)).bounds
    np.testing.assert_allclose(low, (-0.5, -0.3, -0.3), atol=1e-6)
    np.testing.assert_allclose(high, (2.5, 3.5, 4.5), atol=1e-6)


# Files.


@pytest.mark.parametrize("coefficients", [1, 4, 9, 16])
def test_ply_files_come_back(tmp_path: Path, coefficients: int) -> None:
    gaussians = cloud(50, 1, coefficients)
    write_ply(tmp_path / "a.ply", gaussians)
    again = read_splats(tmp_path / "a.ply")
    for field in dataclasses.fields(Gaussians):
        ours, theirs = getattr(again, field.name), getattr(gaussians, field.name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_plyfile_reads_what_is_written(tmp_path: Path) -> None:
    """Harmonics in the file go channel by channel, and scales and opacities as 3DGS has them."""
    gaussians = cloud(5, 1, 4)
    write_ply(tmp_path / "a.ply", gaussians)
    vertices = plyfile.PlyData.read(tmp_path / "a.ply")["vertex"]
    np.testing.assert_allclose(vertices["f_rest_3"], gaussians.sh[:, 1, 1])
    np.testing.assert_allclose(np.exp(vertices["scale_2"]), gaussians.scales[:, 2], rtol=1e-6)
    logit = vertices["opacity"].astype(np.float64)
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), gaussians.opacities, rtol=1e-5)


def test_big_endian_doubles_and_further_elements_are_read(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", cloud(3, 1, 1))
    head, end, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    head = head.replace(b"little", b"big").replace(b"float", b"double")
    head = head.replace(b"element", b"comment of ours\nelement")
    values = np.frombuffer(body, "<f4").astype(">f8").tobytes()
    more = b"element face 1\nproperty list uchar int indices\n"
    (tmp_path / "b.ply").write_bytes(head + more + end + values + bytes(13))
    a, b = read_splats(tmp_path / "a.ply"), read_splats(tmp_path / "b.ply")
    np.testing.assert_array_equal(a.positions, b.positions)
    np.testing.assert_allclose(a.scales, b.scales, rtol=1e-6)


def test_splat_files_are_read(tmp_path: Path) -> None:
    record = np.zeros(2, [("p", "<f4", 3), ("s", "<f4", 3), ("c", "u1", 4), ("r", "u1", 4)])
    record["p"], record["s"] = [(1, 2, 3), (4, 5, 6)], 0.25
    record["c"], record["r"] = (255, 0, 51, 204), (255, 128, 128, 128)
    (tmp_path / "a.splat").write_bytes(record.tobytes())
    gaussians = read_splats(tmp_path / "a.splat")
    np.testing.assert_array_equal(gaussians.positions, record["p"])
    np.testing.assert_allclose(gaussians.colours((0, 0, 1))[0], (1, 0, 0.2), atol=1e-6)
    np.testing.assert_allclose(gaussians.opacities, 0.8)
    np.testing.assert_allclose(gaussians.rotations[0], (1, 0, 0, 0))


def ply_bytes(tmp_path: Path, count: int = 20) -> bytes:
    write_ply(tmp_path / "whole.ply", cloud(count, 1, 4))
    return (tmp_path / "whole.ply").read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:-1], "header says 20 gaussians .* it is cut short"),
        (lambda data: data + b"x", "cut short, damaged or not what it says"),
        (lambda data: data.replace(b"vertex 20", b"vertex 21"), "header says 21 gaussians"),
        (lambda data: data.replace(b"vertex 20", b"vertex 999999999999"), "header says 9999"),
        (lambda data: data.replace(b"vertex 20", b"vertex 9" + b"9" * 30), "and a count"),
        (lambda data: data.replace(b"vertex 20", b"vertex -1"), "and a count"),
        (lambda data: data.replace(b"vertex 20", b"faces 20"), "'element vertex' as the first"),
        (lambda data: data.replace(b"opacity", b"opaqueness"), "lacks opacity"),
        (lambda data: data.replace(b" x\n", b" a\n").replace(b"rot_3", b"b"), "lacks x, rot_3"),
        (lambda data: data.replace(b" nx\n", b" ny\n"), "properties of different names"),
        (lambda data: data.replace(b"f_rest_8", b"f_rest_9"), "expected 0, 9, 24 or 45"),
        (lambda data: data.replace(b"float x", b"float16 x"), "expected 'property TYPE NAME'"),
        (lambda data: data.replace(b"binary_little_endian", b"ascii"), "an ascii .ply: convert"),
        (lambda data: data.replace(b"binary_little_endian", b"middle"), "expected 'format"),
        (lambda data: data.replace(b"end_header", b"and_header"), "whose header ends within"),
        (lambda _: b"", "expected a .ply"),
        (lambda _: b"ply\nend_header\n", "expected 'format"),
    ],
)
def test_damaged_ply_files_are_refused(
    tmp_path: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    (tmp_path / "bad.ply").write_bytes(change(ply_bytes(tmp_path)))
    with pytest.raises(SceneError, match=rf"bad\.ply: .*{said}"):
        read_splats(tmp_path / "bad.ply")


def test_files_that_are_no_splats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.splat").write_bytes(bytes(63))
    with pytest.raises(SceneError, match="expected 32 bytes for each gaussian, got 63"):
        read_splats(tmp_path / "a.splat")
    (tmp_path / "a.ksplat").write_bytes(bytes(64))
    with pytest.raises(SceneError, match=r"ends in \.ply or \.splat"):
        read_splats(tmp_path / "a.ksplat")
    with pytest.raises(SceneError, match="no such file"):
        read_splats(tmp_path / "none.ply")
    os.mkfifo(tmp_path / "pipe.ply")
    with pytest.raises(SceneError, match="named pipe"):
        read_splats(tmp_path / "pipe.ply")


def test_gaussians_that_are_nan_are_refused_or_left_out(tmp_path: Path) -> None:
    data = bytearray(ply_bytes(tmp_path))
    data[-4:] = np.float32(np.nan).tobytes()
    (tmp_path / "a.ply").write_bytes(bytes(data))
    with pytest.raises(SceneError, match=r"rotations: .* the first is number 19.*drop_invalid"):
        read_splats(tmp_path / "a.ply")
    assert len(read_splats(tmp_path / "a.ply", drop_invalid=True)) == 19


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_altered_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Never anything but gaussians that can be drawn, or a SceneError."""
    folder = tmp_path_factory.mktemp("fuzz")
    content = bytearray(ply_bytes(folder, 3))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.sampled_from([len(content), len(content) // 2, 40]))]
    check_read_or_refused(folder / "a.ply", bytes(content))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["a.ply", "a.splat"]))
def test_garbage_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    check_read_or_refused(tmp_path_factory.mktemp("fuzz") / name, content)


def check_read_or_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        gaussians = read_splats(path, drop_invalid=True)
    except SceneError:
        return
    drawn = draw_splats(prepare(gaussians), camera(24, 16))
    assert not np.isnan(drawn["alpha"]).any()
    assert ((drawn["alpha"] >= 0) & (drawn["alpha"] <= 1)).all()
