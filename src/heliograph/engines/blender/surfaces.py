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
from heliograph.engines.blender.nodes import give_nodes
from heliograph.engines.blender.surface_nodes import OWN, Nodes
from heliograph.raster import Instances, Layer, Shading, Side, Texture
from heliograph.raster.paint import roughness

Color: TypeAlias = tuple[float, float, float, float]

_MOST_IDLE = 64
_PLACES: dict[str, tuple[tuple[str, str | int], ...]] = {
    "color": (("shader", "Base Color"), ("color", OWN)),
    "alpha": (("shader", "Alpha"), ("alpha", 1)),
    "metallic": (("shader", "Metallic"), ("metal", 1)),
    "roughness": (("shader", "Roughness"), ("rough", 1)),
    "specular": (("shader", "Specular IOR Level"),),
    "tint": (("shader", "Specular Tint"),),
    "emission": (("shader", "Emission Color"), ("emission", OWN)),
    "scale": (("lie", "Scale"),),
    "offset": (("lie", "Location"),),
    "cutoff": (("cutoff", 1),),
}
"""Which inputs of which nodes hold a number."""
_BELOW = 1 - 1e-6  # what is as opaque as a cutoff is there
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
    """What a material's nodes hold; colours are linear, and end in 1 as Blender's do."""

    color: Color
    alpha: float
    metallic: float
    roughness: float
    specular: float
    tint: Color
    emission: Color
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    cutoff: float


Row: TypeAlias = tuple[Form, Numbers]


def rows(things: Instances, chosen: NDArray[np.intp], tinted: Sequence[bool]) -> list[Row]:
    """How some instances (K,) look; `tinted` says whose vertices have colours."""
    table = things.table
    alpha = things.materials.rgba[chosen, 3].astype(float)
    cutoff = _column(table.cutoff, chosen, 0.0) * _BELOW
    scale, offset = np.ones((len(chosen), 3)), np.zeros((len(chosen), 3))
    scale[:, :2] = table.texture_scale[chosen, :2]
    offset[:, :2] = _column(table.texture_offset, chosen, (0.0, 0.0))
    columns = {**_gloss(things, chosen), "alpha": alpha, "cutoff": cutoff}
    columns |= {"scale": scale, "offset": offset}
    ordered = (map(_fixed, columns[name].tolist()) for name in Numbers._fields)
    forms = zip(
        (table.shading[chosen] == Shading.UNLIT).tolist(),
        table.texture[chosen].tolist(),
        map(Side, table.side[chosen].tolist()),
        (alpha < 1).tolist(),
        (cutoff > 0).tolist(),
        tinted,
        strict=True,
    )
    numbers = zip(*ordered, strict=True)
    return [(Form(*form), Numbers(*each)) for form, each in zip(forms, numbers, strict=True)]


def _gloss(things: Instances, chosen: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
    """What a Principled shader takes for each way of shading, by the names of `Numbers`."""
    materials, shading = things.materials, things.table.shading[chosen]
    color = linear(materials.rgba[chosen, :3]).astype(float)
    surface = materials.surface[chosen].astype(float)
    glow = surface[:, :1] * color + _column(materials.emissive, chosen, (0.0, 0.0, 0.0))
    said = _column(materials.metallic_roughness, chosen, (np.nan, np.nan))
    metallic = np.where(np.isnan(said[:, 0]), 0.0, said[:, 0])
    rough = np.where(np.isnan(said[:, 1]), roughness(surface[:, 2]), said[:, 1])
    specular, tint = surface[:, 1], np.ones((len(chosen), 3))
    phong = shading == Shading.PHONG
    highlight = _column(materials.highlight, chosen, (0.0, 0.0, 0.0, 0.0))
    most = highlight[:, :3].max(1, initial=0.0)
    tint[phong] = highlight[phong, :3] / np.maximum(most[phong, None], 1e-9)
    matt = (shading == Shading.UNLIT) | (shading == Shading.LAMBERT)
    unlit = (shading == Shading.UNLIT)[:, None]
    return {
        "color": _opaque(np.where(unlit, 0.0, color)),
        "metallic": np.where(matt | phong, 0.0, metallic),
        "roughness": np.select([matt, phong], [1.0, (2 / (highlight[:, 3] + 2)) ** 0.25], rough),
        "specular": np.select([matt, phong], [0.0, most / _PHONG_WHITE], specular),
        "tint": _opaque(tint),
        "emission": _opaque(np.where(unlit, color, glow)),
    }


def _column(values: Any, chosen: NDArray[np.intp], default: Any) -> NDArray[np.float64]:
    """Some rows of a column that may not be there."""
    if values is None:
        return np.full((len(chosen), *np.shape(default)), default)
    rows: NDArray[np.float64] = values[chosen].astype(float)
    return rows


def _opaque(colors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([colors, np.ones(len(colors))])


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
        self._held: dict[str, Numbers] = {}

    def exchange(self, gone: Iterable[Row], come: Sequence[Row]) -> list[Any]:
        """Give some looks back and take others; the `bpy.types.Material` of each that is taken."""
        for row in come:
            self._users[row] = self._users.get(row, 0) + 1
        for row in gone:
            self._users[row] -= 1
            if not self._users[row]:
                del self._users[row]
                self._idle.setdefault(row[0], []).append(self._shown.pop(row))
        # Backwards, as the last that was given back is the first to be used again: what is painted
        # otherwise keeps its material.
        return [self._material(row) for row in reversed(come)][::-1]

    def trim(self) -> None:
        """Remove materials that were given back, if they are many, and what shows old textures."""
        many = sum(map(len, self._idle.values())) > _MOST_IDLE
        there = self._store.has_texture
        for form in [f for f in self._idle if many or not there(f.texture)]:
            for material in self._idle.pop(form):
                self._held.pop(material.name)
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
        self._shown, self._users, self._idle, self._images, self._held = {}, {}, {}, {}, {}

    def _material(self, row: Row) -> Any:
        if row not in self._shown:
            form, numbers = row
            idle = self._idle.get(form)
            material = idle.pop() if idle else self._made(form)
            _write(material, numbers, self._held.get(material.name))
            self._held[material.name] = numbers
            self._shown[row] = material
        return self._shown[row]

    def _made(self, form: Form) -> Any:
        material = bpy.data.materials.new("surface")
        give_nodes(material)
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
            made = image(use, of.pixels, srgb=srgb)
            if self._store.keeps_texture(handle):
                made.pack()  # what is not counts as painted on: looked at for every picture
            self._images[key] = made
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


def _write(material: Any, numbers: Numbers, held: Numbers | None) -> None:
    """Put numbers into nodes, as far as they do not hold them."""
    nodes = material.node_tree.nodes
    for name, value in numbers._asdict().items():
        if held is None or value != getattr(held, name):
            for node, socket in _PLACES[name]:
                if node in nodes:
                    nodes[node].inputs[socket].default_value = value
    if held is None or numbers.color != held.color:
        material.diffuse_color = numbers.color
    if held is None or numbers.emission != held.emission:
        shines = 1.0 if any(numbers.emission[:3]) else 0.0
        nodes["shader"].inputs["Emission Strength"].default_value = shines
