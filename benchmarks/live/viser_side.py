"""Requests through viser's `get_render`; runs where viser is installed."""

from __future__ import annotations

import sys
import time

import common
import numpy as np
import trimesh
import viser
import viser.transforms as tf

began = time.perf_counter()
count, port, transport = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
sys.stdout = sys.stderr
server = viser.ViserServer(host="127.0.0.1", port=port, verbose=False)
MESHES = {
    "Box": lambda args: trimesh.creation.box(args),
    "Sphere": lambda args: trimesh.creation.uv_sphere(args[0], count=[32, 32]),
    "Cylinder": lambda args: trimesh.creation.cylinder(args[0], args[2], sections=32),
    "Cone": lambda args: trimesh.creation.cone(args[0], args[1], sections=32),
    "Torus": lambda args: trimesh.creation.torus(args[0], args[1]),
    "Plane": lambda args: trimesh.creation.box([*args, 1e-3]),
}


def add_scene() -> None:
    for name, args, position, color in common.SHAPES:
        mesh = MESHES[name](args)
        rgb = tuple(bytes.fromhex(color[1:]))
        server.scene.add_mesh_simple(
            f"/{name}", mesh.vertices, mesh.faces, color=rgb, position=position
        )


def grab(client: viser.ClientHandle, step: int, moved: bool) -> float:
    start = time.perf_counter()
    pose = common.pose(step if moved else 0)
    # Its camera axes are OpenCV's.
    turn = tf.SO3.from_matrix(pose[:3, :3] @ np.diag([1.0, -1.0, -1.0]))
    picture = client.get_render(
        common.HEIGHT,
        common.WIDTH,
        wxyz=turn.wxyz,
        position=pose[:3, 3],
        fov=np.radians(common.FOV),
        transport_format=transport,
    )
    if picture.shape[:2] != (common.HEIGHT, common.WIDTH):
        raise ValueError(f"expected a picture of the size asked for, got {picture.shape}")
    return time.perf_counter() - start


add_scene()
with common.browser(f"http://127.0.0.1:{port}/"):
    while not server.get_clients():
        time.sleep(0.01)
    client = next(iter(server.get_clients().values()))
    grab(client, 0, moved=True)
    first = time.perf_counter() - began
    idle = common.Idle()
    time.sleep(3)
    percent = idle.percent()
    ways = {}
    for name, moved in (("moved", True), ("still", False)):
        seconds = [grab(client, step, moved) for step in range(common.WARM_UP + count)]
        ways[name] = common.summary(seconds[common.WARM_UP :])
    ways["moved"] |= {"first": first, "idle": percent}
common.report(**ways)
