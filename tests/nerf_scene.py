"""A nerfacto checkpoint that was not trained but set by hand, so that its geometry is known.

Tables hold the coordinates of their vertices, which blending makes exact everywhere. Networks of
rectified linear layers make of them how far a point is outside of the nearest box, and the density
falls off from there by a factor e each `1 / steepness`. So surfaces are planes.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from heliograph.engines.nerf.model import HASH_PRIMES, GridConfig, NerfactoConfig, NerfactoModel

BOXES = (((-0.9, -0.9, -0.6), (0.9, 0.9, -0.3)), ((-0.25, -0.2, -0.3), (0.15, 0.2, 0.1)))
"""Lower and upper corners, model's frame: a floor and a box that stands on it."""

DENSITY = {"field": (10.0, 12000.0), 0: (5.0, 100.0), 1: (6.5, 400.0)}
"""Logarithm of the density inside, and its steepness outside: proposals are soft, so that samples
gather on both sides of a surface."""

RES, TABLE, HIDDEN = 4, 13, 16
GRID = GridConfig(2, RES, RES, TABLE, 2, HIDDEN, 3)
CONFIG = NerfactoConfig(
    num_levels=2,
    base_res=RES,
    max_res=RES,
    log2_hashmap_size=TABLE,
    hidden_dim=HIDDEN,
    num_layers=3,
    hidden_dim_color=8,
    appearance_embed_dim=4,
    num_images=3,
    num_nerf_samples_per_ray=64,
    proposals=(GRID, GRID),
    background_color="black",
)
FAST = replace(
    CONFIG,
    proposal_initial_sampler="uniform",
    far_plane=4.0,
    num_proposal_samples_per_ray=(96, 48),
    num_nerf_samples_per_ray=48,
)
"""Fewer samples, for many pictures."""

SCALE = 0.5
TURN = np.array([[0.0, -1, 0, 0.2], [1, 0, 0, -0.1], [0, 0, 1, 0.3]])
"""Of the capture's frame into the model's, before it is scaled."""


def known_model(config: NerfactoConfig = CONFIG) -> NerfactoModel:
    """The model of `BOXES`."""
    torch.manual_seed(0)
    model: Any = NerfactoModel(config)
    with torch.no_grad():
        base = model.field.mlp_base["model"]
        _set_table(base[0].hash_table, base[0])
        _set_distance(base[1].layers, DENSITY["field"], config)
        _set_colour(model.field.mlp_head.layers)
        for index, network in enumerate(model.proposal_networks):
            _set_table(network.encoding.hash_table, network.encoding)
            _set_distance(network.mlp_base[1].layers, DENSITY[index], config)
    made: NerfactoModel = model
    return made


def _set_table(table: torch.Tensor, encoding: Any) -> None:
    """Level 0 holds x and y, level 1 holds z, of each vertex of the unit cube."""
    vertices = torch.tensor(list(np.ndindex(*[RES + 2] * 3)))
    x, y, z = (vertices * torch.tensor(HASH_PRIMES)).T
    rows = (x ^ y ^ z) % 2**TABLE
    assert len(rows.unique()) == len(rows)
    table.zero_()
    table[rows] = vertices[:, :2] / RES
    table[rows + 2**TABLE, 0] = vertices[:, 2] / RES


def _set_distance(layers: Any, density: tuple[float, float], config: NerfactoConfig) -> None:
    """Faces, then the sums over a box's faces and the smaller sum, then the logarithm."""
    for layer in layers:
        layer.weight.zero_()
        layer.bias.zero_()
    first, second, last = layers
    unit_per_length = 2.0 if config.disable_scene_contraction else 4.0
    middle = unit_per_length / 2
    for box, corners in enumerate(BOXES):
        for face in range(6):
            row, axis, sign = box * 6 + face, face % 3, (-1.0, 1.0)[face // 3]
            first.weight[row, axis] = sign * unit_per_length
            first.bias[row] = sign * (-middle - corners[face // 3][axis])
    for axis in range(3):
        first.weight[12 + axis, axis] = 1
        second.weight[2 + axis, 12 + axis] = 1
    second.weight[0, :6] = second.weight[1, :6] = 1
    second.weight[1, 6:12] = -1
    last.bias[0], steepness = density
    last.weight[0, 0], last.weight[0, 1] = -steepness, steepness
    for axis in range(min(3, len(last.weight) - 1)):
        last.weight[1 + axis, 2 + axis] = 1


def _set_colour(layers: Any) -> None:
    """The colour is a sigmoid of where in the unit cube the point is."""
    for layer in layers:
        layer.weight.zero_()
        layer.bias.zero_()
    for axis in range(3):
        layers[0].weight[axis, 16 + axis] = 1
        layers[1].weight[axis, axis] = 1
        layers[2].weight[axis, axis] = 8
        layers[2].bias[axis] = -4


def state_of(model: NerfactoModel) -> dict[str, Any]:
    """What nerfstudio's checkpoint holds besides what matters here."""
    pipeline: dict[str, Any] = {f"_model.{k}": v for k, v in model.state_dict().items()}
    pipeline["_model.camera_optimizer.pose_adjustment"] = torch.zeros(7, 6)
    pipeline["_model.lpips.net.lin0.model.1.weight"] = torch.zeros(1, 3)
    return {
        "step": 29999,
        "pipeline": pipeline,
        "optimizers": {"fields": {"param_groups": [{"lr": 0.01}]}},
        "schedulers": {"fields": {"base": np.float64(0.5)}},
        "scalers": {},
    }


def config_of(config: NerfactoConfig, data: str = "/nowhere") -> str:
    """The text of a config.yml as nerfstudio writes it, as far as it matters here."""
    rows = vars(config).copy()
    rows["proposal_net_args_list"] = [dict(vars(grid)) for grid in rows.pop("proposals")]
    del rows["num_images"]
    rows["num_proposal_samples_per_ray"] = list(rows["num_proposal_samples_per_ray"])
    model = yaml.safe_dump(rows)
    return f"""!!python/object:nerfstudio.engine.trainer.TrainerConfig
_target: &id001 !!python/name:nerfstudio.engine.trainer.Trainer ''
method_name: nerfacto
relative_model_dir: !!python/object/apply:pathlib.PosixPath
- nerfstudio_models
pipeline: !!python/object:nerfstudio.pipelines.base_pipeline.VanillaPipelineConfig
  _target: !!python/name:nerfstudio.pipelines.base_pipeline.VanillaPipeline ''
  datamanager: !!python/object:nerfstudio.data.datamanagers.VanillaDataManagerConfig
    dataparser: !!python/object:nerfstudio.data.dataparsers.NerfstudioDataParserConfig
      data: !!python/object/apply:pathlib.PosixPath
      - {json.dumps(data)}
  model: !!python/object:nerfstudio.models.nerfacto.NerfactoModelConfig
    _target: !!python/name:nerfstudio.models.nerfacto.NerfactoModel ''
    camera_optimizer: !!python/object:nerfstudio.cameras.camera_optimizers.CameraOptimizerConfig
      mode: SO3xR3
    {model.strip().replace(chr(10), chr(10) + "    ")}
"""


def write_run(folder: Path, model: NerfactoModel, data: str = "/nowhere") -> Path:
    """Write what nerfstudio leaves behind; returns the path of the config."""
    models = folder / "nerfstudio_models"
    models.mkdir(parents=True)
    torch.save(state_of(model), models / "step-000029999.ckpt")
    moved = {"transform": TURN.tolist(), "scale": SCALE}
    (folder / "dataparser_transforms.json").write_text(json.dumps(moved))
    (folder / "config.yml").write_text(config_of(model.config, data))
    return folder / "config.yml"


def to_capture(points: Any) -> np.ndarray:
    """(..., 3) of the model's frame -> of the capture's."""
    return np.asarray((np.asarray(points, float) / SCALE - TURN[:, 3]) @ TURN[:, :3])


FOV = math.radians(50)
