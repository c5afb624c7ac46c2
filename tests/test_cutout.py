# mypy: allow-untyped-defs, allow-untyped-calls
# mypy: disable-error-code="union-attr, index, arg-type, typeddict-item"
"""Holes that a texture's alpha cuts: in every pass they show what is behind, exactly."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from PIL import Image

from heliograph.camera import Camera
from heliograph.engines.components.engine import ComponentEngine
from heliograph.frame import allocate
from heliograph.passes import KNOWN_PASSES, select_passes
from heliograph.raster import (
    DrawList,
    Instances,
    Mapping,
    Shape,
    Texture,
)
from heliograph.scene import AmbientLight, DirectionalLight, Mesh, Plane, Scene
from heliograph.view import View
from raster_scenes import ALL, HEAD

pytestmark = pytest.mark.usefixtures("backend")

SIDE, CELL = 64, 16
CLEAR = np.add.outer(np.arange(SIDE) // CELL, np.arange(SIDE) // CELL) % 2 == 0
"""Where the checkered plane below has its holes, on a picture that it fills, texel for pixel."""


def checkered(clear=0, solid=255):
    pixels = np.full((SIDE, SIDE, 4), 255, np.uint8)
    pixels[..., 3] = np.where(CLEAR, clear, solid)
    return pixels


def above(*, parallel):
    """A camera 5 m above the origin, a picture of 4 m by 4 m there."""
    view = Camera.look_at(
        eye=(0, 0, 5), target=(0, 0, 0), up=(0, 1, 0), fov_y=2 * np.arctan(0.4),
        width=SIDE, height=SIDE, near=0.1, far=20,
    )  # fmt: skip
    if not parallel:
        return view
    return Camera.orthographic(
        world_from_camera=view.world_from_camera,
        extent_y=4, width=SIDE, height=SIDE, near=0.1, far=20,
    )  # fmt: skip


def scene(rasterizer, *, pixels, cutoff, alpha=1.0, own_uv=True):
    """A sphere on a wall, with a plane before them that fills the picture."""
    instances = Instances.blank(3)
    instances.table.geometry[:] = Shape.PLANE, Shape.SPHERE, Shape.PLANE
    instances.transforms.world_from_object[:, :2] *= [[[8]], [[1]], [[2]]]
    instances.transforms.world_from_object[:2, 2, 3] = -3, -2
    instances.table.texture[2] = rasterizer.add_texture(Texture(pixels))
    instances.table.mapping[2] = Mapping.UV if own_uv else Mapping.OBJECT
    instances.table.texture_scale[2, :2] = 1.0 if own_uv else 0.5
    instances.materials.rgba[2] = 0.9, 0.1, 0.1, alpha
    instances.table.cutoff = np.array([0, 0, cutoff], np.float32)
    return instances


def drawn(rasterizer, instances, view, passes=ALL):
    out = allocate(view, select_passes(passes, KNOWN_PASSES))
    rasterizer.draw(DrawList(instances, HEAD), [view], passes, [out])
    return out


@pytest.mark.parametrize("passes", [ALL, ("depth",), ("segmentation",), ("normals", "rgb")])
@pytest.mark.parametrize("alpha", [1.0, 0.999])
@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("own_uv", [False, True])
def test_holes_show_what_is_behind_exactly(rasterizer, passes, alpha, parallel, own_uv):
    view, hole = above(parallel=parallel), CLEAR if own_uv else CLEAR[::-1]
    instances = scene(rasterizer, pixels=checkered(), cutoff=0.5, alpha=alpha, own_uv=own_uv)
    out = drawn(rasterizer, instances, view, passes)
    behind = instances.moved(instances.transforms.world_from_object, np.array([True, True, False]))
    expected = drawn(rasterizer, behind, view, passes)
    for name in passes:
        assert np.array_equal(out[name][hole], expected[name][hole]), name
    if "depth" in passes:
        np.testing.assert_allclose(out["depth"][~hole], 5.0, rtol=1e-6)
    if "segmentation" in passes:
        assert (out["segmentation"][~hole] == 3).all()
    if "rgb" in passes:
        red, green, _ = out["rgb"][~hole].T.astype(int)
        assert (red - green > 50).all()


@pytest.mark.parametrize("level", [100, 128, 200])
def test_the_cutoff_says_how_clear_is_a_hole(rasterizer, level):
    pixels = checkered(clear=level)
    for cutoff in (0.3, 0.45, 0.6, 0.9):
        out = drawn(rasterizer, scene(rasterizer, pixels=pixels, cutoff=cutoff), above(parallel=1))
        assert ((out["segmentation"] == 3) == (~CLEAR | (level / 255 >= cutoff))).all()


def test_without_a_cutoff_a_clear_texel_is_as_solid_as_its_instance(rasterizer):
    out = drawn(rasterizer, scene(rasterizer, pixels=checkered(), cutoff=0), above(parallel=True))
    assert (out["segmentation"] == 3).all()


def shown(*components, passes=ALL, **options):
    engine = ComponentEngine(Scene(*components), **options)
    frame = engine.render(View(cameras=[above(parallel=True)], passes=passes))["camera"]
    engine.close()
    return frame


def cell(x, y):
    return slice(y * CELL + 2, y * CELL + 14), slice(x * CELL + 2, x * CELL + 14)


@pytest.mark.parametrize("material", [{}, {"alphaTest": 0.5}])
def test_a_clear_map_has_holes(material):
    floor = Plane(args=[8, 8], position=[0, 0, -1], material={"color": "lime"})
    fence = Plane(args=[4, 4], material={"map": checkered(), **material})
    out, alone = shown(floor, fence), shown(floor)
    for x in range(4):
        for y in range(4):
            here, hole = cell(x, y), (x + y) % 2 == 0
            assert (out.segmentation[here] == (1 if hole else 2)).all()
            np.testing.assert_allclose(out.depth[here], 6.0 if hole else 5.0, rtol=1e-6)
            if hole:
                assert np.array_equal(out.rgb[here], alone.rgb[here])


def test_an_alpha_test_counts_the_opacity_and_makes_the_rest_opaque():
    floor = Plane(args=[8, 8], position=[0, 0, -1], material={"color": "lime"})

    def ids(**material):
        red = {"color": "red", **material}
        out = shown(floor, Plane(args=[4, 4], material=red, materialType="lambert"))
        return np.unique(out.segmentation).tolist(), out.rgb[5, 21].tolist()

    half = checkered(clear=100, solid=200)
    opaque, (red, green, _) = ids(map=half, alphaTest=0.3)
    assert (opaque, red > 100, green) == ([2], True, 0)
    assert ids(map=half, alphaTest=0.5)[0] == [1, 2]
    assert ids(map=half, alphaTest=0.3, opacity=0.6)[0] == [1, 2]
    assert ids(map=half, alphaTest=0.9)[0] == [1]
    assert ids(opacity=0.4, alphaTest=0.5)[0] == [1]
    blended, (red, green, _) = ids(map=half, alphaTest=0.3, transparent=True)
    assert blended == [2]
    assert green > 20


def glb(path, **material):
    """A square of 4 m that faces +z where files are y-up, checkered."""
    corners = [[-2, 0, 2], [2, 0, 2], [2, 0, -2], [-2, 0, -2]]
    image = Image.fromarray(checkered(clear=100))
    surface = trimesh.visual.material.PBRMaterial(baseColorTexture=image, **material)
    visual = trimesh.visual.TextureVisuals(uv=[[0, 0], [1, 0], [1, 1], [0, 1]], material=surface)
    mesh = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)
    mesh.export(path)
    return Mesh(src=str(path))


@pytest.mark.parametrize(
    ("material", "hole"),
    [
        ({"alphaMode": "MASK", "alphaCutoff": 0.5}, True),
        ({"alphaMode": "MASK", "alphaCutoff": 0.3}, False),
        ({"alphaMode": "MASK", "alphaCutoff": 0.0}, False),
        ({"alphaMode": "MASK"}, True),
        ({"alphaMode": "BLEND"}, False),
        ({"alphaMode": "OPAQUE"}, False),
        ({}, False),
    ],
)
def test_a_file_says_where_its_holes_are(tmp_path, material, hole):
    out = shown(glb(tmp_path / "fence.glb", **material), AmbientLight(intensity=1))
    assert np.unique(out.segmentation[cell(0, 0)]).tolist() == [0 if hole else 1]
    assert np.unique(out.segmentation[cell(1, 0)]).tolist() == [1]


@pytest.mark.parametrize("kind", ["plane", "file"])
@pytest.mark.parametrize("material", [{"alphaTest": 0.5}, {"alphaTest": 0.5, "transparent": True}])
def test_light_falls_through_holes(tmp_path, kind, material):
    """The sun shines along x at 45 degrees, so that shadows are 1.5 m to the side on the floor."""
    floor = Plane(args=[12, 12], position=[0, 0, -1.5])
    sun = DirectionalLight(position=[-3, 0, 3], castShadow=True)
    fence = Plane(args=[4, 4], material={"map": checkered(clear=100), **material})
    if kind == "file":
        fence = glb(tmp_path / "fence.glb", alphaMode="MASK", alphaCutoff=0.5)
    engine = ComponentEngine(Scene(floor, fence, sun))
    beside = above(parallel=True).moved(
        Camera.look_at(eye=(1.5, 0, -0.5), target=(1.5, 0, -1), up=(0, 1, 0), fov_y=1,
                       width=4, height=4).world_from_camera
    )  # fmt: skip
    rgb = engine.render(View(cameras=[beside], passes=("rgb",)))["camera"].rgb.max(-1)
    engine.close()
    lit = np.array([[rgb[cell(x, y)].mean() for x in range(4)] for y in range(4)])
    holes = np.add.outer(np.arange(4), np.arange(4)) % 2 == 0
    assert lit[holes].min() > lit[~holes].max() + 100
