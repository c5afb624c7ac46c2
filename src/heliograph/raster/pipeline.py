"""Draws one plan into one framebuffer: opaque things, what is behind them, transparent things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from heliograph.raster.drawables import Shading, Surroundings, TextureKind
from heliograph.raster.frame_block import SIZE
from heliograph.raster.plan import RECORD, Group, Plan
from heliograph.raster.shaders import (
    MIRROR_UNIT,
    SHADOW_UNIT,
    LightPlan,
    Programs,
    Variant,
    uniform,
)
from heliograph.raster.store import GeometryStore, Tables, TextureStore
from heliograph.raster.targets import Target

_STREAMS = {"in_position": "3f", "in_normal": "3f", "in_uv": "2f"}
_PER_INSTANCE = {
    **dict.fromkeys(("in_row0", "in_row1", "in_row2"), "4f"),
    **dict.fromkeys(("in_back0", "in_back1", "in_back2"), "4f"),
    **dict.fromkeys(("in_rgba", "in_surface", "in_texturing"), "4f"),
    "in_id": "1i",
}
"""The fields of a record in order, as plan.py lays them out."""

_SEAMLESS_CUBES = 0x884F
_ALL, _NONE = (True,) * 4, (False,) * 4


@dataclass(eq=False)
class Picture:
    """Everything one draw needs.

    Attributes:
        target: where to.
        plan: what, in which order.
        block: the uniform block.
        lights: what shaders must know of the lights.
        shadow_maps: their depth textures.
        surroundings: what is behind everything.
        ortho: whether the camera is orthographic.
        mirror: what reflective surfaces show, or None.
    """

    target: Target
    plan: Plan
    block: NDArray[np.float32]
    lights: LightPlan
    shadow_maps: list[moderngl.Texture]
    surroundings: Surroundings
    ortho: bool = False
    mirror: moderngl.Texture | None = None


class Pipeline:
    """Programs, vertex arrays and per-draw buffers of one rasterizer."""

    def __init__(
        self, gl: moderngl.Context, geometries: GeometryStore, textures: TextureStore
    ) -> None:
        self._gl = gl
        self._geometries = geometries
        self._textures = textures
        self._programs = Programs(gl)
        self._arrays: dict[moderngl.Program, moderngl.VertexArray] = {}
        self._version = -1
        self._room = 0
        self._commands: moderngl.Buffer
        self._records: moderngl.Buffer
        self._frame = gl.buffer(reserve=4 * SIZE, dynamic=True)
        self._reserve(64)
        gl.enable_direct(_SEAMLESS_CUBES)

    @property
    def tables(self) -> Tables:
        """Facts of all geometries, for plans."""
        return self._geometries.tables

    def draw(self, picture: Picture) -> None:
        """Draw into the picture's target; every pixel of every pass is written."""
        self._upload(picture.plan, picture.block)
        for unit, texture in enumerate(picture.shadow_maps):
            texture.use(SHADOW_UNIT + unit)
        if picture.mirror is not None:
            picture.mirror.use(MIRROR_UNIT)
        target = picture.target.framebuffer
        target.use()
        target.depth_mask = True
        target.clear(depth=1.0)
        self._gl.enable_only(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        self._gl.depth_func = "<="  # where surfaces coincide the later one shows, as in MuJoCo
        for group in picture.plan.opaque:
            self._draw_group(picture, group)
        self._draw_sky(picture)
        if picture.plan.transparent:
            self._draw_transparent(picture)

    def draw_depth(self, plan: Plan, clip_from_camera: NDArray[np.float64]) -> None:
        """Draw a plan's depth alone into the framebuffer in use (shadow maps)."""
        self._upload(plan, None)
        program = self._programs.shadow
        uniform(program, "clip_from_camera").write(clip_from_camera.T.astype(np.float32).tobytes())
        if len(plan.commands):
            self._array(program).render_indirect(
                self._commands, moderngl.TRIANGLES, count=len(plan.commands)
            )

    def _upload(self, plan: Plan, block: NDArray[np.float32] | None) -> None:
        self._reserve(len(plan.records))
        if len(plan.commands):
            self._commands.write(plan.commands)
            self._records.write(plan.records)
        if block is not None:
            self._frame.write(block)
            self._frame.bind_to_uniform_block(0)

    def _draw_group(self, picture: Picture, group: Group) -> None:
        kind = self._textures.kind(group.texture) if group.texture >= 0 else None
        if "rgb" not in picture.target.passes:
            kind = None
        variant = Variant(
            passes=picture.target.passes,
            solver=group.solver,
            texture=kind,
            own_uv=group.own_uv and kind is TextureKind.FLAT,
            double_sided=group.double_sided,
            ortho=picture.ortho,
            shading=group.shading,
            haze=group.shading is Shading.HAZY and picture.surroundings.haze is not None,
            reflective=group.reflective and picture.mirror is not None,
            lights=picture.lights,
        )
        if kind is not None:
            self._textures.use(group.texture)
        if group.double_sided:
            self._gl.disable(moderngl.CULL_FACE)
        else:
            self._gl.enable(moderngl.CULL_FACE)
        self._gl.front_face = "ccw" if group.mirrored else "cw"
        array = self._array(self._programs.surface(variant))
        array.render_indirect(
            self._commands, moderngl.TRIANGLES, count=group.count, first=group.first
        )

    def _draw_sky(self, picture: Picture) -> None:
        sky = picture.surroundings.sky if "rgb" in picture.target.passes else None
        variant = Variant(
            passes=picture.target.passes,
            texture=None if sky is None else TextureKind.CUBE,
            haze=picture.surroundings.haze is not None,
            ortho=picture.ortho,
        )
        program = self._programs.sky(variant)
        if sky is not None:
            self._textures.use(sky)
        if "colour" in program:
            uniform(program, "colour").value = picture.surroundings.colour
        self._gl.disable(moderngl.CULL_FACE)
        self._array(program).render(moderngl.TRIANGLES, vertices=3)

    def _draw_transparent(self, picture: Picture) -> None:
        """Blend colour back to front, then show the nearest surface in every other pass."""
        target = picture.target.framebuffer
        passes = picture.target.passes
        target.depth_mask = False
        self._gl.enable(moderngl.BLEND)
        self._gl.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        if "rgb" in passes:
            target.color_mask = _masks([name == "rgb" for name in passes])
            for group in picture.plan.transparent:
                self._draw_group(picture, group)
        target.depth_mask = True
        self._gl.disable(moderngl.BLEND)
        if passes != ("rgb",):
            target.color_mask = _masks([name != "rgb" for name in passes])
            for group in picture.plan.transparent:
                self._draw_group(picture, group)
        target.color_mask = _masks([True] * len(passes))

    def _array(self, program: moderngl.Program) -> moderngl.VertexArray:
        """The vertex array that feeds a program; all are made anew when buffers were."""
        if self._version != self._geometries.version:
            self._forget_arrays()
        if program not in self._arrays:
            content: list[tuple[Any, ...]] = [
                (self._geometries.buffers[name], layout, name)
                for name, layout in _STREAMS.items()
                if name in program
            ]
            layout, names = _layout(program)
            if names:
                content.append((self._records, layout, *names))
            indices = self._geometries.buffers["indices"] if content else None
            self._arrays[program] = self._gl.vertex_array(program, content, indices)
        return self._arrays[program]

    def _forget_arrays(self) -> None:
        for array in self._arrays.values():
            array.release()
        self._arrays = {}
        self._version = self._geometries.version

    def _reserve(self, count: int) -> None:
        """Room for this many instances in the per-draw buffers."""
        if count <= self._room:
            return
        if self._room:
            for buffer in (self._commands, self._records):
                buffer.release()
        self._room = max(count, 2 * self._room)
        self._commands = self._gl.buffer(reserve=20 * self._room, dynamic=True)
        self._records = self._gl.buffer(reserve=4 * RECORD * self._room, dynamic=True)
        self._forget_arrays()


def _masks(shown: list[bool]) -> Any:
    masks = tuple(_ALL if show else _NONE for show in shown)
    return masks[0] if len(masks) == 1 else masks


def _layout(program: moderngl.Program) -> tuple[str, list[str]]:
    """How a program reads records: its fields by name, padding in place of the others."""
    names = [name for name in _PER_INSTANCE if name in program]
    fields = [
        kind if name in names else f"{4 * int(kind[0])}x" for name, kind in _PER_INSTANCE.items()
    ]
    return f"{' '.join(fields)} /i", names
