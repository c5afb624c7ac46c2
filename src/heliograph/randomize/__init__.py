"""Domain randomization: what one sample shows differently, as a pure function of (seed, index).

The names below load on first access.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heliograph.randomize.background import Background
    from heliograph.randomize.cameras import CameraJitter, CameraOrbit, CameraPlace, FieldOfView
    from heliograph.randomize.config import json_schema, load_randomization, to_json, write_schema
    from heliograph.randomize.facts import Facts
    from heliograph.randomize.forms import sampler
    from heliograph.randomize.joints import JointStates
    from heliograph.randomize.lights import Lights, Own
    from heliograph.randomize.materials import Materials
    from heliograph.randomize.objects import ObjectPoses, Visibility
    from heliograph.randomize.postprocess import PostProcess
    from heliograph.randomize.randomizer import Drawn, Randomization, Randomizer
    from heliograph.randomize.samplers import Sampler
    from heliograph.randomize.streams import stream
    from heliograph.randomize.textures import Textures

_HOMES = {
    "Background": "background",
    "CameraJitter": "cameras",
    "CameraOrbit": "cameras",
    "CameraPlace": "cameras",
    "Drawn": "randomizer",
    "Facts": "facts",
    "FieldOfView": "cameras",
    "JointStates": "joints",
    "Lights": "lights",
    "Materials": "materials",
    "ObjectPoses": "objects",
    "Own": "lights",
    "PostProcess": "postprocess",
    "Randomization": "randomizer",
    "Randomizer": "randomizer",
    "Sampler": "samplers",
    "Textures": "textures",
    "Visibility": "objects",
    "json_schema": "config",
    "load_randomization": "config",
    "sampler": "forms",
    "stream": "streams",
    "to_json": "config",
    "write_schema": "config",
}

__all__ = [
    "Background",
    "CameraJitter",
    "CameraOrbit",
    "CameraPlace",
    "Drawn",
    "Facts",
    "FieldOfView",
    "JointStates",
    "Lights",
    "Materials",
    "ObjectPoses",
    "Own",
    "PostProcess",
    "Randomization",
    "Randomizer",
    "Sampler",
    "Textures",
    "Visibility",
    "json_schema",
    "load_randomization",
    "sampler",
    "stream",
    "to_json",
    "write_schema",
]


if not TYPE_CHECKING:  # type checkers read the imports above

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
