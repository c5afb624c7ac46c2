"""A camera that is dragged in the page, recorded; `--by-hand` waits for you to drag it.

Without it the program moves the camera itself. `move_camera.py` and `heliograph render
--trajectory` replay what is written.
"""

import asyncio
import sys
import time

import numpy as np

import heliograph as hg
from heliograph import poses

SCENE = hg.Scene(
    hg.Plane(key="floor", size=[4, 4], color="#8899aa"),
    hg.Box(key="crate", size=[0.4, 0.4, 0.4], position=[0, 0, 0.2], color="tan"),
    hg.DirectionalLight(key="sun", position=[2, -2, 4]),
    hg.CameraView(
        key="ego",
        matrix=poses.look_at((2, 0, 1), (0, 0, 0.2)).T.ravel(),
        movable=True,
        showFrustum=True,
    ),
)
SECONDS = 60.0 if "--by-hand" in sys.argv else 1.0


async def move(app: hg.App) -> None:
    """Move the camera round the crate."""
    for turn in np.linspace(0, 2 * np.pi, 30):
        pose = poses.look_at((2 * np.cos(turn), 2 * np.sin(turn), 1), (0, 0, 0.2))
        app.scene.update @ hg.CameraView(key="ego", matrix=pose.T.ravel())
        await asyncio.sleep(SECONDS / 30)


async def main() -> None:
    async with hg.App(SCENE) as app:
        print("drag the camera at", app.url)
        await app.grab_render("ego")  # so that who draws has started
        mover = None if "--by-hand" in sys.argv else asyncio.create_task(move(app))
        began, times, views = time.monotonic(), [], []
        while (now := time.monotonic()) < began + SECONDS:
            camera = (await app.grab_render("ego"))["ego"].camera  # as it stands now
            if not views or camera != views[-1].cameras[0]:
                times.append(now - began)
                views.append(hg.View([camera]))
            await asyncio.sleep(1 / 60)
        if mover is not None:
            await mover
    hg.Trajectory.of(views, times).save("camera.npz")
    print(f"{len(views)} poses in camera.npz")


asyncio.run(main())
