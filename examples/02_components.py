"""A scene of components, without any file; an edit changes what one view shows."""

import numpy as np

import heliograph as hg

scene = hg.Scene(
    hg.Plane(key="floor", size=[4, 4], color="#8899aa"),
    hg.Box(key="crate", size=[0.4, 0.4, 0.4], position=[0.5, 0, 0.2], color="tan"),
    hg.Sphere(key="ball", radius=0.2, position=[-0.4, 0, 0.2], color="crimson"),
    hg.DirectionalLight(key="sun", position=[2, -2, 4]),
    hg.CameraView(key="ego", position=[0, -2.5, 1.2], lookAt=[0, 0, 0.2], width=320, height=240),
)

with hg.open(scene) as renderer:
    before = renderer.render(hg.View(["ego"], ("rgb", "depth")))["ego"]
    lifted = hg.Update(hg.Sphere(key="ball", position=[-0.4, 0, 0.8]))
    after = renderer.render(hg.View(["ego"], ("rgb", "depth"), edits=[lifted]))["ego"]

print(f"{np.mean(before.rgb != after.rgb):.1%} of the pixels changed")
