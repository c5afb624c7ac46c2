"""Pictures on demand: all passes, several cameras at once, a pose as part of the request."""

import asyncio

import numpy as np

import heliograph as hg
from heliograph import poses

SCENE = hg.Scene(
    hg.Plane(key="floor", size=[4, 4], color="#8899aa"),
    hg.Box(key="crate", size=[0.4, 0.4, 0.4], position=[0, 0, 0.2], color="tan"),
    hg.HemisphereLight(key="sky", groundColor="black"),
    hg.CameraView(key="ego", position=[0, -2, 1], lookAt=[0, 0, 0.2], width=320, height=240),
    hg.CameraView(key="top", position=[0, 0, 3], width=200, height=200, near=0.5, far=5),
)
PASSES = ("rgb", "depth", "normals", "segmentation")


async def main() -> None:
    async with hg.App(SCENE) as app:
        sample = await app.grab_render(["ego", "top"], PASSES)
        for frame in sample:
            print(frame.camera.name, {name: frame[name].shape for name in PASSES})

        # Metres along the optical axis, so the top of the crate is 3 - 0.4 away.
        print(f"the crate's top is {sample['top'].depth[100, 100]:.3f} m below the camera")

        # 100 views from all round: poses given with the request move nothing in the scene.
        rng = np.random.default_rng(0)
        near = np.inf
        for _ in range(100):
            eye = (*rng.uniform(-2, 2, 2), rng.uniform(0.5, 2))
            pose = poses.look_at(eye, (0, 0, 0.2))
            sample = await app.grab_render("ego", ("depth",), poses={"ego": pose})
            near = min(near, sample["ego"].depth.min())
    print(f"the nearest thing in 100 pictures was {near:.2f} m away")


asyncio.run(main())
