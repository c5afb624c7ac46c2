"""A page's raw pictures, and what is read from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph.camera import Camera
from heliograph.engines.web.decode import PAGE_PASSES, contents_of, decode, raw_picture
from heliograph.errors import EngineError

CAMERA = Camera.perspective(fov_y=0.9, width=7, height=5)


def geometry(depth: np.ndarray, normals: np.ndarray, ids: np.ndarray) -> memoryview:
    """What a page sends, its first row the lowest: the octahedral map as it is defined."""
    folded = normals / np.abs(normals).sum(-1, keepdims=True)
    x, y, z = np.moveaxis(folded, -1, 0)
    sign_x, sign_y = np.where(x < 0, -1, 1), np.where(y < 0, -1, 1)
    u = np.where(z < 0, (1 - np.abs(y)) * sign_x, x)
    v = np.where(z < 0, (1 - np.abs(x)) * sign_y, y)
    packed = np.stack([u, v], -1) * 32767
    words = np.zeros((*depth.shape, 4), np.uint32)
    words[..., 0] = depth.astype(np.float32).view(np.uint32)
    words[..., 1] = packed.round().astype(np.int16).view(np.uint32)[..., 0]
    words[..., 2] = ids
    return memoryview(np.ascontiguousarray(words[::-1]).tobytes())


def random_picture(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = CAMERA.height, CAMERA.width
    depth = rng.uniform(0.1, 9, shape).astype(np.float32)
    depth[rng.random(shape) < 0.2] = np.inf
    normals = rng.normal(size=(*shape, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return depth, normals, rng.integers(0, 2**31 - 1, shape)


@given(st.integers(0, 2**32))
def test_geometry_is_read_as_it_was_meant(seed: int) -> None:
    depth, normals, ids = random_picture(seed)
    picture = raw_picture(geometry(depth, normals, ids), CAMERA)
    hit = np.isfinite(depth)
    assert np.array_equal(decode("depth", picture, CAMERA, None), depth)
    assert np.array_equal(decode("segmentation", picture, CAMERA, None), ids)
    read = decode("normals", picture, CAMERA, None)
    assert not read[~hit].any()
    assert np.allclose(read[hit], normals[hit], atol=1e-4)
    assert np.allclose(np.linalg.norm(read[hit], axis=-1), 1, atol=1e-6)


def test_axes_and_what_lies_on_the_folds() -> None:
    half = math.sqrt(0.5)
    rows = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1), (half, 0, -half)]
    camera = Camera.perspective(fov_y=0.9, width=len(rows), height=1)
    normals = np.array([rows], float)
    ones = np.ones((1, len(rows)))
    picture = raw_picture(geometry(ones, normals, ones), camera)
    assert np.allclose(decode("normals", picture, camera, None), normals, atol=4e-5)
    assert np.array_equal(decode("normals", picture, camera, None)[:, :6], normals[:, :6])


def test_distance_is_along_the_ray() -> None:
    depth, normals, ids = random_picture(3)
    picture = raw_picture(geometry(depth, normals, ids), CAMERA)
    points = CAMERA.unproject(CAMERA.pixel_centres(), depth.astype(float))
    lengths = np.linalg.norm(points, axis=-1)
    distance = decode("distance", picture, CAMERA, None)
    hit = np.isfinite(depth)
    assert np.allclose(distance[hit], lengths[hit], 1e-6)
    assert np.isinf(distance[~hit]).all()
    parallel = Camera.orthographic(extent_y=2, width=7, height=5)
    assert np.array_equal(decode("distance", picture, parallel, None), depth)


def test_depth_alone_comes_as_one_number_a_pixel() -> None:
    assert contents_of(("rgb", "depth", "distance")) == {
        "rgb": "rgba",
        "depth": "depth",
        "distance": "depth",
    }
    assert contents_of(("depth", "normals"))["depth"] == "geometry"
    depth, normals, ids = random_picture(3)
    four = raw_picture(geometry(depth, normals, ids), CAMERA)
    one = raw_picture(memoryview(four[..., 0].tobytes()), CAMERA)
    for name in ("depth", "distance"):
        assert np.array_equal(decode(name, one, CAMERA, None), decode(name, four, CAMERA, None))


def test_colours_are_turned_over_into_what_is_given() -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    picture = raw_picture(memoryview(rgba[::-1].tobytes()), CAMERA)
    rgb, alpha = np.zeros((5, 7, 3), np.uint8), np.zeros((5, 7), np.uint8)
    assert decode("rgb", picture, CAMERA, rgb) is rgb
    assert decode("alpha", picture, CAMERA, alpha) is alpha
    assert np.array_equal(rgb, rgba[..., :3])
    assert np.array_equal(alpha, rgba[..., 3])


def test_every_pass_has_its_own_shape_and_type() -> None:
    for name, spec in PAGE_PASSES.items():
        nbytes = 35 * (16 if contents_of([name])[name] == "geometry" else 4)
        array = decode(name, raw_picture(memoryview(bytes(nbytes)), CAMERA), CAMERA, None)
        assert (array.shape, array.dtype) == (spec.shape(CAMERA), spec.dtype)


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(EngineError, match="expected 140 or 560 bytes for 7x5, got 141"):
        raw_picture(memoryview(bytes(141)), CAMERA)
