#!/usr/bin/env python
"""Writes docs/gallery.md and the pictures in docs/gallery; names draw only those pictures.

Run with the environment's python: .venv/bin/python scripts/gallery.py [NAME ...]; with `--check`
it only says whether the page is up to date and has its pictures. The name `demo` draws what README
shows, docs/demo.png, with the figures of this machine: best when nothing else runs.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from inspect import getdoc
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

import heliograph as hg
from heliograph.picture import layout

ROOT = Path(__file__).resolve().parents[1]
SHEET = ROOT / "docs" / "demo.png"
PAGE, PICTURES = ROOT / "docs" / "gallery.md", ROOT / "docs" / "gallery"
sys.path.insert(0, str(ROOT / "tests"))

import standard_shading as ref  # noqa: E402

HEAD = """# Gallery

Drawn by `scripts/gallery`, on a CPU, with `msaa=4` but where pixels are compared.
`scripts/gallery.py` has the scenes.
"""
Draw = Callable[[Path], Image.Image]
Floats = NDArray[np.float64]

FILMIC: dict[str, Any] = {"shading": "standard", "tone_mapping": "aces", "exposure": 1.3}
FLOOR = hg.Plane(key="floor", size=[14, 14], material={"color": "#b9bec6", "roughness": 0.8})


def shot(source: object, camera: hg.Camera, **options: Any) -> hg.Frame:
    """One frame of a scene; `state`, `edits` and `passes` go to the view, the rest to `open`."""
    asked = {name: options.pop(name) for name in ("state", "edits") if name in options}
    passes = options.pop("passes", ("rgb",))
    with hg.open(source, **{"msaa": 4, "size": camera.size, **options}) as renderer:
        return renderer.render(hg.View([camera], passes, **asked)).frames[camera.name]


def picture(source: object, camera: hg.Camera, **options: Any) -> Image.Image:
    """One picture of a scene."""
    return Image.fromarray(shot(source, camera, **options).rgb)


def eye(
    position: Sequence[float], target: Sequence[float], fov: float, size: tuple[int, int]
) -> hg.Camera:
    """A camera by what it looks at; `fov` in degrees."""
    return hg.Camera.look_at(
        eye=position,
        target=target,
        fov_y=math.radians(fov),
        width=size[0],
        height=size[1],
        near=0.02,
    )


def robots(_: Path) -> Image.Image:
    """Three MuJoCo models in the classic look, which is MuJoCo's own, and in linear light.

    The models' own lights and materials are all that is used.
    """
    size = (276, 200)
    views = {
        "gymnasium_robotics:envs/assets/fetch/pick_and_place.xml": eye(
            (2.3, -0.6, 1.35), (0.66, 0.7, 0.55), 36, size
        ),
        "dm_control:suite/dog.xml": eye((1.4, -1.3, 0.7), (0.05, 0, 0.36), 30, size),
        "dm_control:suite/humanoid.xml": eye((2.2, -2.0, 1.5), (0.08, 0, 0.95), 37, size),
    }
    looks: dict[str, dict[str, Any]] = {
        "classic": {},
        "standard": {"shading": "standard"},
        "standard, tone_mapping aces, exposure 1.3": FILMIC,
    }
    rows = []
    for name, look in looks.items():
        tiles = [picture(model, camera, **look) for model, camera in views.items()]
        rows.append(layout.captioned(layout.beside(tiles), name))
    return layout.stacked(rows)


SHINES: dict[str, dict[str, Any]] = {
    "clay": {"color": (0.8, 0.35, 0.2), "roughness": 0.9},
    "plastic": {"color": (0.1, 0.4, 0.75), "roughness": 0.25},
    "gold": {"color": (1.0, 0.77, 0.34), "roughness": 0.35, "metalness": 1.0},
    "jade": {"color": (0.2, 0.65, 0.4), "roughness": 0.5},
}


def reference(_: Path) -> Image.Image:
    """Ours, the same by three.js's formulas in numpy, and the difference times 16.

    Spheres and boxes under a directional, a point and a hemisphere light. The formulas
    (`tests/standard_shading.py`) are given what our other passes say of each pixel, and know
    nothing of what is beyond an outline, where shaders guess: there it differs.
    """
    camera = eye((1.2, -4.7, 2.5), (0.05, 0.0, 0.38), 28, (300, 226))
    things: list[hg.Component] = [
        hg.Plane(key="floor", size=[30, 30], material={"color": (0.7, 0.7, 0.72), "roughness": 0.7})
    ]
    for place, (name, material) in enumerate(SHINES.items()):
        x = 0.8 * place - 1.2
        things += [
            hg.Sphere(key=name, radius=0.36, position=[x, -0.5, 0.36], material=material),
            hg.Box(
                key=f"{name} box",
                size=[0.5, 0.5, 0.5],
                position=[x, 0.7, 0.25],
                rotation=[0, 0, 0.4 * place],
                material=material,
            ),
        ]
    lights = [
        hg.DirectionalLight(key="sun", position=[2, -3, 4], color=(1.0, 0.95, 0.9), intensity=2.6),
        hg.PointLight(key="bulb", position=[-1.2, -1.4, 1.2], color=(0.5, 0.7, 1.0), intensity=3.0),
        hg.HemisphereLight(
            key="sky", color=(0.7, 0.8, 1.0), groundColor=(0.5, 0.4, 0.3), intensity=1.0
        ),
    ]
    passes = ("rgb", "depth", "normals", "segmentation")
    frame = shot(hg.Scene(*things, *lights), camera, passes=passes, msaa=0)
    truth = by_formulas(frame, {thing.key: thing for thing in things}, lights)
    gap = np.abs(frame.rgb.astype(int) - truth)
    difference = np.clip(16 * gap, 0, 255).astype(np.uint8)
    shown = {"ours": frame.rgb, "three.js's formulas": truth, "difference x 16": difference}
    tiles = [layout.captioned(Image.fromarray(each), name) for name, each in shown.items()]
    return layout.beside(tiles)


def by_formulas(
    frame: hg.Frame, things: dict[Any, hg.Component], lights: Sequence[hg.Component]
) -> NDArray[np.uint8]:
    """What three.js's formulas make of a frame's depth, normals and ids."""
    camera, hit = frame.camera, frame.segmentation > 0
    points = camera.unproject(camera.pixel_centres(), np.where(hit, frame.depth, 1.0))
    turn = camera.world_from_camera[:3, :3]
    normals = frame.normals.astype(float) @ turn.T
    ways = ref.unit(camera.world_from_camera[:3, 3] - points)
    shining = [
        ref.Light(
            type(light).__name__.removesuffix("Light").lower(),
            ref.srgb_decode(light.get("color")[:3]) * light.get("intensity"),
            ground=ref.srgb_decode((light.props.get("groundColor") or (0, 0, 0))[:3])
            * light.get("intensity"),
            position=np.array((0, 0, 1) if "groundColor" in light.props else light.get("position")),
        )
        for light in lights
    ]
    linear = np.zeros(frame.rgb.shape)
    for number in np.unique(frame.segmentation[hit]):
        thing, mine = things[frame.labels[number].name], frame.segmentation == number
        given = thing.get("material")
        paint = ref.Standard(
            ref.srgb_decode(given["color"][:3]),
            given["roughness"],
            given.get("metalness", 0.0),
            N_image=curved(frame.normals, mine) if isinstance(thing, hg.Sphere) else None,
        )
        linear[mine] = paint.shade(normals, ways, points, shining)[mine]
    return ref.finish(linear)


def curved(normals: NDArray[Any], mine: NDArray[np.bool_]) -> Floats:
    """Normals (H, W, 3) whose differences in a 2x2 quad are those of one surface."""
    height, width = mine.shape
    quads = (height // 2, 2, width // 2, 2)
    total = (normals * mine[..., None]).reshape(*quads, 3).sum((1, 3))
    count = mine.reshape(quads).sum((1, 3))[..., None]
    middle = (total / np.maximum(count, 1)).repeat(2, 0).repeat(2, 1)
    return np.where(mine[..., None], normals, middle).astype(float)


def glb(folder: Path) -> Image.Image:
    """A GLB with textures of colour, metal and roughness, and a normal map; without, and with.

    All are made by the script; light comes from a point light and a sky of three colours.
    """
    camera = eye((1.4, -2.2, 1.5), (0, 0, 0.4), 33, (440, 300))
    pictures = []
    for mapped in (False, True):
        file = folder / f"tiles{mapped}.glb"
        trimesh.Scene([tiled_ball(mapped), tiled_floor(mapped)]).export(file)
        scene = hg.Scene(
            hg.Mesh(key="things", src=str(file), up="z"),
            hg.PointLight(
                key="lamp",
                position=[0.9, -1.9, 1.9],
                intensity=22,
                color="#fff0dc",
                castShadow=True,
                size=0.08,
            ),
            environment={"sky": "#8fb2e6", "horizon": "#e8edf4", "ground": "#7a7068"},
            background="#c9d3e0",
            toneMapping="neutral",
        )
        caption = "with metal, roughness and normals" if mapped else "colours alone"
        pictures.append(layout.captioned(picture(scene, camera), caption))
    return layout.beside(pictures)


def waves(size: int, count: int) -> Floats:
    """Heights of a pattern of rounded tiles, (size, size), 0 to 1."""
    place = (np.arange(size) + 0.5) / size * count % 1
    edge = np.minimum(place, 1 - place)
    bump = np.clip(edge / 0.12, 0, 1)
    bump = bump * bump * (3 - 2 * bump)
    return np.minimum.outer(bump, bump)


def normal_map(heights: Floats, strength: float) -> Image.Image:
    """Heights as a tangent-space normal map (x along u, y along v, which points up)."""
    du = (np.roll(heights, -1, 1) - np.roll(heights, 1, 1)) / 2
    dv = -(np.roll(heights, -1, 0) - np.roll(heights, 1, 0)) / 2
    normals = ref.unit(np.stack([-strength * du, -strength * dv, np.ones_like(du)], -1))
    return Image.fromarray(np.round(normals * 127.5 + 127.5).astype(np.uint8))


def tile_material(colours: Sequence[Sequence[int]], count: int, *, mapped: bool) -> PBRMaterial:
    """Tiles in grout: every second one of metal."""
    size = 512
    rng, heights = np.random.default_rng(5), waves(size, count)
    cell = np.minimum(np.arange(size) * count // size, count - 1)
    odd = (cell[:, None] + cell) % 2
    shade = rng.uniform(0.85, 1.0, (count, count))[cell[:, None], cell]
    tile = np.array(colours, float)[odd] * shade[..., None]
    grout = heights[..., None] < 0.35
    colour = np.where(grout, 70.0, tile).astype(np.uint8)
    rough = np.where(grout[..., 0], 0.95, np.where(odd == 1, 0.28, 0.55))
    metal = np.where(grout[..., 0], 0.0, odd)
    surface = np.stack([np.zeros_like(rough), rough, metal], -1)
    maps: dict[str, Any] = {"baseColorTexture": Image.fromarray(colour)}
    if mapped:
        maps["metallicRoughnessTexture"] = Image.fromarray((255 * surface).astype(np.uint8))
        maps["normalTexture"] = normal_map(heights, 14.0)
    factor = 1.0 if mapped else 0.0
    return PBRMaterial(metallicFactor=factor, roughnessFactor=1.0, **maps)


def tiled_ball(mapped: bool) -> trimesh.Trimesh:
    """A ball of half a metre."""
    u, v = np.meshgrid(np.linspace(0, 1, 97), np.linspace(0, 1, 49))
    around, down = 2 * np.pi * u.ravel(), np.pi * (1 - v.ravel())
    ball = np.stack(
        [np.sin(down) * np.cos(around), np.sin(down) * np.sin(around), np.cos(down)], -1
    )
    corner = (np.arange(48)[:, None] * 97 + np.arange(96)).reshape(-1)
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + 98], -1),
            np.stack([corner, corner + 98, corner + 97], -1),
        ]
    )
    colours = ((60, 90, 120), (235, 190, 110))
    look = TextureVisuals(
        uv=np.stack([2 * u.ravel(), v.ravel()], -1),
        material=tile_material(colours, 8, mapped=mapped),
    )
    vertices = 0.5 * ball + (0, 0, 0.5)
    return trimesh.Trimesh(vertices, faces, vertex_normals=ball, visual=look, process=False)


def tiled_floor(mapped: bool) -> trimesh.Trimesh:
    """A square of six metres."""
    corners = np.array([[-3, -3, 0], [3, -3, 0], [3, 3, 0], [-3, 3, 0]], float)
    colours = ((215, 210, 200), (226, 160, 120))
    look = TextureVisuals(
        uv=(corners[:, :2] + 3) / 2.4, material=tile_material(colours, 6, mapped=mapped)
    )
    up = np.tile([0.0, 0, 1], (4, 1))
    return trimesh.Trimesh(
        corners, [[0, 1, 2], [0, 2, 3]], vertex_normals=up, visual=look, process=False
    )


def hdr(folder: Path) -> Image.Image:
    """Chrome, gold and plastic in the light of a picture of all around (.hdr), roughness 0 to 1.

    The script paints the sky and its sun; `environment` lights, and is the background.
    """
    file = folder / "sky.hdr"
    write_hdr(file, sky(2048))
    rows = (
        {"color": (0.95, 0.95, 0.96), "metalness": 1.0},
        {"color": (1.0, 0.89, 0.62), "metalness": 1.0},
        {"color": (0.8, 0.12, 0.14)},
    )
    balls = [
        hg.Sphere(
            key=f"{row}-{column}",
            radius=0.46,
            position=[column - 3, 0, 2.0 - row],
            material={**material, "roughness": column / 6},
        )
        for row, material in enumerate(rows)
        for column in range(7)
    ]
    scene = hg.Scene(*balls, environment=str(file), background="environment", toneMapping="neutral")
    return picture(scene, eye((0, -7.6, 1.5), (0, 0, 1.0), 24.5, (760, 330)))


def sky(width: int) -> NDArray[np.float32]:
    """A blue sky with a sun over hills, (width / 2, width, 3) linear, seen from the inside."""
    height = width // 2
    up = np.cos((np.arange(height) + 0.5) / height * np.pi)[:, None]
    around = ((np.arange(width) + 0.5) / width * 2 * np.pi)[None]
    above = np.clip(up, 0, 1)[..., None]
    light = (1 - above) ** 3 * np.array([1.0, 0.85, 0.7]) + above**0.5 * np.array([0.12, 0.3, 0.8])
    hills = 0.1 * np.sin(3 * around) + 0.03 * np.sin(8 * around + 1) - 0.02
    ground = np.array([0.17, 0.16, 0.13]) * (0.6 + 0.5 * (1 + up[..., None]))
    over = np.clip((up - hills) / 0.02, 0, 1)[..., None]
    light = ground + over * (light - ground)
    flat = np.sqrt(1 - up**2)
    ways = np.stack([flat * np.cos(around), flat * np.sin(around), up + 0 * around], -1)
    towards = ways @ ref.unit(np.array([-0.55, -0.6, 0.55]))
    sun = 60.0 * np.exp((towards - 1) * 900) + 1.2 * np.exp((towards - 1) * 12)
    return (light + sun[..., None] * np.array([1.0, 0.85, 0.65])).astype(np.float32)


def write_hdr(file: Path, picture: NDArray[np.float32]) -> None:
    """Radiance's format, not compressed."""
    peak = picture.max(-1)
    fraction, exponent = np.frexp(peak)
    scale = np.where(peak > 1e-32, fraction * 256 / np.maximum(peak, 1e-32), 0)
    bytes_ = np.concatenate([picture * scale[..., None], (exponent + 128)[..., None]], -1)
    head = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {picture.shape[0]} +X {picture.shape[1]}\n"
    file.write_bytes(head.encode() + bytes_.astype(np.uint8).tobytes())


def kinds(_: Path) -> Image.Image:
    """three.js's materials on the same shapes, lit the same; all cast shadows."""
    camera = eye((1.0, -2.0, 1.75), (0, 0, 0.33), 24, (220, 220))
    names = ("basic", "lambert", "phong", "standard", "normal", "depth")
    extra: dict[str, dict[str, Any]] = {
        "phong": {"shininess": 60, "specular": "#666666"},
        "standard": {"roughness": 0.3},
    }
    lights = (
        hg.DirectionalLight(
            key="sun", position=[2, -2.5, 4], intensity=2.6, castShadow=True, size=0.04
        ),
        hg.HemisphereLight(key="sky", color="#c4d4ff", groundColor="#6a5c4c", intensity=0.9),
    )
    tiles = []
    for name in names:
        look: Any = {"material": {"color": "#e0662f", **extra.get(name, {})}, "materialType": name}
        near = camera.replace(near=1.8, far=3.4) if name == "depth" else camera
        scene = hg.Scene(
            FLOOR,
            hg.Torus(key="ring", radius=0.34, tube=0.13, position=[0, 0, 0.13], **look),
            hg.Sphere(key="ball", radius=0.26, position=[0, 0, 0.52], **look),
            *lights,
            background="#dfe3ea",
        )
        tiles.append(layout.captioned(picture(scene, near), name))
    return layout.beside(tiles)


def shadows(_: Path) -> Image.Image:
    """Shadows of a directional light, a spot and a point light; hard, and soft by `size`."""
    camera = eye((1.5, -2.9, 2.2), (0.1, 0.1, 0.3), 31, (300, 200))
    things = [
        FLOOR,
        hg.Sphere(key="ball", radius=0.3, position=[-0.5, -0.1, 0.5], material={"color": "tomato"}),
        hg.Box(
            key="box",
            size=[0.35, 0.35, 0.9],
            position=[0.35, 0.35, 0.45],
            rotation=[0, 0, 0.5],
            material={"color": "steelblue"},
        ),
        hg.Torus(
            key="ring",
            radius=0.25,
            tube=0.06,
            position=[0.5, -0.5, 0.31],
            rotation=[1.57, 0.6, 0],
            material={"color": "gold", "roughness": 0.4},
        ),
        hg.HemisphereLight(key="sky", color="#c4d4ff", groundColor="#807060", intensity=1.1),
    ]
    lights: dict[str, Callable[[float], hg.Component]] = {
        "directional": lambda size: hg.DirectionalLight(
            key="light", position=[-2, -1.2, 3], intensity=2.4, castShadow=True, size=size / 3
        ),
        "spot": lambda size: hg.SpotLight(
            key="light",
            position=[-1.5, -1.2, 2.5],
            angle=0.42,
            penumbra=0.3,
            intensity=34,
            castShadow=True,
            size=size,
        ),
        "point": lambda size: hg.PointLight(
            key="light", position=[-0.3, -0.6, 1.5], intensity=6.5, castShadow=True, size=size
        ),
    }
    tiles = [
        layout.captioned(
            layout.stacked([picture(hg.Scene(*things, light(size)), camera) for size in (0, 0.15)]),
            name,
        )
        for name, light in lights.items()
    ]
    return layout.beside(tiles)


def randomized(_: Path) -> Image.Image:
    """Two arms over a table, samples 0 to 8 of seed 3: joints, cube, colours, lights, camera."""
    home = [0, -0.96, 1.16, 0, -0.3, 0, 0.024, -0.024]

    def near(value: float, reach: float) -> dict[str, list[float]]:
        return {"uniform": [value - reach, value + reach]}

    joints = [near(x, 0.25 if abs(x) != 0.024 else 0.0) for x in home]
    cube = [near(0, 0.25), near(0.5, 0.15), 0.02, 1, 0, 0, near(0, 1)]
    bright = {"hsv": [{"uniform": [0, 1]}, {"uniform": [0.1, 0.8]}, {"uniform": [0.5, 1]}]}
    config = {
        "randomizers": [
            {"type": "joint_states", "state": {"qpos": [*joints, *joints, *cube]}},
            {
                "type": "materials",
                "texture_probability": 0.5,
                "repeat": {"uniform": [1, 4]},
                "colour": bright,
            },
            {"type": "lights", "intensity": near(0.35, 0.2)},
            {"type": "camera_orbit", "centre": [0, 0.5, 0], "angle": near(0, 0.7)},
            {"type": "camera_jitter", "position": near(0, 0.05), "rotation": near(0, 0.03)},
            {"type": "background", "colour": bright},
        ]
    }
    model = "gym_aloha:assets/bimanual_viperx_transfer_cube.xml"
    options: Any = {"size": (292, 200), "msaa": 4, "randomize": config, **FILMIC}
    with hg.open(model, **options) as renderer:
        drawn = hg.samples(renderer, count=9, seed=3, cameras=["angle"])
        tiles = [Image.fromarray(sample["angle"].rgb) for sample in drawn]
    return layout.grid(tiles, 3)


ARM = """<robot name="arm">
<material name="shell"><color rgba="0.9 0.45 0.1 1"/></material>
<material name="joint"><color rgba="0.2 0.22 0.26 1"/></material>
<link name="base"><visual><origin xyz="0 0 0.04"/>
<geometry><cylinder radius="0.16" length="0.08"/></geometry><material name="joint"/></visual></link>
<joint name="turn" type="continuous"><parent link="base"/><child link="upper"/>
<origin xyz="0 0 0.08"/><axis xyz="0 0 1"/></joint>
<link name="upper">
<visual><geometry><sphere radius="0.1"/></geometry><material name="joint"/></visual>
<visual><origin xyz="0 0 0.25"/>
<geometry><capsule radius="0.06" length="0.4"/></geometry><material name="shell"/></visual></link>
<joint name="bend" type="revolute"><parent link="upper"/><child link="lower"/>
<origin xyz="0 0 0.5"/><axis xyz="0 1 0"/><limit lower="-2" upper="2"/></joint>
<link name="lower">
<visual><geometry><sphere radius="0.085"/></geometry><material name="joint"/></visual>
<visual><origin xyz="0 0 0.2"/>
<geometry><capsule radius="0.05" length="0.3"/></geometry><material name="shell"/></visual></link>
<joint name="left" type="prismatic"><parent link="lower"/><child link="finger"/>
<origin xyz="0 0 0.42"/><axis xyz="0 1 0"/><limit lower="0" upper="0.08"/></joint>
<link name="finger"><visual>
<geometry><box size="0.03 0.03 0.12"/></geometry><material name="joint"/></visual></link>
<joint name="right" type="prismatic"><parent link="lower"/><child link="thumb"/>
<origin xyz="0 0 0.42"/><axis xyz="0 -1 0"/><mimic joint="left"/></joint>
<link name="thumb"><visual>
<geometry><box size="0.03 0.03 0.12"/></geometry><material name="joint"/></visual></link>
</robot>"""


def elements(folder: Path) -> Image.Image:
    """A robot of a URDF file under two shining rectangles, outlines, a cloud and a picture.

    Left: joints at two sets of values. Right: 20,000 points with colours, each a small octahedron.
    """
    (folder / "arm.urdf").write_text(ARM)
    camera = eye((1.6, -2.2, 1.4), (0, 0, 0.42), 25, (300, 220))
    lamp: dict[str, Any] = {"width": 0.5, "height": 1.4, "intensity": 12}
    lights = (
        hg.RectAreaLight(position=[-0.9, -0.9, 1.0], rotation=[0.5, -0.9, 0], **lamp),
        hg.RectAreaLight(
            position=[1.0, 0.9, 1.3], rotation=[-0.6, 0.6, 0], color="#8fb4ff", **lamp
        ),
    )
    glossy = hg.Plane(size=[14, 14], material={"color": "#9aa0a8", "roughness": 0.35})
    poses = ({"turn": -0.4, "bend": 0.9, "left": 0.07}, {"turn": 0.9, "bend": 1.7, "left": 0.03})
    tiles = []
    for joints in poses:
        robot = hg.Urdf(src=str(folder / "arm.urdf"), joints=joints)
        tiles.append(picture(hg.Scene(glossy, robot, *lights, background="#0b0d12"), camera))
    line = {"thickness": 0.018, "color": "#161a22"}
    drawn = hg.Scene(
        hg.Box(size=[0.5] * 3, position=[-0.45, 0.2, 0.35], color="#e0662f", outlines=line),
        hg.Torus(radius=0.28, tube=0.1, position=[0.15, -0.1, 0.1], color="#3f8f5c", outlines=line),
        hg.Sphere(radius=0.25, position=[0.25, 0.5, 0.4], color="#3c6fd1", outlines=line),
        background="#f4f1ea",
    )
    tiles.append(picture(drawn, camera))
    rng = np.random.default_rng(0)
    turn, height = rng.uniform(0, 2 * np.pi, 20_000), rng.uniform(0, 1, 20_000)
    radius = 0.18 + 0.25 * np.abs(np.sin(3 * height + 2 * turn)) + rng.normal(0, 0.01, 20_000)
    points = np.stack([radius * np.cos(turn), radius * np.sin(turn), height], 1)
    colours = 0.5 + 0.5 * np.cos(2 * np.pi * (height[:, None] + [0.0, 0.33, 0.67]))
    frame = hg.ImagePlane(
        image=np.asarray(tiles[0]),
        width=0.9,
        height=0.66,
        position=[-0.4, -0.35, 0.5],
        rotation=[np.pi / 2, 0, 0.2],
    )
    cloud = hg.PointCloud(
        vertices=points, colors=colours, size=0.012, scale=0.8, position=[0.4, 0.1, 0.05]
    )
    tiles.append(picture(hg.Scene(cloud, frame, background="#14161c"), camera))
    return layout.beside(tiles)


PICTURE_OF: dict[str, Draw] = {
    "robots": robots,
    "reference": reference,
    "glb": glb,
    "hdr": hdr,
    "kinds": kinds,
    "shadows": shadows,
    "elements": elements,
    "randomized": randomized,
}


def page() -> str:
    """The page: each picture below what its function says of it."""
    parts = [HEAD]
    for name, draw in PICTURE_OF.items():
        words = (getdoc(draw) or "").split("\n\n")
        text = " ".join(" ".join(words).split())
        parts.append(f"\n![{words[0]}](gallery/{name}.png)\n\n{text}\n")
    return "".join(parts)


def show_demo() -> int:
    """Draw what `scripts/demo` draws for README, two thirds as large."""
    sys.path.insert(0, str(ROOT / "examples"))
    import demo

    with tempfile.TemporaryDirectory() as folder:
        sheet = Image.open(demo.main(Path(folder), seconds=2.0))
    small = sheet.resize((sheet.width * 2 // 3, sheet.height * 2 // 3), Image.Resampling.LANCZOS)
    small.save(SHEET, optimize=True)
    return 0


def main(names: Sequence[str]) -> int:
    """Draw the pictures asked for, all without names, and write the page."""
    if list(names) == ["--check"]:
        return check()
    if list(names) == ["demo"]:
        return show_demo()
    if unknown := set(names) - set(PICTURE_OF):
        sys.stderr.write(f"no picture is called {unknown.pop()!r}; there are {[*PICTURE_OF]}\n")
        return 2
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in names or PICTURE_OF:
            PICTURE_OF[name](Path(folder)).save(PICTURES / f"{name}.png", optimize=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


def check() -> int:
    """Whether the page is what would be written now, and its pictures are there."""
    pictures = {path.stem for path in PICTURES.glob("*.png")}
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page() and pictures == {*PICTURE_OF}:
        return 0
    sys.stderr.write(f"{PAGE} is out of date: run scripts/gallery\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
