"""MuJoCo's abstract geoms to instances: which shape, how scaled, painted with what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.engines.mujoco import assets, terrain
from heliograph.engines.mujoco.objects import ModelObjects
from heliograph.engines.mujoco.planes import Planes
from heliograph.engines.mujoco.standard import SKY_PART, MaterialMaps, StandardLook, radiance
from heliograph.engines.mujoco.versions import FLAT_TEXTURES, GEOM
from heliograph.engines.shared.edits import Objects
from heliograph.raster import (
    Environment,
    Geometry,
    Instances,
    InstanceTable,
    Lighting,
    Mapping,
    MaterialTable,
    Rasterizer,
    Shading,
    Shape,
    Texture,
    TextureKind,
    Transforms,
)

_T = mujoco.mjtGeom
_SHAPES = {
    _T.mjGEOM_PLANE: Shape.PLANE,
    _T.mjGEOM_SPHERE: Shape.SPHERE,
    _T.mjGEOM_ELLIPSOID: Shape.SPHERE,
    _T.mjGEOM_CAPSULE: Shape.CAPSULE,
    _T.mjGEOM_CYLINDER: Shape.CYLINDER,
    _T.mjGEOM_BOX: Shape.BOX,
    _T.mjGEOM_LINE: Shape.LINE,
}
_SIZED = [int(kind) for kind in _SHAPES]
_ROUND = [
    int(_T.mjGEOM_SPHERE),
    int(_T.mjGEOM_ELLIPSOID),
    int(_T.mjGEOM_CAPSULE),
    int(_T.mjGEOM_CYLINDER),
]
_WRAPPED = [] if FLAT_TEXTURES else _ROUND
_TYPES = 128
_UNDERSIDE = 0.3
_LAYERS = 2  # MuJoCo draws what is transparent twice
_NOTHING = -1
_HAZE = 0.7  # of the far plane's distance, where haze is complete
_TINY = 1e-12
_TYPE_WORD, _UNIFORM_WORD, _SIZE_WORD, _POSITION_WORD, _RGBA_WORD, _SHADOW_WORD = (
    GEOM.fields[name][1] // 4  # type: ignore[index]
    for name in ("type", "texuniform", "size", "pos", "rgba", "castshadow")
)
_WIDTH = GEOM.itemsize // 4
_WORDS = np.dtype((np.int32, (_WIDTH,)))
_TURN_WORD = GEOM.fields["mat"][1] // 4  # type: ignore[index]
_POSE_WORDS = np.array(
    [[*range(_TURN_WORD + 3 * i, _TURN_WORD + 3 * i + 3), _POSITION_WORD + i] for i in range(3)]
)
"""Where in a geom's words its world_from_geom (3, 4) is."""


@dataclass(eq=False)
class Structure:
    """What MuJoCo's geoms make while they only move: M instances of N geoms.

    Attributes:
        facts: everything of the geoms it was made from.
        shown: everything of the geoms it stands for now but where they are.
        rows: (M,) the geom of each instance.
        places: (M, 3, 4) where in the words of all geoms each instance's pose is.
        instances: the instances, at some place.
        plain, capsules, lines, under, planes, skins: rows that are scaled or placed in a way of
            their own; `under` are the undersides of planes, `skins` skins and flexes.
        plane_scale: half-sizes of the planes.
        objects: which rows show which objects.
        endless: geoms that are planes without an end.
        sizes: (N, 3) of the geoms, as `stretch` and the instances' lengths stand for them.
        stretch: (M, 3, 4) what the poses of their geoms are multiplied by, to scale them.
    """

    facts: tuple[bytes, ...]
    rows: NDArray[np.intp]
    places: NDArray[np.intp]
    instances: Instances
    plain: NDArray[np.intp]
    capsules: NDArray[np.intp]
    lines: NDArray[np.intp]
    under: NDArray[np.intp]
    planes: NDArray[np.intp]
    skins: NDArray[np.intp]
    plane_scale: NDArray[np.float64]
    objects: Objects
    endless: NDArray[np.intp]
    sizes: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 3), np.float32))
    stretch: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3, 4)))
    shown: bytes = b""


class Translator:
    """Holds a model's assets on the rasterizer and turns geoms into instances.

    Args:
        model: the compiled model.
        rasterizer: where its assets go.
        objects: its objects.
        lighting: how it will be lit; planes are cut up for light per vertex.
        look: how it looks in linear light, where materials have all their maps.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        rasterizer: Rasterizer,
        objects: ModelObjects,
        lighting: Lighting = Lighting.VERTEX,
        look: StandardLook | None = None,
    ) -> None:
        self._objects = objects
        self._rasterizer = rasterizer
        self._far = float(model.vis.map.zfar * model.stat.extent)
        self._planes = Planes(rasterizer, self._far, model.stat.extent, lighting)
        self._haze_part = float(model.vis.map.haze)
        red, green, blue, _ = model.vis.rgba.haze.tolist()
        self._haze = (red, green, blue)
        self._shape = np.full(_TYPES, _NOTHING, np.int32)
        for kind, shape in _SHAPES.items():
            self._shape[kind] = shape
        add = rasterizer.add_geometry
        self._meshes = _handles(add(assets.mesh(model, i)) for i in range(model.nmesh))
        self._fields = [
            np.array(
                [rasterizer.add_levels(levels) for levels in terrain.tiles(model, i)], np.int32
            )
            for i in range(model.nhfield)
        ]
        poses = assets.skin_poses(model)
        self.skins = _handles(add(assets.skin(model, i, poses)) for i in range(model.nskin))
        self.flexes = _handles(())
        textures = [assets.texture(model, i) for i in range(model.ntex)]
        self._cube = np.array([t.kind is TextureKind.CUBE for t in textures], bool)
        skies = model.tex_type == mujoco.mjtTexture.mjTEXTURE_SKYBOX
        self._textures = _handles(
            rasterizer.add_texture(_as_seen(texture, look, is_sky=bool(sky)))
            for texture, sky in zip(textures, skies, strict=True)
        )
        boxes = np.flatnonzero(skies).tolist()
        sky = int(self._textures[boxes[0]]) if boxes else None
        self._behind = Environment(sky=sky)
        self._maps = None if look is None else MaterialMaps(model, rasterizer, textures)
        self._around = textures[boxes[0]] if boxes else None
        self._radiance: int | None = None
        if self._maps is not None and self._maps.metal:
            self._behind = self.mirrored(self._behind)
        self._structure: Structure | None = None

    def add_flexes(self, flexes: Iterable[Geometry]) -> None:
        """Take in the geometries of the model's flexes, in its order."""
        self.flexes = _handles(self._rasterizer.add_geometry(flex) for flex in flexes)

    def instances(self, geoms: NDArray[Any]) -> Instances:
        """Instances (M,) of geoms (N,).

        A plane makes two, a height field one for each tile, what is not drawn none. While geoms
        only move, all but the world_from_object of the instances stays the same objects.
        """
        words = _words(geoms)
        made, shown = self._structure, _shown(words)
        if made is None or made.shown != shown:
            facts = _facts(geoms)
            if made is None or made.facts != facts:
                made = self._build(geoms, facts)
            if not np.array_equal(made.sizes, geoms["size"]):
                self._resize(made, geoms)
            made.shown = shown
            self._structure = made
        pose = words.view(np.float32).take(made.places).astype(float)
        pose *= made.stretch
        if len(made.skins):
            pose[made.skins] = np.eye(3, 4)  # their vertices are world points
        if len(made.endless):
            self._planes.recentre(pose, made.planes, geoms)
        return made.instances.moved(pose, rigidly=True)

    @property
    def objects(self) -> Objects:
        """Which of the instances made last show which objects."""
        made = self._structure
        return Objects({}, self._objects.names) if made is None else made.objects

    def frames(self, geoms: NDArray[Any]) -> NDArray[np.float64]:
        """Where the objects of the instances made last are, (M, 3, 4)."""
        rows = np.empty(0, np.intp) if self._structure is None else self._structure.rows
        frames = np.empty((len(rows), 3, 4))
        frames[:, :, :3] = geoms["mat"][rows]
        frames[:, :, 3] = geoms["pos"][rows]
        return frames

    def environment(self, geoms: NDArray[Any]) -> Environment:
        """What is behind everything: the sky, and haze where an endless plane meets it.

        Of the geoms that `instances` saw last.
        """
        rows = np.empty(0, np.intp) if self._structure is None else self._structure.endless
        if self._behind.sky is None or not len(rows):
            return self._behind
        plane = geoms[rows[0]]
        x, y, z = plane["mat"][:, 2].tolist()
        return replace(
            self._behind,
            haze=self._haze,
            haze_range=((1 - self._haze_part) * _HAZE * self._far, _HAZE * self._far),
            haze_plane=(x, y, z, -float(plane["mat"][:, 2] @ plane["pos"])),
        )

    def mirrored(self, behind: Environment) -> Environment:
        """The same with the light that metal mirrors."""
        if self._radiance is None:
            self._radiance = self._rasterizer.add_radiance(radiance(self._around))
        return replace(behind, radiance=self._radiance, radiance_scale=SKY_PART)

    def _build(self, geoms: NDArray[Any], facts: tuple[bytes, ...]) -> Structure:
        handles = self._geometry(geoms)
        parts = np.where(handles == _NOTHING, 0, 1)
        parts[geoms["type"] == _T.mjGEOM_PLANE] = 2
        for row in np.flatnonzero(geoms["type"] == _T.mjGEOM_HFIELD):
            parts[row] = len(self._fields[geoms["dataid"][row]])
        rows = np.repeat(np.arange(len(geoms)), parts)
        part = np.arange(len(rows)) - np.repeat(np.cumsum(parts) - parts, parts)
        shown, kinds = geoms[rows], geoms["type"][rows]
        if self._maps is not None:
            self._maps.lay(shown)
        planes, handles = kinds == _T.mjGEOM_PLANE, handles[rows]
        plane_scale = self._planes.half_sizes(shown[planes])
        handles[planes] = self._planes.handles(shown[planes], plane_scale)
        for row in np.flatnonzero(kinds == _T.mjGEOM_HFIELD):
            handles[row] = self._fields[shown["dataid"][row]][part[row]]
        structure = Structure(
            facts=facts,
            rows=rows,
            places=rows[:, None, None] * _WIDTH + _POSE_WORDS,
            instances=Instances.blank(0),
            plain=np.flatnonzero(~np.isin(kinds, _SIZED)),
            capsules=np.flatnonzero(kinds == _T.mjGEOM_CAPSULE),
            lines=np.flatnonzero(kinds == _T.mjGEOM_LINE),
            under=np.flatnonzero(planes & (part == 1)),
            planes=np.flatnonzero(planes),
            skins=np.flatnonzero((kinds == _T.mjGEOM_SKIN) | (kinds == _T.mjGEOM_FLEX)),
            plane_scale=plane_scale,
            objects=Objects(
                _rows_by(self._objects.numbers(shown["objtype"], shown["objid"])),
                self._objects.names,
            ),
            endless=np.flatnonzero(self._endless(geoms)),
        )
        structure.instances = self._instances(shown, handles, structure)
        return structure

    def _resize(self, made: Structure, geoms: NDArray[Any]) -> None:
        """Scales for the sizes that these geoms have now."""
        made.sizes = np.array(geoms["size"])
        scale = self._scale(made.sizes[made.rows].astype(float), made)
        made.stretch = np.ones((len(made.rows), 3, 4))
        made.stretch[:, :, :3] = scale[:, None, :]
        length = None
        if len(made.capsules):
            radius, _, half_length = made.sizes[made.rows[made.capsules]].T.astype(float)
            length = np.zeros(len(made.rows))
            length[made.capsules] = half_length / np.maximum(radius, _TINY)
        scales = np.zeros((len(made.rows), 3, 4))
        scales[:, range(3), range(3)] = scale
        transforms = Transforms(scales, scales, made.instances.transforms.visible, length)
        made.instances = replace(made.instances, transforms=transforms)

    def _instances(
        self, shown: NDArray[Any], handles: NDArray[np.int32], made: Structure
    ) -> Instances:
        """The instances, not scaled yet."""
        count = len(shown)
        scale = self._scale(shown["size"].astype(float), made)
        mapping, texture_scale, texture_offset = self._texturing(shown, scale)
        texture_scale[made.lines, 0] = shown["size"][made.lines, 0]
        rgba = np.array(shown["rgba"])
        rgba[made.under, 3] *= _UNDERSIDE  # MuJoCo shows the underside of planes so
        shading = np.where(self._endless(shown), Shading.HAZY, Shading.LIT)
        table = InstanceTable(
            geometry=handles,
            texture=self._worn(shown),
            mapping=mapping,
            texture_scale=texture_scale,
            texture_offset=texture_offset,
            ids=self._objects.ids(shown["objtype"], shown["objid"]),
            side=np.zeros(count, np.int8),
            shading=shading.astype(np.int8),
            casts_shadow=(shown["castshadow"] != 0) & (scale[:, 1] > 0),  # no undersides
            layers=_LAYERS,
        )
        pose, visible = np.zeros((count, 3, 4)), np.ones(count, bool)
        materials = MaterialTable(rgba, np.array(shown["surface"]))
        if self._maps is not None:
            materials = self._maps.worn(materials, shown["matid"])
        return Instances(table, materials, Transforms(pose, pose, visible))

    def _worn(self, geoms: NDArray[Any]) -> NDArray[np.int32]:
        """Handles (M,) of the textures that geoms wear."""
        textures = geoms["texid"]
        handles = np.where(textures >= 0, self._textures[textures], -1).astype(np.int32)
        return handles if self._maps is None else self._maps.handles(handles, geoms["matid"])

    def _endless(self, geoms: NDArray[Any]) -> NDArray[np.bool_]:
        flat = geoms["type"] == _T.mjGEOM_PLANE
        result: NDArray[np.bool_] = flat & (geoms["size"][:, :2] <= 0).all(1)
        return result

    def _geometry(self, geoms: NDArray[Any]) -> NDArray[np.int32]:
        kinds, data = geoms["type"], geoms["dataid"]
        handles: NDArray[np.int32] = self._shape[np.minimum(kinds, _TYPES - 1)].copy()
        mesh = (kinds == _T.mjGEOM_MESH) | (kinds == _T.mjGEOM_SDF)
        handles[mesh] = self._meshes[data[mesh] // 2]
        handles[kinds == _T.mjGEOM_HFIELD] = Shape.BOX  # of which each tile is one
        hide = kinds == _T.mjGEOM_SKIN
        handles[hide] = self.skins[geoms["objid"][hide]]
        soft = kinds == _T.mjGEOM_FLEX
        handles[soft] = self.flexes[geoms["objid"][soft]]
        return handles

    def _scale(self, scale: NDArray[np.float64], made: Structure) -> NDArray[np.float64]:
        """Scales (M, 3) from the sizes of the instances' geoms, changed in place."""
        if len(made.plain):
            scale[made.plain] = 1
        if len(made.capsules):
            scale[made.capsules] = scale[made.capsules, :1]
        if len(made.lines):
            scale[made.lines, :2] = 1
        if len(made.planes):
            scale[made.planes] = made.plane_scale
            scale[made.under, 1:] *= -1  # turned about x: seen from below
        return scale

    def _texturing(
        self, geoms: NDArray[Any], scale: NDArray[np.float64]
    ) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32] | None]:
        textured = geoms["texid"] >= 0
        round_ones = np.isin(geoms["type"], _WRAPPED) & ~self._is_cube(geoms["texid"])
        own = textured & ((geoms["texcoord"] != 0) | round_ones)
        mapping = np.where(own, Mapping.UV, np.where(textured, Mapping.OBJECT, Mapping.NONE))
        factor = np.ones((len(geoms), 3), np.float32)
        factor[:, :2] = geoms["texrepeat"]
        uniform = round_ones & (geoms["texuniform"] != 0)
        factor[uniform, :2] *= geoms["size"][uniform, :2]
        flat = textured & ~own & ~self._is_cube(geoms["texid"])
        infinite = (geoms["type"] == _T.mjGEOM_PLANE)[:, None] & (geoms["size"][:, :2] <= 0)
        spatial = infinite | (geoms["texuniform"] != 0)[:, None]
        stretched = 0.5 * factor[:, :2] * np.where(spatial, np.abs(scale[:, :2]), 1.0)
        factor[flat, :2] = stretched[flat]
        offset, plain = None, ~np.isin(geoms["type"], _SIZED)
        laid = flat & (plain | FLAT_TEXTURES)
        if laid.any():  # from the middle outwards; without texuniform once over the whole size
            reach = geoms["size"][:, :2]
            whole = spatial | (reach <= 0) | ~plain[:, None]
            factor[laid, :2] /= np.where(whole, 1, reach)[laid]
            offset = np.where(laid[:, None], 0.5 - factor[:, :2], 0).astype(np.float32)
        cube = textured & self._is_cube(geoms["texid"])
        lengths = np.where(geoms["type"] == _T.mjGEOM_CAPSULE, geoms["size"][:, 2], scale[:, 2])
        sizes = np.column_stack([scale[:, :2], lengths])
        sizes[plain] = geoms["size"][plain]
        even = np.where((geoms["texuniform"] != 0)[:, None], sizes, 1.0)
        factor[cube] = even[cube]
        return mapping.astype(np.int8), factor, offset

    def _is_cube(self, texid: NDArray[np.int32]) -> NDArray[np.bool_]:
        return self._cube[texid] if len(self._cube) else np.zeros(len(texid), bool)


def _as_seen(texture: Texture, look: StandardLook | None, *, is_sky: bool) -> Texture:
    if look is None:
        return texture
    return look.sky(texture) if is_sky else replace(texture, linear=True)


def _handles(made: Any) -> NDArray[np.int32]:
    """Handles by index, with a spare at the end that an index of -1 finds."""
    return np.array([*made, _NOTHING], np.int32)


def _rows_by(numbers: NDArray[np.int64]) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = {}
    for row, number in enumerate(numbers.tolist()):
        rows.setdefault(number, []).append(row)
    return rows


def _words(geoms: NDArray[Any]) -> NDArray[np.int32]:
    """The geoms as numbers (N, W)."""
    words: NDArray[np.int32] = geoms.view(_WORDS)
    return words


def _shown(words: NDArray[np.int32]) -> bytes:
    """Everything of the geoms but where they are."""
    shown: bytes = words.take(_shown_places(len(words))).tobytes()
    return shown


@lru_cache(maxsize=16)
def _shown_places(count: int) -> NDArray[np.intp]:
    """Where in the words of so many geoms that is."""
    words = [*range(_POSITION_WORD), *range(_RGBA_WORD, _SHADOW_WORD + 1)]
    places: NDArray[np.intp] = np.arange(count)[:, None] * _WIDTH + np.array(words)
    return places


def _facts(geoms: NDArray[Any]) -> tuple[bytes, ...]:
    """Everything of the geoms that makes other instances of them than moved or resized ones."""
    words = _words(geoms)
    kinds, painted = words[:, :_SIZE_WORD].tobytes(), words[:, _RGBA_WORD:_SHADOW_WORD]
    sizes = geoms["size"][_looked_up_by_size(kinds)]
    return kinds, painted.tobytes(), geoms["castshadow"].tobytes(), sizes.tobytes()


@lru_cache(maxsize=16)
def _looked_up_by_size(kinds: bytes) -> NDArray[np.intp]:
    """Which geoms look otherwise at another size, from their words before it."""
    words = np.frombuffer(kinds, "<i4").reshape(-1, _SIZE_WORD)
    uniform, plane = words[:, _UNIFORM_WORD] != 0, words[:, _TYPE_WORD] == _T.mjGEOM_PLANE
    return np.flatnonzero(uniform | plane)
