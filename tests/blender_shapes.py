"""Small scenes of Blender, and what stands in for a world around them."""

from __future__ import annotations

from typing import Any

import bpy

from heliograph.engines.blender.nodes import give_nodes
from heliograph.engines.blender.world import Shown
from heliograph.frame import Label, Labels


class Numbers:
    """Objects from 1 on by name, materials from 101 on, instances from 1000 on."""

    def __init__(self) -> None:
        self.instances: dict[tuple[Any, ...], int] = {}

    @property
    def labels(self) -> Labels:
        names = bpy.context.scene.objects.keys()
        return {self.of_object(each): Label(each, "") for each in names}

    def of_object(self, name: str) -> int:
        names = sorted(bpy.context.scene.objects.keys())
        return 1 + names.index(name) if name in names else 0

    def of_material(self, name: str) -> int:
        return 101 + int(bpy.data.materials.find(name)) if name else 100

    def of_instance(self, parent: str, name: str, persistent_id: Any) -> int:
        key = (parent, name, tuple(persistent_id))
        return self.instances.setdefault(key, 1000 + len(self.instances))


def empty_scene() -> Any:
    """Nothing, black all around, colours as they are."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.view_settings.view_transform = "Standard"
    return scene


def shown(scene: Any, **changes: Any) -> Shown:
    layer = scene.view_layers[0]
    layer.update()
    given = {"by_material": False, "background": None, "seed": 7, **changes}
    return Shown(scene=scene, view_layer=layer, numbering=Numbers(), **given)


def with_nodes(made: Any) -> Any:
    """A material or a world that has nodes."""
    give_nodes(made)
    return made


def material(name: str, colour: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Any:
    """Diffuse, of this linear colour."""
    made = with_nodes(bpy.data.materials.new(name))
    nodes, links = made.node_tree.nodes, made.node_tree.links
    nodes.clear()
    shader = nodes.new("ShaderNodeBsdfDiffuse")
    shader.inputs["Color"].default_value = (*colour, 1.0)
    links.new(shader.outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    return made


def mesh(scene: Any, name: str, points: Any, faces: Any, made_of: Any = None) -> Any:
    data = bpy.data.meshes.new(name)
    data.from_pydata(points, [], faces)
    if made_of is not None:
        data.materials.append(made_of)
    thing = bpy.data.objects.new(name, data)
    scene.collection.objects.link(thing)
    return thing


def cube(
    scene: Any, name: str, at: Any = (0.0, 0.0, 0.0), half: float = 1.0, of: Any = None
) -> Any:
    points = [(x, y, z) for x in (-half, half) for y in (-half, half) for z in (-half, half)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    thing = mesh(scene, name, points, faces, of)
    thing.location = at
    return thing


def plane(scene: Any, name: str, half: float, height: float = 0.0, of: Any = None) -> Any:
    points = [
        (-half, -half, height),
        (half, -half, height),
        (half, half, height),
        (-half, half, height),
    ]
    return mesh(scene, name, points, [(0, 1, 2, 3)], of)


def sun(scene: Any, strength: float) -> Any:
    """Straight from above, watts per square metre."""
    light = bpy.data.lights.new("Sun", "SUN")
    light.energy, light.angle = strength, 0.0
    thing = bpy.data.objects.new("Sun", light)
    scene.collection.objects.link(thing)
    return thing


def instancer(scene: Any, name: str, source: Any, height: float) -> Any:
    """A grid of 4 x 3 instances a metre apart: of an object, or of a cube without a material."""
    thing = plane(scene, name, 1.0)
    thing.location = (0.0, 0.0, height)
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    grid = tree.nodes.new("GeometryNodeMeshGrid")
    for socket, value in {"Size X": 3, "Size Y": 2, "Vertices X": 4, "Vertices Y": 3}.items():
        grid.inputs[socket].default_value = value
    if source is None:
        shape = tree.nodes.new("GeometryNodeMeshCube")
        shape.inputs["Size"].default_value = (0.5, 0.5, 0.5)
    else:
        shape = tree.nodes.new("GeometryNodeObjectInfo")
        shape.inputs["Object"].default_value = source
        shape.inputs["As Instance"].default_value = True
    instances = tree.nodes.new("GeometryNodeInstanceOnPoints")
    output = tree.nodes.new("NodeGroupOutput")
    tree.links.new(grid.outputs["Mesh"], instances.inputs["Points"])
    geometry = next(each for each in shape.outputs if each.type == "GEOMETRY")
    tree.links.new(geometry, instances.inputs["Instance"])
    tree.links.new(instances.outputs[0], output.inputs[0])
    thing.modifiers.new("Grid", "NODES").node_group = tree
    return thing
