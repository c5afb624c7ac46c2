"""GLSL programs: one per combination of what is drawn; nothing unasked for costs anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import moderngl

from heliograph.raster.drawables import LightKind, Shading, TextureKind
from heliograph.raster.shapes import SOLVERS

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

    def defines(self) -> list[str]:
        """Names that the GLSL text tests."""
        exact = self.solver > 0
        flags = {
            "EXACT": exact,
            "TEXTURED": self.texture is not None,
            "UNLIT": self.shading is Shading.UNLIT,
            "PLANE_ONLY_Z": bool(SOLVERS[self.solver].get("PLANE")) and self.texture is None,
            "SMOOTH": not exact,
            "FLAT_TEXTURE": self.texture is TextureKind.FLAT,
            "CUBE_TEXTURE": self.texture is TextureKind.CUBE,
            "NATURAL_UV": exact and self.own_uv,
            "MESH_UV": not exact and self.own_uv,
            "OBJECT_POINT": not exact and self.texture is not None and not self.own_uv,
            "DOUBLE_SIDED": self.double_sided,
            "ORTHO": self.ortho,
            "HAZE": self.haze,
            "REFLECTIVE": self.reflective,
        }
        names = [name for name, on in flags.items() if on]
        names += [f"{name} {value}" for name, value in SOLVERS[self.solver].items()]
        return names + [name.upper() for name in self.passes]


class Programs:
    """Compiles each variant once."""

    def __init__(self, gl: moderngl.Context) -> None:
        self._gl = gl
        self._surfaces: dict[Variant, moderngl.Program] = {}
        self._skies: dict[Variant, moderngl.Program] = {}
        self._shadow: moderngl.Program | None = None

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

    @property
    def shadow(self) -> moderngl.Program:
        """The program that draws shadow maps."""
        if self._shadow is None:
            self._shadow = self._gl.program(
                vertex_shader=_version() + _read("shadow.vert"),
                fragment_shader=_version() + _read("shadow.frag"),
            )
        return self._shadow

    def _compile(self, name: str, variant: Variant) -> moderngl.Program:
        head = _version() + "".join(f"#define {flag}\n" for flag in variant.defines())
        head += f"#define MAX_LIGHTS {MAX_LIGHTS}\n#define MAX_SHADOWS {MAX_SHADOWS}\n"

        head += f"#define SHADOWS {len(variant.lights.shadows)}\n" + _read("frame.glsl")
        outputs = "".join(
            f"layout(location = {place}) out {_OUTPUTS[name]};\n"
            for place, name in enumerate(variant.passes)
        )
        body = _read(f"{name}.frag").replace("#include lighting", _lighting(variant.lights))
        program = self._gl.program(
            vertex_shader=head + _read(f"{name}.vert"), fragment_shader=head + outputs + body
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


def _lighting(lights: LightPlan) -> str:
    calls = []
    for place, kind in enumerate(lights.kinds):
        head = str(kind is LightKind.HEAD).lower()
        positional = str(kind in (LightKind.POINT, LightKind.SPOT)).lower()
        spot = str(kind is LightKind.SPOT).lower()
        shadow = "1.0"
        if place in lights.shadows:
            shadow = f"lit_part({lights.shadows.index(place)}, point)"
        calls.append(
            f"sum += add_light({place}, {head}, {positional}, {spot}, {shadow}, rgb, v_surface, "
            "point,"
            " normal, view);"
        )
    text = _read("lighting.glsl").replace("SHADE_LIGHTS", "\n    ".join(calls))
    return text.replace("SHADOW_LOOKUP", _shadow_lookup(len(lights.shadows)))


def _shadow_lookup(count: int) -> str:
    """Samplers may only be indexed by constants, so the choice is spelled out."""
    text = f"texture(shadow_maps[{max(count - 1, 0)}], q)"
    for place in reversed(range(count - 1)):
        text = f"(map == {place} ? texture(shadow_maps[{place}], q) : {text})"
    return text


def _version() -> str:
    return "#version 430\n"


def _read(name: str) -> str:
    return (files("heliograph.raster") / "shaders" / name).read_text()
