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
    from heliograph.randomize.joints import JointStates
    from heliograph.randomize.lights import Lights, Own
    from heliograph.randomize.materials import Materials
    from heliograph.randomize.objects import ObjectPoses, Visibility
    from heliograph.randomize.postprocess import PostProcess
    from heliograph.randomize.randomizer import Drawn, Randomization, Randomizer
    from heliograph.randomize.samplers import Sampler, sampler
    from heliograph.randomize.streams import stream
    from heliograph.randomize.textures import Textures

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
_NAMES = {
    "background": ["Background"],
    "cameras": ["CameraJitter", "CameraOrbit", "CameraPlace", "FieldOfView"],
    "config": ["json_schema", "load_randomization", "to_json", "write_schema"],
    "facts": ["Facts"],
    "joints": ["JointStates"],
    "lights": ["Lights", "Own"],
    "materials": ["Materials"],
    "objects": ["ObjectPoses", "Visibility"],
    "postprocess": ["PostProcess"],
    "randomizer": ["Drawn", "Randomization", "Randomizer"],
    "samplers": ["Sampler", "sampler"],
    "streams": ["stream"],
    "textures": ["Textures"],
}


if not TYPE_CHECKING:  # type checkers read the imports above

    def __getattr__(name: str) -> Any:
        for module, names in _NAMES.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
