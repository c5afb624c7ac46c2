"""Randomizations from config files, and the JSON schema of such a file."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.randomize import forms
from heliograph.randomize.background import Background
from heliograph.randomize.cameras import CameraJitter, CameraOrbit, CameraPlace, FieldOfView
from heliograph.randomize.forms import sampler
from heliograph.randomize.imaging import STEPS, Step
from heliograph.randomize.joints import JointStates
from heliograph.randomize.lights import Lights
from heliograph.randomize.materials import Materials
from heliograph.randomize.objects import ObjectPoses, Visibility
from heliograph.randomize.postprocess import PostProcess
from heliograph.randomize.randomizer import Randomization, Randomizer
from heliograph.randomize.samplers import Sampler
from heliograph.randomize.source import folder_of, read
from heliograph.randomize.textures import Textures

TYPES: dict[str, type[Randomizer]] = {
    kind.type_name: kind
    for kind in (
        Materials,
        Lights,
        CameraJitter,
        CameraOrbit,
        CameraPlace,
        FieldOfView,
        ObjectPoses,
        Visibility,
        JointStates,
        Background,
        PostProcess,
    )
}
_OWN = ("type", "name")
_ORRB = "heliograph.compat.orrb.reading"
"""Reads configs with `components`; a layer above this one, imported where such a config comes."""
_SCHEMA = "https://json-schema.org/draft/2020-12/schema"


def load_randomization(source: str | Path | Mapping[str, Any]) -> Randomization:
    """Read a randomization from a config: ours, or ORRB's renderer_config (by its `components`).

    Ours is `{"randomizers": [{"type": "materials", "name": "paint", ...parameters}]}`; `name` may
    be left out. A folder in a file is relative to that file; images in it are read here.

    Args:
        source: path of a JSON or YAML file, or what it holds.

    Raises:
        UnknownNameError: an unknown key or type; the message says where and names the nearest.
        InvalidValueError: the file cannot be read, or a value is wrong.
        MissingDependencyError: a YAML file, and PyYAML is not installed.
    """
    config, where = read(source)
    if "components" in config:
        orrb: Any = importlib.import_module(_ORRB)
        read_by_orrb: Randomization = orrb.read_components(config, where)
        return read_by_orrb
    for key in config:
        if key not in ("randomizers", "$schema"):
            raise UnknownNameError.of(f"key in {where}", str(key), ("randomizers", "components"))
    entries = config.get("randomizers")
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise InvalidValueError(f"{where}: expected a list of randomizers, got {entries!r}")
    made = []
    for number, entry in enumerate(entries):
        place = f"{where}: randomizers[{number}]"
        made.append(_entry(_resolved(entry, folder_of(source)), place))
    randomizers = [randomizer for _, randomizer in made]
    usual = Randomization(randomizers).names
    names = [given or name for (given, _), name in zip(made, usual, strict=True)]
    try:
        return Randomization(randomizers, names)
    except InvalidValueError as error:
        raise InvalidValueError(f"{where}: {error.message}") from None


def as_randomization(given: object) -> Randomization:
    """A randomization as it is, or of a config or its path.

    Raises:
        InvalidValueError: none of these, or something is wrong with the config.
        UnknownNameError: see `load_randomization`.
    """
    if isinstance(given, Randomization):
        return given
    if isinstance(given, (str, Path, Mapping)):
        return load_randomization(given)
    raise InvalidValueError(
        "randomize: expected the path of a config, a mapping (what a config holds) or a "
        f"Randomization, got {given!r}"
    )


def describe(randomization: Randomization) -> dict[str, Any]:
    """What decides what is drawn, as JSON: the config, folders by name and hash of their files.

    A randomizer of your own is described by its type, name and (of a dataclass) its parameters.
    """
    try:
        described: dict[str, Any] = _located_nowhere(to_json(randomization))
    except InvalidValueError:
        described = {"randomizers": _located_nowhere(randomization.describe())}
    return described


def to_json(randomization: Randomization) -> dict[str, Any]:
    """Return the config of a randomization, ORRB's if it is ORRB's; it can be loaded again.

    Raises:
        InvalidValueError: it holds a randomizer that no config can name.
    """
    ours = type(randomization) is Randomization
    for each in randomization.randomizers if ours else ():
        if TYPES.get(each.type_name) is not type(each):
            raise InvalidValueError(f"{type(each).__name__} is of no type that a config can name")
    return randomization.config()


def _located_nowhere(value: Any) -> Any:
    """The same with only the names of folders that are known by their hash."""
    if isinstance(value, list):
        return [_located_nowhere(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    known = {key: _located_nowhere(each) for key, each in value.items()}
    if known.get("sha256") and isinstance(known.get("folder"), str):
        known["folder"] = Path(known["folder"]).name
    return known


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of our config."""
    kinds, components = msgspec.json.schema_components(
        list(TYPES.values()), schema_hook=_schema_hook, ref_template="#/$defs/{name}"
    )
    for kind in TYPES.values():
        own = components[kind.__name__]
        # As a config would write them; what msgspec says of samplers is not what one reads.
        (usual,) = Randomization([kind()]).describe()
        for name, property_schema in own["properties"].items():
            property_schema["default"] = usual[name]
        own["properties"] |= {"type": {"const": kind.type_name}, "name": {"type": "string"}}
        own |= {"required": ["type"], "additionalProperties": False}
    components["PostProcess"]["properties"]["steps"] = _steps_schema()
    schema = {
        "$schema": _SCHEMA,
        "title": "Heliograph randomization",
        "type": "object",
        "properties": {"randomizers": {"type": "array", "items": {"anyOf": list(kinds)}}},
        "required": ["randomizers"],
        "$defs": {**components, "Sampler": forms.schema()},
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schema))
    return plain


def write_schema(path: str | Path) -> None:
    """Write the JSON schema of our config to a file."""
    text = msgspec.json.format(msgspec.json.encode(json_schema(), order="deterministic"), indent=2)
    Path(path).write_bytes(text + b"\n")


def _entry(entry: Any, where: str) -> tuple[str | None, Randomizer]:
    if not isinstance(entry, Mapping):
        raise InvalidValueError(f"{where}: expected an object, got {entry!r}")
    kind, name = str(entry.get("type", "")), entry.get("name")
    if name is not None and not isinstance(name, str):
        raise InvalidValueError(f"{where}.name: expected a text, got {name!r}")
    try:
        if "type" not in entry:
            likely = difflib.get_close_matches("type", [str(key) for key in entry], n=1)
            if likely:
                raise UnknownNameError.of("key", likely[0], _OWN)
            raise InvalidValueError(f'no "type"; expected one of {", ".join(TYPES)}')
        if kind not in TYPES:
            raise UnknownNameError.of("randomizer type", kind, TYPES)
        given = {key: value for key, value in entry.items() if key not in _OWN}
        return name, _converted(TYPES[kind], given)
    except HeliographError as error:
        raise type(error)(f"{where}: {error.message}") from None


def _resolved(entry: Any, folder: Path) -> Any:
    """The entry with the folder of its textures found from the config's own folder."""
    textures = entry.get("textures") if isinstance(entry, Mapping) else None
    if not isinstance(textures, Mapping) or not isinstance(textures.get("folder"), str):
        return entry
    return {**entry, "textures": {**textures, "folder": str(folder / textures["folder"])}}


def _converted(kind: type[Randomizer], given: Mapping[str, Any]) -> Randomizer:
    _check_keys(kind, given, kind.type_name)
    if isinstance(given.get("textures"), Mapping):
        _check_keys(Textures, given["textures"], "textures")
    fields = {key: _read_samplers(kind, key, value) for key, value in given.items()}
    try:
        return msgspec.convert(fields, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise InvalidValueError(str(error)) from None


def _check_keys(kind: type, given: Mapping[str, Any], what: str) -> None:
    known = [field.name for field in dataclasses.fields(kind)]
    for key in given:
        if key not in known:
            raise UnknownNameError.of(f"key of {what}", str(key), known)


def _read_samplers(kind: type[Randomizer], key: str, value: Any) -> Any:
    """Read the samplers of a key here, where a message can say which key it is."""
    types = {field.name: str(field.type) for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if "Sampler" not in types[key] or value is None:
        return value
    if not types[key].startswith("dict"):
        return _sampler(value, key)
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"{key}: expected an object, got {value!r}")
    if kind is PostProcess:
        return {name: _step(name, given) for name, given in value.items()}
    return {name: _sampler(each, f"{key}.{name}") for name, each in value.items()}


def _step(name: str, given: Any) -> dict[str, Sampler]:
    if name not in STEPS:
        raise UnknownNameError.of("step", name, STEPS)
    if not isinstance(given, Mapping):
        raise InvalidValueError(f"steps.{name}: expected an object of parameters, got {given!r}")
    for key in given:
        if key not in STEPS[name].parameters:
            raise UnknownNameError.of(f"parameter of step {name}", str(key), STEPS[name].parameters)
    return {key: _sampler(value, f"steps.{name}.{key}") for key, value in given.items()}


def _sampler(value: Any, where: str) -> Sampler:
    try:
        return sampler(value)
    except HeliographError as error:
        raise type(error)(f"{where}: {error.message}") from None


def _decode(kind: type, value: Any) -> Any:
    if kind is Sampler:
        return sampler(value)
    raise NotImplementedError(f"cannot read {kind.__name__} from a config")


def _schema_hook(kind: type) -> dict[str, Any]:
    if kind is Sampler:
        return {"$ref": "#/$defs/Sampler"}
    raise NotImplementedError(f"no schema of {kind.__name__}")


def _steps_schema() -> dict[str, Any]:
    steps = {name: _step_schema(step) for name, step in STEPS.items()}
    return {"type": "object", "properties": steps, "additionalProperties": False}


def _step_schema(step: Step) -> dict[str, Any]:
    properties = {
        name: {"$ref": "#/$defs/Sampler", "description": parameter.meaning}
        for name, parameter in step.parameters.items()
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}
