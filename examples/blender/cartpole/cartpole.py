"""Balances a pole on a cart that lives in Blender, by a controller of four numbers."""

from pathlib import Path

import numpy as np

from heliograph.envs import launch_env

GAINS = np.array([0.1, 0.1, 2.0, 0.3])
"""What the position, its speed, the angle and its speed say about the speed to drive at."""

STEPS = 250


def main() -> None:
    script = Path(__file__).parent / "cartpole.blend.py"
    with launch_env(None, script, render_mode="rgb_array") as env:
        observation, _ = env.reset(seed=3)
        angles = [observation[2]]
        for _ in range(STEPS):
            action = np.clip([GAINS @ observation], -1, 1).astype(np.float32)
            observation, _, terminated, _, _ = env.step(action)
            angles.append(observation[2])
            if terminated:
                break
        picture = env.render()
    print(f"{len(angles) - 1} steps; from {angles[0]:+.2f} to {angles[-1]:+.3f} radians")
    print(f"a picture {picture.shape}, {np.ptp(picture)} levels of brightness")


if __name__ == "__main__":
    main()
