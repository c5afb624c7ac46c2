# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Textures on shapes against three.js's own formulas, from the points that depth says are seen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from component_scenes import TOP, UNLIT, points_of, shown
from heliograph.camera import Camera
from heliograph.scene import (
    Box,
    Capsule,
    Circle,
    Cone,
    Cylinder,
    DirectionalLight,
    EditMaterial,
    Plane,
    Ring,
    Scene,
    Sphere,
    Torus,
)

pytestmark = pytest.mark.usefixtures("backend")

ROUND = 2 * math.pi
LARGE = TOP.replace(width=480, height=360, fx=3 * TOP.fx, fy=3 * TOP.fy, cx=240, cy=180)


def from_start(angle, arc, reach=ROUND):
    """How far along an arc angles are, 0 to 1."""
    start, length = arc or (0, reach)
    return (angle - start) % ROUND / length


def sphere_uv(p, radius, *arc):
    u = from_start(np.arctan2(p[:, 2], -p[:, 0]), arc[:2])
    start, length = arc[2:] or (0, math.pi)
    return u, 1 - (np.arccos(np.clip(p[:, 1] / radius, -1, 1)) - start) / length


def cylinder_uv(p, top, bottom, height, is_open=False, *arc):
    v = p[:, 1] / height + 0.5
    radius = bottom + (top - bottom) * v
    cap = (np.abs(np.abs(p[:, 1]) - height / 2) < 1e-4) & (not is_open)
    wide = np.where(p[:, 1] > 0, top, bottom) if cap.any() else radius
    with np.errstate(divide="ignore", invalid="ignore"):
        flat_u = 0.5 + 0.5 * p[:, 2] / wide
        flat_v = 0.5 + 0.5 * p[:, 0] / wide * np.sign(p[:, 1])
    u = from_start(np.arctan2(p[:, 0], p[:, 2]), arc)
    return np.where(cap, flat_u, u), np.where(cap, flat_v, v)


def cone_uv(p, radius, height, *arc):
    return cylinder_uv(p, 0.0, radius, height, *arc)


def capsule_uv(p, radius, length):
    half, total = length / 2, length + math.pi * radius
    along = np.clip(p[:, 1], -half, half)
    up = np.arcsin(np.clip((p[:, 1] - along) / radius, -1, 1)) * radius
    return from_start(np.arctan2(p[:, 2], -p[:, 0]), ()), 0.5 + (along + up) / total


def box_uv(p, *size):
    q = p / np.array(size)
    axis = np.abs(q).argmax(1)
    sign = np.sign(np.take_along_axis(q, axis[:, None], 1)[:, 0])
    x, y, z = q.T
    return (
        0.5 + np.choose(axis, [-sign * z, x, sign * x]),
        0.5 + np.choose(axis, [y, -sign * z, y]),
    )


def plane_uv(p, width, height):
    return p[:, 0] / width + 0.5, p[:, 1] / height + 0.5


def torus_uv(p, radius, tube, *arc):
    u = np.arctan2(p[:, 1], p[:, 0]) % ROUND
    v = np.arctan2(p[:, 2], np.hypot(p[:, 0], p[:, 1]) - radius) % ROUND
    return u / (arc or (ROUND,))[0], v / ROUND


def circle_uv(p, radius, *_):
    return plane_uv(p, 2 * radius, 2 * radius)


def ring_uv(p, _, outer, *__):
    return circle_uv(p, outer)


def listed(sizes, segments, arc):
    """What three.js's constructor is called with."""
    return [*sizes, *segments, *arc] if arc else [*sizes]


WHOLE: list[Any] = [
    (Sphere, [0.8], (), (), sphere_uv),
    (Capsule, [0.5, 0.8], (), (), capsule_uv),
    (Cylinder, [0.6, 0.6, 1.2], (), (), cylinder_uv),
    (Box, [1.2, 0.8, 1.0], (), (), box_uv),
    (Plane, [1.6, 1.2], (), (), plane_uv),
]
PARTS: list[Any] = [
    (Sphere, [0.8], (32, 16), (0.5, 4.0, 0.4, 1.9), sphere_uv),
    (Cylinder, [0.6, 0.6, 1.2], (32, 1), (False, 0.7, 3.9), cylinder_uv),
    (Cylinder, [0.3, 0.6, 1.2], (32, 1), (True, 0.7, 3.9), cylinder_uv),
    (Cone, [0.6, 1.2], (32, 1), (True, 0.0, 4.0), cone_uv),
    (Torus, [0.6, 0.25], (12, 48), (4.0,), torus_uv),
    (Circle, [0.8], (32,), (0.5, 4.0), circle_uv),
    (Ring, [0.3, 0.8], (32, 1), (0.5, 4.0), ring_uv),
]


def without_rim(seen):
    """The pixels of a mask whose neighbours are in it."""
    inner = np.zeros_like(seen)
    inner[1:-1, 1:-1] = seen[:-2, 1:-1] & seen[2:, 1:-1] & seen[1:-1, :-2] & seen[1:-1, 2:]
    return inner & seen


def colours_of_uv():
    """A texture whose red is u and whose green is v."""
    ramp = (np.arange(256) + 0.5) / 256 * 255
    grid = np.stack(np.broadcast_arrays(ramp, ramp[::-1, None], 0 * ramp), -1)
    return np.rint(grid).astype(np.uint8)


TURNS = [(0.4, -0.7, 1.1), (-0.9, 0.3, 0.2), (1.7, 0.5, -0.4), (0.2, 2.6, 0.3), (3.6, 0.4, 0.1)]


@pytest.mark.parametrize(("kind", "sizes", "segments", "arc", "formula"), WHOLE + PARTS)
def test_textures_lie_as_three_js_lays_them(kind, sizes, segments, arc, formula):
    count = 0
    for turn in TURNS:
        material = {"map": colours_of_uv(), "side": "double"}
        thing = kind(args=listed(sizes, segments, arc), rotation=turn, material=material, **UNLIT)
        frame = shown(thing, LARGE)
        points, seen = points_of(frame)
        local = points @ thing.local[:3, :3]
        u, v = (np.asarray(each) for each in formula(local, *sizes, *arc))
        colours = frame.rgb[seen] / 255
        inside = (np.abs(u - 0.5) < 0.47) & (np.abs(v - 0.5) < 0.47)
        inside &= without_rim(seen)[seen] & (np.abs(frame.normals[seen][:, 2]) > 0.25)
        if kind is Cone:  # at the tip a triangle has all of a step of u
            inside &= np.hypot(local[:, 0], local[:, 2]) > 0.35 * sizes[0]
        count += inside.sum()
        wrong = np.abs(colours[:, :2] - np.stack([u, v], 1)).max(1)[inside]
        assert (wrong > 0.012).sum() <= 0.01 * len(wrong)
        assert (wrong > 0.006).sum() <= 0.4 * len(wrong)
    assert count > 10000


@pytest.mark.parametrize(("kind", "sizes", "segments", "arc", "formula"), WHOLE)
def test_no_seam_shows_where_texture_coordinates_jump(kind, sizes, segments, arc, formula):
    """All that is far from the texture's dark middle is white, seams, rims and edges as well."""
    pixels = np.full((256, 256, 3), 255, np.uint8)
    pixels[96:160, 96:160] = 0
    count = 0
    for turn in TURNS:
        thing = kind(args=sizes, rotation=turn, material={"map": pixels}, **UNLIT)
        frame = shown(thing, LARGE)
        points, seen = points_of(frame)
        local = points @ thing.local[:3, :3]
        u, v = formula(local, *sizes)
        white = np.maximum(np.abs(u - 0.5), np.abs(v - 0.5)) > 0.25
        white &= np.abs(frame.normals[seen][:, 2]) > 0.3
        if kind in (Sphere, Capsule):  # at poles the whole of u is in a pixel
            white &= np.hypot(local[:, 0], local[:, 2]) > 0.15 * sizes[0]
        count += white.sum()
        assert frame.rgb[seen][white].min(initial=255) > 250
    assert count > 10000


@pytest.mark.parametrize(("kind", "sizes", "segments", "arc", "formula"), WHOLE)
def test_a_texture_changes_no_number_of_a_shape(kind, sizes, segments, arc, formula):
    for turn in TURNS[:2]:
        plain = shown(kind(args=sizes, rotation=turn), LARGE)
        painted = shown(kind(args=sizes, rotation=turn, material={"map": colours_of_uv()}), LARGE)
        for name in ("depth", "normals", "segmentation"):
            assert np.array_equal(getattr(plain, name), getattr(painted, name)), name


def test_an_edits_texture_lies_as_a_map_does():
    pixels = colours_of_uv()
    material = {"map": pixels}
    mapped = shown(Sphere(key="a", args=[0.8], material=material, **UNLIT))
    edit = EditMaterial("a", texture=pixels)
    edited = shown(Sphere(key="a", args=[0.8], **UNLIT), edits=(edit,))
    assert np.array_equal(mapped.rgb, edited.rgb)


@pytest.mark.parametrize("kind", [Sphere, Capsule, Cylinder, Box])
def test_light_falls_through_the_holes_of_a_shape(kind):
    """A lamp above a shape whose map is clear but for a band lights the floor below all of it."""
    pixels = np.full((64, 64, 4), 255, np.uint8)
    pixels[:, :, 3] = 0
    sizes = {Sphere: [0.5], Capsule: [0.4, 0.3], Cylinder: [0.5, 0.5, 0.8], Box: [0.8, 0.8, 0.8]}
    view = Camera.look_at(eye=(0, -4, 4), target=(0, 0, 0), fov_y=0.6, width=160, height=120)
    floor = Plane(args=[6, 6], position=[0, 0, -1])
    lamp = DirectionalLight(position=[0, 0, 4], castShadow=True)

    def lit(**material):
        thing = kind(args=sizes[kind], rotation=[0.3, 0.2, 0], material=material)
        frame = shown(Scene(floor, thing, lamp), view)
        column, row = view.project(np.array([0.0, 0.2, -1])).astype(int)
        return frame.rgb[row, column].max(), (frame.segmentation == 2).any()

    bare = shown(Scene(floor, lamp), view).rgb.max()
    assert lit(map=pixels, alphaTest=0.5) == (bare, False)
    dark, there = lit(map=np.full((64, 64, 4), 255, np.uint8), alphaTest=0.5)
    assert there
    assert dark < bare / 2


PARTS_SHOWN = [
    (Sphere, [0.8], (32, 16), (0.5, 4.0, 0.4, 1.9)),
    (Cylinder, [0.6, 0.6, 1.2], (32, 1), (True, 0.7, 3.9)),
    (Cone, [0.6, 1.2], (32, 1), (True, 0.3, 4.0)),
    (Torus, [0.6, 0.25], (12, 48), (4.0,)),
    (Circle, [0.8], (32,), (0.5, 4.0)),
    (Ring, [0.3, 0.8], (32, 1), (0.5, 4.0)),
]


def angle_of(kind, p):
    if kind is Sphere:
        return np.arctan2(p[:, 2], -p[:, 0])
    return (
        np.arctan2(p[:, 0], p[:, 2]) if kind in (Cylinder, Cone) else np.arctan2(p[:, 1], p[:, 0])
    )


@pytest.mark.parametrize(("kind", "sizes", "segments", "arc"), PARTS_SHOWN)
def test_of_an_arc_only_its_part_shows(kind, sizes, segments, arc):
    start, length = (0.0, *arc)[-2:] if kind is not Sphere else arc[:2]
    for turn in TURNS:
        part = kind(args=[*sizes, *segments, *arc], rotation=turn, material={"side": "double"})
        whole = kind(args=sizes, rotation=turn, material={"side": "double"})
        points, seen = points_of(shown(part, LARGE))
        angle = (angle_of(kind, points @ part.local[:3, :3]) - start) % ROUND
        flat = kind in (Circle, Ring, Torus)
        off = np.hypot(*np.delete((points @ part.local[:3, :3]).T, 2 if flat else 1, 0))
        assert ((angle < length + 0.02) | (angle > ROUND - 0.02) | (off < 0.05)).all()
        there, seen_whole = points_of(shown(whole, LARGE))
        angle = (angle_of(kind, there @ part.local[:3, :3]) - start) % ROUND
        within = np.zeros(seen.shape, bool)
        within[seen_whole] = (angle > 0.02) & (angle < length - 0.02)
        if kind is Sphere:
            down = np.arccos(np.clip((there @ part.local[:3, :3])[:, 1] / sizes[0], -1, 1))
            within[seen_whole] &= (down > arc[2] + 0.02) & (down < arc[2] + arc[3] - 0.02)
        if kind in (Cylinder, Cone):
            within[seen_whole] &= np.abs((there @ part.local[:3, :3])[:, 1]) < sizes[-1] / 2 - 1e-3
        assert seen[without_rim(within)].all()


def test_segment_counts_change_nothing_and_lengths_end_after_one_round():
    for few, many in (
        (Sphere(args=[0.8]), Sphere(args=[0.8, 8, 6, 0, 7.0, 0, 4.0])),
        (Cylinder(args=[0.5, 0.5, 1]), Cylinder(args=[0.5, 0.5, 1, 5, 2, False, 0, 9.0])),
        (Torus(args=[0.6, 0.2]), Torus(args=[0.6, 0.2, 3, 4, 7.0])),
        (Circle(args=[0.6]), Circle(radius=0.6, thetaLength=8.0)),
    ):
        for name in ("depth", "normals", "rgb"):
            assert np.array_equal(getattr(shown(few), name), getattr(shown(many), name))
