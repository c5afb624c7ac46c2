import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import heliograph as hg
from heliograph import Sample, picture
from heliograph.passes import KNOWN_PASSES, PassSpec
from heliograph.picture.colours import pass_picture

MJCF = """<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="front" pos="0 -3 0.5" xyaxes="1 0 0 0 0.1 1"/>
    <camera name="wide" pos="0 -4 2" xyaxes="1 0 0 0 0.5 1" resolution="64 24"/>
    <geom name="floor" type="plane" size="5 5 1" pos="0 0 -0.5" rgba="0.4 0.4 0.4 1"/>
    <geom name="ball" size="0.5" rgba="1 0 0 1"/>
    <geom name="a box with quite a long name, longer than the column of the legend is wide"
          type="box" size="0.2 0.2 0.2" pos="0.9 0 0"/>
  </worldbody>
</mujoco>"""


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    with hg.open(MJCF, size=(48, 32)) as renderer:
        return [
            renderer.render(hg.View(("front", "wide"), KNOWN_PASSES, seed=0, index=i))
            for i in range(2)
        ]


def test_near_is_light_far_is_dark_nothing_is_black() -> None:
    shown = picture.depth_picture(np.array([[1.0, 2.0, 3.0, np.inf]], np.float32), (1.0, 3.0))
    assert shown[0, 0].tolist() == [253, 231, 37]
    assert shown[0, 2].tolist() == [68, 1, 84]
    assert shown[0, 3].tolist() == [0, 0, 0]
    assert np.all(np.diff(shown[0, :3].astype(int).sum(-1)) < 0)


def test_equal_ratios_of_depth_are_equal_steps_of_colour() -> None:
    shown = picture.depth_picture(np.array([[2.0, 4.0]], np.float32), (1.0, 8.0))[0]
    assert np.array_equal(shown, picture.colour_map([2 / 3, 1 / 3]))


def test_depth_with_nothing_or_one_distance_is_still_a_picture() -> None:
    assert not picture.depth_picture(np.full((2, 3), np.inf, np.float32)).any()
    assert picture.depth_picture(np.full((2, 3), 1.5, np.float32)).shape == (2, 3, 3)


def test_lightness_of_the_colour_map_never_turns() -> None:
    light = picture.colour_map(np.linspace(0, 1, 100)) @ np.array([0.2126, 0.7152, 0.0722])
    assert np.all(np.diff(light) > -1)
    assert light[-1] - light[0] > 150


def test_normals_are_colours_and_nothing_is_black() -> None:
    axes = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, 0, 0]]], np.float32)
    shown = picture.normals_picture(axes)[0].tolist()
    assert shown == [[255, 128, 128], [128, 255, 128], [128, 128, 255], [0, 128, 128], [0, 0, 0]]


def test_segments_have_stable_colours_of_their_own() -> None:
    colours = picture.segment_colours(np.arange(200))
    assert colours[0].tolist() == [0, 0, 0]
    assert np.array_equal(picture.segment_colours(17), colours[17])
    apart = np.abs(colours[1:40, None].astype(int) - colours[None, 1:40]).sum(-1)
    assert apart[~np.eye(39, dtype=bool)].min() > 8
    ids = np.array([[0, 17], [3, 2**31 - 1]], np.int32)
    assert np.array_equal(picture.segmentation_picture(ids)[0, 1], colours[17])


def test_a_frame_is_a_png_with_its_passes_side_by_side(samples: list[Sample]) -> None:
    frame = samples[0]["front"]
    image = Image.open(io.BytesIO(frame._repr_png_()))
    assert image.size == (6 * 48, 32)
    assert np.array_equal(np.array(image)[:, :48], frame.rgb)


def test_a_sample_is_html_that_cannot_carry_markup(samples: list[Sample]) -> None:
    frame = samples[0]["front"]
    html = hg.Sample({"<script>": frame})._repr_html_()
    assert html.count("<img") == 1
    assert "<script>" not in html
    assert "data:image/png;base64," in html


def test_the_sheet_holds_every_picture_as_it_is(samples: list[Sample]) -> None:
    sheet = np.array(picture.contact_sheet(samples))
    frame = samples[1]["wide"]
    times = -(-200 // 64)
    wanted = frame.rgb.repeat(times, 0).repeat(times, 1)
    rows = [
        top
        for top in range(sheet.shape[0] - wanted.shape[0])
        if np.array_equal(sheet[top : top + wanted.shape[0], 16 : 16 + wanted.shape[1]], wanted)
    ]
    assert len(rows) == 2


def test_the_sheet_names_segments_in_their_colours(samples: list[Sample]) -> None:
    sheet = np.array(picture.contact_sheet(samples))
    below = sheet[-70:].reshape(-1, 3)
    for number in np.unique(samples[0]["front"].segmentation):
        if number:
            colour = picture.segment_colours(number)
            assert (below == colour).all(-1).sum() >= 100


def test_the_sheet_says_how_many_segments_are_not_named(samples: list[Sample]) -> None:
    ids = np.arange(1536, dtype=np.int32).reshape(32, 48)
    frame = hg.Frame(samples[0]["front"].camera, {"segmentation": ids})
    sheet = picture.contact_sheet([hg.Sample({"front": frame})])
    assert sheet.height < 700


def test_lengths_of_a_sheet_share_one_scale_and_opaque_is_white(samples: list[Sample]) -> None:
    frame = samples[0]["front"]
    near = {"distance": frame["distance"] / 100}
    several: list[dict[str, NDArray[Any]]] = [near, {"depth": frame.depth, **near}]
    for lengths in several:
        passes = {**lengths, "alpha": frame["alpha"]}
        sheet = np.array(
            picture.contact_sheet([hg.Sample({"front": hg.Frame(frame.camera, passes)})])
        )
        limits = picture.depth_range(list(lengths.values()))
        expected = [picture.depth_picture(array, limits) for array in lengths.values()]
        expected.append(frame["alpha"][..., None].repeat(3, -1))
        for place, shown in enumerate(expected):
            left = 16 + place * (5 * 48 + 16)
            assert np.array_equal(sheet[54 : 54 + 5 * 32 : 5, left : left + 5 * 48 : 5], shown)


@pytest.mark.parametrize(
    "passes",
    [("rgb",), ("depth",), ("normals", "rgb"), ("segmentation",), ("alpha", "distance")],
)
def test_any_choice_of_passes_makes_a_sheet(samples: list[Sample], passes: tuple[str, ...]) -> None:
    frame = samples[0]["front"]
    frame = hg.Frame(frame.camera, {name: frame[name] for name in passes})
    assert picture.contact_sheet([hg.Sample({"front": frame}, samples[0].labels)]).width >= 400


def test_large_pictures_are_shown_smaller() -> None:
    camera = hg.Camera.perspective(fov_y=1.0, width=3000, height=1500)
    frame = hg.Frame(camera, {"rgb": np.zeros((1500, 3000, 3), np.uint8)})
    assert picture.contact_sheet([hg.Sample({"camera": frame})]).width < 800


def test_no_sample_is_no_sheet() -> None:
    with pytest.raises(hg.InvalidValueError, match="at least one sample"):
        picture.contact_sheet([])


def test_metres_whose_nothing_is_zero_are_not_shown_as_distances() -> None:
    spec = PassSpec("blobs", np.dtype(np.float32), unit="m", fill=0)
    array = np.zeros((2, 3), np.float32)
    array[0] = (1, 2, 4)
    shown = pass_picture(spec, array)
    assert shown[1].max() == 0
    assert shown[0, :, 0].tolist() == [64, 128, 255]


def test_pictures_stand_in_rows_with_paper_between(samples: list[Sample]) -> None:
    tiles = [Image.new("RGB", (8, 5), (10 * i, 0, 0)) for i in range(5)]
    sheet = np.array(picture.layout.grid(tiles, columns=2, gap=3))
    assert sheet.shape == (3 * 5 + 2 * 3, 2 * 8 + 3, 3)
    for i in range(5):
        top, left = i // 2 * 8, i % 2 * 11
        assert (sheet[top : top + 5, left : left + 8, 0] == 10 * i).all()
    assert (sheet[:, 8:11] == picture.layout.PAPER).all()
    assert (sheet[16:, 11:] == picture.layout.PAPER).all()
    with pytest.raises(hg.InvalidValueError, match="at least one picture"):
        picture.layout.beside([])


def test_a_caption_stands_above_a_picture_that_stays_as_it_is(samples: list[Sample]) -> None:
    rgb = samples[0]["front"].rgb
    shown = np.array(picture.layout.captioned(Image.fromarray(rgb), "a caption"))
    assert np.array_equal(shown[-rgb.shape[0] :, : rgb.shape[1]], rgb)
    assert (shown[: -rgb.shape[0]] < 200).any()
