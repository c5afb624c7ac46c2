"""Draws where no GL library can be loaded; `scripts/without_gl` runs it in a fresh environment."""

import ctypes
import sys
from pathlib import Path

import numpy as np

import heliograph as hg
from heliograph.passes import PassName
from heliograph.splats.files import write_ply
from heliograph.splats.gaussians import Gaussians

ROBOT = """
<mujoco>
  <worldbody>
    <light pos="1 -2 3"/>
    <geom type="plane" size="2 2 0.1" rgba="0.4 0.5 0.6 1"/>
    <body pos="0 0 0.5">
      <joint axis="0 1 0"/>
      <geom type="capsule" fromto="0 0 0 0.4 0 0.3" size="0.1" rgba="0.9 0.3 0.2 1"/>
    </body>
  </worldbody>
</mujoco>
"""
LIBRARIES = ("libGL", "libEGL", "libOpenGL", "libOSMesa", "libgallium", "libglapi")
PASSES: tuple[PassName, ...] = ("rgb", "depth", "normals", "segmentation")


def expect(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"without_gl: not so: {what}")


def check(frame: hg.Frame) -> None:
    """That a picture shows something, in all passes alike."""
    hit = np.isfinite(frame.depth)
    expect(0.05 < hit.mean() <= 1, "something is seen")
    expect(len(np.unique(frame.rgb.reshape(-1, 3), axis=0)) > 20, "it is shaded")
    expect(len(np.unique(frame.segmentation)) > 1, "it has ids")
    expect(np.allclose(np.linalg.norm(frame.normals[hit], axis=1), 1, atol=1e-5), "normals")


def cloud() -> Gaussians:
    """A ball of splats."""
    rng = np.random.default_rng(0)
    ways = rng.normal(size=(500, 3))
    positions = 0.05 * ways / np.linalg.norm(ways, axis=1, keepdims=True)
    turns = np.tile(np.array([1, 0, 0, 0], np.float32), (500, 1))
    sizes, opacities = np.full((500, 3), 0.01, np.float32), np.full(500, 0.9, np.float32)
    return Gaussians(positions.astype("f4"), sizes, turns, opacities, rng.random((500, 1, 3), "f4"))


def main() -> None:
    for name in ("libGL.so.1", "libEGL.so.1"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        sys.exit(f"without_gl: {name} was to be hidden, and loads")
    Path("robot.xml").write_text(ROBOT)
    ball, sun = hg.Sphere(key="ball", args=[0.1]), hg.DirectionalLight(key="sun")
    write_ply(Path("cloud.ply"), cloud())
    mixed = hg.Scene(ball, sun, hg.Splat(key="cloud", src="cloud.ply", position=[0.1, 0, 0]))
    view = hg.View(cameras=["fit"], passes=PASSES)
    for scene in (hg.Scene(ball, sun), mixed, "robot.xml"):
        with hg.open(scene, size=(200, 200)) as renderer:
            sample = renderer.render(view)
        check(sample["fit"])
        if scene is mixed:
            seen = {sample.labels[each].name for each in np.unique(sample["fit"].segmentation)}
            expect({"ball", "cloud"} <= seen, f"{seen} are all that is there")
        device = sample.provenance.device
        expect(device.startswith("heliograph cpu rasterizer"), f"{device} is the native one")
        sys.stdout.write(f"drawn by {device}: {len(sample.labels)} labels\n")
    state = {"qpos": [0.5]}
    with hg.open("robot.xml", size=(64, 64), workers=2) as pool:
        check(pool.render(hg.View(["free"], PASSES, state=state))["free"])
    mapped = Path("/proc/self/maps").read_text()
    for name in LIBRARIES:
        expect(f"/{name}" not in mapped, f"{name} is not loaded")
    for name in ("moderngl", "glcontext", "OpenGL"):
        expect(name not in sys.modules, f"{name} is not imported")
    sys.stdout.write("no GL library was loaded\n")


if __name__ == "__main__":
    main()
