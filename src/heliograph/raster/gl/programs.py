"""GLSL programs: one per combination of features, so that unused features cost nothing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

import moderngl

from heliograph.raster.gl.signals import held_back
from heliograph.raster.shadows import MAX_SHADOWS, atlas_grid
from heliograph.raster.shapes import CAST, SOLVERS
from heliograph.raster.types import MAX_LIGHTS, Shading, TextureKind

_VERSION = "#version 430\n"
MAX_ROWS = MAX_LIGHTS + MAX_SHADOWS
"""Rows of the frame block's table of lights: some are black, to make up the number."""
MIRROR_UNIT, SHADOW_UNIT = 1, 2
"""Texture units; unit 0 is the surface's own texture."""
_UNITS = {"image": 0, "sky": 0, "mirror": MIRROR_UNIT, "shadow_atlas": SHADOW_UNIT}
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

KINDS = ("HEAD_LIGHT", "PARALLEL_LIGHT", "POINT_LIGHT", "SPOT_LIGHT")
"""What a light is to a program."""


class LightLayout(NamedTuple):
    """What programs are compiled for of the lights; all else is data.

    Attributes:
        shadows: how many of the first have shadow maps.
        six_faces: whether any of those may be a point light.
        kinds: what each one is, an index into KINDS; empty for programs that suit all lights.
    """

    shadows: int = 0
    six_faces: bool = False
    kinds: tuple[int, ...] = (0,)


_DARK = LightLayout()


@dataclass(frozen=True)
class Variant:
    """One program for surfaces.

    Attributes:
        passes: which outputs it writes.
        solver: how the true surface of a built-in shape is computed, an index into SOLVERS.
        texture: kind of texture, or None.
        own_uv: whether texture coordinates are the geometry's own, else from object space.
        shading: how colour is made.
        double_sided: whether back faces show, with their normal turned.
        ortho: orthographic camera.
        haze: whether far parts fade.
        reflective: whether a mirror image is added.
        lights: how many there are, and of what sort.
        vertex_lit: whether light is computed per vertex.
        line: lines instead of triangles.
        cast: whether rays decide the outline, inside of triangles that contain the shape.
        boxed: whether those are a box, to be turned to the camera.
        cutout: whether there are holes where the texture is clear.
        emissive: whether light of its own is added.
    """

    passes: tuple[str, ...]
    solver: int = 0
    texture: TextureKind | None = None
    own_uv: bool = False
    shading: Shading = Shading.LIT
    double_sided: bool = False
    ortho: bool = False
    haze: bool = False
    reflective: bool = False
    lights: LightLayout = _DARK
    vertex_lit: bool = False
    line: bool = False
    cast: bool = False
    boxed: bool = False
    cutout: bool = False
    emissive: bool = False

    @property
    def needs_surface(self) -> bool:
        """Whether any pixel depends on where exactly the surface is, not only on its triangles."""
        if self.cast and CAST[self.solver]:
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
            "MESH_UV": not exact and self.own_uv,
            "OBJECT_POINT": not exact and self.texture is not None and not self.own_uv,
            "DOUBLE_SIDED": self.double_sided,
            "ORTHO": self.ortho,
            "HAZE": self.haze,
            "REFLECTIVE": self.reflective,
            "VERTEX_LIT": self.vertex_lit and "rgb" in self.passes,
            "CAST": self.cast and CAST[self.solver],
            "BOXED": self.boxed,
            "CUTOUT": self.cutout,
            "EMISSIVE": self.emissive,
            "SIX_FACES": self.lights.six_faces,
        }
        names = [name for name, on in flags.items() if on]
        return [*names, *SOLVERS[self.solver], *map(str.upper, self.passes)]


class Programs:
    """Compiles each variant once."""

    def __init__(self, gl: moderngl.Context) -> None:
        self._gl = gl
        self._surfaces: dict[Variant, moderngl.Program] = {}
        self._skies: dict[tuple[Any, ...], moderngl.Program] = {}
        self._shadows: dict[bool, moderngl.Program] = {}

    def surface(self, variant: Variant) -> moderngl.Program:
        """The program of one variant."""
        if variant not in self._surfaces:
            self._surfaces[variant] = self._compile("surface", variant)
        return self._surfaces[variant]

    def sky(
        self, passes: tuple[str, ...], texture: TextureKind | None, *, haze: bool, ortho: bool
    ) -> moderngl.Program:
        """The program that fills what is behind everything; see `Variant`."""
        key = passes, texture, haze, ortho
        if key not in self._skies:
            variant = Variant(passes, texture=texture, haze=haze, ortho=ortho)
            self._skies[key] = self._compile("sky", variant)
        return self._skies[key]

    def shadow(self, *, cutout: bool) -> moderngl.Program:
        """The program that draws shadow maps; of meshes with holes with `cutout`."""
        if cutout not in self._shadows:
            head = _VERSION + "#define CUTOUT\n" * cutout
            self._shadows[cutout] = _compiled(
                self._gl,
                vertex_shader=head + _read("shadow.vert"),
                fragment_shader=head + _read("shadow.frag"),
            )
        return self._shadows[cutout]

    def _compile(self, name: str, variant: Variant) -> moderngl.Program:
        head = _VERSION + "".join(f"#define {flag}\n" for flag in variant.defines())
        lights = variant.lights
        columns, rows = atlas_grid(lights.shadows)
        numbers: dict[str, object] = {
            "MAX_LIGHTS": MAX_ROWS,
            "MAX_SHADOWS": MAX_SHADOWS,
            "SHADOWS": lights.shadows,
            "ATLAS_COLUMNS": columns,
            "ATLAS_ROWS": rows,
            "SHADOWED_LIGHTS": _each("ADD_SHADOWED", range(lights.shadows)),
            "OTHER_LIGHTS": _each("ADD", range(lights.shadows, len(lights.kinds))),
            **{name: number for number, name in enumerate(KINDS)},
        }
        if lights.kinds:
            numbers["KINDS"] = sum(kind << 2 * row for row, kind in enumerate(lights.kinds))
        else:
            numbers["OTHER_LIGHTS"] = "for (int i = SHADOWS; i < light_count; ++i) { ADD(i) }"
        head += "".join(f"#define {name} {number}\n" for name, number in numbers.items())
        head += _read("frame.glsl")
        outputs = "".join(
            f"layout(location = {place}) out {_OUTPUTS[name]};\n"
            for place, name in enumerate(variant.passes)
        )
        texts = [_assembled(_read(f"{name}.{stage}")) for stage in ("vert", "frag")]
        program = _compiled(
            self._gl, vertex_shader=head + texts[0], fragment_shader=head + outputs + texts[1]
        )
        uniform(program, "Frame").binding = 0
        for sampler, unit in _UNITS.items():
            if sampler in program:
                uniform(program, sampler).value = unit
        return program


def uniform(program: moderngl.Program, name: str) -> Any:
    """A uniform or block by name; moderngl types it as any member of a program."""
    return program[name]


def _compiled(gl: moderngl.Context, vertex_shader: str, fragment_shader: str) -> moderngl.Program:
    """A program of these texts; a signal handler that raised on the way would crash moderngl."""
    with held_back():
        return gl.program(vertex_shader=vertex_shader, fragment_shader=fragment_shader)


def _assembled(text: str) -> str:
    """A shader's text with what it includes."""
    for part in ("lighting", "shadows"):
        text = text.replace(f"#include {part}\n", _read(f"{part}.glsl"))
    return text


def _each(macro: str, rows: range) -> str:
    return " ".join(f"{macro}({row})" for row in rows)


def _read(name: str) -> str:
    return (files("heliograph.raster.gl") / "shaders" / name).read_text()
