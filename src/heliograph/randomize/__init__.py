"""Domain randomization: what one sample shows differently, as a pure function of (seed, index)."""

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
