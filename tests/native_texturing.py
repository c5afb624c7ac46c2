# mypy: allow-untyped-defs, allow-untyped-calls
"""The native textures and the GL backend's own, callable on arrays."""

from __future__ import annotations

import ctypes

import numpy as np

from heliograph.raster.gl import programs
from heliograph.raster.gl.context import Context
from heliograph.raster.gl.textures import GlTextureStore
from heliograph.raster.shapes import SOLVERS
from heliograph.raster.types import TextureKind, Wrap
from native_shading import compiled

WRAPS = list(Wrap)
_GROUP = 64
_PROGRAM = """#version 430
{flags}
layout(local_size_x = {group}) in;
layout(std430, binding = 0) readonly buffer Given {{ float given[]; }};
layout(std430, binding = 1) writeonly buffer Made {{ float made[]; }};
uniform uint count;
uint i = gl_GlobalInvocationID.x;
vec2 pair(uint row) {{ return vec2(given[row * count + i], given[(row + 1u) * count + i]); }}
vec3 triple(uint row) {{ return vec3(pair(row), given[(row + 2u) * count + i]); }}
void put(uint row, float number) {{ made[row * count + i] = number; }}
{shared}
void main() {{
    if (i >= count) return;
{body}
}}
"""


class NativeTexturing:
    """One build."""

    def __init__(self, library):
        self._library = library
        library.new_texture.restype = ctypes.c_void_p

    def look_up(self, texture, where):
        """(4, N) of (6 or 9, N): where, dx and dy."""
        cube, pixels = texture.kind is TextureKind.CUBE, np.ascontiguousarray(texture.pixels)
        height, width, channels = pixels.shape[-3:]
        wraps = [WRAPS.index(w) for w in (texture.sampler.wrap_u, texture.sampler.wrap_v)]
        how = (int(texture.linear), *wraps, int(texture.sampler.nearest))
        made = ctypes.c_void_p(
            self._library.new_texture(int(cube), _at(pixels), width, height, channels, *how)
        )
        where = np.ascontiguousarray(where, np.float32)
        found = np.empty((4, where.shape[1]), np.float32)
        self._library.look_up(made, where.shape[1], _at(where), _at(found))
        self._library.delete_texture(made)
        return found

    def coordinates(self, solver, where, *, three_js, length):
        """(8, N): uv, and how u and v grow, of (6, N): point and normal."""
        where = np.ascontiguousarray(where, np.float32)
        made = np.empty((8, where.shape[1]), np.float32)
        half = ctypes.c_float(length)
        count = where.shape[1]
        self._library.coordinates(solver, int(three_js), half, count, _at(where), _at(made))
        return made


def native_builds(folder):
    """All builds by name, made in a folder."""
    libraries = compiled(folder, "texturing.cpp", "raster/textures.cpp")
    return {name: NativeTexturing(library) for name, library in libraries.items()}


class GlTexturing:
    """The same of the GL backend's textures and shader texts."""

    def __init__(self):
        self._context = Context()
        self._gl = self._context.begin()
        self._gl.enable_direct(0x884F)  # seamless cubes, as the pipeline has them

    def release(self):
        """Frees the context."""
        self._context.end()
        self._context.release()

    def look_up(self, texture, where):
        """(4, N) of (6 or 9, N): where, dx and dy."""
        store = GlTextureStore(self._gl)
        handle = store.add(texture)
        store.at(handle).image.use(0)
        cube = texture.kind is TextureKind.CUBE
        row, kind = ("triple", "samplerCube") if cube else ("pair", "sampler2D")
        size = 3 if cube else 2
        of = ", ".join(f"{row}({each * size}u)" for each in range(3))
        body = f"    vec4 found = textureGrad(image, {of});\n" + "".join(
            f"    put({k}u, found[{k}]);\n" for k in range(4)
        )
        made = self._run((), f"uniform {kind} image;", body, where, 4)
        store.remove(handle)
        return made

    def coordinates(self, solver, where, *, three_js, length):
        """(8, N): uv, and of three.js's how u and v grow, of (6, N): point and normal."""
        flags = [*SOLVERS[solver], *(["THREE_JS"] if three_js else [])]
        shared = f"float v_length = {length};\n" + programs._read("shape_uv.glsl")
        slope = ", slope" if three_js else ""
        body = f"""    mat2x3 slope = mat2x3(0.0);
    vec2 uv = shape_uv(triple(0u), triple(3u){slope});
    put(0u, uv.x); put(1u, uv.y);
    for (uint k = 0u; k < 6u; ++k) put(2u + k, slope[k / 3u][k % 3u]);
"""
        return self._run(flags, shared, body, where, 8)

    def _run(self, flags, shared, body, where, rows):
        count = where.shape[1]
        program = self._gl.compute_shader(
            _PROGRAM.format(
                flags="\n".join(f"#define {flag}" for flag in flags),
                group=_GROUP,
                shared=shared,
                body=body,
            )
        )
        program["count"].value = count
        given = self._gl.buffer(np.ascontiguousarray(where, np.float32).tobytes())
        made = self._gl.buffer(reserve=4 * rows * count)
        given.bind_to_storage_buffer(0)
        made.bind_to_storage_buffer(1)
        program.run(-(-count // _GROUP))
        numbers = np.frombuffer(made.read(), np.float32).reshape(rows, count).copy()
        for each in (given, made, program):
            each.release()
        return numbers


def _at(array):
    return ctypes.c_void_p(array.ctypes.data)
