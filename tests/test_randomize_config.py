"""Config files: read, written, described by a schema, refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heliograph.compat.orrb.components import COMPONENTS
from heliograph.errors import InvalidValueError, UnknownNameError
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

YAML = """
randomizers:
- type: materials
  name: paint
  objects: [cube]
  colour: {hsv: [{uniform: [0, 1]}, 0.5, 1]}
  emission: null
  texture_probability: 0.5
  textures: {kinds: [perlin], size: 32}
- {type: lights, own: "off", number: {integer: [1, 3]}}
- type: camera_jitter
  fov: {angle: [-1, 1]}
- type: postprocess
  steps: {hue: {degrees: {uniform: [-5, 5]}}}
- {type: joint_states, state: {qpos: [0, {uniform: [-1, 1]}]}}
"""


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


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".YAML"])
def test_yaml_holds_what_json_does(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"dr{suffix}"
    path.write_text(YAML)
    read, same = load_randomization(path), load_randomization(CONFIG)
    assert read.randomizers == same.randomizers
    assert read.names == same.names
    path.write_text(json.dumps(CONFIG))  # which is YAML, too
    assert load_randomization(path).randomizers == same.randomizers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("randomizers: [", "not YAML"),
        ("- 1", "expected an object, got list"),
        ("", "expected an object, got NoneType"),
        ("!!python/object/apply:os.getcwd []", "not YAML"),
        ("randomizers: [{type: background, name: 2020-13-45}]", "not YAML"),
        ("randomizers: [{type: materials, colour: &a [*a]}]", "nested too deeply"),
        ("[" * 100_000, "not YAML"),
        ("randomizers: [{type: materials, specular: " + "9" * 400 + "}]", "specular: .*finite"),
        ("randomizers: [{type: materials, specular: " + "9" * 5000 + "}]", "not YAML"),
        ("randomizers: [{type: lights, own: off}]", "own: .*off.*quote the word"),
        ("randomizers: [{type: lights, lights: [on]}]", "lights: .*quote the word"),
        ("randomizers: [{type: lights, name: no}]", "name: .*quote the word"),
        ("randomizers: [{type: lights, own: 1}]", "own: Expected `str`, got `int`$"),
    ],
)
def test_yaml_that_is_no_config_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "dr.yaml"
    path.write_text(text)
    with pytest.raises(InvalidValueError, match=message):
        load_randomization(path)


DEEP = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * DEEP + "]" * DEEP,
        '{"randomizers": [{"type": "materials", "colour": ' + "[" * DEEP + "]" * DEEP + "}]}",
        '{"a": ' * DEEP + "1" + "}" * DEEP,
    ],
)
def test_what_is_nested_without_end_is_no_json(tmp_path: Path, text: str) -> None:
    path = tmp_path / "dr.json"
    path.write_text(text)
    with pytest.raises(InvalidValueError, match="not JSON"):
        load_randomization(path)


def test_a_mapping_that_is_nested_without_end_is_refused() -> None:
    deep: Any = 1.0
    for _ in range(DEEP):
        deep = {"on_sphere": deep}
    with pytest.raises(InvalidValueError, match="nested too deeply"):
        load_randomization(entry(type="lights", position=deep))


@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize(
    "keys",
    [
        {"specular": "BIG"},
        {"specular": {"uniform": [0, "BIG"]}},
        {"specular": {"normal": [0, "BIG"]}},
        {"specular": {"choice": [0, "BIG"]}},
        {"colour": {"hsv": [0, "BIG", 0]}},
        {"colour": [0, 0, "BIG"]},
        {"texture_probability": "BIG"},
        {"textures": {"count": "BIG"}},
        {"objects": ["BIG"]},
        {"name": "BIG"},
    ],
)
def test_numbers_beyond_all_floats_are_refused(
    tmp_path: Path, keys: dict[str, Any], digits: int
) -> None:
    path = tmp_path / "dr.json"
    path.write_text(json.dumps(entry(type="materials", **keys)).replace('"BIG"', "9" * digits))
    with pytest.raises(InvalidValueError) as caught:
        load_randomization(path)
    assert len(str(caught.value)) < 500


def test_orrbs_configs_are_recognised() -> None:
    read = load_randomization({"components": [{"type": "Hide"}]})
    assert read.randomizers == (COMPONENTS["Hide"](),)
    every = {"components": [{"type": kind, "name": kind.lower()} for kind in COMPONENTS]}
    again = load_randomization(json.loads(json.dumps(to_json(load_randomization(every)))))
    assert again.randomizers == load_randomization(every).randomizers
    assert again.names == tuple(kind.lower() for kind in COMPONENTS)


def test_what_no_config_can_name_cannot_be_written() -> None:
    class Mine(Background):
        pass

    with pytest.raises(InvalidValueError, match="Mine is of no type that a config can name"):
        to_json(Randomization([Mine()]))
    with pytest.raises(InvalidValueError, match="Hide is of no type"):
        to_json(Randomization([COMPONENTS["Hide"](), Background()]))


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
