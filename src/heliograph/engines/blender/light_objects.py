"""Lights of draw lists as Blender's lamps, and light from all around as its world.

Sun: its strength is the light that falls on what faces it, in lux. Lamps and spots: 4 pi watts for
each candela. Rectangles: pi A watts for each unit of radiance.
"""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.blender.nodes import give_nodes
from heliograph.raster import Light, LightKind
from heliograph.raster.types import DrawList

_KINDS = {
    LightKind.DIRECTIONAL: "SUN",
    LightKind.HEAD: "SUN",
    LightKind.POINT: "POINT",
    LightKind.SPOT: "SPOT",
    LightKind.AREA: "AREA",
}
_ROWS, _COLUMNS = 64, 128
_SQUARE = 2.0

Picture = NDArray[np.float32]


def lamp_of(light: Light, camera: Camera | None) -> Any:
    """A new object that sheds a light.

    Blender's lamps have no words for how else than with the square of the distance they fade, and
    where they end. Nodes do it for Cycles; `decay` and `distance`, custom properties of the lamp,
    say it to others.

    Args:
        light: which.
        camera: where a light at the camera is.
    """
    lamp = bpy.data.lights.new("light", _KINDS[light.kind])
    made = bpy.data.objects.new("light", lamp)
    strength = max(light.diffuse)
    lamp.color = tuple(each / strength for each in light.diffuse) if strength > 0 else (0, 0, 0)
    lamp.use_shadow = light.casts_shadow
    lamp.specular_factor = 1.0
    x, y, z = light.position
    turn = _turn(np.array(light.direction))
    if light.kind is LightKind.HEAD:
        lamp.energy, lamp.angle = strength, 0.0
        turn = np.eye(3) if camera is None else camera.world_from_camera[:3, :3]
    elif light.kind is LightKind.DIRECTIONAL:
        lamp.energy, lamp.angle = strength, 2 * math.atan(light.size)
    elif light.kind is LightKind.AREA:
        right, up = (np.array(side) for side in light.sides)
        lamp.shape = "RECTANGLE"
        lamp.size, lamp.size_y = 2 * float(np.linalg.norm(right)), 2 * float(np.linalg.norm(up))
        lamp.energy = strength * math.pi * lamp.size * lamp.size_y
        turn = np.stack([right, up, -np.array(light.direction)], 1)
        turn = turn / np.linalg.norm(turn, axis=0)
    else:
        lamp.energy, lamp.shadow_soft_size = 4 * math.pi * strength, light.size
        if light.decay != _SQUARE or light.distance > 0:
            lamp["decay"], lamp["distance"] = light.decay, light.distance
            _fade(lamp, light.decay, light.distance)
        if light.kind is LightKind.SPOT:
            lamp.spot_size = 2 * light.cutoff
            edge, rim = math.cos(light.cutoff), math.cos(light.cutoff * (1 - light.softness))
            lamp.spot_blend = (rim - edge) / (1 - edge) if edge < 1 else 0.0
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, (x, y, z)
    made.matrix_world = Matrix(pose.tolist())
    made.visible_camera = False
    return made


def _fade(lamp: Any, decay: float, distance: float) -> None:
    """Have nodes multiply a lamp by d^2 / d^decay and, if it ends, by (1 - (d / distance)^4)^2."""
    give_nodes(lamp)
    tree = lamp.node_tree
    tree.nodes.clear()
    output, shine = (tree.nodes.new(f"ShaderNode{kind}") for kind in ("OutputLight", "Emission"))
    tree.links.new(shine.outputs[0], output.inputs[0])
    length = tree.nodes.new("ShaderNodeLightPath").outputs["Ray Length"]

    def made(operation: str, one: Any, other: Any) -> Any:
        node = tree.nodes.new("ShaderNodeMath")
        node.operation, node.use_clamp = operation, operation == "SUBTRACT"
        for value, socket in zip((one, other), node.inputs, strict=False):
            if isinstance(value, float):
                socket.default_value = value
            else:
                tree.links.new(value, socket)
        return node.outputs[0]

    strength = made("POWER", length, _SQUARE - decay)
    if distance > 0:
        part = made("POWER", made("DIVIDE", length, distance), 4.0)
        strength = made("MULTIPLY", strength, made("POWER", made("SUBTRACT", 1.0, part), 2.0))
    tree.links.new(strength, shine.inputs["Strength"])


def _turn(way: NDArray[np.float64]) -> NDArray[np.float64]:
    """A rotation (3, 3) whose -z goes this way."""
    back = -way / np.linalg.norm(way)
    side = np.cross((0.0, 1.0, 0.0) if abs(back[1]) < 0.9 else (1.0, 0.0, 0.0), back)
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(back, side), back], 1)


def surroundings(things: DrawList, radiance: Picture | None) -> Picture | tuple[float, ...]:
    """The radiance that comes from all sides.

    Args:
        things: says what comes from everywhere, and what more from one side than from the other.
        radiance: a picture (H, W, 3) of the light from all around, or None.

    Returns:
        A picture as `Environment.radiance` has it, or a colour where it is the same everywhere.
    """
    even = np.array(things.ambient) / math.pi
    if things.gradient is None and radiance is None:
        return tuple(even.tolist())
    rows, columns = (_ROWS, _COLUMNS) if radiance is None else radiance.shape[:2]
    whole = np.tile(even, (rows, columns, 1))
    if things.gradient is not None:
        for slope, way in zip(things.gradient, _signs(rows, columns), strict=True):
            whole += way[..., None] * np.array(slope) / math.pi
    if radiance is not None:
        whole += radiance * things.environment.radiance_scale
    return np.maximum(whole, 0.0).astype(np.float32)


def _signs(rows: int, columns: int) -> list[NDArray[np.float64]]:
    """Of each pixel's direction the signs of x, y and z; (rows, columns) each.

    A sky that is brighter by L on one half and darker by L on the other adds pi L n to what falls
    on a surface with the normal n along that axis.
    """
    turn = 2 * np.pi * ((np.arange(columns) + 0.5) / columns - 0.5)
    up = np.sign(np.cos(np.pi * (np.arange(rows) + 0.5) / rows))
    ways = np.sign(np.round(np.sin(turn), 9)), np.sign(np.round(np.cos(turn), 9))
    across = [np.broadcast_to(way, (rows, columns)) for way in ways]
    return [*across, np.broadcast_to(up[:, None], (rows, columns))]


def blender_picture(radiance: Picture) -> Any:
    """A picture of all around as a `bpy.types.Image`, whose middle is ahead along +x."""
    height, width = radiance.shape[:2]
    made = bpy.data.images.new("surroundings", width, height, alpha=True, float_buffer=True)
    made.colorspace_settings.name = "Non-Color"
    whole = np.ones((height, width, 4), np.float32)
    whole[..., :3] = np.roll(radiance, -round(width / 4), axis=1)
    made.pixels.foreach_set(whole[::-1].ravel())
    made.pack()
    return made
