"""nerfstudio's own nerfacto: loads a checkpoint, draws a camera whenever a line asks for it.

Only what rendering needs is imported: the packages that nerfstudio's other models and its viewer
bring are stood in for by empty ones, and the perceptual metric, which fetches weights, by nothing.
"""

from __future__ import annotations

import dataclasses
import importlib.abc
import importlib.machinery
import json
import sys
import time
import types
from typing import Any

UNUSED = {
    *("open3d", "viser", "gsplat", "cv2", "pymeshlab", "xatlas", "comet_ml", "wandb", "timm"),
    *("fpsample", "pathos", "tensorly", "rawpy", "pytorch_msssim", "torchvision", "h5py"),
    *("imageio", "mediapy", "av", "gdown", "ipywidgets", "nuscenes", "tensorboard", "plotly"),
    *("appdirs", "splines", "umsgpack", "matplotlib", "pycolmap", "pyquaternion", "awscli"),
    *("requests", "torch.utils.tensorboard"),
}


class Anything(type):
    """A class whose every attribute is such a class."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return made(name)


def made(name: str) -> Any:
    nothing = {
        "__init__": lambda self, *_, **__: None,
        "__class_getitem__": classmethod(lambda cls, _: cls),
    }
    return Anything(name, (), nothing)


class Empty(types.ModuleType):
    """A module in which everything is found."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return made(name)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the unused packages."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        """Of an unused package."""
        del path, target
        if fullname in UNUSED or fullname.partition(".")[0] in UNUSED:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> Empty:
        """An empty one."""
        module = Empty(spec.name)
        module.__path__ = []
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""


def main() -> None:
    order = json.loads(sys.stdin.readline())
    import torch
    import torchmetrics.image.lpip as perceptual

    torch.set_num_threads(order["threads"])
    sys.meta_path.insert(0, Finder())

    class NoMetric(torch.nn.Module):
        """Stands where weights would be fetched."""

        def __init__(self, *_: object, **__: object) -> None:
            super().__init__()

    perceptual.LearnedPerceptualImagePatchSimilarity = NoMetric
    from nerfstudio.cameras.cameras import Cameras, CameraType
    from nerfstudio.data.scene_box import SceneBox
    from nerfstudio.models.nerfacto import NerfactoModel, NerfactoModelConfig

    known = {field.name for field in dataclasses.fields(NerfactoModelConfig)}
    given = {name: value for name, value in order["model"].items() if name in known}
    config = NerfactoModelConfig(implementation="torch", **given)
    if order["chunk"]:
        config.eval_num_rays_per_chunk = order["chunk"]
    box = SceneBox(torch.tensor([[-1.0] * 3, [1.0] * 3]))
    model = NerfactoModel(config=config, scene_box=box, num_train_data=1).eval()
    held = torch.load(order["checkpoint"], weights_only=True)["pipeline"]
    weights = {name.removeprefix("_model."): value for name, value in held.items()}
    wrong = model.load_state_dict(weights, strict=False)
    if wrong.unexpected_keys:
        raise SystemExit(f"nerfstudio does not know {wrong.unexpected_keys}")
    print("ready", flush=True)
    for line in sys.stdin:
        said = json.loads(line)
        camera = Cameras(
            torch.tensor(said["pose"], dtype=torch.float32)[None, :3],
            *(said[name] for name in ("fx", "fy", "cx", "cy")),
            said["width"],
            said["height"],
            camera_type=CameraType.PERSPECTIVE,
        )
        with torch.no_grad():
            start = time.perf_counter()
            outputs = model.get_outputs_for_camera(camera)
            seconds = time.perf_counter() - start
        rgb = (outputs["rgb"].clamp(0, 1) * 255).round().to(torch.uint8)
        torch.save(rgb, said["out"])
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
