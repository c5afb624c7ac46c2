"""What type checkers see of the public face; checked by a type checker, never run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import heliograph as hg


def frames(renderer: hg.LocalRenderer, view: hg.View) -> None:
    sample = renderer.render(view)
    assert_type(sample, hg.Sample)
    assert_type(renderer.submit(view), Future[hg.Sample])
    assert_type(renderer.cameras, Mapping[str, hg.Camera])
    frame = sample["front"]
    assert_type(frame, hg.Frame)
    assert_type(frame.rgb, NDArray[np.uint8])
    assert_type(frame.depth, NDArray[np.float32])
    assert_type(frame.normals, NDArray[np.float32])
    assert_type(frame.segmentation, NDArray[np.int32])
    assert_type(frame.camera, hg.Camera)
    assert_type(sample.labels[1], hg.Label)
    assert_type(sample.labels[1].name, str)
    assert_type(iter(sample), Iterator[hg.Frame])


def cameras() -> None:
    camera = hg.Camera.look_at(eye=(2, 0, 1), target=(0, 0, 0), fov_y=0.9, width=64, height=48)
    assert_type(camera, hg.Camera)
    assert_type(camera.replace(near=0.1), hg.Camera)
    assert_type(camera.moved(np.eye(4)), hg.Camera)
    assert_type(camera.size, tuple[int, int])
    assert_type(camera.K, NDArray[np.float64])
    assert_type(camera.project([[0.0, 0.0, 0.0]]), NDArray[np.float64])


def views() -> None:
    view = hg.View(
        cameras=["front"],
        passes=("rgb", "depth"),
        state={"qpos": [0.1]},
        edits=[hg.Hide("ball"), hg.EditMaterial(["cube"], rgba=np.array([1.0, 0.0, 0.0]))],
        seed=7,
        index=3,
    )
    assert_type(view, hg.View)


def scenes() -> None:
    scene = hg.Scene(
        hg.Sphere(key="ball", radius=0.1, color="red", position=np.zeros(3)),
        hg.Box(hg.Group(), size=[1, 2, 3], material={"color": (1, 0, 0), "map": "wood.png"}),
        hg.Mesh(src=Path("mug.glb"), up="z", scale=0.1),
        hg.SpotLight(position=(0, 0, 2), decay=1, castShadow=True),
        hg.CameraView(key="ego", fov=50, lookAt=[0, 0, 1]),
        background=0x112233,
    )
    assert_type(scene, hg.Scene)
    assert_type(scene.merged({}), hg.Scene)


def edits() -> None:
    paint = hg.EditMaterial("cube", rgba=[1, 0, 0], texture=np.zeros((2, 2, 3), np.uint8))
    assert_type(paint.objects, tuple[str, ...])
    assert_type(paint.rgba, tuple[float, float, float, float | None] | None)
    assert_type(paint.specular, float | None)
    assert_type(paint.texture, NDArray[np.uint8] | None)
    many = hg.EditMaterials([["cube", "ball"], "arm"], rgba=[[1, 0, 0, 1]] * 2)
    assert_type(many.objects, tuple[tuple[str, ...], ...])
    assert_type(many.rgba, NDArray[np.float64] | None)
    light = hg.EditLight("sun", position=np.ones(3), active=False)
    assert_type(light.position, tuple[float, float, float] | None)
    move = hg.MoveObject("cube", np.eye(4), scale=2)
    assert_type(move.pose, NDArray[np.float64])
    assert_type(move.scale, tuple[float, float, float])
    assert_type(replace(move, relative=False), hg.MoveObject)


def many(renderer: hg.LocalRenderer) -> None:
    assert_type(hg.samples(renderer, count=3), Iterator[hg.Sample])
