"""A robot hand from MuJoCo: rgb, depth, normals, segmentation from one draw."""

import numpy as np

import heliograph as hg

MODEL = "gymnasium_robotics:envs/assets/hand/manipulate_block.xml"

with hg.open(MODEL, size=(200, 200)) as renderer:
    passes = ("rgb", "depth", "normals", "segmentation")
    frame = renderer.render(hg.View(cameras=["fit"], passes=passes))["fit"]

nearest = np.unravel_index(frame.depth.argmin(), frame.depth.shape)
name, category = frame.labels[frame.segmentation[nearest]]
print(f"nearest to the camera: {name} ({category}), {frame.depth[nearest]:.3f} m away")
