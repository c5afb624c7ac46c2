"""A camera that a program moves, and that looks at a ball wherever both of them are."""

import asyncio
from pathlib import Path

import numpy as np

import heliograph as hg
from heliograph import poses

SCENE = hg.Scene(
    hg.Plane(key="floor", size=[6, 6], color="#8899aa"),
    hg.Sphere(key="ball", radius=0.2, color="crimson"),
    hg.DirectionalLight(key="sun", position=[2, -2, 4]),
    hg.CameraView(key="ego", fov=50, width=320, height=240, showFrustum=True),
)
STEPS = 60


def path() -> list[tuple[float, float, float]]:
    """Where the camera is, step by step: as it was recorded, or once round."""
    if Path("camera.npz").exists():
        return [
            each.world_from_camera[:3, 3] for each in hg.Trajectory.load("camera.npz").cameras()
        ]
    return [(2 * np.cos(turn), 2 * np.sin(turn), 1) for turn in np.linspace(0, 2 * np.pi, STEPS)]


async def main() -> None:
    async with hg.App(SCENE) as app:
        print("watch it at", app.url)
        seen = 0
        for step, eye in enumerate(path()):
            ball = (0, 0, 0.2 + abs(np.sin(step / 9)))
            app.scene.update @ [
                hg.Sphere(key="ball", position=ball),
                hg.CameraView(key="ego", matrix=poses.look_at(eye, ball).T.ravel()),
            ]
            # What is grabbed shows every change before it: nothing to wait for.
            sample = await app.grab_render("ego", ("rgb", "segmentation"))
            label = sample.labels[sample["ego"].segmentation[120, 160]]
            seen += label.name == "ball"
    print(f"the ball is in the middle of {seen} of {step + 1} pictures")


asyncio.run(main())
