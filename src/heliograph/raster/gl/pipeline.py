"""Draws one plan into one framebuffer: opaque things, what is behind them, transparent things."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import moderngl
import numpy as np
from numpy.typing import NDArray

from heliograph.raster.frame_block import BEHIND, BRIGHTNESS, SIZE
from heliograph.raster.gl.buffers import VertexBuffers
from heliograph.raster.gl.depth import IN_FRONT, NEARER, window_from_camera
from heliograph.raster.gl.light_maps import LightMaps, RadianceMap
from heliograph.raster.gl.programs import (
    BLENDED,
    CLASSIC,
    DEPTHS_UNIT,
    MIRROR_UNIT,
    SHADOW_UNIT,
    Look,
    Programs,
    Variant,
    suits_any_projection,
    uniform,
)
from heliograph.raster.gl.targets import Target, TargetCache
from heliograph.raster.gl.textures import GlTextureStore
from heliograph.raster.light_layouts import LightLayout
from heliograph.raster.paint import MATERIAL_RECORD
from heliograph.raster.plan import MAP_RECORD, Group, Plan
from heliograph.raster.prepared import Prepared
from heliograph.raster.shapes import SOLVERS, plain
from heliograph.raster.sort_keys import Kind
from heliograph.raster.types import Environment, Shading, Side, TextureKind

_STREAMS = {"in_position": "3f", "in_normal": "3f", "in_uv": "2f", "in_colour": "4f2"}
_MAPS = {**dict.fromkeys(("in_row0", "in_row1", "in_row2"), "4f"), "in_length": "1f"}
_MATERIALS = {
    **dict.fromkeys(("in_rgba", "in_surface", "in_texturing"), "4f"),
    "in_id": "1i",
    "in_offset": "2f",
    "in_emissive": "3f",
    "in_reflectance": "1f",
}
"""The fields of the records per instance in order, as plan.py and prepared.py lay them out."""

_SEAMLESS_CUBES = 0x884F


@dataclass(eq=False)
class Picture:
    """Everything one draw needs.

    Attributes:
        target: where to.
        plan: the draw commands, in order.
        block: the uniform block, as far as it is used.
        lights: how many lights there are, and of what sort.
        environment: what is behind everything.
        ortho: whether the camera is orthographic.
        vertex_lit: whether light is computed per vertex.
        mirror: what reflective surfaces show, or None.
        shadows: the shadow maps, or None.
        reflected: whether the camera's axes are left-handed, as those of one behind a mirror.
        look: how light is added and shown.
        radiance: the picture that lights the scene, on the GPU; or None.
    """

    target: Target
    plan: Plan
    block: NDArray[np.float32]
    lights: LightLayout
    environment: Environment
    ortho: bool = False
    vertex_lit: bool = False
    mirror: moderngl.Texture | None = None
    shadows: moderngl.Texture | None = None
    reflected: bool = False
    look: Look = CLASSIC
    radiance: RadianceMap | None = None

    @property
    def backdrop(self) -> tuple[float, float, float] | None:
        """The colour of the background, where it is plain and only rgb is drawn."""
        back = self.environment
        plain = self.target.passes == ("rgb",) and back.sky is None and back.haze is None
        return back.colour if plain and not self.lit_sky else None

    @property
    def lit_sky(self) -> bool:
        """Whether the picture that lights the scene is its background."""
        return self.radiance is not None and self.environment.radiance_shown and self.coloured

    @property
    def coloured(self) -> bool:
        """Whether rgb is among its passes."""
        return "rgb" in self.target.passes

    @property
    def hazy(self) -> bool:
        """Whether far parts may fade."""
        return self.coloured and self.environment.haze is not None


class State(NamedTuple):
    """What GL is set to for a run of draw commands."""

    program: moderngl.Program
    texture: int
    form: tuple[object, ...]
    side: Side
    mirrored: bool
    line: int


class Pipeline:
    """Programs, vertex arrays and per-draw buffers of one rasterizer."""

    def __init__(
        self,
        gl: moderngl.Context,
        buffers: VertexBuffers,
        textures: GlTextureStore,
        light_maps: LightMaps,
    ) -> None:
        self._gl = gl
        self._buffers = buffers
        self._textures = textures
        self._programs = Programs(gl)
        self._arrays: dict[moderngl.Program, moderngl.VertexArray] = {}
        self._bases: dict[tuple[Any, ...], tuple[Variant, dict[Kind, State]]] = {}
        self._colours: dict[moderngl.Program, tuple[float, float, float]] = {}
        self._version = -1
        self._room = 0
        self._commands: moderngl.Buffer
        self._maps: moderngl.Buffer
        self._materials: moderngl.Buffer
        self._uploaded: Prepared | None = None
        self._skies = TargetCache(gl)
        self._light_maps = light_maps
        # Depths as numbers, where the texture itself compares them.
        self._plain_depths = gl.sampler(
            repeat_x=False, repeat_y=False, filter=(gl.NEAREST, gl.NEAREST), compare_func=""
        )
        self._frame = gl.buffer(reserve=4 * SIZE, dynamic=True)
        self._reserve(64)
        gl.enable_direct(_SEAMLESS_CUBES)

    def draw(self, picture: Picture) -> None:
        """Draw into the picture's target; every pixel of every pass is written."""
        self._upload(picture.plan, picture.block)
        sky = self._cached_sky(picture)
        if picture.shadows is not None:
            picture.shadows.use(SHADOW_UNIT)
            if picture.lights.soft:
                picture.shadows.use(DEPTHS_UNIT)
                self._plain_depths.use(DEPTHS_UNIT)
        if picture.mirror is not None:
            picture.mirror.use(MIRROR_UNIT)
        if picture.look.standard:
            self._light_maps.use(picture.radiance)
        picture.target.begin(picture.backdrop)
        self._gl.enable_only(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        self._gl.depth_func = NEARER  # what is later in the scene is drawn first
        self._gl.polygon_offset = 0.0, 0.0  # shadow maps have another
        self._draw_groups(picture, picture.plan.opaque)
        self._gl.depth_func = IN_FRONT
        if picture.backdrop is None:
            self._draw_sky(picture, sky)
        if picture.plan.transparent:
            self._draw_transparent(picture)

    def draw_depth(self, plan: Plan, clip_from_camera: NDArray[np.float64]) -> None:
        """Draw a plan's depth alone into the framebuffer in use (shadow maps).

        Depth goes from 0 to 1 there where OpenGL's `clip_from_camera` (4, 4) has -1 to 1.
        """
        self._upload(plan, None)
        matrix = window_from_camera(clip_from_camera).T.astype(np.float32).tobytes()
        for (texture, holes), first, count in self._casters(plan):
            program = self._programs.shadow(holes)
            uniform(program, "clip_from_camera").write(matrix)
            if texture >= 0:
                self._textures.use(texture, program)
            self._array(program).render_indirect(
                self._commands, moderngl.TRIANGLES, count=count, first=first
            )

    def trim(self) -> None:
        """Free programs that were not used for long; call it after each view."""
        gone = self._programs.trim()
        for program in gone:
            if program in self._arrays:
                self._arrays.pop(program).release()
            self._colours.pop(program, None)
            program.release()
        if gone:
            for _, states in self._bases.values():
                for kind in [kind for kind, how in states.items() if how.program in gone]:
                    del states[kind]

    def _casters(self, plan: Plan) -> list[tuple[tuple[int, tuple[str, ...]], int, int]]:
        """Runs of draw commands: how holes are cut into them, first, number.

        Holes: the texture that is clear there or -1, and what `Programs.shadow` must know. Only
        what has texture coordinates in its vertices, or three.js's, casts a shadow with holes.
        """
        runs: list[tuple[tuple[int, tuple[str, ...]], int, int]] = []
        for kind, first, count in (*plan.opaque, *plan.transparent):
            how: tuple[int, tuple[str, ...]] = -1, ()
            solver = SOLVERS[kind.solver]
            if kind.cutout and kind.own_uv and (kind.three_js or not solver):
                laid = ("LAYERED",) if self._textures.at(kind.texture).layered else ()
                how = kind.texture, ("CUTOUT", *laid, *(("THREE_JS", *solver) if solver else ()))
            if runs and runs[-1][0] == how:
                runs[-1] = how, runs[-1][1], runs[-1][2] + count
            else:
                runs.append((how, first, count))
        return runs

    def _upload(self, plan: Plan, block: NDArray[np.float32] | None) -> None:
        self._reserve(len(plan.maps))
        if len(plan.commands):
            self._commands.write(plan.commands)
            self._maps.write(plan.maps)
            if self._uploaded is not plan.prepared:
                self._uploaded = None
                self._materials.write(plan.prepared.records)
                self._uploaded = plan.prepared
        if block is not None:
            self._frame.write(block)
            self._frame.bind_to_uniform_block(0)

    def _draw_groups(self, picture: Picture, groups: list[Group], *, blended: bool = False) -> None:
        for how, first, count in self._calls(picture, groups):
            if how.texture >= 0:
                self._textures.use(how.texture, how.program)
            self._gl.front_face = "ccw" if how.mirrored != picture.reflected else "cw"
            mode = moderngl.TRIANGLES
            if how.line:
                mode, self._gl.line_width = moderngl.LINES, how.line
            array = self._array(how.program)
            for side, command, number in _turns(how.side, first, count, blended=blended):
                if side is Side.DOUBLE:
                    self._gl.disable(moderngl.CULL_FACE)
                else:
                    self._gl.enable(moderngl.CULL_FACE)
                    self._gl.cull_face = "front" if side is Side.BACK else "back"
                array.render_indirect(self._commands, mode, count=number, first=command)

    def _base(self, picture: Picture) -> tuple[Variant, dict[Kind, State]]:
        """What a picture's programs have in common, and the GL state of each kind of instance."""
        key = (
            picture.target.passes,
            picture.ortho,
            picture.hazy,
            picture.mirror is not None,
            picture.lights if picture.coloured else LightLayout(),
            picture.vertex_lit,
            picture.target.cast,
            picture.target.places,
            picture.plan.extreme,
            picture.look if picture.coloured else CLASSIC,
        )
        if key not in self._bases:
            passes, ortho, haze, reflective, lights, vertex_lit, cast, places, extreme, look = key
            base = Variant(
                passes=passes,
                any_projection=suits_any_projection(passes, lights, ortho=ortho),
                haze=haze,
                reflective=reflective,
                lights=lights,
                vertex_lit=vertex_lit,
                cast=cast,
                places=places,
                extreme=extreme,
                look=look,
            )
            self._bases[key] = base, {}
        return self._bases[key]

    def _calls(self, picture: Picture, groups: list[Group]) -> list[tuple[State, int, int]]:
        """The draw calls: GL state, first command, number; neighbours with one state are merged."""
        base, states = self._base(picture)
        calls: list[tuple[State, int, int]] = []
        for kind, first, count in groups:
            how = states.get(kind)
            if how is None or self._outdated(how):
                how = states[kind] = self._state(base, kind)
            if calls and calls[-1][0] == how:
                calls[-1] = how, calls[-1][1], calls[-1][2] + count
            else:
                calls.append((how, first, count))
        return calls

    def _outdated(self, how: State) -> bool:
        """Whether another texture has the handle by now, for which the program is not made."""
        return how.texture >= 0 and how.form != self._textures.at(how.texture).form

    def _state(self, base: Variant, kind: Kind) -> State:
        coloured = "rgb" in base.passes
        blended = not BLENDED.isdisjoint(base.passes)
        looked_up = kind.texture >= 0 and (blended or kind.cutout)
        made = self._textures.at(kind.texture) if looked_up else None
        texture = None if made is None else made.kind
        layers = tuple(made.layers) if made is not None and base.look.standard else ()
        variant = replace(
            base,
            solver=kind.solver,
            texture=texture,
            own_uv=kind.own_uv and texture is TextureKind.FLAT,
            three_js=kind.three_js and texture is TextureKind.FLAT and bool(SOLVERS[kind.solver]),
            double_sided=kind.side is not Side.FRONT,
            shading=kind.shading if coloured else Shading.LIT,
            haze=base.haze and kind.shading is Shading.HAZY,
            reflective=base.reflective and kind.reflective,
            vertex_lit=base.vertex_lit
            and not (kind.side is not Side.FRONT or kind.line or kind.boxed),
            line=kind.line > 0,
            boxed=kind.boxed,
            cutout=kind.cutout,
            emissive=coloured and kind.emissive,
            tinted=kind.tinted and (blended or kind.cutout),
            layered=made is not None and made.layered and texture is TextureKind.FLAT,
            layers=layers if coloured else (),
        )
        if not variant.needs_surface:
            variant = replace(variant, solver=plain(kind.solver))
        return State(
            program=self._programs.surface(variant),
            texture=-1 if variant.texture is None else kind.texture,
            form=() if made is None else made.form,
            side=kind.side,
            mirrored=kind.mirrored,
            line=kind.line,
        )

    def _draw_sky(self, picture: Picture, image: moderngl.Texture | None) -> None:
        sky = picture.environment.sky if picture.coloured else None
        read = None if sky is None or picture.lit_sky else TextureKind.CUBE
        tone = picture.look.tone_mapping if picture.lit_sky else None
        if image is not None:
            read, tone = TextureKind.FLAT, None
            image.use(0)
        elif picture.radiance is not None and picture.lit_sky:
            picture.radiance.seen.use(0)
        elif sky is not None:
            self._textures.use(sky)
        haze = picture.hazy and read is not TextureKind.FLAT
        program = self._programs.sky(picture.target.passes, read, tone, haze=haze)
        colour = picture.environment.colour
        if self._colours.get(program) != colour:
            self._colours.pop(program, None)
            if "colour" in program:
                uniform(program, "colour").value = colour
            self._colours[program] = colour
        self._gl.disable(moderngl.CULL_FACE)
        self._array(program).render(moderngl.TRIANGLES, vertices=3)

    def _cached_sky(self, picture: Picture) -> moderngl.Texture | None:
        """A picture of the sky that was drawn for the same camera before, or None.

        Looking up a cube map costs more than the rest of a pixel, and most cameras stand still: a
        sky is cached from the second time on, so that a camera that never returns costs nothing.
        """
        if not picture.coloured or (picture.environment.sky is None and not picture.lit_sky):
            return None
        lens = picture.block[BEHIND].tobytes(), picture.ortho
        shown = (picture.look, picture.block[BRIGHTNESS].tobytes()) if picture.lit_sky else None
        key = (lens, picture.target.size, picture.environment, shown)
        if not self._skies.seen(key):
            return None
        target = self._skies.get(key)
        if target is None:
            target = self._skies.blank(picture.target.size)
            target.framebuffer.use()
            self._gl.enable_only(moderngl.NOTHING)
            self._draw_sky(replace(picture, target=target), None)
            self._skies.keep(key, target)
        return target.images[0]

    def _draw_transparent(self, picture: Picture) -> None:
        """Blend colour and alpha back to front, then show the nearest surface in other passes."""
        target, passes = picture.target, picture.target.passes
        blended = [name for name in passes if name in BLENDED]
        target.framebuffer.depth_mask = False
        self._gl.enable(moderngl.BLEND)
        self._gl.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        if blended:
            target.write_only(blended)
            self._draw_groups(picture, picture.plan.transparent, blended=True)
        target.framebuffer.depth_mask = True
        self._gl.disable(moderngl.BLEND)
        if len(blended) < len(passes):
            target.write_only([name for name in passes if name not in BLENDED])
            self._draw_groups(picture, picture.plan.transparent)
        target.write_only(passes)

    def _array(self, program: moderngl.Program) -> moderngl.VertexArray:
        """The vertex array that feeds a program; all are made anew when buffers were."""
        self._programs.use(program)
        if self._version != self._buffers.version:
            self._forget_arrays()
        if program not in self._arrays:
            content: list[tuple[Any, ...]] = [
                (self._buffers.buffers[name], layout, name)
                for name, layout in _STREAMS.items()
                if name in program
            ]
            for buffer, fields in ((self._maps, _MAPS), (self._materials, _MATERIALS)):
                layout, names = _layout(program, fields)
                if names:
                    content.append((buffer, layout, *names))
            indices = self._buffers.buffers["indices"] if content else None
            self._arrays[program] = self._gl.vertex_array(program, content, indices)
        return self._arrays[program]

    def _forget_arrays(self) -> None:
        arrays, self._arrays = self._arrays, {}
        for array in arrays.values():
            array.release()
        self._version = self._buffers.version

    def _reserve(self, count: int) -> None:
        """Room for this many instances in the per-draw buffers."""
        if count <= self._room:
            return
        room = max(count, 2 * self._room)
        made = [
            self._gl.buffer(reserve=size * room, dynamic=True)
            for size in (20, 4 * MAP_RECORD, 4 * MATERIAL_RECORD)
        ]
        old = [self._commands, self._maps, self._materials] if self._room else []
        self._uploaded = None
        self._forget_arrays()
        self._commands, self._maps, self._materials = made
        self._room = room
        for buffer in old:
            buffer.release()


def _turns(side: Side, first: int, count: int, *, blended: bool) -> Iterator[tuple[Side, int, int]]:
    """In which turns commands are drawn: what blends and has two sides one by one, back first."""
    if not blended or side is not Side.DOUBLE:
        yield side, first, count
        return
    for command in range(first, first + count):
        yield Side.BACK, command, 1
        yield Side.FRONT, command, 1


def _layout(program: moderngl.Program, fields: dict[str, str]) -> tuple[str, list[str]]:
    """How a program reads records: its fields by name, padding in place of the others."""
    names = [name for name in fields if name in program]
    parts = [kind if name in names else f"{4 * int(kind[0])}x" for name, kind in fields.items()]
    return f"{' '.join(parts)} /i", names
