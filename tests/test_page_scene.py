# mypy: disable-error-code="arg-type"
"""What the page shows of a scene, against analytic truth and against the component engine."""

from __future__ import annotations

import asyncio
import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import heliograph as hg
from heliograph.engines.components import ComponentEngine
from heliograph.engines.web import server
from heliograph.engines.web.assets import AssetStore
from heliograph.engines.web.engine import WebEngine
from heliograph.engines.web.headless import open_page
from heliograph.engines.web.link import PageLink
from heliograph.engines.web.messages import Apply, Configure, FromPage, Problem, Row
from heliograph.engines.web.server import PageServer
from heliograph.errors import HeliographError
from heliograph.frame import Frame
from heliograph.scene import Component, Set, Update
from heliograph.scene.material import MATERIAL

pytestmark = pytest.mark.web

ALL = ("rgb", "alpha", "depth", "normals", "segmentation")
EGO = hg.CameraView(
    key="ego", position=[0, -3, 1.8], lookAt=[0, 0, 0.2], fov=50, width=320, height=240
)
TOP = hg.CameraView(
    key="top", position=[0, 0, 4], ctype="orthographic", extent=4, width=160, height=160
)
FLOOR = hg.Plane(key="floor", size=[6, 6], color="#888888")
LIGHTS = (
    hg.DirectionalLight(key="sun", position=[2, -2, 4], intensity=2),
    hg.AmbientLight(key="sky", intensity=0.5),
)
STRIPES = np.full((64, 64, 3), (200, 60, 40), np.uint8)
STRIPES[::8, :], STRIPES[:32, :32] = (250, 240, 230), (20, 90, 200)
DISC = np.full((64, 64, 4), (80, 200, 90, 0), np.uint8)
DISC[np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 20, 3] = 255
FADING = DISC.copy()
FADING[..., 3] = np.arange(64) * 4
BUMP = np.full((64, 64, 3), (128, 128, 255), np.uint8)
BUMP[16:48, 16:48, 0] = 200
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * 0.3
FACES = (
    *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
    *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
)


@pytest.fixture(scope="module")
def page() -> Iterator[WebEngine]:
    engine = WebEngine(hg.Scene(EGO))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def components() -> Iterator[ComponentEngine]:
    engine = ComponentEngine(hg.Scene(EGO))
    yield engine
    engine.close()


def drawn(engine: WebEngine | ComponentEngine, scene: hg.Scene, camera: str = "ego") -> Frame:
    engine.advance([Set(scene)])
    return engine.render(hg.View([camera], passes=ALL))[camera]


def seen(frame: Frame) -> NDArray[np.str_]:
    """(H, W) keys of what each pixel shows."""
    ids, place = np.unique(frame.segmentation, return_inverse=True)
    keys = np.array([frame.labels[int(each)][0] if each else "" for each in ids])
    return keys[place].reshape(frame.segmentation.shape)


def in_rows(*kinds: Component) -> tuple[Component, ...]:
    """Components in two rows of up to four."""
    return tuple(
        kind.changed(props={**kind.props, "position": (0.8 * (i % 4) - 1.2, i // 4 - 0.5, 0.35)})
        for i, kind in enumerate(kinds)
    )


BALL: Mapping[str, Any] = {"radius": 0.3, "color": "tomato"}
TURNED: Mapping[str, Any] = {"rotation": [1.2, 0.3, 0.2]}
SHAPES = in_rows(
    hg.Box(key="box", size=[0.5, 0.4, 0.3], **TURNED),
    hg.Sphere(key="ball", radius=0.3),
    hg.Cylinder(key="can", args=[0.2, 0.2, 0.6], **TURNED),
    hg.Cylinder(key="stump", args=[0.1, 0.3, 0.5], openEnded=True, material={"side": 2}, **TURNED),
    hg.Capsule(key="pill", radius=0.15, length=0.4, **TURNED),
    hg.Torus(key="ring", radius=0.3, tube=0.1, **TURNED),
    hg.Cone(key="cone", radius=0.25, height=0.5, **TURNED),
    hg.Circle(key="disc", radius=0.3, **TURNED),
)
PARTS = in_rows(
    hg.Ring(key="ring", innerRadius=0.15, outerRadius=0.3, **TURNED),
    hg.Sphere(key="bowl", radius=0.3, thetaLength=1.5, material={"side": "double"}, **TURNED),
    hg.Sphere(key="slice", radius=0.3, phiStart=1, phiLength=4, material={"side": 2}),
    hg.Cylinder(key="part", args=[0.2, 0.2, 0.6], thetaStart=0.5, thetaLength=4, **TURNED),
    hg.Torus(key="arc", radius=0.3, tube=0.1, arc=4, **TURNED),
    hg.Circle(key="cake", radius=0.3, thetaStart=0.3, thetaLength=5, **TURNED),
    hg.Sphere(key="inside", radius=0.3, material={"side": "back"}),
    hg.Plane(key="back", size=[0.5, 0.5], rotation=[-2.2, 0, 0], material={"side": "double"}),
)
KINDS = in_rows(
    hg.Sphere(key="standard", material={"roughness": 0.4}, **BALL),
    hg.Sphere(key="metal", material={"metalness": 1, "roughness": 0.5}, **BALL),
    hg.Sphere(
        key="phong", materialType="phong", material={"shininess": 60, "specular": 0.6}, **BALL
    ),
    hg.Sphere(key="lambert", materialType="lambert", **BALL),
    hg.Sphere(key="basic", materialType="basic", **BALL),
    hg.Sphere(key="normal", materialType="normal", **BALL),
    hg.Sphere(key="depth", materialType="depth", **BALL),
    hg.Sphere(key="glow", radius=0.3, material={"emissive": "#3060ff", "emissiveIntensity": 0.7}),
)
MAPS = in_rows(
    hg.Box(key="box", size=[0.5, 0.5, 0.5], material={"map": STRIPES}),
    hg.Sphere(key="ball", radius=0.3, material={"map": STRIPES}),
    hg.Box(
        key="laid",
        size=[0.5, 0.5, 0.5],
        material={"map": {"image": STRIPES, "repeat": (2, 1), "rotation": 0.4, "wrap": "mirror"}},
    ),
    hg.Box(
        key="sharp",
        size=[0.5, 0.5, 0.5],
        material={"map": {"image": STRIPES[::8, ::8], "nearest": True, "wrap": "clamp"}},
    ),
    hg.Box(key="bump", size=[0.5, 0.5, 0.5], material={"normalMap": BUMP, "roughness": 0.4}),
    hg.Plane(key="picture", size=[0.5, 0.5], material={"alphaMap": STRIPES}, **TURNED),
    hg.ImagePlane(key="image", image=STRIPES, width=0.5, height=0.4, rotation=[1.2, 0, 0]),
    hg.Box(
        key="glow", size=[0.4, 0.4, 0.4], material={"emissiveMap": STRIPES, "emissive": "white"}
    ),
)
CLEAR = in_rows(
    hg.Sphere(key="half", opacity=0.5, **BALL),
    hg.Box(key="third", size=[0.4, 0.4, 0.4], color="blue", opacity=0.3),
    hg.Plane(key="holes", size=[0.6, 0.6], rotation=[1, 0, 0], material={"map": DISC}),
    hg.Plane(key="fading", size=[0.6, 0.6], rotation=[1, 0, 0], material={"map": FADING}),
    hg.Plane(
        key="tested",
        size=[0.6, 0.6],
        rotation=[1, 0, 0],
        material={"map": FADING, "alphaTest": 0.5},
    ),
    hg.Sphere(key="opaque", material={"opacity": 0.5, "transparent": False}, **BALL),
)
MESHES = in_rows(
    hg.Mesh(key="flat", vertices=CORNERS, faces=FACES, color="tomato"),
    hg.Mesh(
        key="smooth",
        vertices=CORNERS,
        faces=FACES,
        normals=CORNERS,
        color="skyblue",
        scale=[1, -1.2, 0.8],
        rotation=[0.2, 0.3, 0.4],
    ),
    hg.Mesh(key="tinted", vertices=CORNERS, faces=FACES, colors=(CORNERS + 0.3) / 0.6),
    hg.PointCloud(key="cloud", vertices=CORNERS, colors=(CORNERS + 0.3) / 0.6, size=0.1),
)
LINED = in_rows(
    hg.Sphere(key="ball", outlines={"thickness": 0.03}, **BALL),
    hg.Box(key="box", size=[0.4, 0.4, 0.4], outlines={"thickness": 0.03, "color": "red"}),
    hg.Box(key="split", size=[0.4, 0.4, 0.4], outlines={"thickness": 0.03, "angle": 0.3}, **TURNED),
    hg.Mesh(key="mesh", vertices=CORNERS, faces=FACES, outlines={"thickness": 0.02}),
)
SURROUNDED = {
    "environment": {"sky": "skyblue", "horizon": "white", "ground": "tan"},
    "background": "environment",
}
SPOTS = (
    hg.SpotLight(key="spot", position=[1, -1, 3], intensity=30, angle=0.4, penumbra=0.3),
    hg.PointLight(key="lamp", position=[-1, -1, 1.5], intensity=3, color="#ffd0a0", distance=4),
    hg.Group(
        hg.HemisphereLight(key="around", intensity=0.5, color="red", groundColor="blue"),
        key="tilted",
        rotation=[0.5, 0, 0],
    ),
)
SCENES = {
    "shapes, lit from the camera": hg.Scene(FLOOR, *SHAPES, EGO),
    "shapes": hg.Scene(FLOOR, *SHAPES, *LIGHTS, EGO, TOP, background="#203040"),
    "parts of shapes": hg.Scene(FLOOR, *PARTS, *LIGHTS, EGO),
    "kinds of materials": hg.Scene(FLOOR, *KINDS, *LIGHTS, EGO, TOP, exposure=0.8),
    "metal, lit from the camera": hg.Scene(FLOOR, *KINDS[:2], EGO),
    "maps": hg.Scene(FLOOR, *MAPS, *LIGHTS, EGO),
    "what is clear": hg.Scene(FLOOR, *CLEAR, *LIGHTS, EGO, background="#405060"),
    "meshes": hg.Scene(FLOOR, *MESHES, *LIGHTS, EGO),
    "outlines": hg.Scene(FLOOR, *LINED, *LIGHTS, EGO),
    "lights": hg.Scene(FLOOR, *KINDS[:4], *SPOTS, EGO, TOP),
    "surroundings": hg.Scene(*KINDS[:4], EGO, toneMapping="neutral", exposure=1.2, **SURROUNDED),
    "aces": hg.Scene(FLOOR, *KINDS[:4], *LIGHTS, EGO, toneMapping="aces"),
}


def away_from_edges(keys: NDArray[np.str_], other: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Pixels whose neighbours show the same, in both pictures."""
    same: NDArray[np.bool_] = np.equal(keys, other)
    for axis in (0, 1):
        for step in (-1, 1):
            same &= np.roll(keys, step, axis) == keys
    return same


@pytest.mark.parametrize("name", SCENES)
def test_the_page_agrees_with_the_component_engine(
    page: WebEngine, components: ComponentEngine, name: str
) -> None:
    scene = SCENES[name]
    for camera in ("ego", "top") if "top" in (each.key for each in scene.children) else ("ego",):
        ours, theirs = (drawn(engine, scene, camera) for engine in (page, components))
        keys, other = seen(ours), seen(theirs)
        assert (keys == other).mean() > 0.9985
        same = (keys == other) & (keys != "")
        assert (abs(ours.depth[same] / theirs.depth[same] - 1) < 1e-3).mean() > 0.99
        cosine = (ours.normals * theirs.normals).sum(-1)[same]
        assert (cosine > np.cos(np.radians(1.5))).mean() > 0.98
        inner = away_from_edges(keys, other)
        assert abs(ours.rgb.astype(int) - theirs.rgb)[inner].mean() < 0.3
        assert abs(ours.alpha.astype(int) - theirs.alpha)[inner].mean() < 0.3


def test_depth_of_a_plane_is_exact_to_a_few_parts_in_ten_million(page: WebEngine) -> None:
    frame = drawn(page, hg.Scene(FLOOR, EGO))
    camera = frame.camera
    origin, ends = camera.world_from_camera[:3, 3], camera.unproject(camera.pixel_centres(), 1.0)
    ways = (np.asarray(ends).reshape(-1, 3) - origin).reshape(*frame.depth.shape, 3)
    truth = np.where(ways[..., 2] < 0, -origin[2] / ways[..., 2], np.inf)
    near = np.isfinite(frame.depth)
    assert near.mean() > 0.5
    assert abs(frame.depth[near] / truth[near] - 1).max() <= 3e-7
    up = camera.world_from_camera[:3, :3].T @ (0, 0, 1)
    assert (frame.normals[near] @ up).min() > 1 - 1e-6


def test_half_clear_planes_blend_and_the_nearest_shows_in_geometry(page: WebEngine) -> None:
    scene = hg.Scene(
        hg.Plane(key="upper", size=[2, 2], position=[0, 0, 0.5], color="red", opacity=0.5),
        hg.Plane(key="lower", size=[1, 3], position=[0, 0, 0.2], color="blue", opacity=0.4),
        hg.AmbientLight(intensity=np.pi),
        TOP,
        background="white",
    )
    frame = drawn(page, scene, "top")
    middle, beside, below, outside = (80, 80), (80, 45), (30, 80), (5, 5)
    assert [str(seen(frame)[at]) for at in (middle, beside, below, outside)] == [
        *("upper", "upper", "lower", ""),
    ]
    assert frame.depth[middle] == pytest.approx(3.5)
    assert frame.depth[below] == pytest.approx(3.8)
    assert [int(frame.alpha[at]) for at in (beside, below, outside)] == [128, 102, 0]
    assert abs(int(frame.alpha[middle]) - round(255 * (1 - 0.5 * 0.6))) <= 1
    assert abs(frame.rgb[middle].astype(int) - (204, 76, 128)).max() <= 1
    assert frame.rgb[outside].tolist() == [255, 255, 255]


def test_near_things_hide_far_ones_whatever_the_planes_of_the_camera(page: WebEngine) -> None:
    scene = hg.Scene(
        hg.Plane(key="lower", size=[2e3, 2e3], position=[0, 0, -0.001]),
        hg.Plane(key="upper", size=[2e3, 2e3]),
        hg.CameraView(key="ego", position=[0, -30, 18], lookAt=[0, 0, 0], near=1e-3, far=1e12),
    )
    keys = seen(drawn(page, scene))
    assert set(np.unique(keys[keys != ""])) == {"upper"}


def glb(path: Path, document: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> str:
    """Write a GLB file whose accessor i is array i."""
    kinds = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
    codes = {"float32": 5126, "uint16": 5123, "uint8": 5121, "uint32": 5125}
    views, accessors, body = [], [], b""
    for array in arrays:
        width = array.shape[1] if array.ndim > 1 else 1
        views.append({"buffer": 0, "byteOffset": len(body), "byteLength": array.nbytes})
        accessor = {
            "bufferView": len(views) - 1,
            "componentType": codes[str(array.dtype)],
            "count": len(array),
            "type": kinds[width],
        }
        if width == 3:
            accessor |= {"min": array.min(0).tolist(), "max": array.max(0).tolist()}
        accessors.append(accessor)
        body += array.tobytes() + bytes(-array.nbytes % 4)
    full = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "buffers": [{"byteLength": len(body)}],
        "bufferViews": views,
        "accessors": accessors,
        **document,
    }
    text = json.dumps(full).encode()
    text += b" " * (-len(text) % 4)
    parts = [(len(text), b"JSON", text), (len(body), b"BIN\0", body)]
    data = b"".join(struct.pack("<I", size) + name + part for size, name, part in parts)
    path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(data)) + data)
    return str(path)


SQUARE = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]], np.float32)
SQUARE_FACES = np.array([0, 1, 2, 0, 2, 3], np.uint16)
DOUBLE = [{"doubleSided": True}]


def square_at(frame: Frame) -> tuple[float, float, float]:
    """Middle x and y of what is seen from above, and its z."""
    rows, columns = np.nonzero(frame.segmentation)
    depths = np.unique(frame.depth[rows, columns])
    assert len(depths) == 1
    metres = 4 / 160
    x, y = (columns.mean() + 0.5) * metres - 2, 2 - (rows.mean() + 0.5) * metres
    return x, y, 4 - float(depths[0])


def test_skinned_meshes_stand_where_their_joints_are(page: WebEngine, tmp_path: Path) -> None:
    joints, weights = np.zeros((4, 4), np.uint8), np.tile(np.float32([1, 0, 0, 0]), (4, 1))
    inverse = np.eye(4, dtype=np.float32).reshape(1, 16)
    attributes = {"POSITION": 0, "JOINTS_0": 2, "WEIGHTS_0": 3}
    primitive = {"attributes": attributes, "indices": 1, "material": 0}
    document = {
        "scenes": [{"nodes": [0, 1]}],
        "nodes": [{"mesh": 0, "skin": 0}, {"translation": [0.5, 0.25, 0.75]}],
        "meshes": [{"primitives": [primitive]}],
        "materials": DOUBLE,
        "skins": [{"joints": [1], "inverseBindMatrices": 4}],
    }
    arrays = (SQUARE, SQUARE_FACES, joints, weights, inverse)
    source = glb(tmp_path / "skinned.glb", document, arrays)
    scene = hg.Scene(hg.Mesh(key="mesh", src=source, up="z"), TOP)
    frame = drawn(page, scene, "top")
    assert square_at(frame) == pytest.approx((0.5, 0.25, 0.75), abs=0.013)
    assert abs((frame.segmentation > 0).sum() - 40 * 40) <= 80


def test_morphed_meshes_stand_where_their_weights_say(page: WebEngine, tmp_path: Path) -> None:
    target = np.tile(np.float32([0.5, 0, 1.0]), (4, 1))
    primitive = {
        "attributes": {"POSITION": 0},
        "indices": 1,
        "material": 0,
        "targets": [{"POSITION": 2}],
    }
    document = {
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive], "weights": [0.5]}],
        "materials": DOUBLE,
    }
    source = glb(tmp_path / "morphed.glb", document, (SQUARE, SQUARE_FACES, target))
    frame = drawn(page, hg.Scene(hg.Mesh(key="mesh", src=source, up="z"), TOP), "top")
    assert square_at(frame) == pytest.approx((0.25, 0, 0.5), abs=0.013)


def test_instances_of_a_mesh_are_all_there_and_one_object(page: WebEngine, tmp_path: Path) -> None:
    places = np.array([[-1.2, 0, 0.1], [0, 1.2, 0.2], [1.2, -1.2, 0.3]], np.float32)
    name = "EXT_mesh_gpu_instancing"
    document = {
        "extensionsUsed": [name],
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "extensions": {name: {"attributes": {"TRANSLATION": 2}}}}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}],
        "materials": DOUBLE,
    }
    source = glb(tmp_path / "instanced.glb", document, (SQUARE, SQUARE_FACES, places))
    with pytest.warns(UserWarning, match=name):  # the component engine's boxes lack them
        frame = drawn(page, hg.Scene(hg.Mesh(key="mesh", src=source, up="z"), TOP), "top")
    assert len(np.unique(frame.segmentation)) == 2
    for x, y, z in places.tolist():
        at = round((2 - y) * 40), round((x + 2) * 40)
        assert frame.depth[at] == pytest.approx(4 - z)
    assert abs((frame.segmentation > 0).sum() - 3 * 40 * 40) <= 200


def test_what_is_less_opaque_than_a_test_is_a_hole_in_every_pass(page: WebEngine) -> None:
    tested = hg.Plane(
        key="tested", size=[2, 2], position=[0, 0, 1], material={"map": DISC, "alphaTest": 0.5}
    )
    frame = drawn(page, hg.Scene(FLOOR, tested, TOP), "top")
    across = np.hypot(*(np.mgrid[:160, :160] - 79.5)) * 4 / 160
    inside, outside = across < 0.58, (across > 0.68) & (across < 1)
    assert (seen(frame)[inside] == "tested").all()
    assert (seen(frame)[outside] == "floor").all()
    assert frame.depth[inside] == pytest.approx(3.0)
    assert frame.depth[outside] == pytest.approx(4.0)


def test_pictures_wait_for_images_and_models(page: WebEngine, tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8, 3), (255, 0, 0), np.uint8)).save(tmp_path / "red.png")
    triangle = "v -1 -1 0\nv 1 -1 0\nv 0 1 0\nusemtl paint\nf 1 2 3\n"
    (tmp_path / "m.obj").write_text(f"mtllib m.mtl\n{triangle}")
    (tmp_path / "m.mtl").write_text("newmtl paint\nKd 0 0 1\n")
    image = str(tmp_path / "red.png")
    frame = drawn(
        page,
        hg.Scene(
            hg.ImagePlane(key="image", src=image, position=[-1, 1, 0]),
            hg.Mesh(key="mesh", src=str(tmp_path / "m.obj"), materialType="basic", scale=0.5),
            TOP,
        ),
        "top",
    )
    assert frame.rgb[40, 40].tolist() == [255, 0, 0]
    assert frame.rgb[80, 80].tolist() == [0, 0, 255]


def test_models_of_one_file_may_be_painted_otherwise(page: WebEngine, tmp_path: Path) -> None:
    (tmp_path / "m.obj").write_text("v -1 -1 0\nv 1 -1 0\nv 0 1 0\nf 1 2 3\n")
    source: dict[str, Any] = {"src": str(tmp_path / "m.obj"), "materialType": "basic", "scale": 0.5}
    scene = hg.Scene(
        hg.Mesh(key="one", color="lime", position=[-1, 0, 0], **source),
        hg.Mesh(key="other", color="blue", position=[1, 0, 0], **source),
        TOP,
    )
    frame = drawn(page, scene, "top")
    assert [frame.rgb[80, x].tolist() for x in (40, 120)] == [[0, 255, 0], [0, 0, 255]]
    page.advance([Update(hg.Mesh(key="one", color="red"))])
    again = page.render(hg.View(["top"], passes=ALL))["top"]
    assert [again.rgb[80, x].tolist() for x in (40, 120)] == [[255, 0, 0], [0, 0, 255]]


def test_a_damaged_file_is_named(page: WebEngine, tmp_path: Path) -> None:
    (tmp_path / "broken.glb").write_bytes(b"glTF and no more")
    page.advance([Set(hg.Scene(EGO))])
    scene = hg.Scene(hg.Mesh(key="mesh", src=str(tmp_path / "broken.glb")), EGO)
    with pytest.raises(HeliographError, match=r"broken\.glb"):
        drawn(page, scene)
    assert not drawn(page, hg.Scene(EGO)).segmentation.any()


def test_children_keep_their_place_when_what_they_stand_on_is_replaced(page: WebEngine) -> None:
    stone = hg.Box(key="stone", size=[0.5, 0.5, 0.5], position=[0.5, 0, 0.5])
    before = drawn(page, hg.Scene(hg.Group(stone, key="base", position=[0, 0.5, 0]), TOP), "top")
    base = hg.Circle(stone, key="base", radius=0.01, position=[0, 0.5, 0])
    after = drawn(page, hg.Scene(base, TOP), "top")
    assert np.array_equal(seen(before) == "stone", seen(after) == "stone")
    assert (seen(after) == "stone").any()


def test_shadows_fall_where_the_component_engine_has_them(
    page: WebEngine, components: ComponentEngine
) -> None:
    scene = hg.Scene(
        hg.Plane(key="floor", size=[4, 4], color="#888888"),
        *in_rows(hg.Sphere(key="ball", **BALL), hg.Box(key="box", size=[0.4, 0.4, 0.7])),
        hg.DirectionalLight(key="sun", position=[2, -2, 4], intensity=2, castShadow=True),
        hg.SpotLight(key="spot", position=[-2, -2, 3], intensity=30, castShadow=True),
        hg.AmbientLight(key="sky", intensity=0.5),
        EGO,
    )
    ours, theirs = (drawn(engine, scene) for engine in (page, components))
    assert abs(ours.rgb.astype(int) - theirs.rgb).mean() < 0.15


def red_splat(path: Path) -> hg.Splat:
    names = [
        *("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
        *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]
    full, none, size = 0.5 / 0.28209479, -0.5 / 0.28209479, float(np.log(0.2))
    numbers = np.array([[0, 0, 0.5, full, none, none, 9, size, size, size, 1, 0, 0, 0]], "<f4")
    head = "".join(f"property float {name}\n" for name in names)
    start = f"ply\nformat binary_little_endian 1.0\nelement vertex 1\n{head}end_header\n"
    path.write_bytes(start.encode() + numbers.tobytes())
    return hg.Splat(key="splat", src=str(path))


def test_splats_are_seen_in_colour_and_not_in_geometry(page: WebEngine, tmp_path: Path) -> None:
    scene = hg.Scene(FLOOR, red_splat(tmp_path / "red.ply"), TOP)
    frame = drawn(page, scene, "top")
    assert frame.rgb[80, 80, 0] > 240
    assert frame.rgb[80, 80, 1:].max() < 30
    assert frame.rgb[80, 140].tolist() == frame.rgb[5, 5].tolist()
    assert frame.depth[80, 80] == pytest.approx(4.0)
    assert np.array_equal(frame.rgb, page.render(hg.View(["top"], passes=ALL))["top"].rgb)
    gone = drawn(page, hg.Scene(FLOOR, TOP), "top")
    assert gone.rgb[80, 80].tolist() == frame.rgb[5, 5].tolist()


def test_without_what_draws_splats_the_page_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(server, "SPARK", "heliograph_spark_elsewhere")
    cure = r"red\.ply\W+splats in the page need .*: pip install heliograph-spark .*scripts/setup"
    splat = red_splat(tmp_path / "red.ply")
    with closing(WebEngine(hg.Scene(EGO))) as page:
        before = drawn(page, hg.Scene(FLOOR, TOP), "top")
        with pytest.raises(HeliographError, match=cure):
            drawn(page, hg.Scene(FLOOR, splat, TOP), "top")
        assert re.search(cure, caplog.text)
        after = drawn(page, hg.Scene(FLOOR, TOP), "top")
    assert np.array_equal(after.rgb, before.rgb)


def test_animations_show_what_the_component_engine_shows(
    page: WebEngine, components: ComponentEngine, tmp_path: Path
) -> None:
    times, moves = np.array([0, 1, 2], "<f4"), np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]], "<f4")
    path = glb(
        tmp_path / "moving.glb",
        {
            "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
            "nodes": [{"mesh": 0}],  # without a name
            "scenes": [{"nodes": [0]}],
            "animations": [
                {
                    "name": "walk",
                    "samplers": [{"input": 2, "output": 3}],
                    "channels": [{"sampler": 0, "target": {"node": 0, "path": "translation"}}],
                }
            ],
        },
        [SQUARE, SQUARE_FACES, times, moves],
    )
    both: list[list[Frame]] = []
    for engine in (page, components):
        frames = []
        for time in (0.0, 0.5, 1.5, 0.25):
            mesh = hg.Mesh(key="m", src=path, up="z", animation="walk", time=time)
            frames.append(drawn(engine, hg.Scene(mesh, TOP), "top"))
        both.append(frames)
    for ours, theirs in zip(*both, strict=True):
        assert (seen(ours) == seen(theirs)).mean() > 0.999
        assert (seen(ours) == "m").any()
    assert not np.array_equal(both[0][0].segmentation, both[0][1].segmentation)


def limb(path: Path) -> str:
    """A file whose box has a skin and a morph target, on nodes without names."""
    box = (CORNERS + np.array([0, 0, 0.5])).astype("<f4")
    times = np.array([0, 0.5, 2], "<f4")
    half = np.sqrt(0.5)
    turns = np.array([[0, 0, 0, 1], [0, 0, half, half], [0, half, 0, half]], "<f4")
    knots = np.zeros((9, 3), "<f4")
    knots[1::3] = [[0, 0, 0], [0.6, 0, 0], [0.6, 0.5, 0]]
    knots[2::3] = [0, 1, 0]
    return glb(
        path,
        {
            "meshes": [
                {
                    "primitives": [
                        {
                            "attributes": {"POSITION": 0, "JOINTS_0": 2, "WEIGHTS_0": 3},
                            "indices": 1,
                            "targets": [{"POSITION": 4}],
                        }
                    ],
                    "weights": [0.25],
                }
            ],
            "nodes": [
                {"mesh": 0, "skin": 0, "translation": [5, 5, 5]},
                {"children": [2]},
                {"translation": [0, 0, 0.1]},
                {"children": [0, 1], "scale": [0.8, 0.8, 0.8]},
            ],
            "skins": [{"joints": [1, 2]}],
            "scenes": [{"nodes": [3]}],
            "animations": [
                {
                    "name": "wave",
                    "samplers": [
                        {"input": 5, "output": 6},
                        {"input": 5, "output": 7, "interpolation": "CUBICSPLINE"},
                        {"input": 5, "output": 8, "interpolation": "STEP"},
                    ],
                    "channels": [
                        {"sampler": 0, "target": {"node": 2, "path": "rotation"}},
                        {"sampler": 1, "target": {"node": 1, "path": "translation"}},
                        {"sampler": 2, "target": {"node": 0, "path": "weights"}},
                    ],
                }
            ],
        },
        [
            box,
            np.array(FACES, "u2").ravel(),
            np.array([[0, 1, 0, 0]] * len(box), "u1"),
            np.array([[0.5, 0.5, 0, 0]] * len(box), "<f4"),
            (box * [1, -0.5, 0]).astype("<f4"),
            times,
            turns,
            knots,
            np.array([0, 1, 0.5], "<f4"),
        ],
    )


@pytest.mark.parametrize("outlines", [None, {"thickness": 0.1, "color": "red"}])
def test_skins_and_morphs_are_animated_with_their_outlines(
    page: WebEngine, components: ComponentEngine, tmp_path: Path, outlines: Any
) -> None:
    path = limb(tmp_path / "limb.glb")
    shots: list[Frame] = []
    for time in (0.2, 1.1, 0.2, 2.0, 4.7, 0.2, None):
        moves: dict[str, Any] = {} if time is None else {"animation": "wave", "time": time}
        mesh = hg.Mesh(
            key="m", src=path, up="z", material={"side": "double"}, outlines=outlines, **moves
        )
        ours, theirs = (
            drawn(engine, hg.Scene(mesh, LIGHTS[1], TOP), "top") for engine in (page, components)
        )
        both = (seen(ours) == "m") & (seen(theirs) == "m")
        assert both.sum() > 200
        assert (seen(ours) == seen(theirs)).mean() > 0.998
        sure = away_from_edges(seen(ours), seen(theirs)) & both
        assert np.abs(ours.depth[sure] - theirs.depth[sure]).max() < 1e-4
        assert (np.abs(ours.rgb.astype(int) - theirs.rgb)[sure].max(-1) > 12).mean() < 0.01
        shots.append(ours)
    for again in (shots[2], shots[5]):
        assert np.array_equal(again.depth, shots[0].depth)
    assert not np.array_equal(shots[0].depth, shots[1].depth)


def test_a_change_of_time_fetches_no_file(
    page: WebEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    find = AssetStore.find

    def counted(store: AssetStore, digest: str, name: str) -> Path | None:
        fetched.append(name)
        return find(store, digest, name)

    monkeypatch.setattr(AssetStore, "find", counted)
    path = limb(tmp_path / "limb.glb")
    mesh = hg.Mesh(key="m", src=path, up="z", material={"side": 2}, animation="wave", time=0.1)
    first = drawn(page, hg.Scene(mesh, TOP), "top")
    page.advance([Update(hg.Mesh(key="m", time=1.1))])
    other = page.render(hg.View(["top"], passes=ALL))["top"]
    assert fetched == ["limb.glb"]
    assert (seen(first) == "m").any()
    assert not np.array_equal(first.depth, other.depth)


def test_shadows_of_skins_fall_where_the_skin_is(
    page: WebEngine, components: ComponentEngine, tmp_path: Path
) -> None:
    path = limb(tmp_path / "limb.glb")
    sun = hg.DirectionalLight(key="sun", position=[1, -1, 4], intensity=2, castShadow=True)
    mesh = hg.Mesh(key="m", src=path, up="z", material={"side": 2}, animation="wave", time=0.4)
    scene = hg.Scene(FLOOR, sun, LIGHTS[1], mesh, TOP)
    ours, theirs = (drawn(engine, scene, "top") for engine in (page, components))
    floor = (seen(ours) == "floor") & (seen(theirs) == "floor")
    dark = [frame.rgb[..., 0] < frame.rgb[0, 0, 0] - 20 for frame in (ours, theirs)]
    assert (dark[1] & floor).sum() > 50
    assert (dark[0] == dark[1])[floor].mean() > 0.995


def test_what_the_page_ignores_is_told_once(
    page: WebEngine, caplog: pytest.LogCaptureFixture
) -> None:
    sun = hg.DirectionalLight(key="sun", size=0.1, castShadow=True)
    points = hg.PointCloud(key="dots", vertices=[[0, 0, 1]], colors=[[1.0, 0.0, 0.0, 0.5]])
    for height in (0.4, 0.5):
        drawn(page, hg.Scene(FLOOR, sun, points, hg.Box(key="b", height=height), EGO))
    assert [record.getMessage() for record in caplog.records] == [
        "page: sun: the page ignores the size of a DirectionalLight: its shadows have hard rims",
        "page: dots: the page ignores the opacity of a PointCloud's colors",
    ]


async def problems(*rows: Row) -> list[tuple[str, str]]:
    """What a page tells of rows, before it tells that it draws nothing of another one."""
    told: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    arrivals: asyncio.Queue[PageLink] = asyncio.Queue()

    def heard(message: FromPage, _: memoryview) -> None:
        if isinstance(message, Problem):
            told.put_nowait((message.key, message.text))

    async def arrived(link: PageLink) -> None:
        link.on_message = heard
        link.configure(Configure(link.id, draws_viewport=False))
        arrivals.put_nowait(link)
        await link.wait_closed()

    server = PageServer(arrived)
    await server.start()
    browser, link = await open_page(server.url, arrivals)
    try:
        link.send(Apply(1, True, [], [*rows, Row("last", "scene", "Nothing", 0, {})], []))
        found: list[tuple[str, str]] = []
        async with asyncio.timeout(30):
            while not found or found[-1][0] != "last":
                found.append(await told.get())
        return found[:-1]
    finally:
        browser.close()
        await server.close()


def kinds_of(kind: type[Component]) -> Iterator[type[Component]]:
    """What can stand in a scene."""
    for each in kind.__subclasses__():
        yield each
        yield from kinds_of(each)


def test_the_page_knows_every_property_and_tells_of_others() -> None:
    kinds = [kind for kind in kinds_of(Component) if kind.__module__.startswith("heliograph.")]
    rows = [Row("scene", None, "Scene", 0, dict.fromkeys(hg.Scene.SPEC))]
    for kind in kinds:
        props: dict[str, Any] = dict.fromkeys(kind.SPEC)
        if "material" in props:
            props["material"] = dict.fromkeys(MATERIAL)
        if "outlines" in props:
            props["outlines"] = {"thickness": 0.1, "angle": 1.0, "color": [0, 0, 0]}
        if not kind.__subclasses__() and kind is not hg.Scene:
            rows.append(Row(kind.__name__, "scene", kind.__name__, 0, props))
    strange = {"stripes": 3, "material": {"fur": 1}, "outlines": {"dash": 1}}
    rows.append(Row("odd", "scene", "Box", 1, strange))
    assert asyncio.run(problems(*rows)) == [
        ("odd", f"the page knows no {name} of a Box; it is ignored")
        for name in ("stripes", "material.fur", "outlines.dash")
    ]
