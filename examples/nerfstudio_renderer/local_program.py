"""The same queue without a server: `local_program.py CONFIG [CHECKPOINT]`."""

import random
import sys
import time

from heliograph.compat.nerfstudio_renderer import NerfStudioRenderQueue

config, *checkpoint = sys.argv[1:]
rq = NerfStudioRenderQueue(
    model_config_path=config, checkpoint_path=checkpoint[0] if checkpoint else None, device="cpu"
)

position = [random.random() for _ in range(3)]
rotation = [0.0, -152, 0.0]  # degrees
rq.update_camera(position, rotation)

time.sleep(3)  # it draws meanwhile: rough pictures first

image = rq.get_rgb_image()
del rq  # frees the model

print("no picture yet" if image is None else (image.shape, image.dtype))
