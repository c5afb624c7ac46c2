"""Randomizations from config files, and the JSON schema of such a file."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError, shown
from heliograph.randomize import samplers
from heliograph.randomize.background import Background
from heliograph.randomize.cameras import CameraJitter, CameraOrbit, CameraPlace, FieldOfView
from heliograph.randomize.imaging import STEPS
from heliograph.randomize.joints import JointStates
from heliograph.randomize.lights import Lights
from heliograph.randomize.materials import Materials
from heliograph.randomize.objects import ObjectPoses, Visibility
from heliograph.randomize.parameters import Parameter, parameters
from heliograph.randomize.postprocess import PostProcess
from heliograph.randomize.randomizer import Randomization, Randomizer
from heliograph.randomize.source import read
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


_UNQUOTED = "; YAML takes on, off, yes and no for true and false: quote the word"


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
    try:
        if "components" in config:
            orrb: Any = importlib.import_module(_ORRB)
            read_by_orrb: Randomization = orrb.read_components(config, where)
            return read_by_orrb
        folder = Path() if isinstance(source, Mapping) else Path(source).absolute().parent
        return _randomization(config, where, folder)
    except RecursionError:
        raise InvalidValueError(f"{where}: nested too deeply to be read") from None


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
        f"Randomization, got {shown(given)}"
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
    shared: dict[str, Any] = {"Sampler": samplers.schema()}
    kinds = {kind.__name__: _schema(kind, shared) for kind in TYPES.values()}
    steps = {
        name: _object({key: Parameter(each).schema() for key, each in step.parameters.items()})
        for name, step in STEPS.items()
    }
    kinds["PostProcess"]["properties"]["steps"] |= _object(steps)
    entries = [{"$ref": f"#/$defs/{name}"} for name in kinds]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Heliograph randomization",
        "type": "object",
        "properties": {"randomizers": {"type": "array", "items": {"anyOf": entries}}},
        "required": ["randomizers"],
        "$defs": {**shared, **kinds},
    }
    as_read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schema))
    return as_read


def write_schema(path: str | Path) -> None:
    """Write the JSON schema of our config to a file."""
    text = msgspec.json.format(msgspec.json.encode(json_schema(), order="deterministic"), indent=2)
    Path(path).write_bytes(text + b"\n")


def _randomization(config: Mapping[str, Any], where: str, folder: Path) -> Randomization:
    for key in config:
        if key not in ("randomizers", "$schema"):
            raise UnknownNameError.of(f"key in {where}", key, ("randomizers", "components"))
    entries = config.get("randomizers")
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise InvalidValueError(f"{where}: expected a list of randomizers, got {shown(entries)}")
    randomizers = []
    for number, entry in enumerate(entries):
        try:
            randomizers.append(_randomizer(entry, folder))
        except HeliographError as error:
            raise type(error)(f"{where}: randomizers[{number}]: {error.message}") from None
    usual = Randomization(randomizers).names
    names = [entry.get("name") or name for entry, name in zip(entries, usual, strict=True)]
    try:
        return Randomization(randomizers, names)
    except InvalidValueError as error:
        raise InvalidValueError(f"{where}: {error.message}") from None


def _randomizer(entry: Any, folder: Path) -> Randomizer:
    if not isinstance(entry, Mapping):
        raise InvalidValueError(f"expected an object, got {shown(entry)}")
    name, kind = entry.get("name"), entry.get("type")
    if name is not None and not isinstance(name, str):
        hint = _UNQUOTED if isinstance(name, bool) else ""
        raise InvalidValueError(f"name: expected a text, got {shown(name)}{hint}")
    if "type" not in entry:
        keys = [key for key in entry if isinstance(key, str)]
        likely = difflib.get_close_matches("type", keys, n=1)
        if likely:
            raise UnknownNameError.of("key", likely[0], _OWN)
        raise InvalidValueError(f'no "type"; expected one of {", ".join(TYPES)}')
    if not isinstance(kind, str) or kind not in TYPES:
        raise UnknownNameError.of("randomizer type", kind, TYPES)
    given = {key: value for key, value in entry.items() if key not in _OWN}
    made: Randomizer = _made(TYPES[kind], given, kind, folder)
    return made


def _made(kind: type, given: Mapping[str, Any], what: str, folder: Path) -> Any:
    """A randomizer, or textures, of what a config says; declared parameters read themselves."""
    declared, types = parameters(kind), typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind)]
    values = {}
    for key, value in given.items():
        if key not in known:
            raise UnknownNameError.of(f"key of {what}", key, known)
        if types[key] is Textures and isinstance(value, Mapping):
            values[key] = _made(Textures, value, key, folder)
        elif key == "folder" and isinstance(value, str):
            values[key] = str(folder / value)
        else:
            values[key] = value if key in declared else _plain(key, value, types[key])
    return kind(**values)


def _plain(key: str, value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        hint = _UNQUOTED if "got `bool`" in str(error) else ""
        raise InvalidValueError(f"{key}: {error}{hint}") from None


def _schema(kind: type[Randomizer], shared: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a randomizer; definitions that it refers to are put among the shared."""
    declared, types = parameters(kind), typing.get_type_hints(kind)
    (usual,) = Randomization([kind()]).describe()
    properties: dict[str, Any] = {"type": {"const": kind.type_name}, "name": {"type": "string"}}
    for name in (each for each in usual if each not in properties):
        if name in declared:
            own = declared[name].schema()
        else:
            (own,), more = msgspec.json.schema_components(
                [types[name]], ref_template="#/$defs/{name}"
            )
            shared |= more
        properties[name] = {**own, "default": usual[name]}
    described = {"title": kind.__name__, "description": inspect.getdoc(kind)}
    return {**described, **_object(properties), "required": ["type"]}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}
