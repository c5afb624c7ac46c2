"""GLSL programs: to measure for the commonest pictures of the opened scene, else shared by many."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import moderngl

from heliograph.lru import LruCache
from heliograph.raster.gl.signals import held_back
from heliograph.raster.light_layouts import KINDS, LightLayout
from heliograph.raster.radiance import LEVELS
from heliograph.raster.shadows import MAX_SHADOWS, atlas_grid
from heliograph.raster.shapes import CAST, SOLVERS
from heliograph.raster.types import MAX_LIGHTS, Shading, TextureKind, ToneMapping, Use

_VERSION = "#version 430\n"
_MOST = 40
"""Programs that are kept besides those of the last view."""
MIRROR_UNIT, SHADOW_UNIT, DEPTHS_UNIT, ALBEDO_UNIT, RADIANCE_UNIT, _FIRST_LAYER_UNIT = range(1, 7)
"""Texture units; unit 0 is the surface's own texture."""
LAYER_UNITS = {use: _FIRST_LAYER_UNIT + place for place, use in enumerate(Use)}
AREA_UNIT = _FIRST_LAYER_UNIT + len(Use)
_UNITS = {
    **{"image": 0, "sky": 0, "mirror": MIRROR_UNIT, "shadow_atlas": SHADOW_UNIT},
    **{"shadow_depths": DEPTHS_UNIT, "albedo": ALBEDO_UNIT, "radiance": RADIANCE_UNIT},
    "lobes": AREA_UNIT,
    **{
        "metallic_roughness": LAYER_UNITS[Use.METALLIC_ROUGHNESS],
        "normals": LAYER_UNITS[Use.NORMAL],
    },
    **{"occlusion": LAYER_UNITS[Use.OCCLUSION], "glow": LAYER_UNITS[Use.EMISSIVE]},
}
_OUTPUTS = {
    "rgb": "vec4 o_rgb",
    "alpha": "vec4 o_alpha",
    "depth": "float o_depth",
    "normals": "vec4 o_normal",
    "segmentation": "int o_id",
    "distance": "float o_distance",
}
ATTACHMENTS = tuple(_OUTPUTS)
"""Order of the attachments of a framebuffer that holds every pass."""
BLENDED = frozenset(("rgb", "alpha"))
"""The passes in which transparent things let others through, and edges are smooth with samples."""
_CHEAP = ("depth", "segmentation", "distance")
_COMMON = (
    ("rgb",),
    ("depth",),
    ("depth", "normals", "segmentation"),
    ("rgb", "depth", "normals", "segmentation"),
)

_MODELS = {
    Shading.LIT: ("LIT", "METALLIC"),
    Shading.HAZY: ("LIT", "METALLIC"),
    Shading.PHONG: ("LIT", "PHONG"),
    Shading.LAMBERT: ("LIT",),
    Shading.UNLIT: (),
    Shading.NORMAL: ("SHOW_NORMAL",),
    Shading.DEPTH: ("SHOW_DEPTH",),
}
"""What the GLSL text tests for each way to make colour in linear light."""

_DARK = LightLayout()


@lru_cache(maxsize=256)
def outputs(
    passes: tuple[str, ...], lights: LightLayout, *, ortho: bool, samples: int
) -> tuple[str, ...]:
    """What programs write for the sake of some passes, in the order of ATTACHMENTS.

    The commonest pictures have programs that write no more than they ask for. All others share
    those that write whatever is cheap besides: else each set of passes would need a program for
    every kind of thing. (To mask what is not wanted is no way out: drivers compile a program again
    for each mask.) The choice follows from the picture and the opened scene alone.
    """
    if passes in _COMMON or not suits_any_projection(passes, lights, ortho=ortho):
        return passes
    written = {*passes, *(BLENDED if "rgb" in passes else ()), *(() if samples else _CHEAP)}
    return tuple(name for name in ATTACHMENTS if name in written)


def suits_any_projection(passes: tuple[str, ...], lights: LightLayout, *, ortho: bool) -> bool:
    """Whether a picture's programs are for orthographic and perspective cameras alike."""
    rare = ortho or "alpha" in passes or "distance" in passes
    return rare or ("rgb" in passes and lights.any_lights)


class Look(NamedTuple):
    """How light is added and shown, as far as it is the same for all of a picture.

    Attributes:
        standard: whether it is added in linear light.
        tone_mapping: how that becomes colours.
        radiance: whether a picture of all around lights it.
    """

    standard: bool = False
    tone_mapping: ToneMapping = ToneMapping.NONE
    radiance: bool = False


CLASSIC = Look()


@dataclass(frozen=True)
class Variant:
    """One program for surfaces.

    Attributes:
        passes: which outputs it writes.
        solver: how the true surface of a built-in shape is computed, an index into SOLVERS.
        texture: kind of texture, or None.
        own_uv: whether texture coordinates are the geometry's own, else from object space.
        three_js: whether those of a shape are three.js's.
        shading: how colour is made.
        double_sided: whether back faces show, with their normal turned.
        any_projection: for orthographic cameras too, else for perspective ones alone.
        haze: whether far parts fade.
        reflective: whether a mirror image is added.
        lights: how many there are, and of what sort.
        vertex_lit: whether light is computed per vertex.
        line: lines instead of triangles.
        cast: whether rays decide the outline, inside of triangles that contain the shape.
        places: where samples are that the outline is decided at, pixels from a pixel's middle;
            empty where it is not.
        boxed: whether those are a box, to be turned to the camera.
        cutout: whether there are holes where the texture is clear.
        emissive: whether light of its own is added.
        tinted: whether vertices have colours.
        extreme: whether scales are guarded against leaving the range of float32.
        look: how light is added and shown.
        layered: whether the texture has layers, or a map of texture coordinates.
        layers: which.
    """

    passes: tuple[str, ...]
    solver: int = 0
    texture: TextureKind | None = None
    own_uv: bool = False
    three_js: bool = False
    shading: Shading = Shading.LIT
    double_sided: bool = False
    any_projection: bool = False
    haze: bool = False
    reflective: bool = False
    lights: LightLayout = _DARK
    vertex_lit: bool = False
    line: bool = False
    cast: bool = False
    places: tuple[tuple[float, float], ...] = ()
    boxed: bool = False
    cutout: bool = False
    emissive: bool = False
    tinted: bool = False
    extreme: bool = False
    look: Look = CLASSIC
    layered: bool = False
    layers: tuple[Use, ...] = ()

    @property
    def needs_surface(self) -> bool:
        """Whether any pixel depends on where exactly the surface is, not only on its triangles."""
        if (self.cast or self.places) and CAST[self.solver]:
            return True
        coloured = "rgb" in self.passes
        lit_here = coloured and not self.vertex_lit and self.shading is not Shading.UNLIT
        uses = (self.texture, self.haze, lit_here, coloured and self.lights.shadows)
        return not {"depth", "normals", "distance"}.isdisjoint(self.passes) or any(uses)

    def defines(self) -> list[str]:
        """Names that the GLSL text tests."""
        exact, flat = ("EXACT" in SOLVERS[self.solver], "FACE" in SOLVERS[self.solver])
        flags = {
            "TEXTURED": self.texture is not None,
            "UNLIT": self.shading is Shading.UNLIT or self.line,
            "OBJECT_FROM_CAMERA": self.texture is not None if flat else exact,
            "SMOOTH": not exact and not self.line,
            "FLAT_TEXTURE": self.texture is TextureKind.FLAT,
            "CUBE_TEXTURE": self.texture is TextureKind.CUBE,
            "NATURAL_UV": exact and self.own_uv,
            "THREE_JS": exact and self.three_js,
            "MESH_UV": not exact and self.own_uv,
            "OBJECT_POINT": not exact and self.texture is not None and not self.own_uv,
            "DOUBLE_SIDED": self.double_sided,
            "ANY_PROJECTION": self.any_projection,
            "HAZE": self.haze,
            "REFLECTIVE": self.reflective,
            "VERTEX_LIT": self.vertex_lit and "rgb" in self.passes,
            "CAST": self.cast and CAST[self.solver],
            "SAMPLED": bool(self.places) and CAST[self.solver],
            "BOXED": self.boxed,
            "CUTOUT": self.cutout,
            "EMISSIVE": self.emissive,
            "TINTED": self.tinted,
            "EXTREME": self.extreme,
            "SIX_FACES": self.lights.six_faces,
            "SOFT": self.lights.soft,
            "AREA": self.lights.area,
            "LAYERED": self.layered,
        }
        names = [name for name, on in flags.items() if on]
        names += [f"LAYER_{use.name} {1 + list(Use).index(use)}" for use in self.layers]
        names += self._light_defines() if self.look.standard and "rgb" in self.passes else []
        return [*names, *SOLVERS[self.solver], *map(str.upper, self.passes)]

    def _light_defines(self) -> list[str]:
        model = () if self.line else _MODELS[self.shading]
        radiance = self.look.radiance and "LIT" in model
        return ["STANDARD", *model, *["RADIANCE"] * radiance, self.look.tone_mapping.name]


class Programs:
    """Compiles each variant once, and forgets those that were not used for long."""

    def __init__(self, gl: moderngl.Context) -> None:
        self._gl = gl
        self._compiled: dict[Hashable, moderngl.Program] = {}
        self._order: LruCache[moderngl.Program] = LruCache(_MOST)
        self._used: set[moderngl.Program] = set()

    def surface(self, variant: Variant) -> moderngl.Program:
        """The program of one variant."""
        return self._get(variant, lambda: self._compile("surface", variant))

    def sky(
        self,
        passes: tuple[str, ...],
        texture: TextureKind | None,
        tone_mapping: ToneMapping | None,
        *,
        haze: bool,
    ) -> moderngl.Program:
        """The program that fills what is behind everything; see `Variant`.

        Args:
            passes: what it writes.
            texture: of what kind the sky is, if there is one.
            tone_mapping: of light from all around, where that is shown instead.
            haze: whether it fades.
        """
        variant = Variant(passes, texture=texture, haze=haze)
        extra = [] if tone_mapping is None else ["RADIANCE_SHOWN", tone_mapping.name]
        return self._get(
            ("sky", variant, tone_mapping), lambda: self._compile("sky", variant, extra)
        )

    def shadow(self, holes: tuple[str, ...] = ()) -> moderngl.Program:
        """The program that draws shadow maps.

        Args:
            holes: what there is to know of things with holes, as names that the GLSL text tests.
        """

        def compile_it() -> moderngl.Program:
            head = _VERSION + "".join(f"#define {flag}\n" for flag in holes)
            vertex, fragment = (
                head + _assembled(_read(f"shadow.{stage}")) for stage in ("vert", "frag")
            )
            return _compiled(self._gl, vertex_shader=vertex, fragment_shader=fragment)

        return self._get(("shadow", holes), compile_it)

    def use(self, program: moderngl.Program) -> None:
        """It belongs to the view that is drawn."""
        self._used.add(program)

    def trim(self) -> set[moderngl.Program]:
        """Forget what was not used for long, once a view is drawn; the caller releases it.

        The last view's programs stay, so that none is compiled for every view however many kinds
        of things it shows.
        """
        for program in self._used:
            self._order.get(program)
        gone = set(self._order.trim(self._used.__contains__))
        self._used.clear()
        if gone:
            kept = self._compiled.items()
            self._compiled = {key: program for key, program in kept if program not in gone}
        return gone

    def _get(self, key: Hashable, make: Callable[[], moderngl.Program]) -> moderngl.Program:
        if key not in self._compiled:
            program = self._compiled[key] = make()
            self._order.put(program, program, 1)
        return self._compiled[key]

    def _compile(self, name: str, variant: Variant, extra: Sequence[str] = ()) -> moderngl.Program:
        flags = [*variant.defines(), *extra]
        head = _VERSION + "".join(f"#define {flag}\n" for flag in flags)
        numbers = _numbers(variant)
        head += "".join(f"#define {name} {number}\n" for name, number in numbers.items())
        head += _read("frame.glsl")
        outs = "".join(
            f"layout(location = {place}) out {_OUTPUTS[name]};\n"
            for place, name in enumerate(variant.passes)
        )
        texts = [_assembled(_read(f"{name}.{stage}")) for stage in ("vert", "frag")]
        program = _compiled(
            self._gl, vertex_shader=head + texts[0], fragment_shader=head + outs + texts[1]
        )
        uniform(program, "Frame").binding = 0
        for sampler, unit in _UNITS.items():
            if sampler in program:
                uniform(program, sampler).value = unit
        return program


def _numbers(variant: Variant) -> dict[str, object]:
    """Macros with values; those about lights are known now, or read from the frame block."""
    lights = variant.lights
    numbers: dict[str, object] = {
        "MAX_LIGHTS": MAX_LIGHTS,
        "MAX_SHADOWS": MAX_SHADOWS,
        "SHADOWS": lights.shadows,
        "RADIANCE_LEVELS": LEVELS,
        "ORTHO": "(orthographic > 0.0)" if variant.any_projection else "false",
        "PLACES": f"vec2[]({', '.join(f'vec2{place}' for place in variant.places)})",
        **{name: number for number, name in enumerate(KINDS)},
    }
    if lights.any_lights:
        loop = "for (int i = 0; i < shadow_count; ++i) { ADD_SHADOWED(i) }"
        return numbers | {
            "ATLAS_COLUMNS": "atlas_grid.x",
            "ATLAS_ROWS": "atlas_grid.y",
            "SHADOWED_LIGHTS": loop if lights.shadows else "",
            "OTHER_LIGHTS": "for (int i = int(shadow_count); i < light_count; ++i) { ADD(i) }",
        }
    columns, rows = atlas_grid(lights.shadows)
    return numbers | {
        "ATLAS_COLUMNS": columns,
        "ATLAS_ROWS": rows,
        "SHADOWED_LIGHTS": _each("ADD_SHADOWED", range(lights.shadows)),
        "OTHER_LIGHTS": _each("ADD", range(lights.shadows, len(lights.kinds))),
        "KINDS": sum(kind << 3 * row for row, kind in enumerate(lights.kinds)),
    }


def uniform(program: moderngl.Program, name: str) -> Any:
    """A uniform or block by name; moderngl types it as any member of a program."""
    return program[name]


def _compiled(gl: moderngl.Context, vertex_shader: str, fragment_shader: str) -> moderngl.Program:
    """A program of these texts; a signal handler that raised on the way would crash moderngl."""
    with held_back():
        return gl.program(vertex_shader=vertex_shader, fragment_shader=fragment_shader)


def _assembled(text: str) -> str:
    """A shader's text with what it includes."""
    for part in ("tone", "standard", "lighting", "shadows", "shape_uv"):
        text = text.replace(f"#include {part}\n", _read(f"{part}.glsl"))
    return text


def _each(macro: str, rows: range) -> str:
    return " ".join(f"{macro}({row})" for row in rows)


def _read(name: str) -> str:
    return (files("heliograph.raster.gl") / "shaders" / name).read_text()
