"""A loop of 20 Hz that never waits for a picture: it takes the newest one, if there is one.

The robot moves on while pictures are drawn. What it gets is of now or of a moment ago, never older
than what it got before; where it stops, the whole picture comes.
"""

import time

import numpy as np

import heliograph as hg

STEPS, PERIOD = 30, 0.05  # seconds
SCENE = hg.Scene(
    hg.Plane(key="floor", size=[4, 4], color="#8899aa"),
    hg.Box(key="crate", size=[0.4, 0.4, 0.4], position=[0.5, 0, 0.2], color="tan"),
)
CAMERA = hg.Camera.look_at(eye=(0, -3, 1), target=(0, 0, 0.2), fov_y=0.7, width=320, height=240)

seen = []
with (
    hg.open(SCENE) as renderer,
    hg.RenderQueue(renderer, passes=("rgb", "depth"), latency=PERIOD) as queue,
):
    for step in range(STEPS):
        pose = CAMERA.world_from_camera.copy()
        pose[0, 3] += 0.02 * step
        queue.update(CAMERA.moved(pose))
        try:
            image = queue.get()  # or None; the robot does its work in any case
        except hg.EngineError as error:  # of the newest update; the next one is drawn all the same
            print(error)
            image = None
        if image is not None:
            seen.append((image.update_id, image.level))
            nearest = float(np.min(image.frame.depth))
        time.sleep(PERIOD)
    queue.update(CAMERA)  # it stops
    last = queue.wait(final=True, timeout=30)
print(f"{len(seen)} pictures of {STEPS} moves; the nearest thing was {nearest:.2f} m away")
print("where it stopped:", last.camera.size)
print("never back:", seen == sorted(set(seen)))
