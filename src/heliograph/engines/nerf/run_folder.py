"""The folder that nerfstudio leaves behind after training, written for a model trained here.

config.yml    dataparser_transforms.json    nerfstudio_models/step-<step>.ckpt
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch
import yaml

from heliograph.disk import reason, write_file
from heliograph.engines.nerf.checkpoint import CONFIG
from heliograph.engines.nerf.frames import TRANSFORMS, CaptureFrame
from heliograph.engines.nerf.model import NerfactoConfig, NerfactoModel
from heliograph.errors import RecordError

_MODELS = "nerfstudio_models"
_DATA = "nerfstudio.data"
_PARSER = f"{_DATA}.dataparsers.nerfstudio_dataparser"


def write_run(
    folder: Path, model: NerfactoModel, frame: CaptureFrame, data: Path, *, step: int
) -> Path:
    """Write a trained model as nerfstudio lays it out; `heliograph.open` reads it.

    Args:
        folder: is made; what is there is replaced.
        model: as it was trained.
        frame: how the capture's frame became the model's.
        data: the folder of the capture; it is named, not needed to render.
        step: the last one of training.

    Returns:
        The path of `config.yml`.

    Raises:
        RecordError: something cannot be written.
    """
    models = folder / _MODELS
    try:
        models.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{models}: cannot be made ({reason(error)})") from None
    pipeline = {f"_model.{name}": value for name, value in model.state_dict().items()}
    held = io.BytesIO()
    torch.save({"step": step, "pipeline": pipeline, "optimizers": {}, "scalers": {}}, held)
    write_file(models / f"step-{step:09d}.ckpt", held.getvalue(), settle=False)
    moved = {"transform": frame.model_from_capture[:3].tolist(), "scale": frame.scale}
    write_file(folder / TRANSFORMS, json.dumps(moved).encode(), settle=False)
    path = folder / CONFIG
    write_file(path, _config(model.config, data).encode(), settle=False)
    return path


def _config(config: NerfactoConfig, data: Path) -> str:
    """The text of `config.yml`: of what nerfstudio writes, the part that shapes the model."""
    said: dict[str, Any] = vars(config).copy()
    del said["num_images"]
    said["proposal_net_args_list"] = [dict(vars(grid)) for grid in said.pop("proposals")]
    said["num_proposal_samples_per_ray"] = list(said["num_proposal_samples_per_ray"])
    model = yaml.safe_dump(said, sort_keys=False).strip().replace("\n", "\n    ")
    return f"""\
!!python/object:nerfstudio.engine.trainer.TrainerConfig
_target: !!python/name:nerfstudio.engine.trainer.Trainer ''
method_name: nerfacto
data: &data !!python/object/apply:pathlib.PosixPath
- {json.dumps(str(data))}
relative_model_dir: !!python/object/apply:pathlib.PosixPath
- {_MODELS}
pipeline: !!python/object:nerfstudio.pipelines.base_pipeline.VanillaPipelineConfig
  _target: !!python/name:nerfstudio.pipelines.base_pipeline.VanillaPipeline ''
  datamanager: !!python/object:{_DATA}.datamanagers.base_datamanager.VanillaDataManagerConfig
    dataparser: !!python/object:{_PARSER}.NerfstudioDataParserConfig
      _target: !!python/name:{_PARSER}.Nerfstudio ''
      data: *data
  model: !!python/object:nerfstudio.models.nerfacto.NerfactoModelConfig
    _target: !!python/name:nerfstudio.models.nerfacto.NerfactoModel ''
    implementation: torch
    {model}
"""
