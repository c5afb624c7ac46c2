"""A pole on a cart, held by Blender's rigid bodies; the action is the speed of the cart."""

import math
import sys
from pathlib import Path

import bpy
import numpy as np

from heliograph.compat.blendtorch import btb
from heliograph.envs.protocol import box

sys.path.append(str(Path(__file__).parents[1]))
import scenes

FPS = 60
JOINT, HALF = 0.4, 0.6
"""Height of the joint above the floor, and half the length of the pole, metres."""
FREE = {"use_deactivation": False, "linear_damping": 0, "angular_damping": 0}
APART = [False, True] + [False] * 18
"""The layer of the pole, which touches nothing."""


def add_body(name, size, height, kind="ACTIVE", **properties):
    thing = scenes.add_cube(name, size)
    thing.location.z = height
    return scenes.make_rigid(thing, kind, **FREE, **properties)


def join(kind, first, second, height, **properties):
    """A joint between two bodies."""
    bpy.ops.object.empty_add(location=(0, 0, height))
    bpy.ops.rigidbody.constraint_add(type=kind)
    joint = bpy.context.object.rigid_body_constraint
    joint.object1, joint.object2 = first, second
    for name, value in properties.items():
        setattr(joint, name, value)
    return joint


def build():
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


class CartPole(btb.env.BaseEnv):
    """Observations: position and speed of the cart, angle of the pole and its speed."""

    observation_space = box(-np.inf, np.inf, (4,))
    action_space = box(-10, 10, (1,))

    def __init__(self, agent):
        super().__init__(agent)
        self.cart, self.pole, self.motor = build()

    def _env_reset(self):
        angle = self.np_random.uniform(-0.2, 0.2)
        self.pole.rotation_euler = (0, angle, 0)
        self.pole.location = (HALF * math.sin(angle), 0, JOINT + HALF * math.cos(angle))
        self.motor.motor_lin_target_velocity = 0
        self.last = (0.0, angle)

    def _env_prepare_step(self, action):
        self.motor.motor_lin_target_velocity = float(np.ravel(action)[0])

    def _env_post_step(self):
        pole = self.pole.matrix_world
        now = (self.cart.matrix_world.translation.x, math.atan2(pole[0][2], pole[2][2]))
        speeds = [(new - old) * FPS for new, old in zip(now, self.last, strict=True)]
        self.last = now
        fell = abs(now[0]) > 3 or abs(now[1]) > 0.6
        obs = np.array([now[0], speeds[0], now[1], speeds[1]], np.float32)
        return {"obs": obs, "reward": 0.0 if fell else 1.0, "done": fell}


def main():
    args, _ = btb.parse_blendtorch_args()
    env = CartPole(btb.env.RemoteControlledAgent(args.btsockets["GYM"]))
    env.attach_default_renderer(every_nth=1)
    env.run(frame_range=(1, 10_000), use_animation=True)


main()
