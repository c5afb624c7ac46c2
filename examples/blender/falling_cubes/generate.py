"""Pictures of falling cubes from four Blenders, with a box around each cube."""

from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch.utils import data

from heliograph.compat.blendtorch import btt

INSTANCES = 4


def boxed(image: torch.Tensor, corners: torch.Tensor) -> Image.Image:
    """The picture with a box around the corners (cube, corner, xy) of each cube."""
    picture = Image.fromarray(image.numpy())
    draw = ImageDraw.Draw(picture)
    for cube in corners.numpy():
        draw.rectangle([*cube.min(axis=0), *cube.max(axis=0)], outline="white")
    return picture


def main() -> None:
    script = Path(__file__).parent / "falling_cubes.blend.py"
    pictures, seen = 0, set()
    with btt.BlenderLauncher(
        scene="", script=script, num_instances=INSTANCES, named_sockets=["DATA"], seed=10
    ) as launcher:
        dataset = btt.RemoteIterableDataset(launcher.launch_info.addresses["DATA"])
        for batch in data.DataLoader(dataset, batch_size=4, num_workers=2):
            for image, corners in zip(batch["image"], batch["xy"], strict=True):
                boxed(image, corners).save(f"output_{pictures:02d}.png")
                pictures += 1
            seen |= set(batch["btid"].tolist())
    print(f"{pictures} pictures in output_*.png, from the instances {sorted(seen)}")


if __name__ == "__main__":
    main()
