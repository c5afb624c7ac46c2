"""The program of ORRB's documentation, "Python Integration", run here.

    python examples/orrb_program.py FOLDER

FOLDER holds `assets/` with the three files that the program names. Between the marks stand the
document's code blocks, letter by letter but for the import; the rest is what it leaves to the
reader: states, and a number of servers.
"""

# ruff: noqa: ANN001, ANN202, I001
# mypy: ignore-errors
# fmt: off

import os
import queue as queues
import sys

# --- block 1 (`import orrb` in the document)
import heliograph.compat.orrb as orrb
# --- end

os.environ["HELIOGRAPH_ORRB_ROOT"] = sys.argv[1]


class _Queue(queues.Queue):
    """The document makes `queue.Queue()` and then puts into `queue`; this is fine with both."""

    Queue = queues.Queue


queue = _Queue()

# --- block 2
def _build_renderer(num_gpus, num_workers, base_port):
    config = orrb.RemoteRendererConfig()
    config.camera_names = ['vision_cam_left']
    config.image_width = 200
    config.image_height = 200
    config.renderer_version = orrb.get_renderer_version()
    config.model_xml_path = 'dactyl.xml'
    config.model_mapping_path = 'dactyl.mapping'
    config.renderer_config_path = 'demo_keras.renderer_config.json'
    config.asset_basedir = orrb.utils.package_relative_path('assets')
    config.render_depth = False
    config.render_normals = False
    config.render_segmentation = False

    server_configs = orrb.utils.build_server_configs(num_gpus, num_workers, base_port, mpi_rank=0,
                                                     mpi_size=1)
    return config, orrb.RemoteRenderer('OrrbRenderer0', server_configs, config)
# --- end

config, renderer = _build_renderer(num_gpus=1, num_workers=2, base_port=7000)

# --- block 3
renderer.start()
# --- end

states = [[0.05 * row] * 24 + [1.0, 0.87, 0.2, 1.0, 0.0, 0.0, 0.0] for row in range(4)]
batch = {"qpos": states, "seed": 7}

# --- block 4
result = renderer.render_batch(batch)
# --- end

first = result["vision_cam_left"].copy()
batch = {"qpos": states, "seed": 7}

# --- block 5
result_queue = queue.Queue()

renderer.render_batch_async(batch, queue)

result = queue.get()
queue.task_done()
# --- end

again = result["vision_cam_left"]

# --- block 6
renderer.shutdown()
# --- end
