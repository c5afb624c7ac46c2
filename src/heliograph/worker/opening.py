"""Orders to open, as they travel; and the engine made of one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from heliograph.engine import Engine
from heliograph.engines.registry import make_engine
from heliograph.errors import InvalidValueError
from heliograph.randomize import Randomization, to_json
from heliograph.scene import Component
from heliograph.transport.messages import Open, Opened
from heliograph.transport.values import pack, pack_camera, unpack


def pack_opening(engine: str, source: object, options: Mapping[str, Any]) -> Open:
    """What a worker has to open.

    Raises:
        InvalidValueError: a source or an option that cannot travel.
    """
    return Open(engine, _pack_source(source), pack(_flat(options), "options"))


def open_engine(order: Open) -> Engine:
    """The engine that an order asks for.

    Raises:
        HeliographError: whatever the engine says.
    """
    return make_engine(order.engine, unpack(order.source), unpack(order.options))


def describe(engine: Engine) -> Opened:
    """What the engine says about itself, for the wire."""
    cameras = [pack_camera(camera) for camera in engine.cameras.values()]
    return Opened(engine.scene, cameras, list(engine.passes), dict(engine.labels))


def _pack_source(source: object) -> Any:
    if isinstance(source, (str, Path)):
        return _absolute(source)
    if isinstance(source, Component):
        return pack(source, "source")
    if type(source).__module__.split(".")[0] == "mujoco":
        raise InvalidValueError(
            "a compiled MjModel lives in this process and does not travel to a worker; give the "
            "path of its file, or its text (mujoco.MjSpec.to_xml), or open it with workers=0"
        )
    return pack(source, "source")


def _absolute(source: str | Path) -> str:
    text = str(source)
    if isinstance(source, str) and text.lstrip().startswith("<"):
        return text
    try:
        return str(Path(text).absolute()) if Path(text).exists() else text
    except (OSError, ValueError):
        return text


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with `RasterOptions` as keywords and enums as their values; engines take both."""
    flat = {key: each.value if isinstance(each, Enum) else each for key, each in options.items()}
    randomize = flat.get("randomize")
    if isinstance(randomize, Randomization):
        flat["randomize"] = to_json(randomize)
    elif isinstance(randomize, (str, Path)):
        flat["randomize"] = _absolute(randomize)
    raster = flat.get("options")
    if dataclasses.is_dataclass(raster) and type(raster).__name__ == "RasterOptions":
        del flat["options"]
        flat.update({f.name: getattr(raster, f.name) for f in dataclasses.fields(raster)})
    return flat
