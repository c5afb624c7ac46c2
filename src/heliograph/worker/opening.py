"""Orders to open, as they travel; and the engine made of one."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from heliograph.disk import printable
from heliograph.engine import Described, Engine
from heliograph.engines.entries import SHIPPED
from heliograph.engines.registry import make_engine
from heliograph.errors import InvalidValueError
from heliograph.randomize import to_json
from heliograph.randomize.config import as_randomization
from heliograph.randomize.config import describe as describe_randomization
from heliograph.transport.messages import Open, Opened
from heliograph.transport.scenes import pack_pass, pack_scene
from heliograph.transport.values import pack, pack_camera, unpack


def pack_opening(engine: str, source: object, options: Mapping[str, Any]) -> Open:
    """What a worker has to open.

    Raises:
        InvalidValueError: a source or an option that cannot travel.
    """
    return Open(engine, _pack_source(source), pack(_flat(options), "options"))


@functools.cache
def random_digest() -> str:
    """A digest of what numpy's generators draw here.

    Randomization is drawn by the workers. Two interpreters whose digests are equal draw the same:
    it covers every method of `numpy.random.Generator` that randomizers use, and the functions that
    make seeds, angles and colours of what they draw. numpy 1.26 to 2.5 have the same.
    """
    rng = np.random.default_rng(np.random.SeedSequence([7, 11]))
    drawn = [
        rng.random(64),
        rng.standard_normal(64),
        rng.uniform(-1, 2, 64),
        rng.normal(1, 2, 64),
        rng.integers(0, 1000, 64),
        rng.permutation(64),
        rng.choice(64, 16, replace=False),
        rng.exponential(1.0, 16),
    ]
    made = [
        np.cbrt(drawn[0]),
        np.exp(drawn[1]),
        np.sin(drawn[2]),
        np.cos(drawn[2]),
        drawn[0] ** 0.4,
    ]
    told = hashlib.sha256()
    for array in (*drawn, *made):
        told.update(np.ascontiguousarray(array).tobytes())
    return told.hexdigest()[:16]


def with_randomization(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with the config of `randomize` read: it is read once, whoever draws.

    Raises:
        HeliographError: something is wrong with it.
    """
    given = options.get("randomize")
    if given is None:
        return {key: value for key, value in options.items() if key != "randomize"}
    return {**options, "randomize": as_randomization(given)}


def describe_opening(engine: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the pictures of a renderer besides its scene, in terms of JSON.

    Args:
        engine: its name.
        options: as for `pack_opening`; those that are as without them are left out.

    Returns:
        `engine` and `options`, and `randomize` where there is one: the config, folders of textures
        by name and hash of their files.
    """
    flat = _flat(options, as_randomization)
    randomization = flat.pop("randomize", None)
    told: dict[str, Any] = {"engine": engine, "options": _plain(_chosen(engine, flat))}
    if randomization is not None:
        told["randomize"] = describe_randomization(randomization)
    return told


def open_engine(order: Open) -> Engine:
    """The engine that an order asks for.

    Raises:
        HeliographError: whatever the engine says.
    """
    return make_engine(order.engine, unpack(order.source), unpack(order.options))


def describe(engine: Described) -> Opened:
    """What an engine or a renderer says about itself, for the wire."""
    cameras = [pack_camera(camera) for camera in engine.cameras.values()]
    return Opened(
        scene=pack_scene(engine.scene),
        cameras=cameras,
        passes=[pack_pass(spec) for spec in engine.passes.values()],
        labels=dict(engine.labels),
        capabilities=[each.value for each in engine.capabilities],
        provenance=engine.provenance,
    )


def _pack_source(source: object) -> Any:
    if isinstance(source, (str, Path)):
        return _absolute(source)
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
        text = str(Path(text).absolute()) if Path(text).exists() else text
    except (OSError, ValueError):
        return text
    if text != printable(text):
        raise InvalidValueError(
            f"{printable(text)}: a file name that is not UTF-8 does not travel to a worker; rename "
            "the file, or open it with workers=0"
        )
    return text


def _contents(randomize: object) -> dict[str, Any]:
    """What the config holds now: a worker that is started later must not find another."""
    return to_json(as_randomization(randomize))


def _flat(
    options: Mapping[str, Any], randomization: Callable[[object], object] = _contents
) -> dict[str, Any]:
    """Options with enums as their values; engines take both."""
    flat = {key: each.value if isinstance(each, Enum) else each for key, each in options.items()}
    if flat.get("randomize") is not None:
        flat["randomize"] = randomization(flat["randomize"])
    return flat


def _chosen(engine: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options without those of the rasterizer that are as usual, or change no byte."""
    if engine not in SHIPPED or not SHIPPED[engine].rasterizes or not options.keys() - {"size"}:
        return dict(options)
    from heliograph.raster import RasterOptions

    usual = {field.name: field.default for field in dataclasses.fields(RasterOptions)}
    return {
        key: value
        for key, value in options.items()
        if key not in usual
        or not (key == "threads" or (type(value) is type(usual[key]) and value == usual[key]))
    }


def _plain(value: Any) -> Any:
    """A value in terms of JSON; what JSON does not know by its type and what it holds."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, PurePath):
        return str(value)
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if not dataclasses.is_dataclass(value):
        return kind
    held = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {"type": kind, **_plain(held)}
