"""Reading a config: a mapping, a JSON file, a YAML file."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from heliograph.disk import read_file
from heliograph.errors import InvalidValueError
from heliograph.requires import Requires

_YAML = (".yaml", ".yml")


def read(source: str | Path | Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return what a config holds, and what messages call it.

    Raises:
        InvalidValueError: no such file, or not JSON (YAML) with an object in it.
        MissingDependencyError: a YAML file, and PyYAML is not installed.
    """
    if isinstance(source, Mapping):
        return source, "config"
    if not isinstance(source, (str, Path)):
        raise InvalidValueError(
            f"config: expected a path or what a config holds, got {type(source).__name__}"
        )
    path = Path(source)
    try:
        content = read_file(path)
    except OSError as error:
        raise InvalidValueError(f"{path}: cannot be read ({error.strerror})") from None
    parsed = _yaml(content, path) if path.suffix.lower() in _YAML else _json(content, path)
    if not isinstance(parsed, Mapping):
        raise InvalidValueError(f"{path}: expected an object, got {type(parsed).__name__}")
    return parsed, str(path)


def _json(content: bytes, path: Path) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidValueError(f"{path}: not JSON ({error})") from None


def _yaml(content: bytes, path: Path) -> Any:
    with Requires("yaml"):
        yaml: Any = importlib.import_module("yaml")
    try:
        return yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # dates of no month, for one
        raise InvalidValueError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
