# mypy: allow-untyped-calls
"""Whatever a rasterizer is given, it draws or says in the package's own words what was wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.raster import (
    DrawList,
    Environment,
    Geometry,
    Instances,
    Layer,
    Light,
    Lighting,
    LightKind,
    Mapping,
    Rasterizer,
    RasterOptions,
    Sampler,
    Shape,
    Texture,
    Use,
    flat_shaded,
    make_rasterizer,
    plane_grid,
)
from raster_scenes import ALL, BACKENDS, HEAD, buffers, camera

VIEW = camera(width=24, height=16)
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]])
UP = np.tile([0, 0, 1.0], (3, 1))
FACE = np.array([[0, 1, 2]])
WHITE = np.full((2, 2, 3), 255, np.uint8)
SAIL = Geometry(CORNERS, FACE, UP, np.zeros((3, 2)), name="sail", colours=np.ones((3, 4)))
WORN = Texture(WHITE, name="cloth", layers=(Layer(Use.NORMAL, WHITE),))
NAN, INF = math.nan, math.inf
STRANGE: tuple[Any, ...] = (
    *(None, "red", b"red", object(), 1j, {}, [[1, 2], [3]], np.array([None, "a"], object)),
    *(NAN, INF, -INF, (NAN, 0, 0), (0, 0, INF), 10**400, np.float64(1.5), ("a", "b", "c")),
    *(np.full((2, 3), NAN), np.zeros((3, 3, 3)), [], (1, 2, 3, 4, 5), np.array(2.0), True, -7),
)
NAMES = [f"{number} {type(value).__name__}" for number, value in enumerate(STRANGE)]
LISTS: list[Any] = [CORNERS.tolist(), CORNERS.astype(np.float16), np.asfortranarray(CORNERS)]


@pytest.fixture(params=BACKENDS, scope="module")
def drawer(request: pytest.FixtureRequest) -> Iterator[Rasterizer]:
    made = make_rasterizer(RasterOptions(backend=request.param, shadow_size=64))
    yield made
    made.close()


def draw(drawer: Rasterizer, scene: Any) -> NDArray[np.uint8]:
    out = buffers(VIEW)
    drawer.draw(scene, [VIEW], ALL, [out])
    return np.asarray(out["rgb"])


def refused(call: Callable[[], object], words: str = "expected") -> None:
    with pytest.raises(HeliographError, match=words) as caught:
        call()
    assert isinstance(caught.value, InvalidValueError | UnknownNameError)
    assert caught.value.__cause__ is None
    assert len(str(caught.value)) < 400


def forget(_: object) -> None:
    """What nothing need be freed of."""


@pytest.fixture
def kept(drawer: Rasterizer) -> Iterator[None]:
    """What is drawn is the same after as before a test."""
    scene = DrawList(lit_by(1), HEAD)
    before = draw(drawer, scene)
    yield
    assert (draw(drawer, scene) == before).all()
    assert before.any()


def lit_by(count: int) -> Instances:
    made = Instances.blank(count)
    made.table.mapping[:] = Mapping.UV
    made.transforms.length = np.ones(count)
    made.table.texture_offset = np.zeros((count, 2), np.float32)
    made.table.cutoff = np.zeros(count, np.float32)
    return made.painted(
        emissive=np.zeros((count, 3), np.float32),
        metallic_roughness=np.full((count, 2), 0.5, np.float32),
        highlight=np.ones((count, 4), np.float32),
    )


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("value", STRANGE, ids=NAMES)
def test_no_raw_error_for_what_is_added(drawer: Rasterizer, value: Any) -> None:
    calls: list[Callable[[], object]] = [
        partial(drawer.add_geometry, value),
        partial(drawer.add_levels, value),
        partial(drawer.add_levels, [value]),
        partial(drawer.add_texture, value),
        partial(drawer.lend_texture, value),
        partial(drawer.remove_geometry, value),
        partial(drawer.remove_texture, value),
        partial(drawer.remove_radiance, value),
        partial(drawer.update_geometry, value, CORNERS, UP),
        partial(flat_shaded, value),
    ]
    for call in calls:
        refused(call, "expected|unknown")
    if not isinstance(value, np.ndarray) or value.shape != (3, 3, 3):
        refused(partial(drawer.add_radiance, value))


def accepts(call: Callable[[], Any], free: Callable[[int], None]) -> None:
    """It either works or is refused in the package's words; nothing else."""
    with suppress(InvalidValueError, UnknownNameError):
        free(call())


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("value", STRANGE, ids=NAMES)
def test_no_raw_error_for_fields_of_what_is_added(drawer: Rasterizer, value: Any) -> None:
    for field in fields(Geometry):
        made = replace(SAIL, **{field.name: value})
        accepts(partial(drawer.add_geometry, made), drawer.remove_geometry)
        accepts(partial(drawer.add_levels, [(made, 0.0)]), drawer.remove_geometry)
    accepts(partial(drawer.add_levels, [(SAIL, value)]), drawer.remove_geometry)
    bent = replace(SAIL, poses=(value,))
    refused(partial(drawer.add_geometry, bent), "sail: expected poses")
    for field in fields(Texture):
        worn = replace(WORN, **{field.name: value})
        accepts(partial(drawer.add_texture, worn), drawer.remove_texture)
    for field in fields(Layer):
        layer = replace(WORN.layers[0], **{field.name: value})
        worn = replace(WORN, layers=(layer,))
        accepts(partial(drawer.add_texture, worn), drawer.remove_texture)
    for field in fields(Sampler):
        worn = replace(WORN, sampler=replace(Sampler(), **{field.name: value}))
        accepts(partial(drawer.add_texture, worn), drawer.remove_texture)


def test_wrong_errors_of_levels_do_no_lasting_harm(drawer: Rasterizer) -> None:
    for wrong in (None, "a", NAN, -1.0, (1, 2)):
        levels: Any = [(SAIL, wrong)]
        refused(partial(drawer.add_levels, levels), "levels: error: expected a number")
    assert draw(drawer, DrawList(Instances.blank(1), HEAD)).any()


@pytest.mark.parametrize("field", ["positions", "normals", "uvs", "colours"])
@pytest.mark.parametrize("wrong", [NAN, INF, -INF, 1e39])
def test_vertices_are_finite(drawer: Rasterizer, field: str, wrong: float) -> None:
    rows: Any = np.array(getattr(SAIL, field), float)
    rows[1, 0] = wrong
    words = f"sail: expected {field}"
    refused(partial(drawer.add_geometry, replace(SAIL, **{field: rows})), words)
    refused(partial(drawer.add_levels, [(replace(SAIL, **{field: rows}), 0.0)]), words)


@pytest.mark.parametrize("wrong", [NAN, INF, -INF, 1e39])
def test_moved_vertices_are_finite(drawer: Rasterizer, wrong: float) -> None:
    handle = drawer.add_geometry(SAIL)
    things = Instances.blank(1)
    things.table.geometry[:] = handle
    before, bad = draw(drawer, DrawList(things, HEAD)), CORNERS.copy()
    bad[2, 1] = wrong
    words = f"geometry {handle}: expected "
    refused(partial(drawer.update_geometry, handle, bad, UP), f"{words}positions")
    refused(partial(drawer.update_geometry, handle, CORNERS, bad), f"{words}normals")
    refused(partial(drawer.update_geometry, handle, "abc", UP), f"{words}positions")  # type: ignore[arg-type]
    refused(partial(drawer.update_geometry, handle, CORNERS, None), f"{words}normals")  # type: ignore[arg-type]
    assert (draw(drawer, DrawList(things, HEAD)) == before).all()
    drawer.remove_geometry(handle)


@pytest.mark.parametrize("given", LISTS, ids=["lists", "halves", "columns"])
def test_lists_of_numbers_are_arrays(drawer: Rasterizer, given: Any) -> None:
    pictures = []
    pixels: Any
    for positions, triangles in ((CORNERS, FACE), (given, FACE.tolist())):
        pixels = WHITE if positions is CORNERS else WHITE.tolist()
        handle = drawer.add_geometry(Geometry(positions, triangles))
        texture = drawer.add_texture(Texture(pixels))
        drawer.update_geometry(handle, positions, UP if positions is CORNERS else UP.tolist())
        things = Instances.blank(1)
        things.table.geometry[:], things.table.texture[:] = handle, texture
        things.table.mapping[:] = Mapping.OBJECT
        pictures.append(draw(drawer, DrawList(things, HEAD)))
        drawer.remove_geometry(handle)
        drawer.remove_texture(texture)
    assert (pictures[0] == pictures[1]).all()
    assert pictures[0].any()
    for pixels in ([[[256]]], [[[-1]]], [[[0.5]]], [[["a"]]], [[1], [2, 3]]):
        refused(partial(drawer.add_texture, Texture(pixels)), "expected uint8 pixels")


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("value", STRANGE, ids=NAMES)
@pytest.mark.parametrize("lighting", [Lighting.PIXEL, Lighting.STANDARD])
def test_no_raw_error_for_what_is_drawn(drawer: Rasterizer, value: Any, lighting: Lighting) -> None:
    scene = DrawList(lit_by(2), HEAD, lighting=lighting)
    goals: list[tuple[Any, Any, Any]] = [
        (value, ALL, [buffers(VIEW)]),
        ([value], ALL, [buffers(VIEW)]),
        ([VIEW], [value], [buffers(VIEW)]),
        ([VIEW], ALL, value),
        ([VIEW], ALL, [value]),
        ([VIEW], ALL, [{**buffers(VIEW), "rgb": value}]),
    ]
    for goal in goals:
        refused(partial(drawer.draw, scene, *goal), "expected|unknown pass")
    refused(partial(draw, drawer, value))
    for part in ("table", "materials", "transforms"):
        things = replace(scene.instances, **{part: value})
        refused(partial(draw, drawer, replace(scene, instances=things)))
        whole = getattr(scene.instances, part)
        for field in fields(whole):
            column = replace(whole, **{field.name: value})
            things = replace(scene.instances, **{part: column})
            accepts(
                partial(draw, drawer, replace(scene, instances=things)),
                forget,
            )


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("value", STRANGE, ids=NAMES)
@pytest.mark.parametrize("casts", [False, True])
def test_no_raw_error_for_light(drawer: Rasterizer, value: Any, casts: bool) -> None:
    things = Instances.blank(1)
    refused(partial(draw, drawer, DrawList(things, (value,))))
    for kind in LightKind:
        lighting = Lighting.STANDARD if kind is LightKind.AREA else Lighting.PIXEL
        for field in fields(Light):
            light = replace(Light(kind, casts_shadow=casts), **{field.name: value})
            scene = DrawList(things, (light,), lighting=lighting)
            accepts(partial(draw, drawer, scene), forget)
            accepts(partial(drawer.expect_lights, (light,)), forget)
    drawer.expect_lights(HEAD)
    for field in fields(Environment):
        back = replace(Environment(haze=(1, 1, 1)), **{field.name: value})
        accepts(partial(draw, drawer, DrawList(things, HEAD, back)), forget)
    for field in fields(DrawList):
        for lighting in (Lighting.PIXEL, Lighting.STANDARD):
            whole = replace(DrawList(things, HEAD, lighting=lighting), **{field.name: value})
            accepts(partial(draw, drawer, whole), forget)


COLUMNS = [
    *(("table", name) for name in ("texture_scale", "texture_offset", "cutoff")),
    *(("materials", name) for name in ("rgba", "surface", "emissive")),
    *(("transforms", name) for name in ("world_from_object", "scales")),
]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("wrong", [NAN, INF, -INF, 1e200])
@pytest.mark.parametrize("lighting", [Lighting.PIXEL, Lighting.STANDARD])
@pytest.mark.parametrize(("part", "name"), COLUMNS)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_columns_are_finite(
    drawer: Rasterizer, part: str, name: str, lighting: Lighting, wrong: float
) -> None:
    things = lit_by(3)
    things.table.geometry[:] = Shape.CAPSULE
    rows = np.array(getattr(getattr(things, part), name), float)
    rows.reshape(3, -1)[1, 0] = wrong
    changed = replace(getattr(things, part), **{name: rows})
    scene = DrawList(replace(things, **{part: changed}), HEAD, lighting=lighting)
    refused(partial(draw, drawer, scene), f"{name}: expected finite numbers.* of instance 1")


def test_what_is_hidden_may_be_anywhere(drawer: Rasterizer) -> None:
    things = Instances.blank(2)
    things.table.geometry[:] = Shape.SPHERE
    poses = np.array(things.transforms.world_from_object)
    poses[1] = NAN
    visible = np.array([True, False])
    assert draw(drawer, DrawList(things.moved(poses, visible), HEAD)).any()
    things = Instances.blank(2).moved(poses)
    refused(partial(draw, drawer, DrawList(things, HEAD)), "world_from_object: expected finite")


def test_many_places_are_looked_at(drawer: Rasterizer) -> None:
    things = Instances.blank(3000)
    assert draw(drawer, DrawList(things, HEAD)).any()
    poses = np.array(things.transforms.world_from_object)
    poses[2999, 2, 3] = INF
    refused(partial(draw, drawer, DrawList(things.moved(poses), HEAD)), "of instance 2999")


def test_what_is_in_no_other_field_of_numbers(drawer: Rasterizer) -> None:
    things = Instances.blank(1)
    wrong: Any = "standard"
    refused(partial(draw, drawer, DrawList(things, HEAD, lighting=wrong)), "lighting: expected a")
    wrong = "aces"
    refused(partial(draw, drawer, DrawList(things, HEAD, tone_mapping=wrong)), "tone_mapping")
    for names in ("rgb", "rgbdepth", b"rgb"):
        wrong = names
        refused(
            partial(drawer.draw, DrawList(things), [VIEW], wrong, [buffers(VIEW)]),
            "passes: expected|unknown pass",
        )
    for layers in (None, 1.5, -1, NAN, "2"):
        made = Instances.blank(1)
        made.table.layers = layers  # type: ignore[assignment]
        refused(partial(draw, drawer, DrawList(made, HEAD)), "layers: expected an integer")
    scene = DrawList(things, HEAD, lighting=Lighting.STANDARD, exposure=-1.0)
    refused(partial(draw, drawer, scene), "exposure: expected a number from 0")


def test_arrays_to_draw_into_fit_on_every_backend(drawer: Rasterizer) -> None:
    scene, fit = DrawList(Instances.blank(1), HEAD), buffers(VIEW)
    fixed = np.zeros((16, 24, 3), np.uint8)
    fixed.flags.writeable = False
    cases: list[tuple[str, Any]] = [
        ("rgb", fixed),
        ("rgb", None),
        ("rgb", np.zeros((24, 16, 3), np.uint8)),
        ("rgb", np.ma.masked_array(np.zeros((16, 24, 3), np.uint8))),
        ("depth", np.zeros((16, 24))),
        ("depth", np.zeros((24, 16), np.float32)),
        ("depth", fit["distance"]),
        ("segmentation", np.zeros((16, 24), np.uint32)),
    ]
    for name, array in cases:
        out = {**fit, name: array}
        refused(partial(drawer.draw, scene, [VIEW], ALL, [out]), "expected")
    refused(partial(drawer.draw, scene, [VIEW, VIEW], ALL, [fit, fit]), "memory of its own")


def test_handles_that_facts_are_asked_of(drawer: Rasterizer) -> None:
    for value in (None, "a", 1, 2.5, [[0]], [0.5], [-1], [1000], ["a"]):
        wrong: Any = value
        refused(partial(drawer.radii, wrong), "geometry: expected handles")
        refused(partial(drawer.has_uvs, wrong), "geometry: expected handles")
    none = np.empty(0, np.int32)
    assert drawer.radii(none).shape == drawer.has_uvs(none).shape == (0,)


def test_helpers_say_what_they_take() -> None:
    for value in STRANGE:
        wrong: Any = value
        if not isinstance(value, (np.ndarray, list, tuple)):
            refused(partial(plane_grid, wrong, np.array([-1.0, 1.0])), "xs: expected")
        if value is not True or isinstance(value, bool):
            refused(partial(Instances.blank, wrong), "count: expected")
        if value is not None:
            refused(partial(make_rasterizer, wrong), "options: expected a RasterOptions")
    with pytest.raises(UnknownNameError, match="unknown column of a MaterialTable 'rgb'"):
        Instances.blank(1).painted(rgb=np.ones((1, 4), np.float32))


NUMBERS = st.floats(width=32) | st.sampled_from([NAN, INF, -INF, 1e39, -1e300])


@settings(max_examples=60, deadline=None)
@given(numbers=st.lists(NUMBERS, min_size=12, max_size=12))
def test_places_are_drawn_or_refused(numbers: list[float]) -> None:
    with np.errstate(all="ignore"):
        drawer = _shared()
        things = Instances.blank(1).moved(np.array(numbers).reshape(1, 3, 4))
        finite = all(abs(number) <= 3e38 for number in numbers)
        if finite:
            draw(drawer, DrawList(things, HEAD))
        else:
            refused(partial(draw, drawer, DrawList(things, HEAD)), "expected finite numbers")


_DRAWERS: list[Rasterizer] = []


def _shared() -> Rasterizer:
    if not _DRAWERS:
        _DRAWERS.append(make_rasterizer(RasterOptions(backend="cpu")))
    return _DRAWERS[0]
