"""Streams what the compositor's File Output node would write: normals and depth of some things."""

import sys
from pathlib import Path

import bpy
import numpy as np

from heliograph.compat.blendtorch import btb

sys.path.append(str(Path(__file__).parents[1]))
import scenes

DISTANCE = 6.0
"""From the camera, which looks straight down, to the floor, metres."""


def link_outputs(scene: bpy.types.Scene) -> None:
    """Gives the scene a File Output node with the slots Depth and Normals."""
    scene.use_nodes = True
    scene.view_layers[0].use_pass_z = scene.view_layers[0].use_pass_normal = True
    nodes, links = scene.node_tree.nodes, scene.node_tree.links
    layers, files = nodes["Render Layers"], nodes.new("CompositorNodeOutputFile")
    files.name = "Out1"
    files.file_slots.clear()
    for slot, output in (("Depth", "Depth"), ("Normals", "Normal")):
        files.file_slots.new(slot)
        links.new(layers.outputs[output], files.inputs[slot])


def main() -> None:
    args, _ = btb.parse_blendtorch_args()
    scene = scenes.begin(160, 120)
    scenes.add_cube("Floor", (20, 20, 0.2)).location.z = -0.1
    crate = scenes.add_cube("Crate", 1.0)
    scenes.add_camera((0, 0, DISTANCE))
    link_outputs(scene)
    rng = np.random.default_rng(args.btseed)

    def pre_frame() -> None:
        crate.location = (*rng.uniform(-0.6, 0.6, 2), 0.5)
        crate.rotation_euler.z = rng.uniform(0, np.pi)

    def post_frame() -> None:
        publisher.publish(**renderer.render(), at=np.array(crate.location))

    publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid)
    renderer = btb.CompositeRenderer(
        [
            btb.CompositeSelection("depth", "Out1", "Depth", "V"),
            btb.CompositeSelection("normals", "Out1", "Normals", "RGB"),
        ]
    )
    animation = btb.AnimationController()
    animation.pre_frame.add(pre_frame)
    animation.post_frame.add(post_frame)
    animation.play(num_episodes=-1)


main()
