# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Light of shining rectangles, against the integral over them."""

from __future__ import annotations

import numpy as np
import pytest

import heliograph as hg
from component_scenes import ALL, TOP, shown
from heliograph.camera import Camera
from heliograph.engines.components import ComponentEngine
from heliograph.errors import InvalidValueError
from heliograph.raster import albedo, area_lights
from heliograph.scene import Component
from standard_shading import srgb_decode, srgb_encode

ASKEW = Camera.look_at(
    eye=(0.4, -2.5, 2), target=(0, 0.3, 0), fov_y=0.6, width=60, height=45, name="askew", far=50
)
DOWN = {"position": [0.3, 0.4, 1.2], "width": 1.5, "height": 0.8}


def integrated(points, normals, view, light, material, steps=120):
    """What surfaces send on of a rectangle: the sum over small parts of it.

    Args:
        points, normals, view: (N, 3), world.
        light: (4, 4) world_from_light, width, height, radiance.
        material: base colour (linear grey), metalness, roughness.
    """
    pose, width, height, radiance = light
    base, metal, rough = material
    grid = (np.arange(steps) + 0.5) / steps - 0.5
    x, y = (each.ravel() for each in np.meshgrid(grid * width, grid * height))
    spots = np.stack([x, y, 0 * x, np.ones_like(x)], 1) @ pose.T
    alpha2, dark = rough**4, 0.04 * (1 - metal) + base * metal
    sent = np.zeros(len(points))
    for place, (point, normal, eye) in enumerate(zip(points, normals, view, strict=True)):
        way = spots[:, :3] - point
        squared = (way**2).sum(1)
        way /= np.sqrt(squared)[:, None]
        lit, leaving = (way @ normal).clip(0), (way @ pose[:3, 2]).clip(0)
        half = way + eye
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        facing, upright = eye @ normal, half @ normal
        spread = alpha2 / (np.pi * (upright**2 * (alpha2 - 1) + 1) ** 2)
        masked = lit * np.sqrt(alpha2 + (1 - alpha2) * facing**2)
        masked += facing * np.sqrt(alpha2 + (1 - alpha2) * lit**2)
        fresnel = dark + (1 - dark) * (1 - half @ eye) ** 5
        shine = base * (1 - metal) / np.pi + fresnel * spread * 0.5 / np.maximum(masked, 1e-9)
        sent[place] = (shine * lit * leaving / squared).sum() * width * height / steps**2
    return radiance * sent


def looked_up(table, row, column, *, ends):
    """Bilinear: of a table of the ends from 0 to 1 and what is between, or of the middles."""
    size = len(table)
    places = [
        np.clip(each * (size - 1) if ends else each * size - 0.5, 0, size - 1)
        for each in (row, column)
    ]
    (r, c), found = [np.floor(each).astype(int) for each in places], np.zeros(1)
    for dr in (0, 1):
        for dc in (0, 1):
            share = np.abs(1 - dr - (places[0] - r)) * np.abs(1 - dc - (places[1] - c))
            found = (
                found
                + share[..., None]
                * table[np.minimum(r + dr, size - 1), np.minimum(c + dc, size - 1)]
            )
    return found


def part_seen(corners):
    """three.js's form factor of polygons (N, 4, 3) above their horizon."""
    corners = corners / np.linalg.norm(corners, axis=2, keepdims=True)
    total = np.zeros((1, 3))
    for one, other in zip(range(4), (1, 2, 3, 0), strict=True):
        v1, v2 = corners[:, one], corners[:, other]
        x = (v1 * v2).sum(1)
        y = np.abs(x)
        ratio = (0.8543985 + (0.4965155 + 0.0145206 * y) * y) / (3.4175940 + (4.1616724 + y) * y)
        turned = np.where(x > 0, ratio, 0.5 / np.sqrt(np.maximum(1 - x * x, 1e-7)) - ratio)
        total = total + np.cross(v1, v2) * turned[:, None]
    length = np.linalg.norm(total, axis=1)
    return np.maximum((length**2 + total[:, 2]) / (length + 1), 0)


def as_three(points, normals, view, light, material):
    """What three.js's shader (lights_physical_pars_fragment, r187) makes of such a light."""
    pose, width, height, radiance = light
    base, metal, rough = material
    facing = (normals * view).sum(1)
    aside = view - normals * facing[:, None]
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    turn = np.stack([aside, -np.cross(normals, aside), normals], 1)
    x, y = pose[:3, 0] * width / 2, pose[:3, 1] * height / 2
    corners = pose[:3, 3] + np.array([x - y, -x - y, -x + y, x + y])
    corners = np.einsum("nij,nkj->nki", turn, corners - points[:, None])
    roughness = np.full(len(points), rough)
    a, b, c, d = looked_up(area_lights.table(), np.sqrt(1 - facing), roughness, ends=True).T
    nought, one = np.zeros_like(a), np.ones_like(a)
    back = np.array([[a, nought, b], [nought, one, nought], [c, nought, d]]).transpose(2, 0, 1)
    scale, bias = looked_up(albedo.table(), facing, roughness, ends=False).T
    shine = part_seen(np.einsum("nij,nkj->nki", back, corners))
    dark = 0.04 * (1 - metal) + base * metal
    return radiance * (base * (1 - metal) * part_seen(corners) + (dark * scale + bias) * shine)


@pytest.mark.parametrize("rough", [0.1, 0.4, 0.6, 1.0])
@pytest.mark.parametrize("metal", [0.0, 1.0])
def test_a_floor_sends_on_what_the_integral_and_three_js_say(metal, rough):
    grey = 188 / 255
    surface = {"color": [grey] * 3, "metalness": metal, "roughness": rough}
    lamp = hg.RectAreaLight(rotation=[0.3, 0.2, 0.1], **DOWN)
    floor = hg.Plane(size=[4, 4], material=surface)
    frame = shown(hg.Scene(floor, lamp), ASKEW)
    pick = (slice(2, None, 5), slice(2, None, 5))
    points = frame.camera.unproject(frame.camera.pixel_centres(), frame.depth.astype(float))[pick]
    seen = (frame.segmentation > 0)[pick]
    points, eye = points[seen], frame.camera.world_from_camera[:3, 3]
    view = (eye - points) / np.linalg.norm(eye - points, axis=1, keepdims=True)
    up = np.broadcast_to([0.0, 0.0, 1.0], points.shape)
    light = (lamp.local, DOWN["width"], DOWN["height"], 1.0)
    made_of = (srgb_decode(grey), metal, rough)
    three = as_three(points, up, view, light, made_of)
    intensity = 0.9 / three.max()
    bright = lamp.merged(hg.RectAreaLight(intensity=intensity).props)
    shot = shown(hg.Scene(floor, bright), ASKEW).rgb[..., 0][pick][seen]
    assert len(points) > 60
    assert np.abs(shot - 255 * srgb_encode(intensity * three)).max() < 1.0
    if rough >= 0.4:  # sharper lobes need finer steps
        sent = integrated(points, up, view, light, made_of)
        off = np.abs(srgb_decode(shot / 255) - intensity * sent)
        assert off.max() < (0.08 if metal else 0.025)
        assert off.mean() < (0.045 if metal else 0.01)


def test_what_faces_a_rectangle_gets_its_form_factor():
    """Of two parallel squares, from the middle of one: W. Siegel and J. Howell's formula."""
    lamp = hg.RectAreaLight(width=2, height=2, intensity=1, position=[0, 0, 1])
    floor = hg.Plane(size=[4, 4], material={"roughness": 1, "color": "white"})
    odd = Camera.look_at(
        eye=(0, 0, 0.9), target=(0, 0, 0), fov_y=0.2, width=9, height=9, name="odd", far=9
    )
    a = 1 / np.sqrt(2)
    expected = 4 / (2 * np.pi) * 2 * a * np.arctan(a)
    got = srgb_decode(shown(hg.Scene(floor, lamp), odd).rgb[4, 4, 0] / 255)
    assert got == pytest.approx(expected + 0.02, abs=0.025)  # and a little that is reflected


def test_it_shines_to_its_own_minus_z_alone_and_has_no_scale():
    floor = hg.Plane(size=[6, 6])
    away = shown(hg.Scene(floor, hg.RectAreaLight(rotation=[np.pi, 0, 0], **DOWN)), TOP)
    assert not away.rgb.any()
    here = shown(hg.Scene(floor, hg.RectAreaLight(**DOWN)), TOP)
    scaled = shown(hg.Scene(floor, hg.RectAreaLight(scale=3, **DOWN)), TOP)
    assert here.rgb.any()
    assert np.array_equal(here.rgb, scaled.rgb)
    grouped = hg.Group(
        hg.RectAreaLight(width=1.5, height=0.8, position=[0, 0.4, 0]), position=[0.3, 0, 1.2]
    )
    assert np.array_equal(here.rgb, shown(hg.Scene(floor, grouped), TOP).rgb)
    dark = hg.Plane(size=[6, 6], materialType="lambert")
    assert not shown(hg.Scene(dark, hg.RectAreaLight(**DOWN)), TOP).rgb.any()  # as in three.js
    assert Component.from_dict(grouped.to_dict()) == grouped


def test_edits_change_it_and_general_programs_draw_the_same():
    lamp = hg.RectAreaLight(key="lamp", color="white", intensity=2, **DOWN)
    things = (hg.Plane(size=[6, 6]), hg.Sphere(radius=0.3, material={"roughness": 0.4}))
    sun = hg.DirectionalLight(key="sun", intensity=0.5, castShadow=True)
    engine = ComponentEngine(hg.Scene(*things, lamp, sun))

    def drawn(*edits):
        return engine.render(hg.View((TOP,), ALL, edits=edits))["top"].rgb.astype(int)

    plain = drawn()
    black = hg.EditLight("more", kind="point", position=(0, 0, 5), diffuse=(0, 0, 0))
    assert np.abs(drawn(black) - plain).max() <= 1  # which has programs that suit all lights
    red = drawn(hg.EditLight("lamp", diffuse=(2, 0, 0)))
    assert np.array_equal(red[..., 0], plain[..., 0])
    off = drawn(hg.EditLight("lamp", active=False))
    assert np.array_equal(red[..., 1], off[..., 1])
    assert off.sum() < plain.sum()
    assert np.array_equal(drawn(hg.Update(hg.RectAreaLight(key="lamp", visible=False))), off)
    turned = drawn(hg.EditLight("lamp", direction=(0, 0, 1)))
    assert np.array_equal(turned, off)
    same = drawn(hg.EditLight("lamp", direction=(0, 0, -3)))
    assert np.abs(same - plain).max() <= 1
    tilted = drawn(hg.EditLight("lamp", direction=(0, np.sin(0.5), -np.cos(0.5))))
    turn = hg.Update(hg.RectAreaLight(key="lamp", rotation=[0.5, 0, 0]))
    assert np.abs(tilted - drawn(turn)).max() <= 1
    shaded = drawn(hg.EditLight("lamp", casts_shadow=True))
    assert np.abs(shaded - plain).max() <= 1
    engine.close()


def test_it_is_listed_and_refused_where_it_cannot_be_drawn():
    engine = ComponentEngine(hg.Scene(hg.Box(), hg.RectAreaLight(key="lamp")))
    assert [(each.name, each.category) for each in engine.scene.lights] == [
        ("lamp", "rectarealight")
    ]
    engine.close()
    with pytest.raises(InvalidValueError, match="intensity up to"):
        ComponentEngine(hg.Scene(hg.Box(), hg.RectAreaLight(intensity=1e38)))
    with pytest.raises(InvalidValueError, match="lengths up to"):
        ComponentEngine(hg.Scene(hg.Box(), hg.RectAreaLight(width=1e30)))
    with pytest.raises(InvalidValueError, match="height: expected a finite number above 0"):
        hg.RectAreaLight(height=0)
