"""nerfstudio's `config.yml`, read as data.

It is YAML with Python objects, which PyYAML's full loaders build by importing and calling whatever
is named. Here every tag but YAML's own becomes a plain mapping, list or text: nothing is imported
or called, and only the fields that shape the model are looked at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

import yaml

from heliograph.checks import is_integer
from heliograph.disk import reason
from heliograph.engines.nerf.model import GridConfig, NerfactoConfig
from heliograph.errors import SceneError, shown

MAX_CONFIG_BYTES = 1 << 20
MODELS = ("NerfactoModel", "DepthNerfactoModel")
"""Classes of nerfstudio whose field is nerfacto's."""

_CHOICES = {
    "background_color": ("last_sample", "random", "black", "white"),
    "proposal_initial_sampler": ("piecewise", "uniform"),
}
_LARGEST = {"log2_hashmap_size": 26, "max_res": 1 << 20, "base_res": 1 << 20}
_LARGE = 4096
_SMALLEST = {"use_linear": 0, "appearance_embed_dim": 0}


@dataclass(frozen=True)
class ConfigFile:
    """What a `config.yml` says.

    Attributes:
        path: the file.
        model: what shapes the model, but for the number of training pictures.
        models: the folder of the checkpoints.
        data: where the training pictures were, or None.
    """

    path: Path
    model: NerfactoConfig
    models: Path
    data: Path | None


_MISREAD: Final = (ValueError, TypeError, LookupError, AttributeError)
"""What yaml raises where a value is not of the kind that its tag says."""


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]  # it has no types
    """Builds numbers, text, lists and mappings alone, whatever a tag asks for."""


def _plain(loader: _PlainLoader, suffix: str, node: yaml.Node) -> Any:
    """A node without its tag; a bare name, as `!!python/name:a.b ''`, is its own text."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return suffix.partition(":")[2] or loader.construct_scalar(node)


for _prefix in ("tag:yaml.org,2002:python/", "!", "tag:"):
    _PlainLoader.add_multi_constructor(_prefix, _plain)


def read_config(path: Path) -> ConfigFile:
    """Read a `config.yml`.

    Raises:
        SceneError: it is missing, no YAML, of another model than nerfacto, or a field that shapes
            the model is not what it must be.
    """
    said = _parsed(path)
    model = _mapping(path, said, "pipeline", "model")
    target = str(model.get("_target", ""))
    if target.rpartition(".")[2] not in MODELS:
        raise SceneError(
            f"{path}: pipeline.model: expected a nerfacto model ({' or '.join(MODELS)}), got "
            f"{target[:100] or 'no _target'}; other models of nerfstudio are not read"
        )
    manager = _mapping(path, said, "pipeline", "datamanager")
    parser = manager.get("dataparser")
    places = [manager.get("data"), said.get("data")]
    places.insert(0, parser.get("data") if isinstance(parser, Mapping) else None)
    data = next((found for place in places if (found := _path(place))), None)
    models = _path(said.get("relative_model_dir")) or PurePath("nerfstudio_models")
    return ConfigFile(
        path, _model(path, model), path.parent / models, None if data is None else Path(data)
    )


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise SceneError(f"{path}: {reason(error)}") from None
    if len(text) > MAX_CONFIG_BYTES:
        raise SceneError(f"{path}: expected at most {MAX_CONFIG_BYTES} bytes of YAML, got more")
    try:
        said = yaml.load(text, _PlainLoader)
    except (yaml.YAMLError, RecursionError, *_MISREAD) as error:
        told = " ".join(str(error).split())[:200]
        raise SceneError(f"{path}: expected nerfstudio's config as YAML, got {told}") from None
    if not isinstance(said, Mapping):
        raise SceneError(f"{path}: expected nerfstudio's config, a mapping, got {shown(said)}")
    return said


def _mapping(path: Path, said: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for depth, key in enumerate(keys, 1):
        found = said.get(key)
        if not isinstance(found, Mapping):
            raise SceneError(
                f"{path}: {'.'.join(keys[:depth])}: expected a mapping, as nerfstudio writes it, "
                f"got {shown(found)}"
            )
        said = found
    return said


def _path(said: Any) -> PurePath | None:
    """A path as nerfstudio writes it, a list of its parts, or as text; None for none."""
    parts = [said] if isinstance(said, str) else said
    if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
        return None
    return PurePath(*parts) if parts else None


def _model(path: Path, said: Mapping[str, Any]) -> NerfactoConfig:
    known = {field.name: field for field in dataclasses.fields(NerfactoConfig)}
    defaults = NerfactoConfig()
    values = {
        key: _value(f"{path}: pipeline.model.{key}", key, value, getattr(defaults, key))
        for key, value in said.items()
        if key in known and key not in ("num_images", "proposals")
    }
    args = said.get("proposal_net_args_list")
    if args is not None:
        values["proposals"] = _proposals(path, args)
    config = dataclasses.replace(defaults, **values)
    rounds = config.num_proposal_iterations
    if not len(config.num_proposal_samples_per_ray) >= rounds:
        raise SceneError(
            f"{path}: pipeline.model.num_proposal_samples_per_ray: expected {rounds} numbers, as "
            f"num_proposal_iterations says, got {config.num_proposal_samples_per_ray}"
        )
    return config


def _proposals(path: Path, said: Any) -> tuple[GridConfig, ...]:
    where = f"{path}: pipeline.model.proposal_net_args_list"
    rows = said if isinstance(said, Sequence) and not isinstance(said, str) else []
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise SceneError(f"{where}: expected a list of mappings, got {shown(said)}")
    defaults = GridConfig()
    known = {field.name for field in dataclasses.fields(GridConfig)}
    return tuple(
        GridConfig(
            **{
                key: _value(f"{where}[{index}].{key}", key, value, getattr(defaults, key))
                for key, value in row.items()
                if key in known
            }
        )
        for index, row in enumerate(rows)
    )


def _value(where: str, key: str, value: Any, default: Any) -> Any:
    """A field of the kind that its default is."""
    kind = type(default)
    if key in _CHOICES:
        fits, expected = value in _CHOICES[key], f"one of {', '.join(_CHOICES[key])}"
    elif kind is bool:
        fits, expected = isinstance(value, bool), "true or false"
    elif kind is int:
        least, most = _SMALLEST.get(key, 1), _LARGEST.get(key, _LARGE)
        fits, expected = is_integer(value, least, most), f"an integer, {least} to {most}"
    elif kind is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = number and 0 < value < 1e30
        expected = "a number above 0"
    else:
        listed = isinstance(value, Sequence) and not isinstance(value, str)
        fits = listed and len(value) > 0 and all(is_integer(each, 1, _LARGE) for each in value)
        expected = f"integers, 1 to {_LARGE}"
    if not fits:
        raise SceneError(f"{where}: expected {expected}, got {shown(value)}")
    return kind(value)
