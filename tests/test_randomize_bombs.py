"""YAML whose aliases stand for more than any memory holds costs no more than its bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from heliograph.randomize import Materials, load_randomization

LEVELS = range(1, 12)
LISTS = "[&b0 [1,1,1,1,1,1,1,1,1], " + ", ".join(
    f"&b{i} [" + ",".join([f"*b{i - 1}"] * 9) + "]" for i in LEVELS
)
OBJECTS = "[&b0 {a: 1, b: 1, c: 1}, " + ", ".join(
    f"&b{i} {{" + ",".join(f"k{j}: *b{i - 1}" for j in range(9)) + "}" for i in LEVELS
)
MERGES = "a0: &m0 {colour: 1}\n" + "\n".join(
    f"a{i}: &m{i} {{<<: [" + ",".join([f"*m{i - 1}"] * 9) + "]}" for i in LEVELS
)
BOMBS = {"lists": LISTS + ", *b11]", "objects": OBJECTS + ", *b11]"}

LOAD = """
import dataclasses, resource, sys
from pathlib import Path
from heliograph.compat.orrb.components import COMPONENTS
from heliograph.errors import HeliographError
from heliograph.randomize import Textures, load_randomization
from heliograph.randomize.config import TYPES
from heliograph.randomize.imaging import STEPS
from heliograph.randomize.samplers import KINDS

path, bomb = Path(sys.argv[1]), sys.argv[2]
ours, orrb = "randomizers: [{%s}]", "components: [{%s}]"
texts = [ours % "type: @", "randomizers: @", "@: 1", ours % "@: 1", orrb % "@: 1", "components: @"]
texts += [ours % f"type: {kind}, name: @" for kind in TYPES]
texts += [
    ours % f"type: {kind}, {field.name}: {form}"
    for kind in TYPES
    for field in dataclasses.fields(TYPES[kind])
    for form in ("@", "{x: @}", "{x: {x: @}}", "[@]")
]
texts += [
    ours % f"type: joint_states, state: {{x: {{{kind}: {form}}}}}"
    for kind in KINDS
    for form in ("@", "[@]", "[@, @]", "[@, @, @]")
]
texts += [
    ours % f"type: materials, textures: {{{field.name}: @}}"
    for field in dataclasses.fields(Textures)
]
texts += [
    ours % f"type: postprocess, steps: {{{name}: {{{key}: @}}}}"
    for name in STEPS
    for key in STEPS[name].parameters
]
texts += [orrb % f"{key}: @" for key in ("type", "name", "path", "config", "enabled")]
texts += [orrb % f"type: Tracker, {key}: @" for key in ("name", "path", "config", "enabled")]
groups = [f"{kind}Properties" for kind in ("int", "float", "bool", "string", "quaternion")]
texts += [
    orrb % f"type: {kind}, config: {{{group}: {form}}}"
    for kind in COMPONENTS
    for group in (*groups, "vector3Properties", "enumProperties", "nope")
    for form in ("@", *(f"{{{each.name}: @}}" for each in dataclasses.fields(COMPONENTS[kind])))
]
texts += [orrb % "type: LookAt, config: {vector3Properties: {target_offset: {x: @}}}"]
texts += [orrb % "type: LookAt, config: {vector3Properties: {target_offset: [@, 1, 1]}}"]

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
for text in texts:
    path.write_text(text.replace("@", bomb, 1).replace("@", "*b11"))
    try:
        load_randomization(path)
    except HeliographError as error:
        assert len(str(error)) < 2000, (text, str(error))
    else:
        raise SystemExit(f"{text} was taken")
print(len(texts))
"""


@pytest.mark.parametrize("kind", sorted(BOMBS))
def test_an_alias_bomb_under_any_key_is_refused_in_few_words(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, "-c", LOAD, str(tmp_path / "dr.yaml"), BOMBS[kind]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    assert int(done.stdout) > 400


def test_merged_keys_do_not_multiply(tmp_path: Path) -> None:
    path = tmp_path / "dr.yaml"
    path.write_text(f"{MERGES}\nrandomizers: []")
    limited = f"""
import resource
from heliograph.randomize import load_randomization
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
load_randomization({str(path)!r})
"""
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True)
    assert "unknown key in" in done.stderr


def test_merged_keys_stand_where_the_mapping_says_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "dr.yaml"
    path.write_text(
        "randomizers: [&a {type: materials, alpha: 0.5, specular: 0.25},"
        " {<<: *a, alpha: 1, name: b}]"
    )
    first, second = load_randomization(path).randomizers
    assert isinstance(first, Materials)
    assert first == Materials(alpha=0.5, specular=0.25)  # type: ignore[arg-type]
    assert second == Materials(alpha=1, specular=0.25)  # type: ignore[arg-type]
