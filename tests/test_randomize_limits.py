"""Configs that would fail at some view fail when they are loaded, and say where."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import heliograph as hg
from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.randomize import Facts, load_randomization
from heliograph.randomize.config import TYPES
from heliograph.randomize.parameters import parameters

STEPS = "randomizers[0]: steps."


def entry(**keys: Any) -> dict[str, Any]:
    return {"randomizers": [keys]}


def step(name: str, **parameters: Any) -> dict[str, Any]:
    return entry(type="postprocess", steps={name: parameters})


def lights(**keys: Any) -> dict[str, Any]:
    return entry(type="lights", **keys)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (lights(number="x"), "number: expected numbers, got 'x'"),
        (lights(number=-1), "number: expected 0 to 100 (a whole number)"),
        (lights(number=1.5), "number: expected whole numbers, got 1.5"),
        (lights(number={"uniform": [1, 3]}), '{"integer": [1, 3]} draws them'),
        (lights(number={"integer": [-1, 3]}), "which draws from -1 to 3"),
        (lights(number={"choice": [1, 2.5]}), "whole numbers"),
        (lights(number=[1, 2]), "number: expected one number"),
        (lights(kind="spto"), "did you mean 'spot'"),
        (lights(kind={"uniform": [0, 1]}), "kind: expected spot, point"),
        (lights(casts_shadow="yes"), "casts_shadow: expected true, false"),
        (lights(intensity=-1), "intensity: expected 0 to 1e+30"),
        (lights(intensity=1e300), "intensity: expected 0 to 1e+30"),
        (lights(intensity={"uniform": [0, 1e300]}), "which draws from 0 to 1e+300"),
        (lights(colour=[0, 1e31, 0]), "colour: expected 0 to 1e+30 (red, green, blue)"),
        (lights(colour=[0, 1e20, 0], intensity=1e20), "intensity: expected up to 1e+30 times the"),
        (lights(cutoff=30), "takes degrees"),
        (lights(colour=["red", 0, 0]), "colour: expected numbers, got ['red', 0.0, 0.0]"),
        (
            lights(position={"on_dome": "far"}),
            "position: on_dome: expected one number as radius, got 'far'",
        ),
        (lights(colour={"hsv": [0, 2, 1]}), "a saturation from 0 to 1"),
        (step("jpeg", quality=-5), f"{STEPS}jpeg.quality: expected 1 to 95"),
        (step("jpeg", quality={"uniform": [50, 150]}), "which draws from 50 to 150"),
        (step("jpeg", quality={"choice": [50, 150]}), "which draws from 50 to 150"),
        (step("jpeg", quality="high"), "jpeg.quality: expected numbers, got 'high'"),
        (step("jpeg", quality=[1, 2]), "jpeg.quality: expected one number"),
        (step("jpeg", quality={"normal": [75, 10]}), "give it limits"),
        (step("vignette", falloff={"log_uniform": [0.01, 1]}), "vignette.falloff"),
        (entry(type="postprocess", probability={"jpeg": 2}), "probability.jpeg: expected 0 to 1"),
        (entry(type="materials", alpha=2), "alpha: expected 0 to 1"),
        (entry(type="materials", colour=[0, 0, 255]), "colour: expected 0 to 1"),
        (entry(type="materials", specular=[0, 1]), "specular: expected one number"),
        (entry(type="materials", repeat=0), "repeat"),
        (entry(type="materials", repeat=[1, 2, 3]), "repeat: expected one number or two"),
        (entry(type="background", colour=["a", 0, 0]), "colour: expected numbers"),
        (entry(type="materials", specular=True), "specular: expected numbers, got True"),
        (entry(type="materials", colour=[0, True, 0]), "colour: expected numbers, got [0.0, True"),
        (entry(type="materials", alpha={"choice": [True, False]}), "alpha: expected numbers"),
        (entry(type="materials", specular={"uniform": [False, 1]}), "uniform: expected numbers"),
        (entry(type="materials", texture_probability=True), "texture_probability: expected num"),
        (entry(type="visibility", hidden=True), "hidden: expected numbers, got True"),
        (entry(type="visibility", hidden={"uniform": [0, 1]}), "hidden: expected a plain number"),
        (entry(type="object_poses", position=None), "position: sampler: expected a number"),
        (entry(type="object_poses", scale=0), "scale: expected finite numbers, but not 0, got 0"),
        (entry(type="object_poses", scale=[1, 0, 1]), "scale: expected finite numbers, but not 0"),
        (entry(type="object_poses", scale={"choice": [0, 1]}), "but not 0, got {'choice': [0, 1]}"),
        (entry(type="object_poses", scale={"choice": [[1, 1, 0], [1, 1, 1]]}), "but not 0"),
        (entry(type="object_poses", scale={"integer": [-1, 1]}), "but not 0"),
        (entry(type="object_poses", position={"uniform": [-1.7e308, 1.7e308]}), "between them"),
        (entry(type="object_poses", position={"normal": [0, 1e308]}), "expected finite numbers"),
        (entry(type="object_poses", scale=[1, {"uniform": [0, 0]}, 1]), "but not 0"),
        (entry(type="object_poses", rotation=[0, 0, 0, 0]), "but not 0"),
        (entry(type="camera_place", position=0), "position: expected three numbers (metres)"),
        (entry(type="camera_place", position={"uniform": [1, 2]}), "expected three numbers"),
        (entry(type="camera_place", target=[1e17, 0, 0]), "target: expected numbers up to 2e+12"),
        (entry(type="camera_place", target=[9, 0, 0], position=[0, 0, 1e-12]), "numbers up to 1 "),
        (entry(type="camera_place", position=[0, 0, 0]), "position: expected .*but not 0"),
        (lights(position={"on_sphere": 0}), "position: expected .*but not 0"),
        (lights(target=[0, 0, 1e30]), "target: expected -1e+17 to 1e+17 (metres)"),
        (lights(number=True), "number: expected numbers, got True"),
        (lights(number={"integer": [0, 2**63]}), "whole numbers of 64 bits"),
        (lights(kind=["spot"]), "kind: expected spot, point"),
        (lights(casts_shadow={"choice": ["spot"]}), "casts_shadow: expected true, false"),
        (lights(colour={"choice": [[0, {"uniform": [0, 1]}, 0]]}), "choice: expected one or more"),
        (entry(type="object_poses", scale="big"), "scale: expected numbers"),
        (entry(type="object_poses", position=[0, 1]), "position: expected one number or three"),
        (entry(type="camera_jitter", fov="wide"), "fov: expected numbers"),
        (entry(type="field_of_view", fov=45), 'fov: expected 0 to 3.14159 (radians; {"angle": ['),
        (entry(type="field_of_view", fov={"uniform": [40, 60]}), '{"angle": [40, 60]} takes deg'),
        (entry(type="field_of_view", fov=-0.1), "fov: expected 0 to 3.14159"),
        (entry(type="field_of_view", fov={"normal": [0.8, 0.2]}), "give it limits"),
        (entry(type="camera_place", fov=45), '{"angle": [40, 60]} takes degrees'),
        (entry(type="camera_place", roll=45), '{"angle": [-180, 180]} takes degrees'),
        (entry(type="camera_orbit", angle={"uniform": [0, 360]}), "takes degrees"),
        (entry(type="camera_jitter", rotation={"uniform": [-3, 3]}), '"angle": [-3, 3]} takes deg'),
        (entry(type="camera_jitter", fov={"uniform": [-5, 5]}), "takes degrees"),
        (entry(type="camera_place", target=1), "target: expected three numbers"),
        (entry(type="joint_states", state={"qpos": ["a"]}), "state.qpos: expected numbers"),
        (
            entry(type="joint_states", state={"qpos": [0, {"uniform": [0, 1e300]}]}),
            "state.qpos: expected -1e+10 to 1e+10",
        ),
        (entry(type="materials", textures={"size": 1025}), "size 2 to 1024, got 16 and 1025"),
    ],
)
def test_what_no_view_could_show_is_refused(
    tmp_path: Path, config: dict[str, Any], told: str
) -> None:
    path = tmp_path / "dr.json"
    path.write_text(json.dumps(config))
    with pytest.raises(HeliographError) as caught:
        load_randomization(path)
    assert re.search(re.escape(told).replace(r"\.\*", ".*"), str(caught.value))
    assert str(caught.value).startswith(f"{path}: randomizers[0]")


@pytest.mark.parametrize(
    "config",
    [
        lights(
            number=2, kind={"choice": ["spot", "point"]}, casts_shadow={"choice": [True, False]}
        ),
        lights(number={"integer": [0, 3]}, cutoff={"angle": [15, 90]}),
        lights(number={"choice": [1, 4]}, position={"in_ball": 2}),
        step("jpeg", quality={"normal": [75, 10, 1, 95]}),
        step("hue", degrees={"normal": [0, 10]}),
        entry(type="materials", colour={"hsv": [{"uniform": [-0.1, 0.1]}, 1, 1]}, repeat=[1, 2]),
        entry(type="object_poses", position=[0, 0, {"normal": [0, 1]}]),
        entry(type="object_poses", scale={"uniform": [-1, 1]}),
        entry(type="camera_place", position=[0, 0, 1]),
        entry(type="camera_place", fov=None, roll={"uniform": [-6.2832, 6.2832]}),
        entry(type="camera_orbit", angle={"angle": [-360, 360]}),
        entry(type="camera_jitter", rotation={"uniform": [0, 1.5708]}, fov={"angle": [-9, 9]}),
        entry(type="field_of_view", fov={"angle": [0, 180]}),
        entry(type="camera_place", position=[0, 0, 1e-200]),
        entry(type="camera_place", position=[0, 0, 1], target=[0, 1e12, 0]),
        lights(position=[0, 0, 1]),
        entry(type="object_poses", scale=[1, -1, {"integer": [1, 3]}]),
        entry(type="materials", colour=None, specular=None, alpha={"choice": [0, 1]}),
        lights(casts_shadow={"integer": [0, 1]}),
        lights(casts_shadow=0),
    ],
)
def test_what_every_view_can_show_is_taken(config: dict[str, Any]) -> None:
    load_randomization(config)


def test_a_mistyped_key_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"\[0\]: unknown key 'typ'; did you mean 'type'"):
        load_randomization(entry(typ="materials"))
    with pytest.raises(InvalidValueError, match='no "type"; expected one of materials'):
        load_randomization(entry(objects=[]))


FORMS: list[Any] = [
    *(0, 1, -1, 0.5, 1e-6, 50, True, False, None, "spot", "x"),
    *([0.5], [0, 0, 0], [1, 1, 1], [0, 0, 1], [0, 0, -1], [1, 0], [1, 2, 3, 4], [0, 0, 0, 0]),
    *({"uniform": [0, 1]}, {"uniform": [0, 0]}, {"angle": [-360, 360]}, {"normal": [0, 1]}),
    *({"normal": [0.5, 1, 0.1, 1]}, {"log_uniform": [0.1, 1]}, {"integer": [0, 1]}),
    *({"choice": ["spot", "point"]}, {"choice": [0, 1]}, {"choice": [[0, 0, 1], [1, 0, 0]]}),
    *({"hsv": [0, 0, 1]}, {"on_sphere": 0}, {"on_dome": {"uniform": [1, 2]}}, {"in_ball": 1}),
    *({"quaternion": 0}, {"quaternion": 180}),
]
ARM = """<mujoco><worldbody><light name="l" pos="0 0 3"/><camera name="c" pos="0 -3 1"
xyaxes="1 0 0 0 .3 1"/><body name="b"><joint name="j" range="-1 1"/><geom name="ball" size=".5"/>
</body></worldbody></mujoco>"""
MORE: dict[str, dict[str, Any]] = {
    "lights": {"number": 2},
    "materials": {"texture_probability": 1},
    "postprocess": {"steps": {"hue": {}}},
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in TYPES for name in parameters(TYPES[kind])]
)
def test_what_loads_and_fits_can_be_shown(kind: str, name: str) -> None:
    taken = 0
    with hg.open(ARM, size=(8, 6)) as renderer:
        scene = Facts.of(renderer)
        for form in FORMS:
            depth = parameters(TYPES[kind])[name].depth
            value = [form, {"hue" if kind == "postprocess" else "qpos": form}, {}][depth]
            try:
                made = load_randomization(entry(type=kind, **{**MORE.get(kind, {}), name: value}))
                made.check(scene)
            except InvalidValueError:
                continue
            except UnknownNameError:
                assert kind == "lights"
                continue
            for index in range(4):
                view, drawn = made.apply(hg.View(("c",), seed=0, index=index), scene)
                assert made.replay(json.loads(json.dumps(drawn.facts))).facts == drawn.facts
                renderer.render(view)
            taken += 1
    assert taken >= 1


@pytest.mark.parametrize(
    "config",
    [
        lights(number=3, own="off", intensity=1e30, colour=[1, 1, 1]),
        lights(number=1, colour=[1e20, 0, 0], intensity=1e10),
        entry(type="joint_states", state={"qpos": [1e10]}),
        entry(type="joint_states", state={"qpos": [-1e10]}),
        entry(
            type="materials",
            texture_probability=1,
            textures={"size": 1024, "kinds": ["perlin"], "count": 1},
        ),
    ],
)
def test_the_largest_that_is_taken_is_drawn(config: dict[str, Any]) -> None:
    with hg.open(ARM, size=(8, 6), randomize=config) as renderer:
        renderer.render(hg.View(("c",), seed=0))
