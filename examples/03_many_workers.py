"""The same face over worker processes: samples in order, and batches in one array."""

import numpy as np

import heliograph as hg

MODEL = "gymnasium_robotics:envs/assets/hand/manipulate_block.xml"

if __name__ == "__main__":
    with hg.open(MODEL, size=(64, 64), workers=2, seed=7) as pool:
        depths = [
            sample["fit"].depth[32, 32]
            for sample in hg.samples(pool, count=8, cameras=["fit"], passes=("depth",))
        ]
        qpos = np.zeros((16, 38))
        qpos[:, -4] = qpos[:, -11] = 1  # quaternions of the two blocks
        batch = pool.render_batch({"qpos": qpos, "seed": 0, "cameras": ["fit"]})
    print(len(depths), "samples;", batch["fit"].shape, batch["fit"].dtype)
