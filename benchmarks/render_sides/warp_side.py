"""How many pictures a second mujoco-warp draws on the CPU: rgb, depth and segmentation.

`benchmarks/render_speed.py --warp PYTHON` runs it with the interpreter of an environment made so:
    python3 -m venv /tmp/warp && /tmp/warp/bin/pip install mujoco-warp==4.0.0

Reads the order from stdin (JSON, as `render_speed.warp_rates` writes it); prints the rate of each
round as its last line, JSON, after what Warp tells of its kernels. These are compiled in the first
round, which does not count. It draws on one thread, all worlds of a round in one call, kinematics
included; the arrays stay its own.
"""

from __future__ import annotations

import json
import sys
import time

import mujoco
import mujoco_warp
import numpy as np
import warp


def main() -> None:
    order = json.load(sys.stdin)
    spec = mujoco.MjSpec.from_file(order["model"])
    spec.worldbody.add_camera(
        name="bench", pos=order["position"], quat=order["turn"], fovy=order["fov_y"]
    )
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    states = np.array(order["states"], np.float32)
    worlds = len(states)
    on_warp = mujoco_warp.put_model(model)
    rows = mujoco_warp.put_data(model, data, nworld=worlds)
    rows.qpos.assign(states)
    context = mujoco_warp.create_render_context(
        model,
        nworld=worlds,
        cam_res=tuple(order["size"]),
        cam_active=["bench"],
        render_rgb=True,
        render_depth=True,
        render_seg=True,
    )
    rates = []
    for _ in range(order["rounds"] + 1):
        start = time.perf_counter()
        for step in (mujoco_warp.kinematics, mujoco_warp.com_pos, mujoco_warp.camlight):
            step(on_warp, rows)
        mujoco_warp.refit_bvh(on_warp, rows, context)
        mujoco_warp.render(on_warp, rows, context)
        warp.synchronize()
        rates.append(worlds / (time.perf_counter() - start))
    print(json.dumps(rates[1:]))


if __name__ == "__main__":
    main()
