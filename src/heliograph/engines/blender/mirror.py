"""Keeps a scene of Blender in step with draw lists.

Object i shows instance i. All stand on one object and are placed by the inverse of its matrix,
which holds any affine map, shear too. A view costs what differs from the one shown before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.blender import light_objects
from heliograph.engines.blender.mesh_store import MeshStore
from heliograph.engines.blender.nodes import give_nodes
from heliograph.engines.blender.surface_nodes import TINT, UV
from heliograph.engines.blender.surfaces import Row, Surfaces, rows
from heliograph.raster import DrawList, Geometry, Instances, LightKind, ToneMapping

_TABLE = ("texture", "texture_scale", "texture_offset", "cutoff", "side", "shading")
_MATERIALS = ("rgba", "surface", "emissive", "metallic_roughness", "highlight")
_TRANSFORMS = {ToneMapping.NONE: "Standard", ToneMapping.NEUTRAL: "Khronos PBR Neutral"}

MeshKey = tuple[int, float]
"""Handle of a geometry; length of a capsule."""


class Mirror:
    """A scene of Blender that shows draw lists.

    Args:
        store: where their geometry and pixels are.

    Attributes:
        scene: the `bpy.types.Scene`.
        names: what the objects are called that show the instances.
    """

    def __init__(self, store: MeshStore) -> None:
        self._store = store
        self.scene = bpy.data.scenes.new("components")
        self.scene.world = self._world = bpy.data.worlds.new("components")
        self.scene.render.dither_intensity = 0.0
        self._ground = bpy.data.objects.new("ground", None)
        self.scene.collection.objects.link(self._ground)
        self._nothing = bpy.data.meshes.new("nothing")
        self._surfaces = Surfaces(store)
        self._objects: list[Any] = []
        self.names: list[str] = []
        self._lamps: list[Any] = []
        self._meshes: dict[MeshKey, Any] = {}
        self._keys: list[MeshKey | None] = []
        self._rows: list[Row | None] = []
        self._drawn: DrawList | None = None
        self._lit_by: tuple[Any, ...] = ()
        self._surrounded: tuple[Any, ...] = ()

    def show(self, things: DrawList, camera: Camera, deformed: Iterable[int] = ()) -> None:
        """Have the scene show a draw list.

        Args:
            things: what.
            camera: where a light at the camera is.
            deformed: geometries whose vertices are others now.
        """
        instances = things.instances
        self._resize(len(instances))
        before = None if self._drawn is None else self._drawn.instances
        for handle in deformed:
            if (handle, 0.0) in self._meshes:
                _write_vertices(self._meshes[handle, 0.0], self._store.geometry(handle))
        self._show_geometries(before, instances)
        self._show_surfaces(before, instances)
        self._place(before, instances)
        self._show_lights(things, camera)
        self._show_surroundings(things)
        view = self.scene.view_settings
        view.view_transform = _TRANSFORMS[things.tone_mapping]
        view.look, view.exposure = "None", math.log2(max(things.exposure, 1e-9))
        self._drawn = things
        self._trim(instances)
        self.scene.view_layers[0].update()

    def close(self) -> None:
        """Remove the scene and all that is in it."""
        self._resize(0)
        for lamp in self._lamps:
            bpy.data.lights.remove(lamp.data)
        for mesh in (self._nothing, *self._meshes.values()):
            bpy.data.meshes.remove(mesh)
        self._surfaces.close()
        bpy.data.objects.remove(self._ground)
        self._clear_world()
        bpy.data.worlds.remove(self._world)
        bpy.data.scenes.remove(self.scene)

    def _resize(self, count: int) -> None:
        """Have as many objects as instances; where they are others in number, all are new."""
        had = len(self._objects)
        if count == had:
            return
        self._drawn = None
        for made in self._objects[count:]:
            bpy.data.objects.remove(made)
        self._surfaces.exchange([row for row in self._rows[count:] if row is not None], [])
        del self._objects[count:], self._keys[count:], self._rows[count:]
        for i in range(had, count):
            made = bpy.data.objects.new(f"instance {i}", self._nothing)
            made.parent = self._ground
            self.scene.collection.objects.link(made)
            self._objects.append(made)
            self._keys.append(None)
            self._rows.append(None)
        self.names = [made.name for made in self._objects]

    def _show_geometries(self, before: Instances | None, now: Instances) -> None:
        """Give objects their meshes."""
        lengths, handles = now.transforms.length, now.table.geometry
        had = None if before is None else (before.table.geometry, before.transforms.length)
        if had is not None and handles is had[0] and lengths is had[1]:
            return
        long = np.zeros(len(now)) if lengths is None else lengths
        for i, key in enumerate(zip(handles.tolist(), long.tolist(), strict=True)):
            if key != self._keys[i]:
                self._objects[i].data, self._keys[i] = self._mesh(key), key
                self._strip(i)  # as its new mesh may have colours of its own

    def _strip(self, i: int) -> None:
        """Give back how an object looks."""
        row, self._rows[i] = self._rows[i], None
        if row is not None:
            self._surfaces.exchange([row], [])

    def _mesh(self, key: MeshKey) -> Any:
        if key not in self._meshes:
            self._meshes[key] = made_mesh(self._store.geometry(*key))
        return self._meshes[key]

    def _show_surfaces(self, before: Instances | None, now: Instances) -> None:
        """Give objects their materials, and say which rays see them."""
        changed = np.array([row is None or before is None for row in self._rows], bool)
        if before is not None:
            for had, has, names in (
                (before.table, now.table, _TABLE),
                (before.materials, now.materials, _MATERIALS),
            ):
                for name in names if had is not has else ():
                    changed |= _differs(getattr(had, name), getattr(has, name), len(now))
        chosen = np.flatnonzero(changed)
        if not len(chosen):
            return
        order = chosen.tolist()
        tinted = [TINT in self._objects[i].data.attributes for i in order]
        looks = rows(now, chosen, tinted)
        gone = [row for row in (self._rows[i] for i in order) if row is not None]
        for i, look, material in zip(
            order, looks, self._surfaces.exchange(gone, looks), strict=True
        ):
            made, self._rows[i] = self._objects[i], look
            slot = made.material_slots[0]
            if slot.link != "OBJECT":
                slot.link = "OBJECT"
            if slot.material != material:
                slot.material = material
            made.visible_diffuse = not look[0].unlit
            made.visible_shadow = bool(now.table.casts_shadow[i])

    def _place(self, before: Instances | None, now: Instances) -> None:
        """Put objects where they are, and hide those that are not seen."""
        poses, seen = now.transforms.world_from_object, now.transforms.visible
        moved = turned = np.ones(len(now), bool)
        if before is not None:
            moved = _differs(before.transforms.world_from_object, poses, len(now))
            turned = _differs(before.transforms.visible, seen, len(now))
        for i in np.flatnonzero(moved).tolist():
            self._objects[i].matrix_parent_inverse = Matrix([*poses[i].tolist(), (0, 0, 0, 1)])
        for i in np.flatnonzero(turned).tolist():
            self._objects[i].hide_render = self._objects[i].hide_viewport = not seen[i]

    def _show_lights(self, things: DrawList, camera: Camera) -> None:
        at_camera = any(light.kind is LightKind.HEAD for light in things.lights)
        key = things.lights, camera.world_from_camera.tobytes() if at_camera else b""
        if key == self._lit_by:
            return
        for lamp in self._lamps:
            bpy.data.lights.remove(lamp.data)  # and the object with it
        self._lamps = [light_objects.lamp_of(light, camera) for light in things.lights]
        for i, lamp in enumerate(self._lamps):
            lamp.name = f"light {i}"
            self.scene.collection.objects.link(lamp)
        self._lit_by = key

    def _show_surroundings(self, things: DrawList) -> None:
        """Have the world shed what comes from all around."""
        behind = things.environment
        key = things.ambient, things.gradient, behind.radiance, behind.radiance_scale
        if key == self._surrounded:
            return
        self._clear_world()
        give_nodes(self._world)
        tree = self._world.node_tree
        tree.nodes.clear()
        back = tree.nodes.new("ShaderNodeBackground")
        output = tree.nodes.new("ShaderNodeOutputWorld")
        tree.links.new(back.outputs[0], output.inputs["Surface"])
        radiance = None if behind.radiance is None else self._store.radiance(behind.radiance)
        light = light_objects.surroundings(things, radiance)
        if isinstance(light, tuple):
            back.inputs["Color"].default_value = (*light, 1.0)
        else:
            node = tree.nodes.new("ShaderNodeTexEnvironment")
            node.image = light_objects.blender_picture(light)
            tree.links.new(node.outputs["Color"], back.inputs["Color"])
        self._surrounded = key

    def _clear_world(self) -> None:
        tree = self._world.node_tree
        for node in () if tree is None else tree.nodes:
            if node.bl_idname == "ShaderNodeTexEnvironment":
                bpy.data.images.remove(node.image)

    def _trim(self, instances: Instances) -> None:
        """Remove what no later view is likely to show."""
        gone = [key for key in self._meshes.keys() - set(self._keys) if not self._store.has(key[0])]
        for key in gone:
            bpy.data.meshes.remove(self._meshes.pop(key))
        self._surfaces.trim()


def made_mesh(geometry: Geometry) -> Any:
    """A new `bpy.types.Mesh` of triangles with normals; it has one slot for a material."""
    mesh = bpy.data.meshes.new(geometry.name)
    triangles = np.ascontiguousarray(geometry.triangles, np.int32)
    corners = triangles.ravel()
    mesh.vertices.add(len(geometry.positions))
    mesh.loops.add(len(corners))
    mesh.polygons.add(len(triangles))
    mesh.attributes[".corner_vert"].data.foreach_set("value", corners)
    mesh.polygons.foreach_set("loop_start", np.arange(0, len(corners), 3, dtype=np.int32))
    mesh.attributes.new("custom_normal", "FLOAT_VECTOR", "POINT")
    if geometry.uvs is not None:
        mesh.uv_layers.new(name=UV)
        mesh.attributes[UV].data.foreach_set("vector", _flat(geometry.uvs)[:, :2][corners].ravel())
    if geometry.colours is not None:
        mesh.color_attributes.new(TINT, "FLOAT_COLOR", "POINT")
        mesh.attributes[TINT].data.foreach_set("color", _flat(geometry.colours).ravel())
    mesh.materials.append(None)
    _write_vertices(mesh, geometry)
    return mesh


def _write_vertices(mesh: Any, geometry: Geometry) -> None:
    """Put vertices and their normals into a mesh."""
    mesh.attributes["position"].data.foreach_set("vector", _flat(geometry.positions).ravel())
    mesh.attributes["custom_normal"].data.foreach_set("vector", _flat(geometry.normals).ravel())
    mesh.update(calc_edges=True)


def _flat(values: Any) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)


def _differs(had: Any, has: Any, count: int) -> NDArray[np.bool_]:
    """Which rows (N,) of two columns differ; None is another than any column."""
    if had is has:
        return np.zeros(count, bool)
    if had is None or has is None or len(had) != count:
        return np.ones(count, bool)
    differs: NDArray[np.bool_] = (had != has).reshape(count, -1).any(1)
    return differs
