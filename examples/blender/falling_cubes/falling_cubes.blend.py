"""Cubes that fall on a floor, other ones in each Blender; streams pictures and where they are."""

import sys
from pathlib import Path

import bpy
import numpy as np

from heliograph.compat.blendtorch import btb

sys.path.append(str(Path(__file__).parents[1]))
import scenes

COUNT = 6
FRAMES = (1, 30)


def build() -> list[bpy.types.Object]:
    """Sets the scene: a floor, a camera and, returned, the cubes."""
    scenes.begin(160, 120)
    floor = scenes.add_cube("Floor", (16, 16, 0.2))
    floor.location.z = -0.1
    scenes.make_rigid(floor, "PASSIVE")
    scenes.add_camera((12, -12, 8), towards=(0, 0, 2.5))
    return [scenes.make_rigid(scenes.add_cube(f"Cube {n}", 0.8)) for n in range(COUNT)]


def main() -> None:
    args, _ = btb.parse_blendtorch_args()
    rng = np.random.default_rng(args.btseed)
    cubes = build()
    camera = btb.Camera()

    def pre_animation() -> None:
        for number, cube in enumerate(cubes):
            cube.location = (*rng.uniform(-1.5, 1.5, 2), 2 + number)
            cube.rotation_euler = rng.uniform(-np.pi, np.pi, 3)
            cube.active_material.diffuse_color = (*rng.random(3), 1)

    def post_frame() -> None:
        publisher.publish(
            image=renderer.render(),
            xy=camera.object_to_pixel(*cubes).reshape(COUNT, 8, 2),
            heights=np.array([cube.matrix_world.translation.z for cube in cubes]),
            frameid=animation.frameid,
        )

    publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid)
    renderer = btb.OffScreenRenderer(camera, mode="rgb")
    animation = btb.AnimationController()
    animation.pre_animation.add(pre_animation)
    animation.post_frame.add(post_frame)
    animation.play(frame_range=FRAMES, num_episodes=1)


main()
