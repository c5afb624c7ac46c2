"""A height map in metres from a camera without perspective that looks down."""

import asyncio

import numpy as np

import heliograph as hg

SIZE, EXTENT, HEIGHT = 256, 2.0, 3.0  # pixels, metres, metres
SCENE = hg.Scene(
    hg.Plane(key="floor", size=[4, 4]),
    hg.Box(key="step", size=[0.5, 0.5, 0.2], position=[-0.5, 0.5, 0.1]),
    hg.Sphere(key="dome", radius=0.4, position=[0.4, -0.2, 0]),
    hg.Cylinder(
        key="post", args=[0.1, 0.1, 0.6], rotation=[np.pi / 2, 0, 0], position=[0.5, 0.6, 0.3]
    ),
    hg.CameraView(
        key="above",
        ctype="orthographic",
        extent=EXTENT,
        position=[0, 0, HEIGHT],
        width=SIZE,
        height=SIZE,
        near=0.1,
        far=5,
    ),
)


async def main() -> None:
    async with hg.App(SCENE) as app:
        depth = (await app.grab_render("above", ("depth",)))["above"].depth
    heights = HEIGHT - depth
    np.save("heights.npy", heights)

    # Pixel (row, column) stands for this place on the floor.
    across = (np.arange(SIZE) + 0.5) / SIZE * EXTENT - EXTENT / 2
    x, y = np.meshgrid(across, -across)
    below = 0.4**2 - (x - 0.4) ** 2 - (y + 0.2) ** 2
    dome = below > 0.01  # away from its rim
    error = np.abs(heights[dome] - np.sqrt(below[dome])).max()
    print(f"the dome is right within {1000 * error:.1f} mm, the post {heights.max():.3f} m high")


asyncio.run(main())
