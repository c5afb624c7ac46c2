"""Where things are, and what is seen of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from heliograph.engines.blender import viewport
from heliograph.errors import InvalidValueError

Floats = NDArray[np.float64]


def find_first_view3d() -> tuple[Any, Any, Any]:
    """The area of the first 3D view, its space and its window region; no window need be open.

    Raises:
        SceneError: no workspace has a 3D view.
    """
    return viewport.first_view3d()


def object_coordinates(*objs: Any, depsgraph: Any = None) -> Floats:
    """Vertices of objects, modifiers and all, in each object's own axes: (N, 3)."""
    return _stacked(objs, depsgraph, _vertices)


def world_coordinates(*objs: Any, depsgraph: Any = None) -> Floats:
    """Vertices of objects, modifiers and all, in the world: (N, 3) metres."""
    return _stacked(objs, depsgraph, lambda thing: _placed(thing, _vertices(thing)))


def bbox_world_coordinates(*objs: Any, depsgraph: Any = None) -> Floats:
    """The eight corners of each object's own bounding box, in the world: (8 N, 3) metres."""
    return _stacked(objs, depsgraph, lambda thing: _placed(thing, _box(thing)))


def hom(x: Any, v: float = 1.0) -> Floats:
    """Points (N, D) with `v` as one more coordinate: (N, D + 1)."""
    x = np.asarray(x, np.float64)
    return np.concatenate([x, np.full((*x.shape[:-1], 1), v)], axis=-1)


def dehom(x: Any) -> Floats:
    """Points (N, D + 1) divided by their last coordinate: (N, D)."""
    x = np.asarray(x, np.float64)
    divided: Floats = x[..., :-1] / x[..., -1:]
    return divided


def random_spherical_loc(
    radius_range: tuple[float, float] = (1, 1),
    theta_range: tuple[float, float] = (0, np.pi),
    phi_range: tuple[float, float] = (0, 2 * np.pi),
    rng: np.random.Generator | None = None,
) -> Floats:
    """A point around the origin, (3,), its spherical coordinates each drawn evenly.

    Args:
        radius_range: metres.
        theta_range: from the Z axis, radians.
        phi_range: around it from the X axis, radians.
        rng: drawn from; without it numpy's own generator.
    """
    draw: Any = np.random if rng is None else rng
    ranges = (radius_range, theta_range, phi_range)
    radius, theta, phi = (
        draw.uniform(*each) if each is not None else draw.uniform(*standard)
        for each, standard in zip(ranges, ((1, 1), (0, np.pi), (0, 2 * np.pi)), strict=True)
    )
    flat = radius * np.sin(theta)
    return np.array([flat * np.cos(phi), flat * np.sin(phi), radius * np.cos(theta)])


def compute_object_visibility(  # noqa: PLR0913 - blendtorch's arguments
    obj: Any,
    cam: Any,
    N: int = 25,  # noqa: N803 - blendtorch's name
    scene: Any = None,
    view_layer: Any = None,
    dist: float | None = None,
    rng: np.random.Generator | None = None,
) -> float:
    """The share of an object's vertices, drawn at random, that no other object hides from a camera.

    Args:
        obj: a mesh.
        cam: a `Camera`.
        N: how many are drawn.
        scene: a `bpy.types.Scene`; the current one without it.
        view_layer: of it.
        dist: metres from the camera beyond which nothing is seen.
        rng: drawn from; without it numpy's own generator.
    """
    scene = scene or bpy.context.scene
    layer = view_layer or bpy.context.view_layer
    points = world_coordinates(obj)
    draw: Any = np.random if rng is None else rng
    chosen = points[draw.choice(len(points), size=N)]
    world_from_camera = cam.bpy_camera.matrix_world
    origin = world_from_camera.translation
    before = hom(chosen) @ np.array(world_from_camera.inverted()).T
    seen = 0
    for point, ahead in zip(chosen, before[:, 2] <= 0, strict=True):
        way = Vector(point) - origin
        if ahead and 0 < way.length <= (dist or np.inf):
            found, _, _, _, hit, _ = scene.ray_cast(
                layer.depsgraph, origin, way.normalized(), distance=way.length
            )
            seen += not found or hit.original == obj.original
    return seen / N


def scene_stats() -> dict[str, tuple[int, int]]:
    """Kind of data block -> how many are used, and how many are not."""
    counts = {}
    for prop in bpy.data.bl_rna.properties:
        if prop.type == "COLLECTION":
            blocks = getattr(bpy.data, prop.identifier)
            unused = sum(each.users == 0 for each in blocks)
            counts[prop.identifier] = (len(blocks) - unused, unused)
    return counts


def add_scene_dir_to_path() -> None:
    """Have Python find modules beside the .blend that is open; without one nothing changes."""
    folder = str(Path(bpy.data.filepath).parent)
    if bpy.data.filepath and folder not in sys.path:
        sys.path.append(folder)


def _stacked(objs: tuple[Any, ...], depsgraph: Any, points: Callable[[Any], Floats]) -> Floats:
    graph = depsgraph or bpy.context.evaluated_depsgraph_get()
    if not objs:
        raise InvalidValueError("expected one object at least, got none")
    return np.concatenate([points(each.evaluated_get(graph)) for each in objs])


def _vertices(thing: Any) -> Floats:
    try:
        mesh = thing.to_mesh()
    except RuntimeError:
        message = f"expected objects with vertices, {thing.name!r} is a {thing.type}"
        raise InvalidValueError(message) from None
    try:
        flat = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.attributes["position"].data.foreach_get("vector", flat)
    finally:
        thing.to_mesh_clear()
    return flat.reshape(-1, 3).astype(np.float64)


def _box(thing: Any) -> Floats:
    """The corners of a box in Blender's order; its own are those before it is subdivided."""
    points = _vertices(thing)
    bounds = np.stack([points.min(0), points.max(0)])
    return bounds[_CORNERS, (0, 1, 2)]


_CORNERS = np.array(
    [(0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0), (1, 0, 0), (1, 0, 1), (1, 1, 1), (1, 1, 0)]
)


def _placed(thing: Any, points: Floats) -> Floats:
    pose = np.array(thing.matrix_world)
    placed: Floats = points @ pose[:3, :3].T + pose[:3, 3]
    return placed
