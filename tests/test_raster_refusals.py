# mypy: allow-untyped-calls
"""What rasterizers refuse to draw, in the package's own words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.raster import (
    DrawList,
    Environment,
    Geometry,
    Instances,
    Mapping,
    Rasterizer,
    RasterOptions,
    Shape,
    Texture,
    TextureKind,
    make_rasterizer,
)
from raster_scenes import ALL, BACKENDS, HEAD, buffers, camera

VIEW = camera(width=24, height=16)
WHITE = np.full((2, 2, 3), 255, np.uint8)
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]])
FACE = np.array([[0, 1, 2]])


@pytest.fixture(params=BACKENDS, scope="module")
def drawer(request: pytest.FixtureRequest) -> Iterator[Rasterizer]:
    made = make_rasterizer(RasterOptions(backend=request.param))
    yield made
    made.close()


def draw(drawer: Rasterizer, things: Instances, back: Environment | None = None) -> NDArray[Any]:
    out = buffers(VIEW)
    drawer.draw(DrawList(things, HEAD, back or Environment()), [VIEW], ALL, [out])
    return np.asarray(out["segmentation"])


def refused(call: Callable[[], object], words: str) -> None:
    """What is raised is the package's, short, and says it in these words."""
    with pytest.raises(HeliographError, match=re.escape(words)) as caught:
        call()
    assert isinstance(caught.value, InvalidValueError | UnknownNameError)
    assert len(str(caught.value)) < 250


TABLES: list[tuple[str, object, str]] = [
    ("geometry", [1000, 1], "InstanceTable.geometry: expected numbers from 0 to"),
    ("geometry", [-1, 1], "got -1"),
    ("geometry", [1.0, 1.0], "expected an array (2,) of integers, got (2,) float64"),
    ("texture", [-2, 0], "InstanceTable.texture: expected numbers from -1 to"),
    ("texture", [1 << 20, 0], "InstanceTable.texture: expected numbers from -1 to"),
    ("texture", [77, -1], "texture 77 was removed, or never added"),
    ("mapping", [4, 0], "InstanceTable.mapping: expected numbers from 0 to 3, got 4"),
    ("side", [0, 3], "InstanceTable.side: expected numbers from 0 to 2, got 3"),
    ("shading", [7, 0], "InstanceTable.shading: expected numbers from 0 to 6, got 7"),
    ("ids", [1], "InstanceTable.ids: expected an array (2,) of integers, got (1,) int64"),
    ("texture_scale", [[1.0, 1.0]] * 2, "texture_scale: expected an array (2, 3)"),
    ("casts_shadow", [1, 0], "casts_shadow: expected an array (2,) of bools, got (2,) int64"),
    ("cutoff", [[0.5], [0.5]], "cutoff: expected an array (2,)"),
]


@pytest.mark.parametrize(("name", "values", "words"), TABLES)
def test_columns_of_what_things_are(drawer: Rasterizer, name: str, values: Any, words: str) -> None:
    made = Instances.blank(2)
    made.table.mapping[:] = Mapping.UV
    setattr(made.table, name, np.array(values))
    refused(lambda: draw(drawer, made), words)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("rgba", (2, 3)), ("rgba", (1, 4)), ("surface", (2, 3)), ("emissive", (2, 4))],
)
def test_columns_of_materials(drawer: Rasterizer, name: str, shape: tuple[int, ...]) -> None:
    made = Instances.blank(2).painted(**{name: np.ones(shape, np.float32)})
    refused(lambda: draw(drawer, made), f"MaterialTable.{name}: expected an array (2, ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"world_from_object": np.zeros((2, 4, 4))},
            "world_from_object: expected an array (2, 3, 4",
        ),
        ({"world_from_object": np.zeros((3, 3, 4))}, "got (3, 3, 4) float64"),
        ({"visible": np.ones(3, bool)}, "Transforms.visible: expected an array (2,) of bools"),
        ({"length": np.ones(3)}, "Transforms.length: expected an array (2,)"),
        ({"length": np.array([0, np.nan])}, "Transforms.length: expected finite numbers from 0"),
        ({"length": np.array([np.inf, 0])}, "got inf of instance 0"),
        ({"length": np.array([1, -1.0])}, "got -1.0 of instance 1"),
    ],
)
def test_where_things_are(drawer: Rasterizer, change: dict[str, Any], words: str) -> None:
    made = Instances.blank(2)
    made.table.geometry[:] = Shape.CAPSULE
    made = replace(made, transforms=replace(made.transforms, **change))
    refused(lambda: draw(drawer, made), words)


def test_skies_that_are_not_there(drawer: Rasterizer) -> None:
    cube = Texture(np.full((6, 2, 2, 3), 200, np.uint8), TextureKind.CUBE)
    sky, flat = drawer.add_texture(cube), drawer.add_texture(Texture(WHITE))
    things = Instances.blank(1)
    for _ in range(3):  # so that its picture is kept
        draw(drawer, things, Environment(sky=sky))
    drawer.remove_texture(sky)
    for handle, words in (
        (sky, f"Environment.sky: texture {sky} was removed"),
        (-1, "Environment.sky: texture -1 was removed, or never added"),
        (999, "Environment.sky: texture 999 was removed, or never added"),
        (flat, f"texture {flat} is FLAT"),
    ):
        back = Environment(sky=handle)
        refused(partial(draw, drawer, things, back), words)
    assert draw(drawer, things).any()


def test_textures_that_were_removed(drawer: Rasterizer) -> None:
    handle, things = drawer.add_texture(Texture(WHITE)), Instances.blank(2)
    things.table.texture[1], things.table.mapping[1] = handle, Mapping.UV
    draw(drawer, things)
    drawer.remove_texture(handle)
    refused(lambda: draw(drawer, things), f"texture {handle} was removed")
    for unknown in (handle, -1, 1 << 40):
        refused(partial(drawer.remove_texture, unknown), "was removed, or never added")


def test_geometries_that_were_removed(drawer: Rasterizer) -> None:
    first = drawer.add_geometry(Geometry(CORNERS, FACE))
    drawer.remove_geometry(first)
    for unknown in (first, -1, 1 << 40, Shape.BOX):
        words = "was removed, or never added"
        refused(partial(drawer.remove_geometry, unknown), words)
        refused(partial(drawer.update_geometry, unknown, CORNERS, CORNERS), words)
    one, other = (drawer.add_geometry(Geometry(CORNERS, FACE)) for _ in range(2))
    assert one != other
    assert draw(drawer, Instances.blank(1)).any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"triangles": np.array([[0, 1, 2.0]])}, "expected triangles (T, 3) of integers"),
        ({"normals": np.ones((3, 2))}, "expected normals (3, 3), a row for each vertex"),
        ({"uvs": np.ones((3, 3))}, "expected uvs (3, 2), a row for each vertex"),
        ({"colours": np.ones((3, 3))}, "expected colours (3, 4), a row for each vertex"),
    ],
)
def test_columns_of_geometries(drawer: Rasterizer, change: dict[str, Any], words: str) -> None:
    geometry = replace(Geometry(CORNERS, FACE, name="sail"), **change)
    refused(lambda: drawer.add_geometry(geometry), f"sail: {words}")


def readonly(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("rgb", np.zeros((16, 48, 3), np.uint8)[:, ::2], "expected C-contiguous writable memory"),
        ("rgb", readonly(np.zeros((16, 24, 3), np.uint8)), "C-contiguous writable memory"),
        ("rgb", np.zeros((24, 16, 3), np.uint8), "expected a numpy array (16, 24, 3) uint8"),
        ("depth", np.zeros(24 * 16, np.float32), "expected a numpy array (16, 24) float32"),
        ("depth", np.zeros((24, 16), np.float32), "got (24, 16) float32"),
        ("depth", np.zeros((16, 24)), "expected a numpy array (16, 24) float32"),
        ("segmentation", np.zeros((16, 24), np.uint32), "expected a numpy array (16, 24) int32"),
    ],
)
def test_arrays_that_a_picture_does_not_fit_into(
    name: str, array: NDArray[Any], words: str
) -> None:
    drawer = make_rasterizer(RasterOptions(backend="cpu"))
    out, scene = buffers(VIEW), DrawList(Instances.blank(1), HEAD)
    refused(lambda: drawer.draw(scene, [VIEW], ALL, [{**out, name: array}]), words)
    refused(lambda: drawer.draw(scene, [VIEW] * 2, ALL, [out]), "buffers for 2 cameras, got 1")
    refused(lambda: drawer.draw(scene, [VIEW], ("rgb",), [{}]), "got nothing")
    refused(lambda: drawer.draw(scene, [VIEW], ("heat",), [out]), "unknown pass 'heat'")
    drawer.draw(scene, [VIEW], ALL, [out])
    assert out["segmentation"].any()
    drawer.close()


def test_what_is_not_explained_keeps_its_cause(
    drawer: Rasterizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("nobody knows") from KeyError("cause")

    monkeypatch.setattr(drawer, "_draw_all", fail)
    with pytest.raises(ValueError, match="nobody knows") as caught:
        draw(drawer, Instances.blank(1))
    assert isinstance(caught.value.__cause__, KeyError)
