"""GLSL programs: one per combination of what is drawn; nothing unasked for costs anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import moderngl

from heliograph.raster.shapes import CAST, SOLVERS
from heliograph.raster.types import LightKind, Shading, TextureKind

MAX_LIGHTS = 32
MAX_SHADOWS = 8
MIRROR_UNIT, SHADOW_UNIT = 1, 2
"""Texture units; unit 0 is the surface's own texture."""
_OUTPUTS = {
    "rgb": "vec4 o_rgb",
    "depth": "float o_depth",
    "normals": "vec4 o_normal",
    "segmentation": "int o_id",
}
ATTACHMENTS = tuple(_OUTPUTS)
"""Order of the attachments of a framebuffer that holds every pass."""


@dataclass(frozen=True)
class LightPlan:
    """What a shader must know of the lights: their kinds, and which of them have shadow maps."""

    kinds: tuple[LightKind, ...] = ()
    shadows: tuple[int, ...] = ()


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
        lights: what the shader must know of them.
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
    lights: LightPlan = field(default_factory=LightPlan)
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
        return "depth" in self.passes or "normals" in self.passes or any(uses)

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
        }
        names = [name for name, on in flags.items() if on]
        return [*names, *SOLVERS[self.solver], *map(str.upper, self.passes)]


class Programs:
    """Compiles each variant once."""

    def __init__(self, gl: moderngl.Context) -> None:
        self._gl = gl
        self._surfaces: dict[Variant, moderngl.Program] = {}
        self._skies: dict[Variant, moderngl.Program] = {}
        self._shadows: dict[bool, moderngl.Program] = {}

    def surface(self, variant: Variant) -> moderngl.Program:
        """The program of one variant."""
        if variant not in self._surfaces:
            self._surfaces[variant] = self._compile("surface", variant)
        return self._surfaces[variant]

    def sky(self, variant: Variant) -> moderngl.Program:
        """The program that fills what is behind everything."""
        if variant not in self._skies:
            self._skies[variant] = self._compile("sky", variant)
        return self._skies[variant]

    def shadow(self, *, cutout: bool) -> moderngl.Program:
        """The program that draws shadow maps; of meshes with holes with `cutout`."""
        if cutout not in self._shadows:
            head = _version() + "#define CUTOUT\n" * cutout
            self._shadows[cutout] = self._gl.program(
                vertex_shader=head + _read("shadow.vert"),
                fragment_shader=head + _read("shadow.frag"),
            )
        return self._shadows[cutout]

    def _compile(self, name: str, variant: Variant) -> moderngl.Program:
        head = _version() + "".join(f"#define {flag}\n" for flag in variant.defines())
        head += f"#define MAX_LIGHTS {MAX_LIGHTS}\n#define MAX_SHADOWS {MAX_SHADOWS}\n"

        head += f"#define SHADOWS {len(variant.lights.shadows)}\n" + _read("frame.glsl")
        outputs = "".join(
            f"layout(location = {place}) out {_OUTPUTS[name]};\n"
            for place, name in enumerate(variant.passes)
        )
        texts = [_assembled(_read(f"{name}.{stage}"), variant) for stage in ("vert", "frag")]
        program = self._gl.program(
            vertex_shader=head + texts[0], fragment_shader=head + outputs + texts[1]
        )
        uniform(program, "Frame").binding = 0
        for sampler, unit in (("image", 0), ("sky", 0), ("mirror", MIRROR_UNIT)):
            if sampler in program:
                uniform(program, sampler).value = unit
        if "shadow_maps" in program:
            units = [SHADOW_UNIT + place for place in range(len(variant.lights.shadows))]
            uniform(program, "shadow_maps").value = units if len(units) > 1 else units[0]
        return program


def uniform(program: moderngl.Program, name: str) -> Any:
    """A uniform or block by name; moderngl types it as any member of a program."""
    return program[name]


def _assembled(text: str, variant: Variant) -> str:
    """A shader's text with what it includes, and the code that its lights need."""
    lights = variant.lights
    for part in ("lighting", "shadows"):
        text = text.replace(f"#include {part}\n", _read(f"{part}.glsl"))
    shadowed = [
        f"lit += lit_part({place}, POINT) * v_direct[{place}];"
        for place in range(len(lights.shadows))
    ]
    made = {
        "LIGHT_VERTEX": _light_calls(lights, "clamp(direct, 0.0, 1.0)", "v_direct[{}] = {}"),
        "LIGHT_PIXEL": _light_calls(lights, "direct", "sum += lit_part({}, point) * {}"),
        "SHADOWED_LIGHT": "\n    ".join(shadowed),
        "SHADOW_LOOKUP": _shadow_lookup(len(lights.shadows)),
    }
    for name, code in made.items():
        text = text.replace(name, code)
    return text


def _light_calls(lights: LightPlan, direct: str, shadowed: str) -> str:
    """One call for each light; `shadowed` says what becomes of one that casts shadows."""
    lines = []
    for place, kind in enumerate(lights.kinds):
        flags = (
            kind is LightKind.HEAD,
            kind in (LightKind.POINT, LightKind.SPOT),
            kind is LightKind.SPOT,
        )
        head, positional, spot = (str(flag).lower() for flag in flags)
        lines.append(
            f"add_light({place}, {head}, {positional}, {spot}, rgb, surface, point, normal, view,"
            " sum, direct);"
        )
        if place in lights.shadows:
            lines.append(f"{shadowed.format(lights.shadows.index(place), direct)};")
        else:
            lines.append("sum += direct;")
    return "\n    ".join(lines)


def _shadow_lookup(count: int) -> str:
    """Samplers may only be indexed by constants, so the choice is spelled out."""
    text = f"texture(shadow_maps[{max(count - 1, 0)}], q)"
    for place in reversed(range(count - 1)):
        text = f"(map == {place} ? texture(shadow_maps[{place}], q) : {text})"
    return text


def _version() -> str:
    return "#version 430\n"


def _read(name: str) -> str:
    return (files("heliograph.raster.gl") / "shaders" / name).read_text()
