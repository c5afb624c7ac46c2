"""Random MuJoCo scenes drawn by us and by mujoco.Renderer: where pictures differ, and by how much.

Prints a line per scene; those beyond the tolerances are marked, and with `--out` kept as MJCF and
as a picture: MuJoCo's, ours, four times the difference. Most marks are of depth: MuJoCo's round
things have facets. In orthographic pictures MuJoCo's depth is not metric: it is not compared there.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "1")

import mujoco
import numpy as np
from PIL import Image

from heliograph.engines.mujoco import MujocoEngine
from heliograph.raster import RasterOptions
from heliograph.view import View

SIZE = (320, 240)
RGB, IDS, DEPTH = 1.5, 0.995, 0.99
SCENE = """<mujoco><visual><headlight {head}/><map znear="0.01" zfar="60"/></visual>
<statistic extent="1" center="0 0 .5"/><asset>
<texture name="flat" type="2d" builtin="checker" rgb1=".2 .6 .3" rgb2=".7 .5 .2" width="64"
height="64"/><texture name="cube" type="cube" builtin="gradient" rgb1="1 .2 .3" rgb2=".2 .2 .9"
width="64" height="384"/>{sky}{materials}
<mesh name="mesh" vertex="-.4 -.2 0 .5 -.2 .1 .4 .25 0 -.4 .2 0 .06 0 -.2 0 .04 .2"/></asset>
<worldbody>{lights}{things}<camera name="c" {camera}/></worldbody></mujoco>"""
SKY = """<texture type="skybox" builtin="gradient" rgb1=".5 .6 .8" rgb2=".1 .1 .2" width="64"
height="384"/>"""
SIZES = {"sphere": 1, "box": 3, "capsule": 2, "cylinder": 2, "ellipsoid": 3, "mesh": 0}


class Author:
    """Writes one random scene.

    Args:
        seed: equal seed, equal scene.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def scene(self) -> str:
        """Its MJCF."""
        count = int(self._rng.integers(3, 9))
        head = self._fields(ambient=(0, 0.3, 3), diffuse=(0, 0.6, 3), specular=(0, 0.6, 3))
        return SCENE.format(
            head=f'{head} active="{int(self._chance(0.8))}"',
            sky=SKY if self._chance(0.5) else "",
            materials="".join(self._material(i) for i in range(4)) + self._floor(),
            lights="".join(self._light() for _ in range(self._rng.integers(0, 4))),
            things=self._plane() + "".join(self._thing() for _ in range(count)),
            camera=self._camera(),
        )

    def _chance(self, part: float) -> bool:
        return bool(self._rng.random() < part)

    def _numbers(self, low: float, high: float, count: int = 1) -> str:
        return " ".join(f"{x:.3f}" for x in self._rng.uniform(low, high, count))

    def _fields(self, **ranges: tuple[float, float, int]) -> str:
        return " ".join(f'{name}="{self._numbers(*reach)}"' for name, reach in ranges.items())

    def _texture(self) -> str:
        repeat = " ".join(map(str, self._rng.integers(1, 5, 2)))
        name, uniform = self._rng.choice(["flat", "cube"]), self._rng.choice(["true", "false"])
        return f'texture="{name}" texrepeat="{repeat}" texuniform="{uniform}"'

    def _material(self, number: int) -> str:
        alpha = 1 if self._chance(0.75) else 0.5
        emission = self._numbers(0, 0.5) if self._chance(0.3) else 0
        look = self._fields(specular=(0, 1, 1), shininess=(0, 1, 1))
        texture = self._texture() if self._chance(0.5) else ""
        colour = f"{self._numbers(0.2, 1, 3)} {alpha}"
        return (
            f'<material name="m{number}" rgba="{colour}" emission="{emission}" {look} {texture}/>'
        )

    def _floor(self) -> str:
        mirror = 'reflectance=".3"' if self._chance(0.4) else ""
        texture = 'texture="flat" texrepeat="3 3" texuniform="true"' if self._chance(0.5) else ""
        return f'<material name="floor" rgba="{self._numbers(0.2, 0.9, 3)} 1" {mirror} {texture}/>'

    def _light(self) -> str:
        shine = self._fields(diffuse=(0, 0.8, 3), specular=(0, 0.5, 3), ambient=(0, 0.2, 3))
        place = f'pos="{self._numbers(-3, 3, 2)} {self._numbers(2, 5)}"'
        way = f'dir="{self._numbers(-0.6, 0.6, 2)} -1"'
        kind = 'directional="true"'
        if self._chance(0.5):
            fading = f"{self._numbers(0.3, 1)} {self._numbers(0, 0.1)} {self._numbers(0, 0.05)}"
            cone = self._fields(cutoff=(20, 80, 1), exponent=(0, 20, 1))
            kind = f'{cone} attenuation="{fading}"'
        return f"<light {place} {way} {shine} {kind}/>"

    def _plane(self) -> str:
        size = self._rng.choice(["0 0 .1", "4 4 .2", "2 3 .5"])
        return f'<geom type="plane" size="{size}" material="floor"/>'

    def _thing(self) -> str:
        kind, mark = self._rng.choice(list(SIZES)), self._rng.choice(list(SIZES)[:-1])
        size = f'size="{self._numbers(0.1, 0.5, SIZES[kind])}"' if SIZES[kind] else 'mesh="mesh"'
        look = f'material="m{self._rng.integers(4)}"'
        if self._chance(0.2):
            look = f'rgba="{self._numbers(0.1, 1, 3)} 1"'
        alpha = 1 if self._chance(0.7) else 0.4
        return (
            f'<body pos="{self._numbers(-1.5, 1.5, 2)} {self._numbers(0.2, 1.5)}" '
            f'{self._fields(euler=(-180, 180, 3))}><joint type="ball"/>'
            f'<geom type="{kind}" {size} {look} group="{self._rng.integers(0, 5)}"/>'
            f'<site type="{mark}" {self._fields(size=(0.03, 0.1, 3), pos=(-0.3, 0.3, 3))} '
            f'rgba="{self._numbers(0, 1, 3)} {alpha}"/></body>'
        )

    def _camera(self) -> str:
        lens = self._rng.choice(["angle", "parallel", "sensor"])
        kinds = {
            "angle": f'fovy="{self._numbers(30, 80)}"',
            "parallel": 'projection="orthographic" fovy="4"',
            "sensor": f'{self._fields(focal=(0.02, 0.04, 2), principal=(-0.004, 0.004, 2))} '
            'sensorsize="0.036 0.027" resolution="320 240"',
        }  # fmt: skip
        place = f"{self._numbers(-2, 2)} {self._numbers(-4.5, -3)} {self._numbers(1, 3)}"
        axes = f"1 {self._numbers(-0.1, 0.1)} 0 0 {self._numbers(0.2, 0.5)} 1"
        return f'pos="{place}" xyaxes="{axes}" {kinds[str(lens)]}'


def compare(text: str) -> tuple[float, float, float, np.ndarray]:
    """Mean difference of rgb, parts of ids and depth that agree, and the pictures side by side."""
    model = mujoco.MjModel.from_xml_string(text)
    model.vis.quality.offsamples = 0
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = mujoco.Renderer(model, SIZE[1], SIZE[0])
    renderer.update_scene(data, 0)
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
    rgb = renderer.render()
    renderer.enable_depth_rendering()
    depth = renderer.render()
    renderer.enable_segmentation_rendering()
    kinds = renderer.render()
    renderer.close()
    engine = MujocoEngine(model, size=SIZE, options=RasterOptions(shadows=False))
    frame = engine.render(View(cameras=["c"], passes=("rgb", "depth", "segmentation")))["c"]
    engine.close()
    geoms = kinds[..., 1] == int(mujoco.mjtObj.mjOBJ_GEOM)
    ours = (frame.segmentation > 0) & (frame.segmentation <= model.ngeom)
    ids = np.where(geoms, kinds[..., 0] + 1, 0) == np.where(ours, frame.segmentation, 0)
    both = ids & geoms
    near = np.abs(depth - frame.depth)[both] <= 1e-3 * depth[both]
    metric = not model.cam_projection[0] and both.any()
    difference = np.abs(frame.rgb.astype(int) - rgb)
    loud = np.clip(4 * difference, 0, 255).astype(np.uint8)
    pictures = np.concatenate([rgb, frame.rgb, loud], 1)
    return (
        float(difference.mean()),
        float(ids.mean()),
        float(near.mean()) if metric else 1,
        pictures,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the first scene")
    parser.add_argument("--out", type=Path, help="where to keep scenes beyond the tolerances")
    arguments = parser.parse_args()
    differences = []
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        text = Author(seed).scene()
        rgb, ids, depth, pictures = compare(text)
        beyond = rgb > RGB or ids < IDS or depth < DEPTH
        mark = "  beyond" if beyond else ""
        print(f"{seed}: rgb {rgb:.2f}, ids {ids:.4f}, depth {depth:.4f}{mark}", flush=True)
        differences.append(rgb)
        if beyond and arguments.out:
            arguments.out.mkdir(parents=True, exist_ok=True)
            (arguments.out / f"{seed}.xml").write_text(text)
            Image.fromarray(pictures).save(arguments.out / f"{seed}.png")
    print(f"mean rgb difference {np.mean(differences):.3f}")


if __name__ == "__main__":
    main()
