# mypy: allow-untyped-defs, allow-untyped-calls
"""The document's program on the Shadow hand, with all components."""

import hashlib
import json
import re
import runpy
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import mujoco
import numpy as np
import pytest

PROGRAM = Path(__file__).parents[1] / "examples" / "orrb_program.py"
BLOCKS = [
    "import heliograph.compat.orrb as orrb",
    "9093686580c7e71a",
    "4b15aaf6f6a7e076",
    "fc0417216dd8dc02",
    "9f86e8ed3b6ad803",
    "28337d275a03acb1",
]
"""The changed import, and of the document's other code blocks the beginnings of their SHA-256."""

CAMERA = '<camera name="vision_cam_left" pos="1 .45 .55" xyaxes="1 0 0 0 .66 .75" fovy="45"/>'


def component(kind, path="", **config):
    return {"type": kind, "name": kind, "path": path, "config": config}


COMPONENTS = [
    component("JointRandomizer"),
    component("CameraProperties", "world/vision_cam_left", floatProperties={"field_of_view": 45}),
    component("CameraRandomizer", "vision_cam_left", enumProperties={"mode": "Jitter"}),
    component("LookAt", "vision_cam_left", vector3Properties={"target_offset": {"x": -1, "z": -1}}),
    component(
        "CameraCalibrator",
        stringProperties={"camera_name": "vision_cam_left"},
        vector3Properties={"local_position_delta": {"y": 0.01}},
        quaternionProperties={"local_rotation_delta": {"w": 1}},
        floatProperties={"fov_delta": 1},
    ),
    component("TranslateRotateScale", "world/object", vector3Properties={"translate": {"y": 0.01}}),
    component("Hide", stringProperties={"body_prefix": "target", "geom_prefix": "robot0:C_"}),
    component(
        "LightingRig",
        intProperties={"light_head_count": 3},
        vector3Properties={"target": {"x": -1, "y": 0.2, "z": -0.87}},
    ),
    component("LightRandomizer", boolProperties={"randomize_hue": True}),
    component(
        "MaterialRandomizer",
        stringProperties={"blacklist_prefix": "material:"},
        boolProperties={"randomize_textures": True},
    ),
    component(
        "MaterialFixedHueRandomizer", stringProperties={"material_prefix": "material:object"}
    ),
    component("PostProcessingRandomizer", boolProperties={"enable_grain": True}),
    component(
        "Tracker",
        stringProperties={
            "camera_names": "vision_cam_left",
            "tracked_object_names": "object",
            "tracked_object_aliases": "cube",
        },
    ),
]


def hand_assets(folder: Path) -> Path:
    """The Shadow hand as ORRB's document names its files, in a dialect that is no more."""
    spec = find_spec("gymnasium_robotics")
    if spec is None or spec.origin is None:
        pytest.fail("gymnasium_robotics is not installed; ./scripts/setup installs it")
    source = Path(spec.origin).parent / "envs" / "assets"
    assets = folder / "assets"
    for part in ("hand", "stls/hand", "textures"):
        shutil.copytree(source / part, assets / part)
    text = (source / "hand" / "manipulate_block.xml").read_text()
    text = text.replace('"../', '"').replace('<include file="', '<include file="hand/')
    text = text.replace("<option ", '<option apirate="200" ')
    text = text.replace("<worldbody>", "<worldbody>" + CAMERA)
    (assets / "dactyl.xml").write_text(text)
    (assets / "dactyl.mapping").write_text(mapping(source / "hand" / "manipulate_block.xml"))
    config = json.dumps({"components": COMPONENTS})
    (assets / "demo_keras.renderer_config.json").write_text(config)
    return assets


def mapping(path: Path) -> str:
    model = mujoco.MjModel.from_xml_path(str(path))
    joints = range(model.njnt - 1)  # the target stays where the model has it
    return "".join(f"{model.joint(i).name}, {model.jnt_qposadr[i]}\n" for i in joints)


def blocks() -> list[str]:
    return re.findall(r"# --- block[^\n]*\n(.*?)# --- end", PROGRAM.read_text(), re.DOTALL)


def test_the_program_is_the_documents() -> None:
    first, *others = blocks()
    assert first.strip() == BLOCKS[0]
    assert [hashlib.sha256(each.encode()).hexdigest()[:16] for each in others] == BLOCKS[1:]


def test_the_documents_program_runs_on_the_hand(tmp_path, monkeypatch, caplog):
    assets = hand_assets(tmp_path)
    before = (assets / "dactyl.xml").read_bytes()
    monkeypatch.setattr(sys, "argv", [str(PROGRAM), str(tmp_path)])
    monkeypatch.setenv("HELIOGRAPH_ORRB_ROOT", "")
    end = runpy.run_path(str(PROGRAM))
    result, first = end["result"], end["first"]
    assert result is end["batch"]
    assert sorted(result) == [
        "qpos",
        "seed",
        "tracker_cube_X_vision_cam_left",
        "tracker_cube_X_vision_cam_left_bbox",
        "vision_cam_left",
    ]
    assert (first.shape, first.dtype) == ((4, 200, 200, 3), np.uint8)
    assert np.array_equal(first, end["again"])
    assert first.std(axis=(1, 2, 3)).min() > 10
    centre = result["tracker_cube_X_vision_cam_left"]
    assert (centre.shape, centre.dtype) == ((4, 2), np.float64)
    assert 0 < centre.min() < centre.max() < 1
    assert "apirate" in caplog.text
    assert (assets / "dactyl.xml").read_bytes() == before
    assert not [
        path for path in assets.iterdir() if path.suffix not in (".xml", ".mapping", ".json", "")
    ]
