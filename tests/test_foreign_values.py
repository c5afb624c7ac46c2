"""Whatever a user hands in, what comes out is a HeliographError that says what was expected."""

import enum
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import heliograph as hg
from heliograph.errors import HeliographError
from heliograph.frame import Buffers, allocate, own_or_given
from heliograph.passes import PASSES


class Table:
    """What pandas gives for a column of words."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(["x", "y"], object)


class Refusing:
    """What numpy cannot read."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError("no")


def read_only() -> np.ndarray:
    rows = np.zeros(3)
    rows.flags.writeable = False
    return rows


VALUES: dict[str, Any] = {
    "None": None,
    "True": True,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "10**400": 10**400,
    "-10**400": -(10**400),
    "2**63": 2**63,
    "2**64": 2**64,
    "-1": -1,
    "0": 0,
    "1e308": 1e308,
    "denormal": 5e-324,
    "bytes": b"\xff",
    "empty text": "",
    "text": "x",
    "NUL": "\x00",
    "long text": "é" * 5000,
    "empty list": [],
    "ragged": [[1], [2, 3]],
    "huge list": [10**400] * 3,
    "huge among floats": [10**400, 1.0, 2.0],
    "Nones": [None] * 3,
    "words": ["a"] * 3,
    "mapping": {"a": 1},
    "numbered mapping": {1: 2},
    "set": set(),
    "object": object(),
    "objects": np.array([1, "a", None], object),
    "huge objects": np.array([10**400] * 3, object),
    "cube": np.zeros((2, 2, 2)),
    "no rows": np.zeros(0),
    "scalar array": np.array(3.0),
    "NaNs": np.full(3, np.nan),
    "infinities": np.full((4, 4), np.inf),
    "complex": np.array(1j),
    "date": np.datetime64("2020"),
    "records": np.zeros(3, [("a", "f4")]),
    "masked": np.ma.masked_array([1, 2, 3], [True, False, False]),
    "read-only": read_only(),
    "table": Table(),
    "refusing": Refusing(),
    "function": len,
    "type": int,
    "range": range(3),
    "ellipsis": ...,
    "slice": slice(3),
    "large": [1e308] * 3,
    "large matrix": np.eye(4) * 1e300,
    "zeros": [0] * 16,
    "memoryview": memoryview(b"abc"),
    "bytearray": bytearray(b"abc"),
    "path": Path("x"),
    "Decimal": Decimal("1e999"),
    "Fraction": Fraction(10**400, 3),
    "enum": enum.Enum("Kind", "A").A,  # type: ignore[attr-defined]
    "tensor with gradient": torch.zeros(3, requires_grad=True),
    "matrix with gradient": torch.eye(4, requires_grad=True),
    "bfloat16": torch.zeros(3, dtype=torch.bfloat16),
}
LENS = {"fov_y": 0.9, "width": 8, "height": 8}
CAMERA = hg.Camera.perspective(**LENS)  # type: ignore[arg-type]
LOOK = {"eye": (1, 1, 1), "target": (0, 0, 0), "up": (0, 0, 1), **LENS}
TRIANGLE = {
    "vertices": np.eye(3),
    "faces": [[0, 1, 2]],
    "normals": np.eye(3),
    "uvs": np.zeros((3, 2)),
    "colors": np.zeros((3, 3)),
}
COMPONENTS = [
    *(hg.Box, hg.Sphere, hg.Plane, hg.Cylinder, hg.Cone, hg.Capsule, hg.Torus, hg.Mesh, hg.Group),
    *(hg.Scene, hg.CameraView, hg.AmbientLight, hg.HemisphereLight, hg.DirectionalLight),
    *(hg.PointLight, hg.SpotLight),
]
PROPERTIES = (
    *("key", "position", "rotation", "quaternion", "scale", "matrix", "visible", "args", "src"),
    *("material", "materialType", "fov", "near", "far", "width", "lookAt", "ctype", "extent", "up"),
    *("intensity", "color", "decay", "angle", "penumbra", "target", "castShadow", "background"),
)
PAINTS = ("color", "opacity", "map", "side", "emissive", "specular", "shininess", "roughness")


@pytest.fixture(params=list(VALUES.values()), ids=list(VALUES))
def value(request: pytest.FixtureRequest) -> Any:
    """Something that most arguments should not be."""
    return request.param


def attempt(make: Callable[..., Any], **arguments: Any) -> None:
    """It works or is refused; numpy never computes with what it should not."""
    with warnings.catch_warnings(), suppress(HeliographError):
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        make(**arguments)


def test_cameras_refuse_it(value: Any) -> None:
    for name in (*vars(CAMERA), "fx"):
        if name != "camera_from_world":  # cached
            attempt(CAMERA.replace, **{name: value})
    for name in LOOK:
        attempt(hg.Camera.look_at, **{**LOOK, name: value})
    for name in LENS:
        attempt(hg.Camera.perspective, **{**LENS, name: value})
    attempt(lambda: hg.Camera.from_K(value, width=8, height=8))
    attempt(lambda: hg.Camera.orthographic(extent_y=value, width=8, height=8))
    for method in (CAMERA.project, CAMERA.depth_of, CAMERA.moved):
        attempt(lambda method=method: method(value))
    attempt(lambda: CAMERA.unproject(value, 1.0))
    attempt(lambda: CAMERA.unproject([1, 1], value))
    attempt(lambda: CAMERA.resized(value, 3))


def test_views_refuse_it(value: Any) -> None:
    for name in ("cameras", "passes", "state", "edits", "seed", "index"):
        attempt(hg.View, **{name: value})
        attempt(hg.View, **{name: [value]})
    attempt(hg.View, state={"qpos": value})


@pytest.mark.parametrize("kind", COMPONENTS)
def test_components_refuse_it(kind: Any, value: Any) -> None:
    for name in PROPERTIES:
        attempt(kind, **{name: value})
    for name in PAINTS:
        attempt(kind, material={name: value})
    attempt(lambda: kind(value))


def test_meshes_refuse_it(value: Any) -> None:
    for name in TRIANGLE:
        attempt(hg.Mesh, **{**TRIANGLE, name: value})
    attempt(hg.Mesh, **{**TRIANGLE, "faces": [[0, 1, value]]})


def test_edits_refuse_it(value: Any) -> None:
    pose = np.eye(4)
    attempt(lambda: hg.EditLight(value))
    attempt(lambda: hg.EditMaterial(value))
    attempt(lambda: hg.EditMaterials(value))
    attempt(lambda: hg.EditBackground(value))
    attempt(lambda: hg.MoveObject(value, pose))
    attempt(lambda: hg.MoveObject("a", value))
    attempt(lambda: hg.MoveCamera("a", value))
    attempt(lambda: hg.Hide(value))
    for name in ("rgba", "emission", "shininess", "image", "repeat"):
        if name in hg.EditMaterial.__dataclass_fields__:
            attempt(lambda name=name: hg.EditMaterial(("a",), **{name: value}))
    for name in ("position", "direction", "diffuse", "active", "cutoff"):
        if name in hg.EditLight.__dataclass_fields__:
            attempt(lambda name=name: hg.EditLight("a", **{name: value}))


def test_options_refuse_it(value: Any) -> None:
    for name in hg.RasterOptions.__dataclass_fields__:
        attempt(hg.RasterOptions, **{name: value})
    attempt(lambda: hg.open(value).close())
    attempt(lambda: hg.open(hg.Scene(), size=value).close())


@pytest.fixture(scope="module")
def scene() -> Iterator[Any]:
    """A renderer of components."""
    with hg.open(hg.Scene(hg.Box(key="box", args=[1, 1, 1])), size=(8, 8)) as opened:
        yield opened


@pytest.fixture(scope="module")
def model() -> Iterator[Any]:
    """A renderer of a MuJoCo model."""
    body = "<body><freejoint/><geom size='.1'/></body>"
    with hg.open(f"<mujoco><worldbody>{body}</worldbody></mujoco>", size=(8, 8)) as opened:
        yield opened


def test_rendering_refuses_it(scene: Any, model: Any, value: Any) -> None:
    for renderer in (scene, model):
        attempt(lambda renderer=renderer: renderer.render(value))
        attempt(lambda renderer=renderer: renderer.submit(value).result())
    for state in ({"box": value}, {value: 1} if isinstance(value, str) else {}):
        attempt(lambda state=state: scene.render(hg.View(state=state)))
    for state in ({"qpos": value}, {"qpos": [value] * 7}, {"qvel": [value] * 6}, {"steps": value}):
        attempt(lambda state=state: model.render(hg.View(state=state)))


def test_integers_too_long_to_be_written_out_are_refused() -> None:
    for make in (
        lambda: hg.Box(args=[10**5000, 1, 1]),
        lambda: hg.Sphere(position=[10**5000, 0, 0]),
        lambda: hg.View(seed=10**5000),
        lambda: hg.View(state={"qpos": 10**5000}),
        lambda: hg.View(passes=[10**5000]),  # type: ignore[list-item]
        lambda: CAMERA.replace(far=10**5000),
        lambda: CAMERA.replace(name=10**5000),  # type: ignore[arg-type]
        lambda: hg.RasterOptions(msaa=10**5000),  # type: ignore[arg-type]
    ):
        with pytest.raises(hg.InvalidValueError):
            make()


def test_numbers_of_vertices_do_not_wrap() -> None:
    for number in (2**32 + 2, 2**32, 2**63):
        with pytest.raises(hg.InvalidValueError, match="faces"):
            hg.Mesh(vertices=np.eye(3), faces=[[0, 1, number]])


def test_one_number_of_steps_may_come_in_an_array(model: Any) -> None:
    fallen = [model.render(hg.View(state={"steps": steps}))["free"] for steps in (3, [3], [[3]])]
    assert np.array_equal(fallen[0].rgb, fallen[1].rgb)
    assert np.array_equal(fallen[0].rgb, fallen[2].rgb)


def buffers() -> dict[str, np.ndarray]:
    return allocate(CAMERA, PASSES)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ([], "1 camera"),
        ({"camera": buffers()}, "sequence"),
        (7, "sequence"),
        ([[np.zeros(3)]], "mapping"),
        ([{**buffers(), "depth": np.zeros((8, 8), np.float32).tolist()}], "numpy array.*list"),
        ([{**buffers(), "depth": torch.zeros(8, 8)}], "numpy array.*Tensor"),
        ([{**buffers(), "depth": np.ma.zeros((8, 8), np.float32)}], "numpy array.*MaskedArray"),
        ([{**buffers(), "depth": np.zeros((8, 8), ">f4")}], ">f4"),
        ([{**buffers(), "depth": None}], "nothing"),
    ],
)
def test_arrays_to_draw_into_are_plain_ones(out: Any, message: str) -> None:
    with pytest.raises(hg.InvalidValueError, match=message):
        own_or_given([CAMERA], PASSES, out)


@pytest.mark.parametrize("cameras", [1, 2, 5])
def test_passes_may_not_share_memory(cameras: int) -> None:
    many = [CAMERA] * cameras
    out: list[Buffers] = [buffers() for _ in many]
    assert len(own_or_given(many, PASSES, out)) == cameras
    block = np.zeros(2 * 8 * 8 * 4, np.uint8)  # one behind the other is fine
    beside = block[:256].view(np.float32).reshape(8, 8), block[256:].view(np.int32).reshape(8, 8)
    out[-1] = {**out[-1], "depth": beside[0], "segmentation": beside[1]}
    assert len(own_or_given(many, PASSES, out)) == cameras
    out[0] = {**out[0], "depth": block[:256].view(np.float32).reshape(8, 8)}
    out[-1] = {**out[-1], "segmentation": block[100:356].view(np.int32).reshape(8, 8)}
    with pytest.raises(hg.InvalidValueError, match="memory of its own"):
        own_or_given(many, PASSES, out)
