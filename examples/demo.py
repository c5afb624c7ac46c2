"""One sheet: a robot hand, every pass of the same view, randomized samples, and what they cost.

    python examples/demo.py --out out/demo
"""

import argparse
import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

import heliograph as hg
from heliograph.picture import layout, pass_picture

SIZE = (1056, 792)
SMALL = (256, 192)
PASSES = ("rgb", "depth", "normals", "segmentation")
DARK = ("knuckle", "wrist", "distal", "thbase", "thhub")
LOOK = {"msaa": 4, "shading": "standard"}

# The hand's own files, on a table of ours and in light of ours.
SCENE = """<mujoco>
  <compiler angle="radian" meshdir="{assets}/stls/hand" texturedir="{assets}/textures"/>
  <include file="{assets}/hand/shared.xml"/>
  <statistic extent="0.5" center="1 1 0.15"/>
  <visual><headlight ambient=".1 .1 .12" diffuse=".05 .05 .05"/></visual>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" rgb1=".62 .68 .8" rgb2=".16 .15 .14" width="64"
             height="384"/>
    <include file="{assets}/hand/shared_asset.xml"/>
    <texture name="letters" type="cube" file="block.png" gridsize="3 4" gridlayout=".U..LFRB.D.."/>
    <material name="letters" texture="letters" specular=".5" shininess=".5"/>
    <material name="table" rgba=".62 .6 .58 1" specular=".2"/>
  </asset>
  <worldbody>
    <camera name="hero" pos="1.4 .5 .33" mode="targetbody" target="aim" fovy="21"/>
    <body name="aim" pos="1 .96 .15"/>
    <light name="key" pos=".45 .3 .85" dir=".55 .65 -.7" cutoff="30" exponent="0"
           diffuse=".95 .9 .82" bulbradius=".04"/>
    <light name="rim" directional="true" dir="-.9 -.7 -.5" diffuse=".3 .32 .36" castshadow="false"/>
    <geom name="table" type="plane" size="0 0 .1" pos="0 0 .06" material="table"/>
    <include file="{assets}/hand/robot.xml"/>
    <body name="block" pos="1 .868 .2">
      <freejoint/>
      <geom name="block" type="box" size=".025 .025 .025" mass=".1" material="letters"/>
    </body>
  </worldbody>
</mujoco>"""

# Radians: wrist, fingers from first to little, thumb; then the block's place and quaternion.
GRASP = np.array(
    [
        *(-0.1, -0.2, -0.1, 0.55, 0.6, 0.5, 0, 0.62, 0.7, 0.5, 0.05, 0.66, 0.7, 0.5),
        *(0.2, 0.1, 0.7, 0.7, 0.5, 0.5, 1.1, 0, 0.4, -0.9),
        *(1.0, 0.868, 0.2, 0.953, 0.085, 0.056, 0.284),
    ]
)
RANDOMIZED = {
    "randomizers": [
        {"type": "materials", "texture_probability": 0.3},
        {"type": "lights", "intensity": {"uniform": [0.5, 1.0]}, "lights": ["key", "rim"]},
        {"type": "camera_orbit", "centre": [1, 0.96, 0.15], "angle": {"uniform": [-0.6, 0.5]}},
        {"type": "camera_jitter", "position": {"uniform": [-0.03, 0.03]}},
        {
            "type": "joint_states",
            "state": {"qpos": [{"uniform": [x - 0.25, x + 0.25]} for x in GRASP[:24]]},
        },
    ]
}


def scene() -> str:
    """The scene as MJCF text."""
    package = find_spec("gymnasium_robotics")  # only where it lies: it is not imported
    if package is None or not package.submodule_search_locations:
        raise SystemExit("gymnasium_robotics is not installed: run ./scripts/setup")
    return SCENE.format(assets=Path(package.submodule_search_locations[0]) / "envs/assets")


def hero() -> hg.Sample:
    """The hand, large, in all of its passes."""
    with hg.open(scene(), size=SIZE, **LOOK) as renderer:
        dark = [n for n in renderer.scene.objects.names if n.startswith("robot0:V_") and n.endswith(DARK)]
        paint = hg.EditMaterial(dark, rgba=(0.05, 0.055, 0.065), specular=0.6, shininess=0.75)
        view = hg.View(["hero"], tuple(renderer.passes), state={"qpos": GRASP}, edits=[paint])
        return renderer.render(view)


def speed(renderer: hg.LocalRenderer | hg.Pool, seconds: float) -> float:
    """Randomized samples a second, once the first is there."""
    begun, count = 0.0, 0
    for sample in hg.samples(renderer, count=100_000, cameras=["hero"], passes=PASSES):
        begun, count = begun or time.perf_counter(), count + 1
        if time.perf_counter() - begun > seconds:
            break
    return (count - 1) / (time.perf_counter() - begun)
