"""MuJoCo's abstract geoms to instances: which shape, how scaled, painted with what."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.engines.mujoco import assets
from heliograph.engines.mujoco.segments import Segments
from heliograph.raster import (
    Instances,
    Mapping,
    Rasterizer,
    Shading,
    Shape,
    Surroundings,
    TextureKind,
)

_T = mujoco.mjtGeom
_SHAPES = {
    _T.mjGEOM_PLANE: Shape.PLANE,
    _T.mjGEOM_SPHERE: Shape.SPHERE,
    _T.mjGEOM_ELLIPSOID: Shape.SPHERE,
    _T.mjGEOM_CAPSULE: Shape.TUBE,
    _T.mjGEOM_CYLINDER: Shape.CYLINDER,
    _T.mjGEOM_BOX: Shape.BOX,
}
_SIZED = [int(kind) for kind in _SHAPES]
_TYPES = 128
_UNDERSIDE = 0.51
_NOTHING = -1


class Translator:
    """Holds a model's assets on the rasterizer and turns geoms into instances."""

    def __init__(self, model: mujoco.MjModel, rasterizer: Rasterizer, segments: Segments) -> None:
        self._segments = segments
        self._far = float(model.vis.map.zfar * model.stat.extent)
        self._haze_part = float(model.vis.map.haze)
        red, green, blue, _ = model.vis.rgba.haze.tolist()
        self._haze = (red, green, blue)
        self._shape = np.full(_TYPES, _NOTHING, np.int32)
        for kind, shape in _SHAPES.items():
            self._shape[kind] = shape
        add = rasterizer.add_geometry
        self._meshes = _handles(add(assets.mesh(model, i)) for i in range(model.nmesh))
        self._fields = _handles(add(assets.height_field(model, i)) for i in range(model.nhfield))
        self.skins = _handles(add(assets.skin(model, i)) for i in range(model.nskin))
        textures = [assets.texture(model, i) for i in range(model.ntex)]
        self._textures = _handles(rasterizer.add_texture(texture) for texture in textures)
        self._cube = np.array([t.kind is TextureKind.CUBE for t in textures], bool)
        self.sky = self._find_sky(model)

    def instances(self, geoms: NDArray[Any]) -> Instances:
        """Instances (M,) of geoms (N,).

        A capsule makes three, a plane two, what is not drawn none.
        """
        handles = self._geometry(geoms)
        parts = np.where(handles == _NOTHING, 0, 1)
        parts[geoms["type"] == _T.mjGEOM_CAPSULE] = 3
        parts[geoms["type"] == _T.mjGEOM_PLANE] = 2
        rows = np.repeat(np.arange(len(geoms)), parts)
        geoms, handles = geoms[rows], handles[rows]
        part = np.arange(len(rows)) - np.repeat(np.cumsum(parts) - parts, parts)
        under = (part == 1) & (handles == Shape.PLANE)
        handles[(part == 1) & ~under], handles[part == 2] = Shape.DOME_UP, Shape.DOME_DOWN
        scale = self._scale(geoms, part)
        scale[under, 1:] *= -1  # turned about x: seen from below
        pose = np.empty((len(rows), 3, 4))
        pose[:, :, :3] = geoms["mat"] * scale[:, None, :]
        half = np.where(handles == Shape.PLANE, 0, geoms["size"][:, 2])
        shift = np.select([part == 1, part == 2], [half, -half], 0.0)
        pose[:, :, 3] = geoms["pos"] + geoms["mat"][:, :, 2] * shift[:, None]
        pose[geoms["type"] == _T.mjGEOM_SKIN] = np.eye(3, 4)  # its vertices are world points
        mapping, texture_scale = self._texturing(geoms, scale)
        textures = geoms["texid"]
        return Instances(
            geometry=handles,
            world_from_object=pose,
            rgba=_fade(geoms["rgba"], under),
            surface=geoms["surface"],
            texture=np.where(textures >= 0, self._textures[textures], -1).astype(np.int32),
            mapping=mapping,
            texture_scale=texture_scale,
            ids=self._segments.ids(geoms["objtype"], geoms["objid"]),
            side=np.zeros(len(rows), np.int8),
            shading=self._shading(geoms),
            casts_shadow=geoms["castshadow"].astype(bool),
            visible=np.ones(len(rows), bool),
        )

    def _shading(self, geoms: NDArray[Any]) -> NDArray[np.int8]:
        hazy = np.where(self._endless(geoms), Shading.HAZY, Shading.LIT)
        return hazy.astype(np.int8)

    def surroundings(self, geoms: NDArray[Any]) -> Surroundings:
        """What is behind everything: the sky, and haze where an endless plane meets it."""
        rows = np.flatnonzero(self._endless(geoms))
        if self.sky is None or not len(rows):
            return Surroundings(sky=self.sky)
        plane = geoms[rows[0]]
        x, y, z = plane["mat"][:, 2].tolist()
        return Surroundings(
            sky=self.sky,
            haze=self._haze,
            haze_range=((1 - self._haze_part) * self._far, self._far),
            haze_plane=(x, y, z, -float(plane["mat"][:, 2] @ plane["pos"])),
        )

    def _endless(self, geoms: NDArray[Any]) -> NDArray[np.bool_]:
        flat = geoms["type"] == _T.mjGEOM_PLANE
        result: NDArray[np.bool_] = flat & (geoms["size"][:, :2] <= 0).all(1)
        return result

    def _geometry(self, geoms: NDArray[Any]) -> NDArray[np.int32]:
        kinds, data = geoms["type"], geoms["dataid"]
        handles: NDArray[np.int32] = self._shape[np.minimum(kinds, _TYPES - 1)].copy()
        mesh = (kinds == _T.mjGEOM_MESH) | (kinds == _T.mjGEOM_SDF)
        handles[mesh] = self._meshes[data[mesh] // 2]
        field = kinds == _T.mjGEOM_HFIELD
        handles[field] = self._fields[data[field]]
        hide = kinds == _T.mjGEOM_SKIN
        handles[hide] = self.skins[geoms["objid"][hide]]
        return handles

    def _scale(self, geoms: NDArray[Any], part: NDArray[np.intp]) -> NDArray[np.float64]:
        scale = geoms["size"].astype(float)
        kinds = geoms["type"]
        scale[~np.isin(kinds, _SIZED)] = 1
        domes = (part > 0) & (kinds == _T.mjGEOM_CAPSULE)
        scale[domes] = scale[domes, :1]
        plane = kinds == _T.mjGEOM_PLANE
        scale[plane, 2] = 1
        for axis in (0, 1):
            endless = plane & (scale[:, axis] <= 0)
            scale[endless, axis] = _odd(2 * self._far, geoms["texrepeat"][endless, axis])
        return scale

    def _texturing(
        self, geoms: NDArray[Any], scale: NDArray[np.float64]
    ) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        textured = geoms["texid"] >= 0
        own = textured & (geoms["texcoord"] != 0)
        mapping = np.where(own, Mapping.UV, np.where(textured, Mapping.OBJECT, Mapping.NONE))
        factor = np.ones((len(geoms), 3), np.float32)
        factor[:, :2] = geoms["texrepeat"]
        flat = textured & ~own & ~self._is_cube(geoms["texid"])
        infinite = (geoms["type"] == _T.mjGEOM_PLANE)[:, None] & (geoms["size"][:, :2] <= 0)
        spatial = infinite | (geoms["texuniform"] != 0)[:, None]
        stretched = 0.5 * factor[:, :2] * np.where(spatial, scale[:, :2], 1.0)
        factor[flat, :2] = stretched[flat]
        cube = textured & self._is_cube(geoms["texid"])
        even = np.where((geoms["texuniform"] != 0)[:, None], scale, 1.0)
        factor[cube] = even[cube]
        return mapping.astype(np.int8), factor

    def _is_cube(self, texid: NDArray[np.int32]) -> NDArray[np.bool_]:
        return self._cube[texid] if len(self._cube) else np.zeros(len(texid), bool)

    def _find_sky(self, model: mujoco.MjModel) -> int | None:
        skies = np.flatnonzero(model.tex_type == mujoco.mjtTexture.mjTEXTURE_SKYBOX)
        return int(self._textures[skies[0]]) if len(skies) else None


def _handles(made: Any) -> NDArray[np.int32]:
    """Handles by index, with a spare at the end that an index of -1 finds."""
    return np.array([*made, _NOTHING], np.int32)


def _fade(rgba: NDArray[np.float32], under: NDArray[np.bool_]) -> NDArray[np.float32]:
    """MuJoCo shows the underside of planes half transparent."""
    faded = np.array(rgba)
    faded[under, 3] *= _UNDERSIDE
    return faded


def _odd(reach: float, repeat: NDArray[np.float32]) -> NDArray[np.float64]:
    """Half-sizes of about `reach` that an odd number of texture repeats fits into twice.

    MuJoCo centres a texel block, not an edge, on the origin of an endless plane.
    """
    repeat = np.where(repeat > 0, repeat, 1).astype(float)
    odd: NDArray[np.float64] = (2 * np.ceil(reach * repeat / 2) + 1) / repeat
    return odd
