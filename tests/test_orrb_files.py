# mypy: allow-untyped-defs, allow-untyped-calls
"""Files of ORRB's users, old ones too; its helpers; the config that programs change."""

import json
import logging
import math
import os
import sys
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

import heliograph.compat.orrb as orrb
from heliograph.compat.orrb.components.cameras import CameraMode, CameraRandomizer
from heliograph.compat.orrb.components.objects import LookAt, TranslateRotateScale
from heliograph.compat.orrb.config import RemoteRendererConfig
from heliograph.compat.orrb.mapping import identity, read_mapping
from heliograph.compat.orrb.message import RendererConfig, as_json
from heliograph.compat.orrb.problems import RendererError
from heliograph.compat.orrb.reading import read_components
from heliograph.compat.orrb.repair import load_repaired
from heliograph.compat.orrb.servers import check_servers
from heliograph.compat.orrb.unity import Quaternion, Vector3
from heliograph.engines.mujoco.model import load
from heliograph.errors import UnknownNameError
from heliograph.scene import Joint

CUBE = "v -1 -1 -1\nv 1 -1 -1\nv 0 1 -1\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "main.xml"


def world(before: str = "", inside: str = "", geom: str = '<geom size=".1"/>') -> str:
    return f"<mujoco>{before}<worldbody>{geom}{inside}</worldbody></mujoco>"


OLD = {
    "apirate": world('<option apirate="200" timestep=".01"/>'),
    "gridlayout": world(
        '<asset><texture name="t" type="cube" builtin="flat" width="8" height="8" '
        'gridsize="3 4" gridlayout="LFRB"/></asset>'
    ),
    "inertias": world(
        inside='<body><inertial pos="0 0 0" mass="1" diaginertia="1 1 5"/><joint/>'
        '<geom size=".1"/></body>'
    ),
    "no file": world(
        '<asset><texture name="t" type="2d" file="gone.png"/><texture type="cube" '
        'file="lost.png" gridsize="3 4" gridlayout=".U..LFRB.D.."/>'
        '<material name="m" texture="t"/><material name="n" texture="lost"/></asset>'
    ),
}


@pytest.mark.parametrize("what", OLD)
def test_each_old_thing_is_repaired_and_logged(what, tmp_path, caplog):
    path = write(tmp_path, main_xml=OLD[what])
    with pytest.raises(ValueError, match="rror"):
        mujoco.MjModel.from_xml_path(str(path))
    text, model = load_repaired(path, load)
    assert model.ngeom >= 1
    assert what in caplog.text
    assert str(path) in caplog.text
    assert mujoco.MjModel.from_xml_string(text).ngeom == model.ngeom
    assert path.read_text() == OLD[what]
    assert [each.name for each in tmp_path.iterdir()] == ["main.xml"]


def test_all_at_once_over_includes_and_folders(tmp_path, caplog):
    main = world(
        '<compiler meshdir="parts" texturedir="parts"/><include file="sub/options.xml"/>'
        '<asset><include file="sub/asset.xml"/></asset>',
        '<include file="sub/body.xml"/>',
    )
    body = (
        '<mujoco><body name="b"><inertial pos="0 0 0" mass="1" diaginertia="1 1 5"/><joint/>'
        '<geom type="mesh" mesh="cube" material="m"/></body></mujoco>'
    )
    path = write(
        tmp_path,
        main_xml=main,
        sub__options_xml='<mujoco><option apirate="9"/></mujoco>',
        sub__asset_xml='<mujoco><mesh file="cube.obj"/><texture name="t" file="t.png"/>'
        '<material name="m" texture="t"/></mujoco>',
        sub__body_xml=body,
        parts__cube_obj=CUBE,
    )
    _, model = load_repaired(path, load)
    assert (model.nmesh, model.ntex, model.nbody) == (1, 1, 2)
    assert len(caplog.records) == 3


def test_one_line_is_logged_for_each_kind_of_repair(tmp_path, caplog):
    textures = "".join(f'<texture name="t{i}" type="2d" file="{i}.png"/>' for i in range(62))
    load_repaired(write(tmp_path, main_xml=world(f"<asset>{textures}</asset>")), load)
    (record,) = caplog.records
    assert "textures are plain grey, as there is no file: t0 (" in record.getMessage()
    assert record.getMessage().endswith("and 59 more")


def test_a_sound_file_is_left_to_mujoco(tmp_path, caplog):
    path = write(tmp_path, main_xml=world())
    assert load_repaired(path, load)[0] == str(path)
    assert not caplog.records


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (world('<option bogus="1"/>'), "bogus"),
        (world('<option apirate="1" bogus="1"/>'), "bogus.*after these repairs.*apirate"),
        ("<mujoco><worldbody>", r"main\.xml:1: not XML"),
        (world('<include file="gone.xml"/>'), "gone.xml"),
        (world('<asset><mesh file="gone.obj"/></asset>'), "gone.obj"),
        (world('<include file="main.xml"/>'), "include"),
    ],
)
def test_anything_else_is_an_error(text, message, tmp_path):
    path = write(tmp_path, main_xml=text)
    with pytest.raises(RendererError, match=f"(?s){message}"):
        load_repaired(path, load)


JOINTS = (Joint("free", "free", 0), Joint("hinge", "hinge", 7), Joint("ball", "ball", 8))


def test_mappings_name_first_columns(tmp_path):
    path = write(tmp_path, mapping="# robot\nball, 2\n\n hinge ,0\r\n").parent / "mapping"
    mapping = read_mapping(path, JOINTS, np.arange(12.0))
    assert mapping.width == 6
    rows = mapping.rows(np.array([[50, 51, 52, 53, 54, 55, 99]]))
    assert rows.tolist() == [[0, 1, 2, 3, 4, 5, 6, 50, 52, 53, 54, 55]]


@pytest.mark.parametrize("line", ["hinge", "hinge, x", "hinge, -1", ", 3", "a, 1, 2", "hinge 3"])
def test_a_wrong_line_of_a_mapping_is_named(line, tmp_path):
    path = write(tmp_path, mapping=f"ball, 2\n{line}\n").parent / "mapping"
    with pytest.raises(RendererError, match=r"mapping:2: expected `joint_name, qpos_index`"):
        read_mapping(path, JOINTS, np.zeros(12))


def test_joints_twice_and_joints_that_are_not_there(tmp_path, caplog):
    path = write(tmp_path, mapping="hinge, 0\nhinge, 1\n").parent / "mapping"
    with pytest.raises(RendererError, match="mapping:2: 'hinge' stands in line 1 already"):
        read_mapping(path, JOINTS, np.zeros(12))
    path.write_text("hing, 4\nhinge, 0\n")
    assert read_mapping(path, JOINTS, np.zeros(12)).width == 1
    assert "mapping:1: unknown joint 'hing'; did you mean 'hinge'?" in caplog.text


def test_servers_are_shared_out_worker_by_worker():
    shares = [orrb.utils.build_server_configs(2, 3, 7000, rank, 3) for rank in range(3)]
    assert shares == [
        [[0, 7000], [1, 7001]],
        [[0, 7002], [1, 7003]],
        [[0, 7004], [1, 7005]],
    ]
    with pytest.raises(RendererError, match="6 servers cannot be shared out evenly among 4"):
        orrb.utils.build_server_configs(2, 3, 7000, 0, 4)
    with pytest.raises(RendererError, match="mpi_rank"):
        orrb.utils.build_server_configs(2, 3, 7000, 3, 3)
    for wrong in ([], [[0]], [["0", 1]], 3, [[0, -1]]):
        with pytest.raises(RendererError, match="server_configs"):
            check_servers(wrong)


def test_reading_and_showing_raw_pictures():
    rgba = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    read = orrb.utils
    assert np.array_equal(read.read_rgba_image(rgba.tobytes(), 3, 2), rgba)
    assert read.read_rgba_image(rgba[..., :3].tobytes(), 3, 2).shape == (2, 3, 3)
    depth = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(read.read_depth_image(depth.tobytes(), 3, 2), depth)
    normals = np.repeat(depth[..., None], 3, -1)
    assert np.array_equal(read.read_normals_image(normals.tobytes(), 3, 2), normals)
    ids = rgba[..., 0]
    assert np.array_equal(read.read_segmentation_image(ids.tobytes(), 3, 2), ids)
    with pytest.raises(RendererError, match="expected 24 bytes"):
        read.read_depth_image(b"12", 3, 2)
    assert read.render_depth(depth)[1, 2].tolist() == [255] * 3
    assert np.array_equal(read.render_normals(normals), read.render_depth(depth))
    assert read.render_segmentation([[0, 1, 2, 3, 7]])[0].tolist() == [
        [0, 0, 0],
        [255, 0, 0],
        [0, 255, 0],
        [255, 255, 0],
        [255, 255, 255],
    ]
    with pytest.raises(RendererError, match="from 0 to 7"):
        read.render_segmentation([[8]])


def test_paths_batches_logging_and_closing(tmp_path, monkeypatch):
    monkeypatch.setenv("HELIOGRAPH_ORRB_ROOT", str(tmp_path))
    assert orrb.utils.package_relative_path("assets/x/..") == str(tmp_path / "assets")
    monkeypatch.delenv("HELIOGRAPH_ORRB_ROOT")
    monkeypatch.chdir(tmp_path)
    assert orrb.utils.package_relative_path("assets") == str(tmp_path / "assets")
    assert orrb.utils.build_batch([[1.0]], 3) == {"qpos": [[1.0]], "seed": 3}
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        orrb.utils.setup_logging()
        assert root.level == logging.INFO
        assert len(root.handlers) == 1
    finally:
        root.handlers[:], root.level = handlers, level
    assert orrb.get_renderer_version() == orrb.__version__


def test_the_configs_defaults_are_orrbs():
    config = RemoteRendererConfig()
    assert config.camera_names == []
    assert not any(getattr(config, f"render_{p}") for p in ("alpha", "depth", "normals"))
    assert (config.image_width, config.image_height, config.asset_basedir) == (100, 100, ".")
    assert (config.workers_count, config.queues_count, config.streams_count) == (4, 4, 4)
    assert config.spawn_servers
    assert config.renderer_local_binary is config.renderer_version is config.model_xml_path is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera_names": "top"}, "camera_names: expected a list"),
        ({"camera_names": ["a", "a"]}, "camera_names: expected different names"),
        ({"image_width": 0}, "image_width: expected an integer from 1 to "),
        ({"model_xml_path": None}, "model_xml_path: expected a path, got None"),
        ({"model_mapping_path": "gone"}, "model_mapping_path: no such file: .*gone"),
        ({"deadline": -1}, "deadline: expected seconds"),
    ],
)
def test_a_wrong_config_is_named(changes, message, tmp_path):
    config = RemoteRendererConfig(camera_names=["top"], asset_basedir=tmp_path)
    (tmp_path / "file").write_text("{}")
    config.model_xml_path = config.renderer_config_path = "file"
    for name, value in changes.items():
        setattr(config, name, value)
    with pytest.raises(RendererError, match=message):
        orrb.RemoteRenderer("r", [[0, 1]], config)


GIVEN = {
    "modelXmlPath": "x.xml",
    "components": [
        {
            "type": "LookAt",
            "path": "a/b",
            "config": {"vector3Properties": {"target_offset": {"x": 1}}},
        }
    ],
}


def test_the_config_of_components_can_be_changed_in_place():
    config = RendererConfig.of({**GIVEN, **read_components(GIVEN).config()})
    look = config.components[0]
    assert (look.type, look.path, config.model_xml_path) == ("LookAt", "a/b", "x.xml")
    look.config.vector3_properties["target_offset"].z = 2.0
    look.config.quaternion_properties["new"].w = 1.0
    assert vars(look.config.quaternion_properties["new"]) == {"x": 0, "y": 0, "z": 0, "w": 1}
    del look.config.quaternion_properties["new"]
    (made,) = read_components(as_json(config)).randomizers
    assert made == LookAt(path="a/b", target_offset=Vector3(1.0, 0.0, 2.0))
    with pytest.raises(UnknownNameError, match="key in config"):
        read_components({"parts": []})


class Message:
    """What has fields, as a protobuf message has them."""

    components: Any

    def __init__(self, **fields):
        self.__dict__.update(fields)


def test_whatever_has_the_fields_of_the_message_is_read():
    groups: dict[str, Any] = {
        f"{kind}_properties": {} for kind in ("int", "string", "bool", "vector2", "color")
    }
    turn = Message(x=0.0, y=1.0, z=0.0, w=0.0)
    groups |= {
        "float_properties": {"position_radius": 0.5},
        "enum_properties": {"mode": "Both"},
        "vector3_properties": {"orbit_center": Message(x=1.0, y=2.0, z=0.0)},
        "quaternion_properties": {},
    }
    camera = Message(type="CameraRandomizer", name="shake", path="", config=Message(**groups))
    moved = Message(**{**{key: {} for key in groups}, "quaternion_properties": {"rotate": turn}})
    part = Message(type="TranslateRotateScale", name="", path="a", config=moved)
    read = read_components(as_json(Message(components=[camera, part])))
    assert read.names == ("shake", "TranslateRotateScale")
    assert read.randomizers == (
        CameraRandomizer(
            mode=CameraMode.BOTH, position_radius=0.5, orbit_center=Vector3(1.0, 2.0, 0.0)
        ),
        TranslateRotateScale(path="a", rotate=Quaternion(0.0, 1.0, 0.0, 0.0)),
    )
    again = read_components(json.loads(json.dumps(read.config())))
    assert again.randomizers == read.randomizers


def test_depth_wraps_in_pictures_as_in_orrbs():
    depth = np.array([[0.0, 0.5, 1.0, 1.5, 3.0, math.inf, math.nan, -0.1]])
    shown = orrb.utils.render_depth(depth)
    assert shown.shape == (1, 8, 3)
    assert shown[0, :, 1].tolist() == [0, 127, 255, 382 - 256, 765 - 512, 0, 0, 256 - 25]
    metres = np.linspace(0, 20, 4001, dtype=np.float32)[None]
    expected = (metres.astype(float) * 255).astype(np.int64).astype(np.uint8)
    assert np.array_equal(orrb.utils.render_depth(metres)[..., 0], expected)


def test_pictures_are_shown_in_the_terminal(capsys, monkeypatch):
    red = np.zeros((4, 4, 3), np.uint8)
    red[:2] = 200, 0, 0  # the first rows are below
    writer = orrb.utils.ScreenWriter(print_numbers=True, columns=8)
    assert writer.write({"left": red, "right": np.zeros((9, 5, 4), np.uint8)}) is False
    *lines, numbers = capsys.readouterr().out.splitlines()
    assert numbers == "1: left, right"
    assert [line.count("\u2580") for line in lines] == [8, 8]
    assert "200;0;0" not in lines[0]
    assert lines[1].count("200;0;0") == 8
    closed = open(os.devnull, "w")  # noqa: SIM115, PTH123
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert writer.write({"left": red}) is True


def test_the_checkout_is_found_without_an_environment_variable(tmp_path, monkeypatch):
    monkeypatch.delenv("HELIOGRAPH_ORRB_ROOT", raising=False)
    (tmp_path / "orrb" / "bin").mkdir(parents=True)
    (tmp_path / "orrb" / "assets").mkdir()
    (tmp_path / "else").mkdir()
    found = str(tmp_path / "orrb" / "assets")
    monkeypatch.chdir(tmp_path / "orrb" / "bin")
    assert orrb.utils.package_relative_path("assets") == found
    monkeypatch.chdir(tmp_path / "else")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "orrb" / "bin" / "demo.py")])
    assert orrb.utils.package_relative_path("assets") == found
    assert orrb.get_renderer_executable(orrb.get_renderer_version()) is None


def test_hinges_and_slides_are_kept_in_their_range(tmp_path):
    joints = (
        Joint("free", "free", 0),
        Joint("hinge", "hinge", 7, -0.5, 0.25),
        Joint("slide", "slide", 8, 0.0, 2.0),
        Joint("loose", "hinge", 9),
    )
    given = np.array([[9.0] * 10, [-9.0] * 10, [0.1] * 10])
    rows = identity(joints, np.zeros(10)).rows(given)
    assert rows[:, 7].tolist() == [0.25, -0.5, 0.1]
    assert rows[:, 8].tolist() == [2.0, 0.0, 0.1]
    assert np.array_equal(rows[:, [*range(7), 9]], given[:, [*range(7), 9]])
    assert given[0, 7] == 9
