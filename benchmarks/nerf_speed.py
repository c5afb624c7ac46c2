"""The same nerfacto checkpoint here and in nerfstudio: how far pictures differ, and rays a second.

    python benchmarks/nerf_speed.py [CONFIG.yml] [--size 96 96] [--threads 1]

nerfstudio 1.1.5 must be there to be compared with (`pip install nerfstudio==1.1.5`): its model is
built from the same numbers and gets the same weights, so no training data are needed. Without a
config the model's tables are random.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

import heliograph as hg
from heliograph.engines.nerf.checkpoint import load_checkpoint
from heliograph.engines.nerf.frames import CaptureFrame
from heliograph.engines.nerf.model import NerfactoConfig, NerfactoModel
from heliograph.engines.nerf.picture import Viewpoint
from heliograph.engines.nerf.render import RayRenderer, Rendered

CHUNK = 256
PERCEPTUAL = "torchmetrics.image.lpip.LearnedPerceptualImagePatchSimilarity"


def random_model() -> NerfactoModel:
    torch.manual_seed(0)
    model = NerfactoModel(NerfactoConfig(num_levels=8, log2_hashmap_size=15))
    with torch.no_grad():
        for name, values in model.named_parameters():
            if name.endswith("hash_table"):
                values.normal_(std=0.3)
    return model


def theirs(model: Any) -> Any:
    """Their model with the same weights; its perceptual metric would be downloaded."""
    from nerfstudio.data.scene_box import SceneBox
    from nerfstudio.models.nerfacto import NerfactoModel, NerfactoModelConfig

    known = {field.name for field in dataclasses.fields(NerfactoModelConfig)}
    told = {name: value for name, value in vars(model.config).items() if name in known}
    told["proposal_net_args_list"] = [dict(vars(grid)) for grid in model.config.proposals]
    config = NerfactoModelConfig(implementation="torch", **told)
    with mock.patch(PERCEPTUAL, return_value=torch.nn.Identity()):
        box = SceneBox(model.field.aabb)
        made = NerfactoModel(config, scene_box=box, num_train_data=model.config.num_images)
    made.load_state_dict(model.state_dict(), strict=False)
    return made.eval()


def their_picture(model: Any, camera: hg.Camera) -> dict[str, torch.Tensor]:
    from nerfstudio.cameras.cameras import Cameras, CameraType

    pose = torch.tensor(camera.world_from_camera[None, :3], dtype=torch.float32)
    lens = (camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
    seen = Cameras(pose, *lens, camera_type=CameraType.PERSPECTIVE)
    with torch.no_grad():
        found: dict[str, torch.Tensor] = model.get_outputs_for_camera(seen)
    return found


def our_picture(renderer: RayRenderer, camera: hg.Camera) -> list[Rendered]:
    view = Viewpoint(camera, CaptureFrame.identity(), torch.device("cpu"))
    pixels = np.arange(camera.width * camera.height)
    parts = (pixels[first : first + CHUNK] for first in range(0, len(pixels), CHUNK))
    return [renderer.render(view.rays(part)) for part in parts]


def timed(draw: Any, times: int = 3) -> tuple[Any, float]:
    """What a call returns, and the fewest seconds of processor time that it took."""
    best = np.inf
    for _ in range(times):
        begun = time.process_time()
        found = draw()
        best = min(best, time.process_time() - begun)
    return found, best


def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(-10 * torch.log10(((one - other) ** 2).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, nargs="?")
    parser.add_argument("--size", type=int, nargs=2, default=(96, 96))
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    model = load_checkpoint(given.config).model if given.config else random_model()
    width, height = given.size
    camera = hg.Camera.look_at(
        eye=(0.7, -0.5, 0.5), target=(0, 0, 0), fov_y=0.9, width=width, height=height, near=1e-6
    ).replace(far=1e6)
    rays = width * height
    expected, theirs_took = None, np.nan
    if find_spec("nerfstudio"):
        other = theirs(model)
        expected, theirs_took = timed(lambda: their_picture(other, camera))
        print(f"nerfstudio: {rays / theirs_took:8.0f} rays a second of processor time")
    else:
        print("nerfstudio is not installed: nothing to compare with")
    for prune in (False, True):
        renderer = RayRenderer(model, prune=prune)
        parts, took = timed(lambda renderer=renderer: our_picture(renderer, camera))
        print(f"heliograph, {'seen' if prune else 'all '} samples: {rays / took:8.0f}", end="")
        print(compared(parts, expected, theirs_took / took) if expected else "")


def compared(parts: list[Rendered], expected: dict[str, torch.Tensor], faster: float) -> str:
    rgb = torch.cat([part.rgb for part in parts])
    depth = torch.cat([part.expected for part in parts])
    picture = expected["rgb"].view(-1, 3)
    off = (depth / expected["expected_depth"].view(-1) - 1).abs()
    return (
        f", {faster:.1f} times; rgb at most {(rgb - picture).abs().max():.1e} off, "
        f"PSNR to nerfstudio's {psnr(rgb, picture):.0f} dB; depth off by "
        f"{off.median():.1e} (median), {off.quantile(0.99):.1e} (99th of 100)"
    )


if __name__ == "__main__":
    main()
