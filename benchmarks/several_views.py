"""Several states in one call: direct, deferred, tiled; medians, and whether bits are the same.

The first table draws states of a model with our engine, one by one and in one go. The second one
draws the same triangles with plain OpenGL, each picture into a framebuffer of its own size or all
of them as tiles of a large one with a single readback, and counts the values that then differ:
where a picture is in a framebuffer changes how positions are rounded.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("LP_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import moderngl
import numpy as np
from models import source

from heliograph.camera import Camera
from heliograph.engines.mujoco import MujocoEngine
from heliograph.frame import allocate
from heliograph.passes import PASSES
from heliograph.raster import RasterOptions
from heliograph.view import View

SIDE = 4
VIEWS = SIDE * SIDE
SIZES = ((64, 64), (200, 200), (640, 480))
VERTEX = """#version 430
uniform mat4 clip_from_world, camera_from_world;
in vec3 in_position;
out vec3 v_camera;
void main() {
    v_camera = (camera_from_world * vec4(in_position, 1.0)).xyz;
    gl_Position = clip_from_world * vec4(in_position, 1.0);
}
"""
FRAGMENT = """#version 430
in vec3 v_camera;
layout(location = 0) out vec4 o_rgb;
layout(location = 1) out float o_depth;
layout(location = 2) out vec3 o_normal;
layout(location = 3) out int o_id;
void main() {
    o_normal = normalize(cross(dFdx(v_camera), dFdy(v_camera)));
    o_rgb = vec4(0.5 + 0.5 * o_normal, 1.0);
    o_depth = -v_camera.z;
    o_id = gl_PrimitiveID;
}
"""
FORMATS = ((4, "f1"), (1, "f4"), (3, "f4"), (1, "i4"))
DTYPES = {"f1": np.uint8, "f4": np.float32, "i4": np.int32}
Arrays = list[np.ndarray]


def medians(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Milliseconds of each way of drawing the same views, all ways in turn."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 2):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: 1e3 * float(np.median(each[2:])) for name, each in times.items()}


def ours(name: str, size: tuple[int, int], rounds: int) -> str:
    """Our engine: a row of the first table."""
    engines = {
        readback: MujocoEngine(
            source(name), size=size, options=RasterOptions(shadows=False, readback=readback)
        )
        for readback in ("direct", "deferred")
    }
    engine = engines["direct"]
    rng = np.random.default_rng(0)
    views = [View(passes=PASSES, state=engine.random_state(rng)) for _ in range(VIEWS)]
    camera = next(iter(engine.cameras.values()))
    outs = [[allocate(camera, PASSES)] for _ in views]

    def draw(engine: MujocoEngine) -> None:
        for view, out in zip(views, outs, strict=True):
            engine.render(view, out)

    runs = {
        "direct": lambda: draw(engine),
        "deferred": lambda: draw(engines["deferred"]),
        "in one go": lambda: engines["deferred"].render_many(views, outs),
    }
    found = medians(runs, rounds)
    for each in engines.values():
        each.close()
    one, late, whole = found.values()
    return (
        f"| {name} | {size[0]}x{size[1]} | {one:.2f} | {late:.2f} | {whole:.2f} | "
        f"{one / whole:.2f}x |"
    )


class Plain:
    """A wavy ball drawn with nothing but OpenGL, from all round."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.gl = gl = moderngl.create_context(standalone=True, require=430, backend="egl")
        self.size = size
        program = gl.program(vertex_shader=VERTEX, fragment_shader=FRAGMENT)
        self.clip, self.view = program["clip_from_world"], program["camera_from_world"]
        around, up = np.meshgrid(np.linspace(0, 2 * np.pi, 121), np.linspace(-1.5, 1.5, 61))
        radius = 1 + 0.05 * np.sin(9 * around) * np.cos(7 * up)
        place = np.stack([np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)], -1)
        grid = np.arange(around.size).reshape(around.shape)
        a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
        corners = np.stack([a, b, c, a, c, d], -1).astype(np.int32)
        points = gl.buffer((radius[..., None] * place).astype(np.float32))
        self.array = gl.vertex_array(program, [(points, "3f", "in_position")], gl.buffer(corners))
        self.cameras = [
            Camera.look_at(
                eye=(4 * np.cos(i), 4 * np.sin(i), 1.5), target=(0, 0, 0), fov_y=0.6, near=0.5,
                far=20.0, width=size[0], height=size[1],
            )
            for i in range(VIEWS)
        ]  # fmt: skip
        self.single = self._framebuffer(1)
        self.tiles = self._framebuffer(SIDE)
        self.outs = [self._arrays(1) for _ in self.cameras]
        self.tiled = [self._arrays(1) for _ in self.cameras]
        self.atlas = self._arrays(SIDE)
        bytes_of = [sum(each.nbytes for each in out) for out in self.outs]
        self.staging = [gl.buffer(reserve=count) for count in bytes_of]

    def direct(self) -> None:
        """Each picture is read before the next is drawn."""
        for camera, out in zip(self.cameras, self.outs, strict=True):
            self._draw(self.single, camera)
            for place, array in enumerate(out):
                self._read(self.single, array, place)

    def deferred(self) -> None:
        """Each is copied to the GPU's memory, and all are read at the end."""
        for camera, out, staging in zip(self.cameras, self.outs, self.staging, strict=True):
            self._draw(self.single, camera)
            offset = 0
            for place, array in enumerate(out):
                self._read(self.single, array, place, staging, offset)
                offset += array.nbytes
        for out, staging in zip(self.outs, self.staging, strict=True):
            offset = 0
            for array in out:
                staging.read_into(array.data.cast("B"), array.nbytes, offset=offset)
                offset += array.nbytes

    def tile(self) -> None:
        """All are tiles of one framebuffer, which is read once."""
        width, height = self.size
        self.tiles.viewport = (0, 0, SIDE * width, SIDE * height)
        self.tiles.clear()
        for i, camera in enumerate(self.cameras):
            self.tiles.viewport = (i % SIDE * width, i // SIDE * height, width, height)
            self._draw(self.tiles, camera, clear=False)
        for place, array in enumerate(self.atlas):
            self._read(self.tiles, array, place)
        for i, out in enumerate(self.tiled):
            rows = slice(i // SIDE * height, (i // SIDE + 1) * height)
            columns = slice(i % SIDE * width, (i % SIDE + 1) * width)
            for array, whole in zip(out, self.atlas, strict=True):
                array[...] = whole[rows, columns]

    def differ(self) -> str:
        """Part of the depths, normals and ids that are not the same in a tile."""
        parts = []
        for place in (1, 2, 3):
            one = np.stack([out[place] for out in self.outs])
            other = np.stack([out[place] for out in self.tiled])
            parts.append(f"{100 * float((one != other).mean()):.2f} %")
        return " | ".join(parts)

    def close(self) -> None:
        """Free the context."""
        self.gl.release()

    def _draw(self, target: moderngl.Framebuffer, camera: Camera, *, clear: bool = True) -> None:
        target.use()
        if clear:
            target.clear()
        self.gl.enable_only(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        matrix = camera.projection_matrix @ camera.camera_from_world
        self.clip.write(matrix.T.astype(np.float32).tobytes())
        self.view.write(camera.camera_from_world.T.astype(np.float32).tobytes())
        self.array.render()

    def _read(
        self,
        source: moderngl.Framebuffer,
        array: np.ndarray,
        place: int,
        staging: moderngl.Buffer | None = None,
        offset: int = 0,
    ) -> None:
        components, dtype = min(FORMATS[place][0], 3), FORMATS[place][1]
        into = array.data.cast("B") if staging is None else staging
        height, width = array.shape[:2]
        source.read_into(
            into, (0, 0, width, height), components, place, dtype=dtype, write_offset=offset
        )

    def _framebuffer(self, side: int) -> moderngl.Framebuffer:
        size = (side * self.size[0], side * self.size[1])
        images = [self.gl.texture(size, n, dtype=dtype) for n, dtype in FORMATS]
        return self.gl.framebuffer(images, self.gl.depth_renderbuffer(size))

    def _arrays(self, side: int) -> Arrays:
        width, height = side * self.size[0], side * self.size[1]
        shapes = [(height, width, min(n, 3)) for n, _ in FORMATS]
        return [np.empty(s, DTYPES[f]) for s, (_, f) in zip(shapes, FORMATS, strict=True)]


def plain(size: tuple[int, int], rounds: int) -> str:
    """Plain OpenGL: a row of the second table."""
    scene = Plain(size)
    with scene.gl:
        runs = {"direct": scene.direct, "deferred": scene.deferred, "tiled": scene.tile}
        one, late, tiled = medians(runs, rounds).values()
        scene.direct()
        differ = scene.differ()
    scene.close()
    return (
        f"| {size[0]}x{size[1]} | {one:.2f} | {late:.2f} | {tiled:.2f} | {one / tiled:.2f}x | "
        f"{differ} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--models", nargs="*", default=("primitives", "hand"))
    arguments = parser.parse_args()
    print(f"\n{VIEWS} states, four passes; milliseconds for all, medians\n")
    print("| model | size | direct | deferred | in one go | direct / in one go |")
    print("|---|---|---|---|---|---|")
    for name in arguments.models:
        for size in SIZES:
            print(ours(name, size, arguments.rounds), flush=True)
    print(f"\nPlain OpenGL, {VIEWS} cameras; milliseconds for all, medians; values that differ\n")
    print("| size | direct | deferred | tiled | direct / tiled | depth | normals | ids |")
    print("|---|---|---|---|---|---|---|---|")
    for size in SIZES:
        print(plain(size, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
