"""The program of Nerfstudio Renderer's document, with its connection lines changed.

Start the server first; it prints the token:

    heliograph serve <MODEL_CONFIG_PATH> --option frame=nerfstudio --port 7007
"""

import os
import random
import time

import numpy as np

from heliograph.compat import nerfstudio_renderer

# Make connection
conn = nerfstudio_renderer.connect(
    "localhost", port=int(os.environ.get("PORT", "7007")), token=os.environ["HELIOGRAPH_TOKEN"]
)

# Create a NerfStudioRenderQueue
rq = conn.NerfStudioRenderQueue()

# Update camera pose
position = [random.random() for _ in range(3)]
rotation = [0.0, -152, 0.0]
rq.update_camera(position, rotation)

# Wait for some time...
time.sleep(3)

# Obtain a rendered image
image = rq.get_rgb_image()

# Delete remote render queue
del rq

if image is None:
    raise SystemExit("no picture in 3 seconds")
print(image.shape, image.dtype, f"from {image.min():.2f} to {image.max():.2f}")
np.save("image.npy", image)
