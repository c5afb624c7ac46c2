"""Draws the shapes that the other side asks for, and streams their pictures."""

import sys
from pathlib import Path

from heliograph.compat.blendtorch import btb

sys.path.append(str(Path(__file__).parents[1]))
import scenes


def main() -> None:
    args, _ = btb.parse_blendtorch_args()
    scenes.begin(64, 48)
    shape = scenes.add_cube("Shape", 1.0, colour=(1, 1, 1))
    scenes.add_camera((0, -6, 0))

    def pre_frame() -> None:
        """Takes the next shape: its width and its height."""
        while not waiting:
            waiting.extend(duplex.recv(timeoutms=-1)["shapes"])
        number, width, height = waiting.pop(0)
        numbers.append(int(number))
        shape.scale = (width, 1, height)

    def post_frame() -> None:
        publisher.publish(image=renderer.render(), shape=numbers[-1])

    waiting, numbers = [], []
    duplex = btb.DuplexChannel(args.btsockets["CTRL"], args.btid)
    publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid)
    renderer = btb.OffScreenRenderer(mode="rgb")
    animation = btb.AnimationController()
    animation.pre_frame.add(pre_frame)
    animation.post_frame.add(post_frame)
    animation.play(frame_range=(1, 1000), num_episodes=-1)


main()
