"""What our pictures of MuJoCo models show otherwise than mujoco.Renderer's: one row each.

Writes docs/differences.png: ours, theirs, and the difference times four; the first row shows depth.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from models import source
from PIL import Image, ImageDraw

from heliograph.engines.mujoco import MujocoEngine
from heliograph.frame import Frame
from heliograph.raster import RasterOptions
from heliograph.view import View

SIZE = (320, 240)
TEXTURE = '<asset><texture name="t" type="cube" builtin="checker" rgb1="1 .6 .2" rgb2=".2 .3 .6"'
CAMERA = '<camera name="c" pos="0 -2.2 1.4" xyaxes="1 0 0 0 .55 1"/>'
LIGHT = '<light pos="0 0 4" dir="0 0 -1"/>'
SCENES = {
    "depth of round things: the true surface, not 28 facets": (source("quadruped"), "x", False),
    "silhouettes close up: finer than 28 facets": (
        f'<mujoco><worldbody>{LIGHT}<geom type="cylinder" size=".7 .4"/>{CAMERA}</worldbody>'
        "</mujoco>",
        "c",
        False,
    ),
    "shadow maps: theirs speckle on far surfaces": (source("primitives"), "free", True),
    "point lights shine": (
        '<mujoco><worldbody><light type="point" pos="-1 -1 1.5"/><geom type="plane" size="2 2 .1"/>'
        f'<geom size=".4" pos="0 0 .4"/>{CAMERA}</worldbody></mujoco>',
        "c",
        False,
    ),
    "range finder lines are fainter": (source("quadruped"), "y", False),
    "cube textures start anew on the ends of capsules": (
        f'<mujoco>{TEXTURE} width="64" height="64"/><material name="m" texture="t" '
        f'texuniform="true" texrepeat="4 4"/></asset><worldbody>{LIGHT}<geom type="capsule" '
        f'material="m" size=".3 .5" euler="70 30 0"/>{CAMERA}</worldbody></mujoco>',
        "c",
        False,
    ),
    "boxes do not mirror": (
        '<mujoco><asset><material name="m" reflectance=".6" rgba=".3 .3 .4 1"/></asset><worldbody>'
        f'{LIGHT}<geom type="box" size="1 1 .1" material="m"/><geom size=".3" pos="0 0 .5" '
        f'rgba="1 .4 .2 1"/>{CAMERA}</worldbody></mujoco>',
        "c",
        False,
    ),
    "highlights in orthographic pictures: of parallel sight": (
        '<mujoco><worldbody><light directional="true" dir="0 .7 -1" diffuse=".4 .4 .4" '
        'specular="1 1 1"/><geom type="plane" size="3 3 .1" rgba=".3 .2 .5 1"/><camera name="c" '
        'pos="0 3 3" xyaxes="-1 0 0 0 -1 1" projection="orthographic" fovy="4"/></worldbody>'
        "</mujoco>",
        "c",
        False,
    ),
    "highlights far from the middle of a plane are lost": (
        '<mujoco><worldbody><light directional="true" dir="0 .7 -1" diffuse=".4 .4 .4" '
        'specular="1 1 1"/><geom type="plane" size="9 9 .1" rgba=".3 .2 .5 1"/><camera name="c" '
        'pos="5 7 3" xyaxes="-1 0 0 0 -1 1"/></worldbody></mujoco>',
        "c",
        False,
    ),
    "the near half of haze is fainter": (
        '<mujoco><visual><map haze=".6" zfar="30"/></visual><statistic extent="1"/><asset>'
        '<texture type="skybox" builtin="flat" rgb1=".1 .2 .4" width="8" height="48"/></asset>'
        '<worldbody><geom type="plane" size="0 0 .1" rgba=".1 .3 .1 1"/><camera name="c" '
        'pos="0 0 2" xyaxes="1 0 0 0 .1 1"/></worldbody></mujoco>',
        "c",
        False,
    ),
}


def shown(frame: Frame, depth: bool) -> np.ndarray:
    if not depth:
        return frame.rgb
    near, far = 1.4, 3.0
    grey = 255 * np.clip((frame.depth - near) / (far - near), 0, 1)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, 2)


def row(title: str, depth: bool) -> Image.Image:
    model, camera, shadows = SCENES[title]
    frames = []
    for style in ("raster", "classic"):
        options = RasterOptions(shadows=shadows)
        engine = MujocoEngine(model, size=SIZE, style=style, options=options)
        frames.append(engine.render(View((camera,), ("rgb", "depth", "segmentation")))[camera])
        engine.close()
    ours, theirs = (shown(frame, depth) for frame in frames)
    gap = np.abs(ours.astype(int) - theirs)
    if depth:  # 0.1 % of the distance is half grey
        with np.errstate(invalid="ignore"):
            part = np.abs(frames[0].depth / frames[1].depth - 1)
        gap = np.repeat((32e3 * np.nan_to_num(part, posinf=0))[..., None], 3, 2)
    picture = np.concatenate([ours, theirs, np.clip(4 * gap, 0, 255).astype(np.uint8)], 1)
    canvas = Image.new("RGB", (3 * SIZE[0], SIZE[1] + 16), "white")
    canvas.paste(Image.fromarray(picture), (0, 16))
    ImageDraw.Draw(canvas).text((4, 2), title, fill="black")
    return canvas


def main() -> None:
    rows = [row(title, place == 0) for place, title in enumerate(SCENES)]
    sheet = Image.new("RGB", (rows[0].width, sum(each.height for each in rows)), "white")
    top = 0
    for each in rows:
        sheet.paste(each, (0, top))
        top += each.height
    path = Path(__file__).parent.parent / "docs" / "differences.png"
    sheet.resize((sheet.width * 2 // 3, sheet.height * 2 // 3)).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
