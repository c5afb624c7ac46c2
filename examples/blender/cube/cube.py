"""Pictures of a cube that turns at random, with its annotations drawn on them."""

from pathlib import Path

import numpy as np

import heliograph as hg
from heliograph import poses
from heliograph.annotate import annotate, annotate_keypoints, world_points
from heliograph.picture import annotation_picture

COUNT = 4
PASSES = ("rgb", "depth", "segmentation")
WHAT = ("box", "loose_box", "box_3d", "occluded")
CORNERS = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3), axis=-1).reshape(8, 3)


def told(sample: hg.Sample) -> str:
    """How much of the cube is hidden, and which corners are seen."""
    cube = next(each for each in sample.annotations["objects"]["Camera"] if each["name"] == "Cube")
    seen = sample.annotations["keypoints"]["Camera"]["Cube"]["visible"]
    return f"hidden {cube['occluded']:.0%}, corners seen {sum(seen)} of 8"


def main() -> None:
    rng = np.random.default_rng(1)
    with hg.open(Path(__file__).parent / "cube_scene.py", engine="blender") as renderer:
        objects = renderer.scene.objects
        for number in range(COUNT):
            turn = poses.from_quaternion(rng.normal(size=4), order=poses.QuaternionOrder.WXYZ)
            moved = {"Cube": poses.compose((0, 0, 0), turn)}
            state = {"poses": (("Cube",), [moved["Cube"]])}
            sample = renderer.render(hg.View(state=state, passes=PASSES, index=number))
            sample = annotate(sample, objects, WHAT, poses=moved)
            corners = world_points(objects, "Cube", CORNERS, poses=moved)
            sample = annotate_keypoints(sample, {"Cube": corners})
            annotation_picture(sample, "Camera").save(f"cube_{number}.png")
            print(told(sample))
    print(f"{COUNT} pictures in cube_*.png")


if __name__ == "__main__":
    main()
