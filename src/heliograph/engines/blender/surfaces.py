"""Materials of draw lists as Blender's: a Principled shader, its maps, and which side is seen.

Each has the nodes `shader` (Principled), `color`, `emission` (what maps multiply, if there are
any), `alpha` (opacity, where it is no plain number) and `sides` (mixes with nothing where a
surface is seen from the other side).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import bpy
import numpy as np
from numpy.typing import NDArray

from heliograph.colour import linear
from heliograph.engines.blender.mesh_store import MeshStore
from heliograph.engines.blender.surface_nodes import OWN, Nodes
from heliograph.raster import Instances, Layer, Shading, Side, Texture
from heliograph.raster.paint import roughness

_MOST_IDLE = 64
_PHONG_WHITE = 0.08  # what a specular level of 1 reflects, head on

Pixels: TypeAlias = NDArray[np.uint8]


class Form(NamedTuple):
    """What decides which nodes a material has.

    Attributes:
        unlit: whether it shows its colour as it is.
        texture: handle, -1 for none.
        side: of `Side`.
        blended: whether what is behind it is seen through it.
        cut: whether it has holes where its texture is clear.
        tinted: whether the colours of its mesh's vertices multiply its own.
    """

    unlit: bool
    texture: int
    side: Side
    blended: bool
    cut: bool
    tinted: bool


class Numbers(NamedTuple):
    """What a material's nodes hold; colours are linear."""

    color: tuple[float, float, float]
    alpha: float
    metallic: float
    roughness: float
    specular: float
    tint: tuple[float, float, float]
    emission: tuple[float, float, float]
    scale: tuple[float, float]
    offset: tuple[float, float]
    cutoff: float


Row: TypeAlias = tuple[Form, Numbers]


def rows(things: Instances, chosen: NDArray[np.intp], tinted: Sequence[bool]) -> list[Row]:
    """How some instances (K,) look; `tinted` says whose vertices have colours."""
    table, materials = things.table, things.materials
    shading = table.shading[chosen]
    color = linear(materials.rgba[chosen, :3]).astype(float)
    surface = materials.surface[chosen].astype(float)
    glow = surface[:, :1] * color
    if materials.emissive is not None:
        glow = glow + materials.emissive[chosen]
    said = np.full((len(chosen), 2), np.nan)
    if materials.metallic_roughness is not None:
        said = materials.metallic_roughness[chosen].astype(float)
    metallic = np.where(np.isnan(said[:, 0]), 0.0, said[:, 0])
    rough = np.where(np.isnan(said[:, 1]), roughness(surface[:, 2]), said[:, 1])
    specular, tint = surface[:, 1], np.ones((len(chosen), 3))
    unlit, lambert = shading == Shading.UNLIT, shading == Shading.LAMBERT
    matt = unlit | lambert
    if materials.highlight is not None:
        phong, highlight = shading == Shading.PHONG, materials.highlight[chosen].astype(float)
        most = highlight[:, :3].max(1)
        specular = np.where(phong, most / _PHONG_WHITE, specular)
        tint[phong] = highlight[phong, :3] / np.maximum(most[phong, None], 1e-9)
        rough = np.where(phong, (2 / (highlight[:, 3] + 2)) ** 0.25, rough)
        metallic = np.where(phong, 0.0, metallic)
    metallic, specular = np.where(matt, 0.0, metallic), np.where(matt, 0.0, specular)
    rough = np.where(matt, 1.0, rough)
    glow = np.where(unlit[:, None], color, glow)
    color = np.where(unlit[:, None], 0.0, color)
    alpha = materials.rgba[chosen, 3].astype(float)
    cutoff = np.zeros(len(chosen)) if table.cutoff is None else table.cutoff[chosen].astype(float)
    offset = table.texture_offset
    shifts = np.zeros((len(chosen), 2)) if offset is None else offset[chosen].astype(float)
    columns = (
        color,
        alpha,
        metallic,
        rough,
        specular,
        tint,
        glow,
        table.texture_scale[chosen, :2].astype(float),
        shifts,
        cutoff,
    )
    forms = zip(
        unlit.tolist(),
        table.texture[chosen].tolist(),
        table.side[chosen].tolist(),
        (alpha < 1).tolist(),
        (cutoff > 0).tolist(),
        tinted,
        strict=True,
    )
    numbers = zip(*(map(_fixed, column.tolist()) for column in columns), strict=True)
    return [
        (Form(form[0], form[1], Side(form[2]), *form[3:]), Numbers(*each))
        for form, each in zip(forms, numbers, strict=True)
    ]


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Surfaces:
    """Blender's materials; equal looks share one, and what nothing shows is used again.

    Args:
        store: where textures are.
    """

    def __init__(self, store: MeshStore) -> None:
        self._store = store
        self._shown: dict[Row, Any] = {}
        self._users: dict[Row, int] = {}
        self._idle: dict[Form, list[Any]] = {}
        self._images: dict[tuple[int, str], Any] = {}

    def exchange(self, gone: Iterable[Row], come: Sequence[Row]) -> list[Any]:
        """Give some looks back and take others; the `bpy.types.Material` of each that is taken."""
        for row in come:
            self._users[row] = self._users.get(row, 0) + 1
        for row in gone:
            self._users[row] -= 1
            if not self._users[row]:
                del self._users[row]
                self._idle.setdefault(row[0], []).append(self._shown.pop(row))
        return [self._material(row) for row in come]

    def trim(self) -> None:
        """Remove materials that were given back, if they are many, and what shows old textures."""
        many = sum(map(len, self._idle.values())) > _MOST_IDLE
        there = self._store.has_texture
        for form in [f for f in self._idle if many or not there(f.texture)]:
            for material in self._idle.pop(form):
                bpy.data.materials.remove(material)
        gone = {handle for handle, _ in self._images if not there(handle)}
        if gone:
            gone -= {form.texture for form, _ in self._shown}
            for key in [key for key in self._images if key[0] in gone]:
                bpy.data.images.remove(self._images.pop(key))

    def close(self) -> None:
        """Remove everything."""
        for material in [*self._shown.values(), *(m for ms in self._idle.values() for m in ms)]:
            bpy.data.materials.remove(material)
        for image in self._images.values():
            bpy.data.images.remove(image)
        self._shown, self._users, self._idle, self._images = {}, {}, {}, {}

    def _material(self, row: Row) -> Any:
        if row not in self._shown:
            form, numbers = row
            idle = self._idle.get(form)
            material = idle.pop() if idle else self._made(form)
            _write(material, form, numbers)
            self._shown[row] = material
        return self._shown[row]

    def _made(self, form: Form) -> Any:
        material = bpy.data.materials.new("surface")
        material.use_nodes = True
        material.use_backface_culling = form.side is Side.FRONT
        material.use_transparent_shadow = form.blended or form.cut
        if form.unlit:
            material.cycles.emission_sampling = "NONE"
        nodes = Nodes(material.node_tree, partial(self._image, form.texture))
        texture = None if form.texture < 0 else self._store.texture(form.texture)
        alpha = nodes.paint(texture, tinted=form.tinted, unlit=form.unlit)
        if texture is not None:
            nodes.layers(texture, unlit=form.unlit)
        nodes.fade(alpha, blended=form.blended, cut=form.cut)
        if form.side is not Side.DOUBLE:
            nodes.hide(back=form.side is Side.FRONT)
        return material

    def _image(self, handle: int, of: Texture | Layer, use: str) -> Any:
        """A map of a texture as Blender's image."""
        key = handle, use
        if key not in self._images:
            srgb = use in ("color", "emissive")
            self._images[key] = image(use, of.pixels, srgb=srgb)
        return self._images[key]


def image(name: str, pixels: Pixels, *, srgb: bool) -> Any:
    """Pixels (H, W, C), row 0 at the top, as a `bpy.types.Image`."""
    height, width, channels = pixels.shape
    made = bpy.data.images.new(name, width, height, alpha=True)
    made.colorspace_settings.name = "sRGB" if srgb else "Non-Color"
    made.alpha_mode = "CHANNEL_PACKED"
    whole = np.full((height, width, 4), 255, np.uint8)
    whole[..., :3] = pixels[..., :3]  # of one channel, each of the three
    if channels == 4:
        whole[..., 3] = pixels[..., 3]
    made.pixels.foreach_set((whole[::-1].astype(np.float32) / 255).ravel())
    made.update()
    return made


def _write(material: Any, form: Form, numbers: Numbers) -> None:
    """Put numbers into nodes."""
    nodes = material.node_tree.nodes
    inputs = nodes["shader"].inputs
    color, emission = (*numbers.color, 1.0), (*numbers.emission, 1.0)
    for name, value in (("color", color), ("emission", emission)):
        if name in nodes:
            nodes[name].inputs[OWN].default_value = value
    inputs["Base Color"].default_value = material.diffuse_color = color
    inputs["Emission Color"].default_value = emission
    inputs["Emission Strength"].default_value = 1.0 if any(numbers.emission) else 0.0
    inputs["Alpha"].default_value = numbers.alpha
    if "alpha" in nodes:
        nodes["alpha"].inputs[1].default_value = numbers.alpha
    if "metal" in nodes:
        nodes["metal"].inputs[1].default_value = numbers.metallic
        nodes["rough"].inputs[1].default_value = numbers.roughness
    inputs["Metallic"].default_value = numbers.metallic
    inputs["Roughness"].default_value = numbers.roughness
    inputs["Specular IOR Level"].default_value = numbers.specular
    inputs["Specular Tint"].default_value = (*numbers.tint, 1.0)
    if "cutoff" in nodes:
        nodes["cutoff"].inputs[1].default_value = numbers.cutoff
    if "lie" in nodes:
        nodes["lie"].inputs["Scale"].default_value = (*numbers.scale, 1.0)
        nodes["lie"].inputs["Location"].default_value = (*numbers.offset, 0.0)
