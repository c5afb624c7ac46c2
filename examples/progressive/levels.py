"""One camera: a rough picture at once, then better ones; the last is what `render` gives."""

from pathlib import Path

import numpy as np

import heliograph as hg
from heliograph.codec import encode_array

SCENE = hg.Scene(
    hg.Plane(key="floor", size=[4, 4], color="#8899aa"),
    hg.Box(key="crate", size=[0.4, 0.4, 0.4], position=[0.5, 0, 0.2], color="tan"),
    hg.Sphere(key="ball", radius=0.2, position=[-0.4, 0, 0.2], color="crimson"),
)
CAMERA = hg.Camera.look_at(eye=(0, -2, 1.2), target=(0, 0, 0.2), fov_y=0.7, width=640, height=480)

with hg.open(SCENE) as renderer:
    with hg.RenderQueue(renderer, levels=(1 / 64, 1 / 16, 1 / 4, 1)) as queue:
        queue.update(CAMERA)
        image = queue.wait(timeout=30)
        while not image.final:
            width, height = image.camera.size
            Path(f"level-{image.level}.png").write_bytes(encode_array(image.frame.rgb, "png"))
            print(
                f"level {image.level}: {width}x{height}, {1000 * image.age:.0f} ms after the update"
            )
            image = queue.wait(timeout=30)
    whole = renderer.render(hg.View([CAMERA]))["camera"].rgb
print("the last one is the whole picture:", np.array_equal(image.frame.rgb, whole))
