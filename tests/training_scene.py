"""A small scene that a nerfacto model is trained on: boxes, a ball and a floor, lit."""

from __future__ import annotations

import numpy as np

import heliograph as hg

BOX = hg.Box(key="box", size=[0.4, 0.3, 0.5], position=[-0.3, -0.1, 0.25], color="crimson")
CORNERS = np.array(list(np.ndindex(2, 2, 2))) * [0.4, 0.3, 0.5] + [-0.5, -0.25, 0.0]
"""Of the box."""

BALL = np.array([0.3, 0.3, 0.25])
TARGET, RADIUS = (0.0, 0.0, 0.15), 1.8


def scene() -> hg.Scene:
    """The floor is of tiles: what has one colour everywhere says nothing of where it is."""
    tiles = [
        hg.Box(
            key=f"tile_{row}_{column}",
            size=[0.3, 0.3, 0.1],
            position=[0.3 * column - 0.75, 0.3 * row - 0.75, -0.05],
            color=("tan", "teal", "ivory")[(row + 2 * column) % 3],
        )
        for row in range(6)
        for column in range(6)
    ]
    return hg.Scene(
        *tiles,
        BOX,
        hg.Sphere(key="ball", radius=0.25, position=BALL, color="royalblue"),
        hg.Box(key="low", size=[0.3, 0.3, 0.15], position=[0.3, -0.4, 0.075], color="orange"),
        hg.AmbientLight(key="sky", intensity=1.0),
        hg.DirectionalLight(key="sun", position=[2, -1, 3], intensity=2.0),
    )
