"""Normals and depth from Blender, as pictures."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils import data

from heliograph.compat.blendtorch import btt

COUNT = 4


def side_by_side(depth: NDArray[np.float32], normals: NDArray[np.float32]) -> Image.Image:
    """One picture: depth, near is light, and normals as colours."""
    far = depth.max()
    grey = np.broadcast_to(255 * (far - depth) / (far - depth.min()), normals.shape)
    return Image.fromarray(np.hstack([grey, 127.5 * normals + 127.5]).astype(np.uint8))


def main() -> None:
    script = Path(__file__).parent / "compositor.blend.py"
    with btt.BlenderLauncher(scene="", script=script, named_sockets=["DATA"], seed=5) as launcher:
        dataset = btt.RemoteIterableDataset(launcher.launch_info.addresses["DATA"])
        dataset.stream_length(COUNT)
        for number, item in enumerate(data.DataLoader(dataset, batch_size=None)):
            depth, normals = item["depth"].numpy(), item["normals"].numpy()
            side_by_side(depth, normals).save(f"output_{number}.png")
            up = (normals @ [0, 0, 1] > 0.999).mean()
            print(f"depth {depth.min():.3f} to {depth.max():.3f} m, {up:.0%} face upwards")


if __name__ == "__main__":
    main()
