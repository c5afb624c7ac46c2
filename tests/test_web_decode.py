"""A page's raw pictures, and what is read from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph.camera import Camera
from heliograph.engines.web.decode import PAGE_PASSES, contents_of, decode, raw_bytes, raw_picture
from heliograph.errors import EngineError

CAMERA = Camera.perspective(fov_y=0.9, width=7, height=5)


def sent(picture: np.ndarray) -> memoryview:
    """What a page sends, its first row the lowest."""
    return memoryview(np.ascontiguousarray(picture[::-1]).tobytes())


def folded(normals: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """Normals on the octahedron as it is defined, (H, W) uint32."""
    flat = normals / np.abs(normals).sum(-1, keepdims=True)
    x, y, z = np.moveaxis(flat, -1, 0)
    sign_x, sign_y = np.where(x < 0, -1, 1), np.where(y < 0, -1, 1)
    u = np.where(z < 0, (1 - np.abs(y)) * sign_x, x)
    v = np.where(z < 0, (1 - np.abs(x)) * sign_y, y)
    packed = np.stack([u, v], -1) * 32767
    words = packed.round().astype(np.int16).view(np.uint32)[..., 0]
    return np.where(hit, words, np.uint32(0x80008000))


def read(name: str, content: str, picture: np.ndarray, camera: Camera = CAMERA) -> np.ndarray:
    """A pass of what a page sends."""
    return decode(name, raw_picture(sent(picture), content, camera), camera, None)


def random_picture(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = CAMERA.height, CAMERA.width
    depth = rng.uniform(0.1, 9, shape).astype(np.float32)
    depth[rng.random(shape) < 0.2] = np.inf
    normals = rng.normal(size=(*shape, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return depth, normals, rng.integers(0, 2**31 - 1, shape)


@given(st.integers(0, 2**32))
def test_shapes_are_read_as_they_were_meant(seed: int) -> None:
    depth, normals, ids = random_picture(seed)
    hit = np.isfinite(depth)
    assert np.array_equal(read("depth", "depth", depth), depth)
    assert np.array_equal(read("segmentation", "ids", ids.astype(np.uint32)), ids)
    found = read("normals", "normals", folded(normals, hit))
    assert not found[~hit].any()
    assert np.allclose(found[hit], normals[hit], atol=1e-4)
    assert np.allclose(np.linalg.norm(found[hit], axis=-1), 1, atol=1e-6)


def test_axes_and_what_lies_on_the_folds() -> None:
    half = math.sqrt(0.5)
    rows = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1), (half, 0, -half)]
    camera = Camera.perspective(fov_y=0.9, width=len(rows), height=1)
    normals = np.array([rows], float)
    found = read("normals", "normals", folded(normals, np.ones((1, len(rows)), bool)), camera)
    assert np.allclose(found, normals, atol=4e-5)
    assert np.array_equal(found[:, :6], normals[:, :6])


def test_distance_is_along_the_ray() -> None:
    depth, _, _ = random_picture(3)
    points = CAMERA.unproject(CAMERA.pixel_centres(), depth.astype(float))
    lengths = np.linalg.norm(points, axis=-1)
    distance = read("distance", "depth", depth)
    hit = np.isfinite(depth)
    assert np.allclose(distance[hit], lengths[hit], 1e-6)
    assert np.isinf(distance[~hit]).all()
    parallel = Camera.orthographic(extent_y=2, width=7, height=5)
    assert np.array_equal(read("distance", "depth", depth, parallel), depth)


def test_nothing_is_sent_that_nobody_asked_for() -> None:
    assert contents_of(("rgb", "depth", "distance")) == {
        "rgb": "rgb",
        "depth": "depth",
        "distance": "depth",
    }
    assert contents_of(("normals", "segmentation")) == {"normals": "normals", "segmentation": "ids"}
    assert contents_of(("alpha", "rgb")) == {"alpha": "rgba", "rgb": "rgba"}


def test_colours_are_turned_over_into_what_is_given() -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    picture = raw_picture(sent(rgba), "rgba", CAMERA)
    rgb, alpha = np.zeros((5, 7, 3), np.uint8), np.zeros((5, 7), np.uint8)
    assert decode("rgb", picture, CAMERA, rgb) is rgb
    assert decode("alpha", picture, CAMERA, alpha) is alpha
    assert np.array_equal(rgb, rgba[..., :3])
    assert np.array_equal(alpha, rgba[..., 3])
    assert np.array_equal(read("rgb", "rgb", rgba[..., :3]), rgba[..., :3])


def test_every_pass_has_its_own_shape_and_type() -> None:
    for name, spec in PAGE_PASSES.items():
        content = contents_of([name])[name]
        data = memoryview(bytes(raw_bytes(content, 35)))
        array = decode(name, raw_picture(data, content, CAMERA), CAMERA, None)
        assert (array.shape, array.dtype) == (spec.shape(CAMERA), spec.dtype)


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(EngineError, match="expected 105 bytes of rgb for 7x5, got 141"):
        raw_picture(memoryview(bytes(141)), "rgb", CAMERA)
