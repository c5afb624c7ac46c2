# mypy: allow-untyped-defs, allow-untyped-calls
# mypy: disable-error-code="assignment, union-attr"
"""What the GL backend's own shader texts compute, for surfaces that tests name."""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np

from heliograph.raster.gl import programs
from heliograph.raster.gl.context import Context
from heliograph.raster.radiance import LEVELS
from native_shading import COLUMNS

_SAMPLERS = ("shadow_atlas", "shadow_depths", "albedo", "radiance", "lobes")
_GROUP = 64


class ShaderReference:
    """Runs functions of the shaders over arrays, as compute programs of one GL context."""

    def __init__(self):
        self._context = Context()
        self._gl = self._context.begin()

    def release(self):
        """Frees the context."""
        self._context.end()
        self._context.release()

    def shade(self, parts, body, layout, given, block, textures, *, flags=()):
        """Colours (N, 3).

        Args:
            parts: names of the shader texts that are needed.
            body: what makes `made`, a vec3, of the columns by name.
            layout: of the lights.
            given: (channels, N), as `native_shading` has it.
            block: the frame's numbers.
            textures: by sampler.
            flags: names that the texts test.
        """
        count = given.shape[1]
        program = self._gl.compute_shader(_text(parts, body, layout, flags, count))
        made: list[Any] = [
            self._gl.buffer(np.ascontiguousarray(given, np.float32).tobytes()),
            self._gl.buffer(reserve=16 * count),
            self._gl.buffer(np.asarray(block, np.float32).tobytes()),
        ]
        program["Frame"].binding = 0
        made[2].bind_to_uniform_block(0)
        made[0].bind_to_storage_buffer(0)
        made[1].bind_to_storage_buffer(1)
        for unit, name in enumerate(name for name in _SAMPLERS if name in program):
            program[name].value = unit
            texture, sampler = self._texture(name, textures[name])
            texture.use(unit)
            sampler.use(unit)
            made += [texture, sampler]
        program.run(-(-count // _GROUP))
        colours = np.frombuffer(made[1].read(), np.float32).reshape(count, 4)[:, :3].copy()
        self._gl.clear_samplers()
        for each in (*made, program):
            each.release()
        return colours

    def _texture(self, name, array):
        gl, depths = self._gl, name in ("shadow_atlas", "shadow_depths")
        size = array.shape[-2::-1] if name == "radiance" else array.shape[1::-1]
        if depths:
            texture = gl.depth_texture(size, np.asarray(array, np.float32).tobytes())
        elif name == "radiance":
            halves = array.astype(np.float16).tobytes()
            texture = gl.texture_array((*array.shape[2:0:-1], LEVELS), 3, halves, 1, dtype="f2")
        else:
            halves = array.astype(np.float16).tobytes()
            texture = gl.texture(size, array.shape[2], halves, alignment=1, dtype="f2")
        filters = moderngl.NEAREST if name == "shadow_depths" else moderngl.LINEAR
        sampler = gl.sampler(
            repeat_x=False,
            repeat_y=False,
            filter=(filters, filters),
            compare_func="<=" if name == "shadow_atlas" else "",
        )
        return texture, sampler


def _text(parts, body, layout, flags, count):
    """The text of a compute program."""
    variant = programs.Variant(("rgb",), lights=layout)
    numbers = programs._numbers(variant)
    lights = {"SIX_FACES": layout.six_faces, "SOFT": layout.soft, "AREA": layout.area}
    flags = [*flags, *(name for name, on in lights.items() if on)]
    row, columns = 0, []
    for name, channels in COLUMNS.items():
        kind = "float" if channels == 1 else f"vec{channels}"
        entries = ", ".join(f"given[{(row + each) * count}u + i]" for each in range(channels))
        columns.append(f"    {kind} {name} = {kind}({entries});\n")
        row += channels
    shared = "".join(programs._assembled(f"#include {part}\n") for part in parts)
    return "".join(
        [
            "#version 430\n",
            *(f"#define {flag}\n" for flag in flags),
            *(f"#define {name} {number}\n" for name, number in numbers.items()),
            "vec4 frag_coord;\n",
            programs._read("frame.glsl"),
            shared.replace("gl_FragCoord", "frag_coord"),
            f"layout(local_size_x = {_GROUP}) in;\n",
            "layout(std430, binding = 0) readonly buffer Given { float given[]; };\n",
            "layout(std430, binding = 1) writeonly buffer Made { vec4 written[]; };\n",
            "void main() {\n    uint i = gl_GlobalInvocationID.x;\n",
            f"    if (i >= {count}u) return;\n",
            *columns,
            "    frag_coord = vec4(pixel, 0.0, 1.0);\n    vec3 made;\n",
            body,
            "    written[i] = vec4(made, 1.0);\n}\n",
        ]
    )
