"""The models that the benchmarks draw; run as a script it lists them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PRIMITIVES = """<mujoco><worldbody><light pos="0 0 4" dir="0 0 -1"/>
<light pos="2 2 4" dir="-.4 -.4 -1" directional="true" castshadow="true"/>
<geom type="plane" size="3 3 .1" rgba=".5 .6 .5 1"/>
<body pos="0 0 .5"><joint/><geom type="box" size=".2 .3 .2" rgba="1 0 0 1"/></body>
<body pos=".8 0 .5"><joint/><geom type="sphere" size=".3" rgba="0 1 0 1"/></body>
<body pos="-.8 0 .5"><joint/><geom type="capsule" size=".2 .3" rgba="0 0 1 1"/></body>
<body pos="0 .8 .5"><joint/><geom type="cylinder" size=".2 .3" rgba="1 1 0 1"/></body>
<body pos="0 -.8 .5"><joint/><geom type="ellipsoid" size=".2 .3 .1" rgba="0 1 1 1"/></body>
<camera name="c" pos="2 -2 2" xyaxes="1 1 0 -1 1 2"/></worldbody></mujoco>"""

FILES = {
    "hand": "gymnasium_robotics:envs/assets/hand/manipulate_block.xml",
    "dog": "dm_control:suite/dog.xml",
    "fetch": "gymnasium_robotics:envs/assets/fetch/pick_and_place.xml",
    "adroit door": "gymnasium_robotics:envs/assets/adroit_hand/adroit_door.xml",
    "ant": "gymnasium_robotics:envs/mujoco/assets/ant.xml",
    "humanoid": "dm_control:suite/humanoid.xml",
    "quadruped": "dm_control:suite/quadruped.xml",
    "cartpole": "dm_control:suite/cartpole.xml",
    "manipulator": "dm_control:suite/manipulator.xml",
    "fish": "dm_control:suite/fish.xml",
    "jaco": "dm_control:third_party/kinova/jaco_arm.xml",
    "aloha": "gym_aloha:assets/bimanual_viperx_transfer_cube.xml",
}


def source(name: str) -> str:
    """MJCF text or path of a model."""
    if name == "primitives":
        return PRIMITIVES
    package, _, inside = FILES[name].partition(":")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed: run ./scripts/setup")
    return str(Path(spec.submodule_search_locations[0]) / inside)


if __name__ == "__main__":
    for name in ("primitives", *FILES):
        print(f"{name}: {FILES.get(name, 'MJCF text in this file')}")
