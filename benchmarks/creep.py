"""Does anything grow? Thousands of views, each different from the one before, in one process.

Three runs, 64 x 64: a scene of components and the Shadow hand with every randomizer on, and a live
scene of components that `advance` changes before each view: poses, colours, textures, vertices,
objects that come and go. What is there after the first 200 views is compared with what is there at
the end: resident memory (20 MB more is too much), compiled GL programs, open descriptors, files in
the cache of simplified meshes and in the temporary folder (one more is too many). Exits with 1 if
anything grew. Linux only.

    python benchmarks/creep.py [views] [components|hand|live ...]
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("LP_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import trimesh
from models import source
from PIL import Image

import heliograph as hg
from heliograph.randomize import load_randomization
from heliograph.scene import Component, Edit

SIZE, VIEWS, SETTLED, MEGABYTES = (64, 64), 5000, 200, 20.0
PASSES = ("rgb", "depth", "normals", "segmentation")
UNIFORM = {"uniform": [-0.1, 0.1]}
RANDOMIZERS: list[dict[str, Any]] = [
    {
        "type": "materials",
        "alpha": {"uniform": [0.6, 1]},
        "specular": {"uniform": [0, 1]},
        "shininess": {"uniform": [0, 1]},
        "texture_probability": 0.4,
    },
    {"type": "lights", "number": {"integer": [0, 2]}, "casts_shadow": {"choice": [True, False]}},
    {"type": "camera_jitter"},
    {"type": "camera_orbit", "angle": UNIFORM},
    {"type": "field_of_view"},
    {"type": "object_poses", "position": UNIFORM, "scale": {"uniform": [0.8, 1.2]}},
    {"type": "visibility"},
    {"type": "background"},
    {
        "type": "postprocess",
        "steps": {
            "ambient_occlusion": {},
            "bloom": {},
            "hue": {"degrees": {"uniform": [-20, 20]}},
            "brightness": {"amount": UNIFORM},
            "grain": {},
            "jpeg": {},
        },
    },
]
MOVED = {"state": {"Box.position": [UNIFORM, UNIFORM, {"uniform": [0.2, 0.5]}]}}


def meshes(folder: Path) -> list[Component]:
    """Three files of meshes, one with a texture and one with colours of vertices."""
    rng = np.random.default_rng(0)
    ball = trimesh.creation.icosphere(3, 0.3)
    pixels = rng.integers(0, 255, (32, 32, 3), np.uint8)
    image = trimesh.visual.texture.SimpleMaterial(image=Image.fromarray(pixels))
    uvs = ball.vertices[:, :2] + 0.5
    ball.visual = trimesh.visual.TextureVisuals(uv=uvs, material=image)
    ring = trimesh.creation.torus(0.3, 0.1)
    ring.visual.vertex_colors = rng.integers(0, 255, (len(ring.vertices), 4), np.uint8)
    made = []
    for i, mesh in enumerate((ball, ring, trimesh.creation.capsule(0.4, 0.2))):
        mesh.export(folder / f"{i}.glb", include_normals=True)
        made.append(hg.Mesh(key=f"file{i}", src=folder / f"{i}.glb", position=[i - 1, 1, 0.5]))
    return made


def a_scene(folder: Path) -> hg.Scene:
    """Shapes of all kinds, files of meshes, lights and a camera."""
    kinds = (hg.Box, hg.Sphere, hg.Cylinder, hg.Cone, hg.Capsule, hg.Torus)
    things: list[Component] = [
        kind(key=kind.__name__, scale=0.4, position=[i - 2.5, 0, 0.4])
        for i, kind in enumerate(kinds)
    ]
    return hg.Scene(
        hg.Plane(key="floor", args=[8, 8]),
        hg.Group(*things, key="shapes"),
        *meshes(folder),
        hg.DirectionalLight(key="sun", position=[1, -1, 3], castShadow=True),
        hg.PointLight(key="lamp", position=[0, 0, 3]),
        hg.CameraView(key="ego", position=[0, -5, 3], lookAt=[0, 0, 0], width=64, height=64),
    )


def randomized(asset: hg.Scene | str, state: dict[str, Any]) -> Iterator[Any]:
    """The renderer, then nothing for each of its views."""
    joints = {"type": "joint_states", **state}
    known = load_randomization({"randomizers": [*RANDOMIZERS, joints]})
    with hg.open(asset, size=SIZE, randomize=known) as renderer:
        yield renderer
        index = 0
        while True:
            yield renderer.render(hg.View(passes=PASSES, seed=0, index=index))
            index += 1


def live(folder: Path) -> Iterator[Any]:
    """The renderer, then nothing for each view of a scene that changes before it."""
    rng = np.random.default_rng(0)
    sheet = trimesh.creation.icosphere(2, 0.5)
    soft = hg.Mesh(key="soft", vertices=sheet.vertices, faces=sheet.faces, position=[0, -1, 1])
    asset = a_scene(folder)
    keys = [child.key for child in asset.children if child.drawable]
    kinds = {child.key: type(child) for child in asset.children}
    with hg.open(hg.Scene(*asset.children, soft), size=SIZE) as renderer:
        yield renderer
        index = 0
        while True:
            key = str(rng.choice(keys))
            vertices = sheet.vertices * (1 + 0.1 * rng.random((len(sheet.vertices), 1)))
            changes: list[Edit] = [
                hg.Update(kinds[key](key=key, position=rng.uniform(-1, 1, 3))),
                hg.Update(hg.Plane(key="floor", material={"color": rng.random(3)})),
                hg.Update(hg.PointLight(key="lamp", intensity=rng.uniform(0.5, 2))),
                hg.Update(hg.Mesh(key="soft", vertices=vertices, faces=sheet.faces)),
                hg.Add(a_thing(rng, f"new{index}"), to="shapes"),
            ]
            if index >= 5:
                changes.append(hg.Remove(f"new{index - 5}"))
            renderer.advance(changes)
            yield renderer.render(hg.View(passes=PASSES, cameras=["ego"]))
            index += 1


def a_thing(rng: np.random.Generator, key: str) -> Component:
    """A shape, a painted box, or a mesh such as there was none before."""
    place = {"key": key, "position": rng.uniform(-1, 1, 3)}
    pixels = rng.integers(0, 255, (32, 32, 3), np.uint8)
    kind = rng.integers(4)
    if kind == 0:
        return hg.Capsule(args=rng.uniform(0.1, 0.3, 2), **place)
    if kind == 1:
        return hg.Torus(args=[0.3, 0.05 * rng.integers(1, 4)], **place)
    if kind == 2:
        return hg.Box(material={"map": pixels}, scale=0.4, **place)
    return hg.Mesh(vertices=rng.random((60, 3)), faces=rng.integers(0, 60, (90, 3)), **place)


def rasterizer_of(renderer: Any) -> Any:
    """What draws: engines stand inside one another."""
    inside = renderer
    while not hasattr(inside, "_pipeline"):
        names = ("engine", "_engine", "_backend", "_rasterizer")
        inside = next(getattr(inside, name) for name in names if hasattr(inside, name))
    return inside


def figures(renderer: Any) -> dict[str, float]:
    """What could grow."""
    gc.collect()
    programs = vars(rasterizer_of(renderer)._pipeline._programs).values()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "resident MB": pages * os.sysconf("SC_PAGESIZE") / 2**20,
        "programs": sum(len(kept) for kept in programs if isinstance(kept, dict)),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "cached files": files(Path(os.environ["HELIOGRAPH_CACHE"])),
        "temporary files": files(Path(tempfile.gettempdir())),
    }


def files(folder: Path) -> int:
    """How many there are in a folder and all below it."""
    return sum(len(names) for _, _, names in os.walk(folder))


def run(name: str, count: int) -> bool:
    """Draw that many views, print a table, and say whether anything grew."""
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, Callable[[], Iterator[Any]]] = {
            "components": lambda: randomized(a_scene(Path(folder)), MOVED),
            "hand": lambda: randomized(source("hand"), {}),
            "live": lambda: live(Path(folder)),
        }
        views = ways[name]()
        renderer = next(views)
        for _ in range(SETTLED):
            next(views)
        before = figures(renderer)
        for _ in range(count - SETTLED):
            next(views)
        after = figures(renderer)
        views.close()  # type: ignore[attr-defined]
    print(f"\n| {name} | after {SETTLED} | after {count} |\n|---|---|---|")
    grew = False
    for what, first in before.items():
        more = after[what] - first
        bad = more > (MEGABYTES if what == "resident MB" else 0)
        grew |= bad
        print(f"| {what} | {first:.0f} | {after[what]:.0f}{' **grew**' if bad else ''} |")
    return grew


def main() -> int:
    """Each run in a process with a cache and a temporary folder of its own."""
    if len(sys.argv) == 4 and sys.argv[3] == "here":
        return run(sys.argv[1], int(sys.argv[2]))
    names = sys.argv[2:] or ["components", "hand", "live"]
    count, failed = sys.argv[1] if len(sys.argv) > 1 else str(VIEWS), False
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            places = {"HELIOGRAPH_CACHE": f"{folder}/cache", "TMPDIR": f"{folder}/tmp"}
            for place in places.values():
                Path(place).mkdir()
            command = [sys.executable, __file__, name, count, "here"]
            failed |= subprocess.run(command, env={**os.environ, **places}).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
