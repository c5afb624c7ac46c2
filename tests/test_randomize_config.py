"""Config files: read, written, described by a schema, refused with a reason."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from heliograph.compat.orrb import components as orrb
from heliograph.errors import InvalidValueError, MissingDependencyError, UnknownNameError
from heliograph.randomize import (
    Background,
    CameraJitter,
    Lights,
    Materials,
    Own,
    Randomization,
    Textures,
    json_schema,
    load_randomization,
    to_json,
    write_schema,
)
from heliograph.randomize.config import TYPES

CONFIG: dict[str, Any] = {
    "randomizers": [
        {
            "type": "materials",
            "name": "paint",
            "objects": ["cube"],
            "colour": {"hsv": [{"uniform": [0, 1]}, 0.5, 1]},
            "emission": None,
            "texture_probability": 0.5,
            "textures": {"kinds": ["perlin"], "size": 32},
        },
        {"type": "lights", "own": "off", "number": {"integer": [1, 3]}},
        {"type": "camera_jitter", "fov": {"angle": [-1, 1]}},
        {"type": "postprocess", "steps": {"hue": {"degrees": {"uniform": [-5, 5]}}}},
        {"type": "joint_states", "state": {"qpos": [0, {"uniform": [-1, 1]}]}},
    ]
}


def entry(**keys: Any) -> dict[str, Any]:
    return {"randomizers": [keys]}


def test_a_config_is_read_and_written() -> None:
    read = load_randomization(CONFIG)
    assert read.names == ("paint", "lights", "camera_jitter", "postprocess", "joint_states")
    paint, lights, jitter = read.randomizers[:3]
    assert isinstance(paint, Materials)
    assert paint.textures == Textures(kinds=("perlin",), size=32)
    assert isinstance(lights, Lights)
    assert lights.own is Own.OFF
    assert isinstance(jitter, CameraJitter)
    again = load_randomization(json.loads(json.dumps(to_json(read))))
    assert again.randomizers == read.randomizers
    assert again.names == read.names


def test_every_type_is_read_with_its_defaults() -> None:
    for name, kind in TYPES.items():
        read = load_randomization(entry(type=name))
        assert read.randomizers == (kind(),)
        assert load_randomization(to_json(read)).randomizers == read.randomizers


def test_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "dr.json"
    path.write_text(json.dumps(CONFIG))
    assert load_randomization(path).randomizers == load_randomization(CONFIG).randomizers


def test_yaml_is_read_or_its_package_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "dr.yaml"
    path.write_text("randomizers:\n- {type: background}\n")
    if importlib.util.find_spec("yaml"):
        assert load_randomization(path).names == ("background",)
    else:
        with pytest.raises(MissingDependencyError, match="pip install pyyaml"):
            load_randomization(path)


def test_orrbs_configs_are_recognised() -> None:
    read = load_randomization({"components": [{"type": "Hide"}]})
    assert read.randomizers == (orrb.Hide(),)
    every = {"components": [{"type": kind, "name": kind.lower()} for kind in orrb.COMPONENTS]}
    again = load_randomization(json.loads(json.dumps(to_json(load_randomization(every)))))
    assert again.randomizers == load_randomization(every).randomizers
    assert again.names == tuple(kind.lower() for kind in orrb.COMPONENTS)


def test_what_no_config_can_name_cannot_be_written() -> None:
    class Mine(Background):
        pass

    with pytest.raises(InvalidValueError, match="Mine is of no type that a config can name"):
        to_json(Randomization([Mine()]))
    with pytest.raises(InvalidValueError, match="Hide is of no type"):
        to_json(Randomization([orrb.Hide(), Background()]))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"randomisers": []}, "did you mean 'randomizers'"),
        (entry(type="material"), r"randomizers\[0\]: .*did you mean 'materials'"),
        (
            entry(type="materials", color=1),
            "unknown key of materials 'color'; did you mean 'colour'",
        ),
        (entry(type="materials", textures={"kind": []}), "did you mean 'kinds'"),
        (entry(type="materials", textures={"kinds": ["perlim"]}), "did you mean 'perlin'"),
        (entry(type="postprocess", steps={"blom": {}}), "did you mean 'bloom'"),
        (entry(type="postprocess", steps={"bloom": {"treshold": 1}}), "did you mean 'threshold'"),
        (entry(type="lights", intensity={"unifrom": [0, 1]}), "intensity: .*mean 'uniform'"),
        (entry(type="postprocess", probability={"blom": 1}), "did you mean 'bloom'"),
    ],
)
def test_unknown_names_name_the_nearest(config: Any, message: str) -> None:
    with pytest.raises((UnknownNameError, InvalidValueError), match=message):
        load_randomization(config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"randomizers": 3}, "list of randomizers"),
        ({"randomizers": [3]}, r"randomizers\[0\]: expected an object"),
        (entry(type="background", name=3), "expected a text"),
        (entry(type="background", probability=3), "0 to 1"),
        (entry(type="background", probability="x"), "probability: expected numbers, got 'x'"),
        (entry(type="background", colour=1), r"\(red, green, blue\)"),
        (entry(type="lights", own="of"), "own"),
        (entry(type="materials", objects="cube"), "objects"),
        (entry(type="joint_states", state=3), "state: expected an object"),
        (entry(type="materials", colour={"uniform": [1, 0]}), "colour: uniform: expected low"),
        ({"randomizers": [{"type": "background", "name": "a"}] * 2}, "different names"),
    ],
)
def test_wrong_values_say_where(config: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        load_randomization(config)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "not JSON"), ("[]", "expected an object"), (None, "cannot be read")]
)
def test_files_that_cannot_be_read(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "dr.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidValueError, match=message):
        load_randomization(path)


def test_the_schema_names_every_type_and_key(tmp_path: Path) -> None:
    schema = json_schema()
    assert len(schema["properties"]["randomizers"]["items"]["anyOf"]) == len(TYPES)
    for kind in TYPES.values():
        own = schema["$defs"][kind.__name__]
        assert own["properties"]["type"] == {"const": kind.type_name}
        assert own["additionalProperties"] is False
    write_schema(tmp_path / "schema.json")
    assert json.loads((tmp_path / "schema.json").read_text()) == schema


def test_the_schema_in_the_package_is_up_to_date() -> None:
    from heliograph import randomize

    path = Path(str(randomize.__file__)).with_name("schema.json")
    assert json.loads(path.read_text()) == json_schema()
