"""Frames within frames: a camera on a moving arm, its frustum, and where a point falls in it."""

import asyncio

import numpy as np

import heliograph as hg
from heliograph import poses

POINT = np.array([0.3, 0.1, 0.2])
SCENE = hg.Scene(
    hg.Plane(key="floor", size=[4, 4], color="#8899aa"),
    hg.Sphere(key="mark", radius=0.02, position=POINT, color="crimson", materialType="basic"),
    hg.Group(
        hg.CameraView(
            key="wrist",
            position=[0, 0, 0.5],
            rotation=[0, -np.pi / 2, -np.pi / 2],  # looks along the arm's x, its top is the arm's z
            fov=60,
            width=320,
            height=240,
            showFrustum=True,
        ),
        hg.CoordsMarker(key="axes", size=0.3),
        key="arm",
    ),
    hg.HemisphereLight(key="sky"),
)


async def main() -> None:
    async with hg.App(SCENE) as app:
        print("look at it at", app.url)
        worst, count = 0.0, 0
        for turn in np.linspace(-0.2, 0.4, 9):
            world_from_arm = np.eye(4)
            world_from_arm[:3, :3] = poses.from_euler([0, 0, turn], unit=poses.AngleUnit.RADIANS)
            world_from_arm[:3, 3] = -1.5, 0, 0
            app.scene.update @ hg.Group(key="arm", matrix=world_from_arm.T.ravel())
            sample = await app.grab_render("wrist", ("segmentation",))
            frame = sample["wrist"]
            ids = [number for number, label in sample.labels.items() if label.name == "mark"]
            rows, columns = np.nonzero(frame.segmentation == ids[0])
            # The same by hand: its camera's pose is the arm's times its own.
            x, y = frame.camera.project(POINT)
            worst = max(worst, abs(columns.mean() + 0.5 - x), abs(rows.mean() + 0.5 - y))
            count += 1
    print(f"{count} pictures; the mark is within {worst:.2f} pixels of where it is projected to")


asyncio.run(main())
