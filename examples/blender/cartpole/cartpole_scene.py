"""A pole on a cart on a rail, held by Blender's rigid bodies; scripts inside Blender import it."""

import math
import sys
from pathlib import Path

import bpy

sys.path.append(str(Path(__file__).parents[1]))
import scenes

FPS = 60
JOINT, HALF = 0.4, 0.6
"""Height of the joint above the floor, and half the length of the pole, metres."""
FREE = {"use_deactivation": False, "linear_damping": 0, "angular_damping": 0}
APART = [False, True] + [False] * 18
"""The layer of the pole, which touches nothing."""


def add_body(
    name: str,
    size: tuple[float, float, float],
    height: float,
    kind: str = "ACTIVE",
    **properties: float,
) -> bpy.types.Object:
    thing = scenes.add_cube(name, size)
    thing.location.z = height
    return scenes.make_rigid(thing, kind, **FREE, **properties)


def join(
    kind: str,
    first: bpy.types.Object,
    second: bpy.types.Object,
    height: float,
    **properties: float,
) -> bpy.types.RigidBodyConstraint:
    """A joint between two bodies."""
    bpy.ops.object.empty_add(location=(0, 0, height))
    bpy.ops.rigidbody.constraint_add(type=kind)
    joint = bpy.context.object.rigid_body_constraint
    joint.object1, joint.object2 = first, second
    for name, value in properties.items():
        setattr(joint, name, value)
    return joint


def build() -> tuple[bpy.types.Object, bpy.types.Object, bpy.types.RigidBodyConstraint]:
    """Sets the scene; returns the cart, the pole and the motor between rail and cart."""
    scenes.begin(160, 120).render.fps = FPS
    scenes.add_camera((0, -6, 1.5), towards=(0, 0, 0.7))
    rail = add_body("Rail", (6, 0.1, 0.1), 0, "PASSIVE")
    cart = add_body("Cart", (0.6, 0.3, 0.2), 0.3, mass=1)
    pole = add_body("Pole", (0.06, 0.06, 2 * HALF), JOINT + HALF, mass=0.1)
    pole.rigid_body.collision_collections = APART
    join("SLIDER", rail, cart, 0.3)
    motor = join("MOTOR", cart, rail, 0.3, use_motor_lin=True, motor_lin_max_impulse=50)
    join("HINGE", cart, pole, JOINT)
    bpy.context.object.rotation_euler.x = math.pi / 2
    return cart, pole, motor
