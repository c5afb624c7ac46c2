"""Against `mujoco.Renderer` with MuJoCo's own cameras: what no test through our cameras can see."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from heliograph.engines.mujoco import MujocoEngine
from heliograph.frame import Frame
from heliograph.raster import RasterOptions
from heliograph.view import View

pytestmark = pytest.mark.usefixtures("backend")

# Up to 3.3 MuJoCo has no sky where a model has no material.
MJCF = """<mujoco><visual><headlight {}/><map znear=".01" zfar="60" haze="{}"/></visual>
<statistic extent="1"/><asset><texture type="skybox" builtin="flat" rgb1=".1 .2 .4" width="8"
height="48"/><material name="m"/></asset><worldbody>
<geom type="plane" size="0 0 .1" rgba=".3 .2 .1 1"/>
<geom name="box" type="box" size=".3 .2 .4" pos=".4 .2 .5" rgba=".2 .8 .3 1"/>
<camera name="c" pos="0 -4 2" xyaxes="1 0 0 0 .2 1" {}/></worldbody></mujoco>"""
SIZE = (160, 120)


def both(text: str) -> tuple[Frame, np.ndarray, np.ndarray]:
    """Ours, and MuJoCo's rgb and geom ids from 1."""
    model = mujoco.MjModel.from_xml_string(text)
    model.vis.quality.offsamples = 0
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = mujoco.Renderer(model, SIZE[1], SIZE[0])
    renderer.update_scene(data, 0)
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
    rgb = renderer.render().astype(int)
    renderer.enable_segmentation_rendering()
    ids = renderer.render()[..., 0] + 1
    renderer.close()
    engine = MujocoEngine(model, size=SIZE, options=RasterOptions(shadows=False))
    frame = engine.render(View(cameras=["c"], passes=("rgb", "segmentation")))["c"]
    engine.close()
    return frame, rgb, ids


@pytest.mark.parametrize("principal", ["0 0", ".004 0", "0 .003", "-.003 -.004"])
def test_the_principal_point_moves_the_picture_as_in_mujoco(principal: str) -> None:
    lens = f'sensorsize=".036 .027" focal=".03 .03" principal="{principal}" resolution="160 120"'
    frame, _, ids = both(MJCF.format("", 0.3, lens))
    assert {1, 2} <= set(np.unique(ids).tolist())
    assert (frame.segmentation == ids).mean() > 0.998


@pytest.mark.parametrize("haze", [0.1, 0.3, 0.7])
def test_haze_lies_where_mujoco_lays_it(haze: float) -> None:
    frame, rgb, _ = both(MJCF.format('active="0"', haze, 'fovy="40"'))
    assert np.ptp(rgb[:, 0], axis=0).max() > 150  # from the floor through white to the sky
    assert np.abs(frame.rgb - rgb).mean() < 4
    beyond = rgb[:, 0].sum(1) > 700
    assert beyond.any()
    assert frame.rgb[beyond, 0].min() > 200
