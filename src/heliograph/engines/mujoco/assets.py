"""A model's meshes, skins and textures as the rasterizer takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.engines.mujoco.state import state_space
from heliograph.engines.mujoco.visual import GeomBuffer
from heliograph.raster import Geometry, Texture, TextureKind

Array = NDArray[Any]
_SKIN_POSES = 4
_SHARP = 0.8
_NORMAL_STEPS = 1 << 14


def mesh(model: mujoco.MjModel, index: int) -> Geometry:
    """One mesh, a vertex for each different (position, normal, texture coordinate) of its faces."""
    faces = _rows(model.mesh_face, model.mesh_faceadr[index], model.mesh_facenum[index])
    vertices = _rows(model.mesh_vert, model.mesh_vertadr[index], model.mesh_vertnum[index])
    normals = _corner_normals(model, index, vertices[faces].astype(float))
    whole = np.rint(normals * _NORMAL_STEPS).astype(np.int32)  # coplanar corners share vertices
    keys = [faces.reshape(-1, 1), whole.reshape(-1, 3)]
    uvs = None
    if model.mesh_texcoordadr[index] >= 0:
        face_uvs = _rows(
            model.mesh_facetexcoord, model.mesh_faceadr[index], model.mesh_facenum[index]
        )
        uvs = _rows(
            model.mesh_texcoord, model.mesh_texcoordadr[index], model.mesh_texcoordnum[index]
        )
        keys.append(face_uvs.reshape(-1, 1))
    unique, first, corners = np.unique(
        np.concatenate(keys, 1), axis=0, return_index=True, return_inverse=True
    )
    return Geometry(
        positions=vertices[unique[:, 0]],
        triangles=corners.reshape(-1, 3),
        normals=normals.reshape(-1, 3)[first],
        uvs=None if uvs is None else uvs[unique[:, 4]],
        name=f"mesh {model.mesh(index).name!r}",
    )


def _corner_normals(model: mujoco.MjModel, index: int, corners: Array) -> Array:
    """Normals (T, 3, 3) of the corners (T, 3, 3) of a mesh: the face's own where an edge is sharp.

    As MuJoCo draws it: a vertex's normal counts where it is within acos(0.8) of the face's.
    """
    rows = _rows(model.mesh_facenormal, model.mesh_faceadr[index], model.mesh_facenum[index])
    smooth = _rows(model.mesh_normal, model.mesh_normaladr[index], model.mesh_normalnum[index])
    smooth = smooth[rows].astype(float)
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    flat = flat / np.where(length > 0, length, 1)
    sharp = (smooth @ flat[:, :, None])[..., 0] < _SHARP
    sharp &= length > 0
    return np.where(sharp[..., None], flat[:, None, :], smooth)


def skin_poses(model: mujoco.MjModel) -> list[Array]:
    """The vertices (V, 3) of all of a model's skins in a few random joint states."""
    if not model.nskin:
        return []
    rng, data, option = np.random.default_rng(0), mujoco.MjData(model), mujoco.MjvOption()
    option.skingroup[:] = 1
    buffer = GeomBuffer(model, option)
    poses, space = [], state_space(model)
    for _ in range(_SKIN_POSES):
        data.qpos[:] = space.draw(rng)["qpos"]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_camlight(model, data)
        buffer.update(data)
        poses.append(np.reshape(buffer.scene.skinvert, (-1, 3)).astype(np.float32))
    return poses


def skin(model: mujoco.MjModel, index: int, poses: Sequence[Array]) -> Geometry:
    """One skin in its bind pose; `Rasterizer.update_geometry` moves its vertices.

    Args:
        model: the compiled model.
        index: which skin.
        poses: as `skin_poses` gives them.
    """
    first, count = int(model.skin_vertadr[index]), int(model.skin_vertnum[index])
    faces = _rows(model.skin_face, model.skin_faceadr[index], model.skin_facenum[index])
    vertices = _rows(model.skin_vert, first, count)
    uvs = None
    if model.skin_texcoordadr[index] >= 0:
        uvs = _rows(model.skin_texcoord, model.skin_texcoordadr[index], model.skin_vertnum[index])
    return Geometry(
        positions=vertices,
        triangles=faces,
        normals=_vertex_normals(vertices, faces),
        uvs=uvs,
        poses=tuple(pose[first : first + count] for pose in poses),
        name=f"skin {model.skin(index).name!r}",
    )


def _vertex_normals(vertices: Array, faces: Array) -> Array:
    corners = vertices[faces].astype(float)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(total, faces[:, corner], normals)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0, total / np.where(length > 0, length, 1), (0, 0, 1.0))


def texture(model: mujoco.MjModel, index: int) -> Texture:
    """One texture; MuJoCo keeps row 0 at the bottom, we at the top."""
    height, width = int(model.tex_height[index]), int(model.tex_width[index])
    channels = int(model.tex_nchannel[index])
    start = model.tex_adr[index]
    pixels = model.tex_data[start : start + height * width * channels]
    name = f"texture {model.texture(index).name!r}"
    if model.tex_type[index] == mujoco.mjtTexture.mjTEXTURE_2D:
        flat = pixels.reshape(height, width, channels)[::-1]
        return Texture(np.array(flat[..., : _usable(channels)]), name=name)
    faces = pixels.reshape(-1, width, width, channels)[..., : _usable(channels)]
    if len(faces) == 1:  # one square image stands for all six faces
        faces = np.repeat(faces, 6, 0)
    return Texture(np.array(faces), TextureKind.CUBE, name)


def _usable(channels: int) -> int:
    return 1 if channels == 2 else channels


def _rows(array: Array, start: int, count: int) -> Array:
    return np.asarray(array[start : start + count])
