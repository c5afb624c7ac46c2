"""One sheet: a robot hand in all passes, randomized samples of it, and how many a second.

python examples/demo.py out/demo
"""

import os
import sys
import time
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

import heliograph as hg
from heliograph.picture import layout, pass_picture

LARGE, SMALL = (1056, 792), (256, 192)
LOOK = {"msaa": 4, "shading": "standard"}
PASSES = ("rgb", "depth", "normals", "segmentation")
SEED, DOZEN = 7, 12

# The Shadow hand's own files, on a table of ours and in light of ours.
SCENE = """<mujoco>
  <compiler angle="radian" meshdir="{assets}/stls/hand" texturedir="{assets}/textures"/>
  <include file="{assets}/hand/shared.xml"/>
  <statistic extent="0.5" center="1 1 0.15"/>
  <visual><headlight ambient=".12 .12 .13" diffuse=".06 .06 .06"/></visual>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" rgb1=".66 .7 .78" rgb2=".2 .19 .18"
             width="64" height="384"/>
    <include file="{assets}/hand/shared_asset.xml"/>
    <texture name="letters" type="cube" file="block.png" gridsize="3 4" gridlayout=".U..LFRB.D.."/>
    <material name="letters" texture="letters" specular=".5" shininess=".5"/>
    <material name="table" rgba=".62 .6 .58 1" specular=".2"/>
  </asset>
  <worldbody>
    <body name="aim" pos="1 .952 .163"/>
    <camera name="front" pos=".73 .43 .335" mode="targetbody" target="aim" fovy="18.5"/>
    <light name="key" pos=".6 .25 .85" dir=".45 .75 -.75" cutoff="30" exponent="0"
           diffuse="1 .96 .9" bulbradius=".04"/>
    <light name="rim" directional="true" dir="-.9 -.6 -.5" diffuse=".35 .37 .4" castshadow="false"/>
    <geom name="table" type="plane" size="3 3 .1" pos="1 1 .06" material="table"/>
    <include file="{assets}/hand/robot.xml"/>
    <body name="block" pos="1 .868 .2">
      <freejoint/>
      <geom name="block" type="box" size=".025 .025 .025" mass=".1" material="letters"/>
    </body>
  </worldbody>
</mujoco>"""

# Radians: wrist, fingers from the first to the little one, thumb; the block's place, quaternion.
JOINTS = (
    *(-0.1, -0.2, -0.1, 0.55, 0.6, 0.5, 0, 0.62, 0.7, 0.5, 0.05, 0.66, 0.7, 0.5),
    *(0.2, 0.1, 0.7, 0.7, 0.5, 0.5, 1.1, 0, 0.4, -0.9),
)
BLOCK = (1.0, 0.868, 0.2, 0.953, 0.085, 0.056, 0.284)
RUBBER = ("knuckle", "wrist", "distal", "thbase", "thhub")
FINGERS = [f"robot0:V_{finger}distal" for finger in ("ff", "mf", "rf", "lf", "th")]


def about(values, reach):
    """Samplers around values."""
    return [{"uniform": [value - reach, value + reach]} for value in values]


def colours(least, most):
    """A sampler of colours that are neither pale nor dark."""
    return {"hsv": [{"uniform": [0, 1]}, {"uniform": [least, most]}, {"uniform": [0.6, 1]}]}


RANDOMIZED = {
    "randomizers": [
        {"type": "joint_states", "state": {"qpos": [*about(JOINTS, 0.15), *BLOCK]}},
        {"type": "materials", "name": "shell", "materials": ["robot0"], "colour": colours(0, 0.6)},
        {"type": "materials", "name": "fingers", "objects": FINGERS, "colour": colours(0.3, 1)},
        {
            "type": "materials",
            "name": "table",
            "objects": ["table"],
            "repeat": {"uniform": [8, 30]},
            "texture_probability": 0.7,
        },
        {"type": "lights", "intensity": {"uniform": [0.8, 1.3]}},
        {"type": "camera_orbit", "centre": [1, 0.952, 0], "angle": {"uniform": [-0.35, 0.25]}},
        {"type": "camera_jitter", "position": {"uniform": [-0.02, 0.02]}},
    ]
}


def scene() -> str:
    """The scene as MJCF text."""
    package = find_spec("gymnasium_robotics")  # for its model files alone: it is not imported
    if package is None or not package.submodule_search_locations:
        raise SystemExit("gymnasium_robotics is not installed: run ./scripts/setup")
    return SCENE.format(assets=Path(package.submodule_search_locations[0]) / "envs/assets")


def portrait() -> hg.Frame:
    """The hand, large, in all of the usual passes."""
    with hg.open(scene(), size=LARGE, **LOOK) as renderer:
        rubber = [name for name in renderer.scene.objects.seen_names if name.endswith(RUBBER)]
        black = hg.EditMaterial(rubber, rgba=(0.05, 0.055, 0.065), specular=0.6, shininess=0.75)
        state = {"qpos": np.array([*JOINTS, *BLOCK])}
        return renderer.render(hg.View(["front"], PASSES, state=state, edits=[black]))["front"]


def measured(seconds: float, workers: int = 0) -> tuple[list[hg.Sample], float]:
    """The first dozen randomized samples, and how many come in a second after them."""
    options = {"size": SMALL, "randomize": RANDOMIZED, "seed": SEED, "workers": workers}
    with hg.open(scene(), **options, **LOOK) as renderer:
        drawn = hg.samples(renderer, count=100_000, cameras=["front"], passes=PASSES)
        first, begun, count = list(islice(drawn, DOZEN)), time.perf_counter(), 0
        while time.perf_counter() < begun + seconds:
            next(drawn)
            count += 1
        return first, count / (time.perf_counter() - begun)


def strip(frame: hg.Frame, width: int) -> list[Image.Image]:
    """The passes besides rgb as pictures with captions."""
    size = width, round(width * frame.camera.height / frame.camera.width)
    colours = {name: pass_picture(frame.spec(name), frame[name]) for name in PASSES[1:]}
    return [
        layout.captioned(layout.scaled(each, size, smooth=name != "segmentation"), name)
        for name, each in colours.items()
    ]


def words(device: str, rates: dict[str, float]) -> Image.Image:
    """What it is, and what it cost."""
    lines = [layout.words("Heliograph", 44), layout.words(f"drawn by {device}", 18, faint=True)]
    lines += [layout.words(f"{rate:.0f} samples/s, {who}", 30) for who, rate in rates.items()]
    lines += [
        layout.words(line, 18, faint=True)
        for line in (
            f"each {SMALL[0]} x {SMALL[1]}: {', '.join(PASSES)};",
            "randomized, linear light, 4 x antialiased",
        )
    ]
    return layout.stacked(lines, 14)


def main(folder: Path, seconds: float = 1.5) -> Path:
    """Draw the sheet and write it."""
    frame, cores = portrait(), len(os.sched_getaffinity(0))
    shown, alone = measured(seconds)
    _, together = measured(seconds, workers=cores)
    rates = {"one process": alone, f"{cores} workers": together}
    variants = layout.grid([Image.fromarray(sample["front"].rgb) for sample in shown], 3, gap=8)
    caption = f"{DOZEN} samples of seed {SEED}: joints, materials, textures, lights, camera"
    top = [
        layout.captioned(Image.fromarray(frame.rgb), "one view: rgb"),
        layout.captioned(variants, caption),
    ]
    below = [*strip(frame, 453), words(shown[0].provenance.device, rates)]
    sheet = layout.framed(layout.stacked([layout.beside(top), layout.beside(below)], 24))
    folder.mkdir(parents=True, exist_ok=True)
    sheet.save(folder / "demo.png")
    return folder / "demo.png"


if __name__ == "__main__":
    print(main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/demo")))
