"""Post-processing: what each step does to a picture, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliograph.camera import Camera
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.randomize.imaging import STEPS, apply, needed_passes
from heliograph.randomize.imaging.colour import LUMA

CAMERA = Camera.perspective(fov_y=0.8, width=60, height=40)


def picture(height: int = 40, width: int = 60) -> Any:
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def flat(*colour: int) -> Any:
    return np.full((40, 60, 3), colour, np.uint8)


def corner() -> tuple[Any, Any]:
    """A floor at 2 m facing the camera, and a wall 0.3 m nearer in the right half."""
    depth = np.full((40, 60), 2.0, np.float32)
    depth[:, 30:] = 1.7
    normals = np.zeros((40, 60, 3), np.float32)
    normals[..., 2] = 1
    return depth, normals


def run(rgb: Any, name: str, **parameters: Any) -> Any:
    depth, normals = corner()
    seed = parameters.pop("seed", 0)
    steps = [(name, parameters)]
    return apply(steps, rgb, depth=depth, normals=normals, camera=CAMERA, seed=seed)


def neutral() -> list[tuple[str, dict[str, float]]]:
    return [
        (name, dict.fromkeys(step.neutral, 0.0)) for name, step in STEPS.items() if step.neutral
    ]


@pytest.mark.parametrize(("name", "parameters"), neutral())
def test_neutral_parameters_change_nothing(name: str, parameters: dict[str, float]) -> None:
    rgb = picture()
    done = run(rgb, name, **parameters)
    np.testing.assert_array_equal(done, rgb)
    assert done is not rgb


def test_all_neutral_steps_in_a_row_change_nothing() -> None:
    np.testing.assert_array_equal(apply(neutral(), picture()), picture())


def test_steps_that_undo_each_other_change_nothing() -> None:
    gentle = (picture() // 4 + 96).astype(np.uint8)
    steps = [("hue", {"degrees": 70.0}), ("saturation", {"amount": 1.0})]
    back = [("saturation", {"amount": -0.5}), ("hue", {"degrees": -70.0})]
    np.testing.assert_array_equal(apply(steps + back, gentle), gentle)


@pytest.mark.parametrize("name", STEPS)
def test_every_step_keeps_shape_and_touches_nothing_it_is_given(name: str) -> None:
    rgb, (depth, normals) = picture(), corner()
    for array in (rgb, depth, normals):
        array.flags.writeable = False
    done = apply([(name, {})], rgb, depth=depth, normals=normals, camera=CAMERA, seed=1)
    assert done.shape == rgb.shape
    assert done.dtype == np.uint8
    assert done.flags.c_contiguous
    assert done.flags.owndata
    np.testing.assert_array_equal(depth, corner()[0])
    np.testing.assert_array_equal(normals, corner()[1])


@pytest.mark.parametrize("name", STEPS)
def test_every_step_is_deterministic(name: str) -> None:
    np.testing.assert_array_equal(run(picture(), name, seed=5), run(picture(), name, seed=5))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (33, 17)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    rgb = picture(*size)
    depth, normals = np.ones(size, np.float32), np.ones((*size, 3), np.float32)
    for name in STEPS:
        done = apply([(name, {})], rgb, depth=depth, normals=normals, camera=CAMERA)
        assert done.shape == rgb.shape, name


@pytest.mark.parametrize("name", STEPS)
def test_every_step_leaves_the_picture_recognisable_at_odd_sizes(name: str) -> None:
    ramp = np.linspace(40, 200, 33 * 17 * 3).reshape(33, 17, 3).astype(np.uint8)
    depth, normals = np.ones((33, 17), np.float32), np.zeros((33, 17, 3), np.float32)
    done = apply([(name, {})], ramp, depth=depth, normals=normals, camera=CAMERA)
    assert np.corrcoef(done.ravel(), ramp.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("name", "parameter", "low", "high"),
    [
        ("brightness", "amount", -0.3, 0.3),
        ("gamma", "amount", -0.5, 0.5),
        ("vignette", "intensity", 0.8, 0.1),
        ("bloom", "threshold", 0.9, 0.3),
        ("ambient_occlusion", "intensity", 3.0, 0.5),
    ],
)
def test_mean_brightness_moves_the_right_way(
    name: str, parameter: str, low: float, high: float
) -> None:
    extra = {"radius": 1.0} if name == "ambient_occlusion" else {}
    means = [float(run(picture(), name, **{parameter: p}, **extra).mean()) for p in (low, high)]
    assert means[0] < means[1] - 1


def test_brightness_and_contrast_in_numbers() -> None:
    assert run(flat(100, 50, 200), "brightness", amount=0.2)[0, 0].tolist() == [120, 60, 240]
    assert run(flat(100, 50, 200), "contrast", amount=-1.0)[0, 0].tolist() == [128, 128, 128]
    done = run(flat(100, 50, 200), "contrast", amount=0.5)[0, 0]
    np.testing.assert_allclose(done, [86.25, 11.25, 236.25], atol=1)


def test_saturation_keeps_luma_and_greys() -> None:
    grey = run(flat(100, 50, 200), "saturation", amount=-1.0)[0, 0]
    np.testing.assert_allclose(grey, LUMA @ (100, 50, 200), atol=0.51)
    np.testing.assert_array_equal(run(flat(77, 77, 77), "saturation", amount=2.0), flat(77, 77, 77))


@given(degrees=st.floats(-360, 360))
@settings(max_examples=30, deadline=None)
def test_hue_keeps_luma_and_greys(degrees: float) -> None:
    colour = (140, 110, 130)
    done = run(flat(*colour), "hue", degrees=degrees)[0, 0]
    assert LUMA @ done == pytest.approx(LUMA @ colour, abs=1)
    assert run(flat(90, 90, 90), "hue", degrees=degrees)[0, 0].tolist() == [90, 90, 90]


def test_hue_wraps_and_turns_red_to_green() -> None:
    np.testing.assert_array_equal(run(picture(), "hue", degrees=360.0), picture())
    red, green, blue = run(flat(120, 80, 80), "hue", degrees=120.0)[0, 0].tolist()
    assert green > red
    assert abs(red - blue) <= 1


def test_white_balance_moves_red_against_blue_and_keeps_the_luma_of_white() -> None:
    warm = run(flat(120, 120, 120), "white_balance", temperature=60.0)[0, 0].astype(float)
    assert warm[0] > 120 > warm[2]
    assert LUMA @ warm == pytest.approx(120, abs=1)
    tinted = run(flat(120, 120, 120), "white_balance", tint=60.0)[0, 0].astype(float)
    assert tinted[0] == tinted[2] > 120 > tinted[1]


def test_tone_mapping_keeps_order_and_tames_highlights() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    for strength in (0.5, 1.0):
        done = apply([("tone_map", {"strength": strength})], ramp)[0, :, 0].astype(int)
        assert (np.diff(done) >= 0).all()
        assert done[0] == 0
        assert done[255] < 255


def test_bloom_spreads_only_what_is_bright() -> None:
    dark = flat(60, 60, 60)
    np.testing.assert_array_equal(run(dark, "bloom", intensity=5.0), dark)
    spot = dark.copy()
    spot[18:22, 28:32] = 255
    near = run(spot, "bloom", intensity=4.0, diffusion=10.0)
    assert near[20, 36, 0] > 60
    assert near[20, 36, 0] >= near[20, 48, 0]
    wide = int((run(spot, "bloom", intensity=4.0, diffusion=10.0) > 60).sum())
    assert wide > int((run(spot, "bloom", intensity=4.0, diffusion=1.0) > 60).sum())


def test_vignette_darkens_corners_alike_and_not_the_middle() -> None:
    done = run(flat(200, 200, 200), "vignette", intensity=0.5)
    assert done[20, 30, 0] >= 199
    assert len({int(done[y, x, 0]) for y in (0, -1) for x in (0, -1)}) == 1
    assert 100 <= int(done[0, 0, 0]) <= 106


def test_occlusion_darkens_beside_a_step_and_nowhere_else() -> None:
    done = run(flat(200, 200, 200), "ambient_occlusion", intensity=3.0, radius=0.5)[20, :, 0]
    assert done[28] < 185
    assert done[2] == 200
    assert done[57] == 200
    far = np.full((40, 60), np.inf, np.float32)
    empty = np.zeros((40, 60, 3), np.float32)
    sky = apply([("ambient_occlusion", {})], flat(9, 9, 9), depth=far, normals=empty, camera=CAMERA)
    np.testing.assert_array_equal(sky, flat(9, 9, 9))


def test_occlusion_says_what_it_needs() -> None:
    with pytest.raises(InvalidValueError, match="passes="):
        apply([("ambient_occlusion", {})], picture())
    assert needed_passes([("ambient_occlusion", {})]) == ("rgb", "depth", "normals")
    assert needed_passes([("hue", {})]) == ("rgb",)


@pytest.mark.parametrize("name", ["gaussian_blur", "motion_blur"])
def test_blurs_keep_flat_pictures_and_lessen_contrast(name: str) -> None:
    np.testing.assert_array_equal(run(flat(9, 99, 199), name), flat(9, 99, 199))
    assert run(picture(), name).std() < 0.8 * picture().std()


def test_gaussian_blur_is_scipys() -> None:
    from scipy.ndimage import gaussian_filter

    ours = run(picture(), "gaussian_blur", sigma=1.5).astype(float)
    theirs = gaussian_filter(
        picture().astype(float), (1.5, 1.5, 0), mode="nearest", truncate=10 / 3
    )
    assert np.abs(ours - theirs).max() <= 0.6


def test_motion_blur_goes_along_its_angle() -> None:
    spot = flat(0, 0, 0)
    spot[20, 30] = 255
    across = run(spot, "motion_blur", length=8.0, angle=0.0)[..., 0] > 0
    assert across[20].sum() >= 8
    assert across.sum() == across[20].sum()
    rising = run(spot, "motion_blur", length=8.0, angle=45.0)[..., 0] > 0
    assert rising[18, 32]
    assert not rising[18, 28]


def test_grain_has_its_deviation_colour_and_size() -> None:
    big = np.full((200, 200, 3), 128, np.uint8)
    grey = apply([("grain", {"intensity": 0.05})], big).astype(float) - 128
    assert grey.std() == pytest.approx(0.05 * 255, rel=0.03)
    assert abs(grey.mean()) < 0.3
    assert (grey[..., 0] == grey[..., 2]).all()
    coloured = apply([("grain", {"intensity": 0.05, "colour": 1.0})], big).astype(float)
    assert abs(np.corrcoef(coloured[..., 0].ravel(), coloured[..., 1].ravel())[0, 1]) < 0.05
    blocks = apply([("grain", {"intensity": 0.05, "size": 4.0})], big)
    assert (blocks[:4, :4] == blocks[0, 0]).all()


def test_noise_follows_its_seed_and_each_step_has_its_own() -> None:
    assert (run(picture(), "grain", seed=1) != run(picture(), "grain", seed=2)).any()
    steps = [("grain", {"intensity": 0.1})]
    once = apply(steps, flat(128, 128, 128)).astype(int) - 128
    twice = apply(steps * 2, flat(128, 128, 128)).astype(int) - 128
    assert twice.std() == pytest.approx(once.std() * 2**0.5, rel=0.1)


def test_sensor_noise_grows_with_light() -> None:
    def deviation(level: int) -> float:
        big = np.full((200, 200, 3), level, np.uint8)
        return float(apply([("sensor", {"shot": 0.05, "read": 0.02})], big).std()) / 255

    assert deviation(128) == pytest.approx((0.05**2 * 128 / 255 + 0.02**2) ** 0.5, rel=0.03)
    assert deviation(180) > deviation(60)


def test_jpeg_is_worse_at_lower_quality() -> None:
    smooth = np.linspace(0, 255, 60).astype(np.uint8)[None, :, None].repeat(40, 0).repeat(3, 2)
    errors = [
        np.abs(run(smooth, "jpeg", quality=q).astype(int) - smooth).mean() for q in (95, 50, 5)
    ]
    assert errors[0] < 1
    assert errors[0] <= errors[1] < errors[2]


def test_folded_steps_are_as_one_after_the_other() -> None:
    steps: list[tuple[str, dict[str, float]]] = [
        ("brightness", {"amount": 0.1}),
        ("hue", {"degrees": 12.0}),
        ("contrast", {"amount": -0.2}),
        ("white_balance", {"temperature": 20.0}),
    ]
    gentle = (picture() // 2 + 60).astype(np.uint8)
    one_by_one = gentle
    for step in steps:
        one_by_one = apply([step], one_by_one)
    assert np.abs(apply(steps, gentle).astype(int) - one_by_one).max() <= 3


@pytest.mark.parametrize(
    ("steps", "error", "message"),
    [
        ([("blom", {})], UnknownNameError, "did you mean 'bloom'"),
        ([("bloom", {"treshold": 1})], UnknownNameError, "step 'bloom'.*mean 'threshold'"),
        ([("jpeg", {"quality": 200})], InvalidValueError, "quality: expected 1 to 95"),
        ([("hue", {"degrees": float("nan")})], InvalidValueError, "degrees: expected"),
    ],
)
def test_wrong_steps_are_refused(steps: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        apply(steps, picture())


@pytest.mark.parametrize(
    "rgb", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_wrong_pictures_are_refused(rgb: Any) -> None:
    with pytest.raises(InvalidValueError, match="rgb: expected"):
        apply([("hue", {})], rgb)


def test_linear_light_and_back_changes_nothing() -> None:
    rgb = picture()
    done = apply([("linear_light", {}), ("display", {})], rgb)
    assert np.abs(done.astype(int) - rgb).max() <= 1


def test_light_beyond_white_is_kept_until_it_is_shown() -> None:
    grey = flat(200, 120, 4)
    steps = [("linear_light", {"gain": 5.0}), ("brightness", {"amount": -0.8}), ("display", {})]
    assert np.abs(apply(steps, grey).astype(int) - grey).max() <= 1
    bright = apply([("linear_light", {"gain": 5.0}), ("display", {})], grey)
    assert bright[0, 0].tolist() == [255, 248, 18]


def test_contrast_of_light_leaves_mid_grey_and_counts_stops() -> None:
    linear = np.array([0.18, 0.36, 0.045])
    encoded = 1.055 * linear ** (1 / 2.4) - 0.055
    rgb = flat(*np.round(255 * encoded).astype(int))
    steps = [("linear_light", {}), ("light_contrast", {"amount": 0.5}), ("display", {})]
    expected = 0.18 * np.array([1, 2**1.5, 2**-3])
    shown = 255 * (1.055 * expected ** (1 / 2.4) - 0.055)
    assert np.abs(apply(steps, rgb)[0, 0] - shown).max() <= 1.5


def test_filmic_keeps_mid_grey_and_ends_at_its_white() -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    shown = apply([("linear_light", {"gain": 4.04}), ("filmic", {})], levels)[0, :, 0]
    assert shown[0] == 0
    assert shown[255] == 255
    assert (np.diff(shown.astype(int)) >= 0).all()
    assert shown[230] < 255
    same = apply([("linear_light", {}), ("filmic", {})], flat(118, 118, 118))[0, 0, 0]
    assert abs(int(same) - 118) <= 2
