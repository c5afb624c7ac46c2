"""A PyTorch DataLoader over render workers."""

from torch.utils.data import DataLoader

import heliograph as hg
import heliograph.torch

MODEL = "gymnasium_robotics:envs/assets/hand/manipulate_block.xml"

if __name__ == "__main__":
    with hg.open(MODEL, size=(64, 64), workers=2, seed=7) as pool:
        dataset = heliograph.torch.Dataset(pool, 32, cameras=["fit"], passes=("rgb", "depth"))
        for batch in DataLoader(dataset, batch_size=16):
            rgb = batch["frames"]["fit"]["rgb"]
            print(tuple(rgb.shape), rgb.dtype)
