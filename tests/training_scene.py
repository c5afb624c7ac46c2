"""A small scene that a nerfacto model is trained on: boxes, a ball and a floor, lit."""

from __future__ import annotations

import numpy as np

import heliograph as hg

BOX = hg.Box(key="box", size=[0.4, 0.3, 0.5], position=[-0.3, -0.1, 0.25], color="crimson")
CORNERS = np.array(list(np.ndindex(2, 2, 2))) * [0.4, 0.3, 0.5] + [-0.5, -0.25, 0.0]
"""Of the box."""

TARGET, RADIUS = (0.0, 0.0, 0.15), 1.8


def scene() -> hg.Scene:
    return hg.Scene(
        hg.Box(key="floor", size=[1.8, 1.8, 0.1], position=[0, 0, -0.05], color="tan"),
        BOX,
        hg.Sphere(key="ball", radius=0.25, position=[0.3, 0.3, 0.25], color="royalblue"),
        hg.Box(key="low", size=[0.3, 0.3, 0.15], position=[0.3, -0.4, 0.075], color="seagreen"),
        hg.AmbientLight(key="sky", intensity=1.0),
        hg.DirectionalLight(key="sun", position=[2, -1, 3], intensity=2.0),
    )
