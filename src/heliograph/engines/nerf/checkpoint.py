"""Checkpoints of nerfstudio: the newest of a run, its weights, and nothing that runs code."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from heliograph.disk import check_file, reason
from heliograph.engines.nerf.config_file import ConfigFile, read_config
from heliograph.engines.nerf.model import NerfactoConfig, NerfactoModel
from heliograph.errors import SceneError

CONFIG = "config.yml"
_STEP = re.compile(r"step-(\d+)\.ckpt")
_EMBEDDING = "field.embedding_appearance.embedding.weight"
_OURS = ("field.", "proposal_networks.")
_SHOWN = 4


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model as it was trained.

    Attributes:
        config: what its `config.yml` says.
        path: the file of the weights.
        model: with these weights, on the CPU.
        step: after how many steps of training, or None.
    """

    config: ConfigFile
    path: Path
    model: NerfactoModel
    step: int | None


def load_checkpoint(
    source: Path, checkpoint: Path | None = None, *, trust: bool = False
) -> Checkpoint:
    """Load a model.

    Args:
        source: a `config.yml`, or the folder with one.
        checkpoint: file of the weights; None for the newest in the folder beside the config.
        trust: run whatever code the checkpoint holds, where it is not plain tensors.

    Raises:
        SceneError: a file is missing, is not what nerfstudio writes, holds code, or its shapes are
            not those that the config says.
    """
    config = read_config(source / CONFIG if source.is_dir() else source)
    path = newest_checkpoint(config.models) if checkpoint is None else checkpoint
    held = _read(path, trust)
    weights = _weights(path, held)
    images = weights.get(_EMBEDDING)
    model = config.model
    if images is not None and images.dim() == 2:
        model = replace(model, num_images=len(images))
    step = held.get("step")
    return Checkpoint(
        config,
        path,
        _filled(model, weights, (path, config.path)),
        int(step) if isinstance(step, int) else None,
    )


def newest_checkpoint(folder: Path) -> Path:
    """The checkpoint of the latest step in a folder.

    Raises:
        SceneError: there is none.
    """
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError as error:
        raise SceneError(f"{folder}: {reason(error)}; expected checkpoints there") from None
    steps = {int(match[1]): name for name in names if (match := _STEP.fullmatch(name))}
    if not steps:
        raise SceneError(f"{folder}: expected a checkpoint such as step-000029999.ckpt, got none")
    return folder / steps[max(steps)]


def _read(path: Path, trust: bool) -> Mapping[str, Any]:
    try:
        check_file(path)
    except OSError as error:
        raise SceneError(f"{path}: {reason(error)}") from None
    try:
        if trust:
            held = torch.load(path, map_location="cpu", weights_only=False)
        else:
            with torch.serialization.safe_globals(_plain_numpy()):
                held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SceneError(
            f"{path}: expected a checkpoint of plain tensors and numbers, got one that asks for "
            f"code to be run ({_short(error)}); if you know where it comes from, give trust=True"
        ) from None
    except Exception as error:  # noqa: BLE001 -- torch raises what its reader happens to meet
        raise SceneError(
            f"{path}: expected a checkpoint that torch wrote, got a file it cannot read "
            f"({_short(error)}); it may be cut short"
        ) from None
    pipeline = held.get("pipeline") if isinstance(held, Mapping) else None
    if not isinstance(pipeline, Mapping):
        raise SceneError(f"{path}: expected nerfstudio's checkpoint with an entry 'pipeline'")
    return dict(held)


def _short(error: Exception) -> str:
    """The line of torch's advice that names what it met."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = next((line for line in lines if "GLOBAL" in line or "Unsupported" in line), "")
    return (named or (lines[0] if lines else type(error).__name__))[:200]


def _plain_numpy() -> list[Any]:
    """What the schedulers' numbers are pickled with, by the names of numpy 1 and 2."""
    scalar: Any = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    kinds = [
        type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64, np.int32, np.bool_)
    ]
    return [*((scalar, name) for name in names), np.dtype, *kinds]


def _weights(path: Path, held: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of the field and the proposal networks.

    Those of the camera optimizer, of metrics and of the data are not needed to render.
    """
    weights = {}
    for key, value in held["pipeline"].items():
        name = str(key).removeprefix("module.").removeprefix("_model.").removeprefix("module.")
        if name.startswith(_OURS) and isinstance(value, Tensor):
            weights[name] = value
    flat = [name for name in weights if name.endswith((".tcnn_encoding.params", ".model.params"))]
    if flat:
        raise SceneError(
            f"{path}: it was trained with tiny-cuda-nn ({flat[0]}), whose flat half floats are not "
            "read; train with `--pipeline.model.implementation torch`"
        )
    return weights


def _filled(
    config: NerfactoConfig, weights: Mapping[str, Tensor], files: tuple[Path, Path]
) -> NerfactoModel:
    """A model with these weights; nothing is allocated before all shapes fit."""
    with torch.device("meta"):
        model = NerfactoModel(config)
    expected = {k: v for k, v in model.state_dict().items() if k.startswith(_OURS)}
    wrong = [
        f"{name}: expected {_told(expected.get(name))}, got {_told(weights.get(name))}"
        for name in [*expected, *(name for name in weights if name not in expected)]
        if _told(expected.get(name)) != _told(weights.get(name))
    ]
    wrong += _other_numbers(config, weights) if not wrong else []
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise SceneError(
            f"{files[0]}: it does not fit {files[1]}: {'; '.join(wrong[:_SHOWN])}{more}"
        )
    given = {name: value.detach().clone() for name, value in weights.items()}
    model.load_state_dict(given | {"device_indicator_param": torch.empty(0)}, assign=True)
    return model.float().requires_grad_(requires_grad=False)


def _told(tensor: Tensor | None) -> str:
    if tensor is None:
        return "nothing"
    kind = "numbers" if tensor.is_floating_point() else "integers"
    return f"{tuple(tensor.shape)} {kind}"


def _other_numbers(config: NerfactoConfig, weights: Mapping[str, Tensor]) -> list[str]:
    """Resolutions shape no tensor, but the checkpoint says which they were."""
    grids = {"field": config.grid}
    grids |= {f"proposal_networks.{i}": grid for i, grid in enumerate(config.rounds())}
    return [
        f"{part}.{name}: expected {getattr(grid, name)}, got {int(weights[f'{part}.{name}'])}"
        for part, grid in grids.items()
        for name in ("max_res", "num_levels", "log2_hashmap_size")
        if int(weights[f"{part}.{name}"]) != getattr(grid, name)
    ]
