"""The environment of a pole on a cart; an action is the speed of the cart, from -1 to 1."""

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from heliograph.compat.blendtorch import btb
from heliograph.envs.protocol import box

sys.path.append(str(Path(__file__).parent))
from cartpole_scene import FPS, HALF, JOINT, build

FASTEST = 10.0
"""Metres per second."""


class CartPole(btb.BaseEnv):
    """Observations: position and speed of the cart, angle of the pole and its speed."""

    observation_space = box([-20, -100, -np.pi, -400], [20, 100, np.pi, 400])
    action_space = box(-1, 1, (1,))

    def __init__(self, agent: btb.RemoteControlledAgent) -> None:
        super().__init__(agent)
        self.cart, self.pole, self.motor = build()

    def _env_reset(self) -> None:
        angle = self.np_random.uniform(-0.2, 0.2)
        self.pole.rotation_euler = (0, angle, 0)
        self.pole.location = (HALF * math.sin(angle), 0, JOINT + HALF * math.cos(angle))
        self.motor.motor_lin_target_velocity = 0
        self.last = (0.0, angle)

    def _env_prepare_step(self, action: Any) -> None:
        self.motor.motor_lin_target_velocity = FASTEST * float(action[0])

    def _env_post_step(self) -> dict[str, Any]:
        pole = self.pole.matrix_world
        now = (self.cart.matrix_world.translation.x, math.atan2(pole[0][2], pole[2][2]))
        speeds = [(new - old) * FPS for new, old in zip(now, self.last, strict=True)]
        self.last = now
        fell = abs(now[0]) > 3 or abs(now[1]) > 0.6
        obs = np.array([now[0], speeds[0], now[1], speeds[1]], np.float32)
        return {"obs": obs, "reward": 0.0 if fell else 1.0, "done": fell}


def main() -> None:
    args, _ = btb.parse_blendtorch_args()
    env = CartPole(btb.RemoteControlledAgent(args.btsockets["GYM"]))
    env.attach_default_renderer(every_nth=1)
    env.run(frame_range=(1, 10_000), use_animation=True)


main()
