"""Compiled models that were edited, and states with more to show than usual."""

from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
import trimesh

import heliograph as hg
from heliograph.engines.mujoco.visual import GeomBuffer

MJCF = """<mujoco><asset><texture name="t" builtin="flat" type="2d" width="4" height="4"/>
<material name="paint" texture="t"/></asset><worldbody><light name="lamp" pos="0 0 3"/>
<geom name="ball" type="sphere" size=".3" material="paint"/>
<site name="mark"/><camera name="eye" pos="0 0 3"/>
<body name="arm"><joint/><geom name="rod" type="capsule" size=".1 .2" pos="1 0 0"/></body>
</worldbody></mujoco>"""
CLOTH = """<mujoco><worldbody><light pos="0 0 3"/><geom type="plane" size="3 3 .1"/>
<flexcomp name="cloth" type="grid" count="{0} {0} 1" spacing=".05 .05 .05" mass="1" pos="0 0 .3"
 radius=".01" dim="2"><edge equality="true"/></flexcomp></worldbody></mujoco>"""


@pytest.mark.parametrize(
    ("field", "row", "value", "name"),
    [
        ("geom_type", 0, 99, "geom 'ball'"),
        ("geom_type", 1, -1, "geom 'rod'"),
        ("geom_dataid", 0, 5, "geom 'ball'"),
        ("geom_size", 0, np.nan, "geom 'ball'"),
        ("geom_size", 1, np.inf, "geom 'rod'"),
        ("geom_pos", 1, np.nan, "geom 'rod'"),
        ("geom_quat", 1, np.nan, "geom 'rod'"),
        ("geom_rgba", 1, np.nan, "geom 'rod'"),
        ("geom_matid", 1, 7, "geom 'rod'"),
        ("geom_bodyid", 1, 99, "geom 'rod'"),
        ("body_parentid", 1, 5, "body 'arm'"),
        ("light_bodyid", 0, 77, "light 'lamp'"),
        ("tex_height", 0, 10**5, "texture 't'"),
        ("site_pos", 0, np.nan, "site 'mark'"),
        ("body_pos", 1, np.nan, "body 'arm'"),
        ("cam_pos", 0, np.nan, "camera 'eye'"),
        ("light_pos", 0, np.nan, "light 'lamp'"),
        ("mat_rgba", 0, np.nan, "material 'paint'"),
        ("mat_texid", 0, 3, "material 'paint'"),
        ("qpos0", 0, np.nan, ""),
    ],
)
def test_an_edited_model_is_refused_by_name_and_field(
    field: str, row: int, value: float, name: str, tmp_path: Path
) -> None:
    model = mujoco.MjModel.from_xml_string(MJCF)
    getattr(model, field)[row] = value
    with pytest.raises(hg.SceneError, match=f"{name}.*{field}"):
        hg.open(model)
    mujoco.mj_saveModel(model, str(tmp_path / "edited.mjb"), None)
    with pytest.raises(hg.SceneError):  # of some fields MuJoCo tells itself
        hg.open(tmp_path / "edited.mjb")


@pytest.mark.parametrize("kind", ["capsule", "cylinder"])
@pytest.mark.parametrize("suffix", ["", ".xml"])
def test_endless_things_are_refused_by_name(kind: str, suffix: str, tmp_path: Path) -> None:
    rod = f'<geom name="rod" type="{kind}" size=".1 inf"/>'
    source: str | Path = f"<mujoco><worldbody>{rod}</worldbody></mujoco>"
    if suffix:
        (tmp_path / "endless.xml").write_text(str(source))
        source = tmp_path / "endless.xml"
    with pytest.raises(hg.SceneError, match=r"geom 'rod': expected finite numbers in geom_size"):
        hg.open(source)


@pytest.mark.parametrize("kind", ["MESH", "SDF", "HFIELD"])
def test_a_geom_made_a_mesh_needs_one(kind: str) -> None:
    model = mujoco.MjModel.from_xml_string(MJCF)
    model.geom_type[1] = getattr(mujoco.mjtGeom, f"mjGEOM_{kind}")
    with pytest.raises(hg.SceneError, match=r"geom 'rod'.*geom_dataid"):
        hg.open(model)


def test_an_edited_model_that_is_sound_is_drawn() -> None:
    model = mujoco.MjModel.from_xml_string(MJCF)
    model.geom_size[0] = 0  # nothing to see
    model.geom_type[1] = mujoco.mjtGeom.mjGEOM_BOX
    model.geom_size[1] = 0.2
    with hg.open(model, size=(32, 32)) as renderer:
        sample = renderer.render(hg.View(cameras=["eye"], passes=("segmentation",)))
        shown = {sample.labels[i].name for i in np.unique(sample["eye"].segmentation).tolist()}
    assert shown == {"background", "rod"}


def test_what_is_not_finite_does_not_look_like_another_mujoco() -> None:
    model = mujoco.MjModel.from_xml_string(MJCF)
    model.geom_size[:] = np.nan
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    buffer = GeomBuffer(model, mujoco.MjvOption())
    assert np.isnan(buffer.update(data)["size"]).any()


def shown(model: mujoco.MjModel, option: mujoco.MjvOption) -> np.ndarray:
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    buffer = GeomBuffer(model, option)
    return np.array(buffer.update(data))


def test_a_flex_is_one_geom_whatever_of_it_is_shown() -> None:
    model = mujoco.MjModel.from_xml_string(CLOTH.format(9))
    for flag in ("VERT", "EDGE", "FACE", "SKIN"):
        option = mujoco.MjvOption()
        option.flags[getattr(mujoco.mjtVisFlag, f"mjVIS_FLEX{flag}")] = 1
        assert len(shown(model, option)) == 2


def test_there_is_room_for_all_that_a_model_can_show() -> None:
    """Every flag on for a cloth of 1,600 vertices, each with three joints of its own."""
    model = mujoco.MjModel.from_xml_string(CLOTH.format(40))
    option = mujoco.MjvOption()
    option.flags[mujoco.mjtVisFlag.mjVIS_JOINT] = 1
    geoms = shown(model, option)
    joints = geoms["objtype"] == mujoco.mjtObj.mjOBJ_JOINT
    assert set(geoms["objid"][joints].tolist()) == set(range(model.njnt))
    option.flags[:] = 1
    option.bvh_depth = 20
    for frame in range(int(mujoco.mjtFrame.mjNFRAME)):
        option.frame = frame
        assert len(shown(model, option)) > 3 * model.nbody


def test_tendons_that_hang_through_have_room_for_all_their_pieces() -> None:
    count = 300
    sites = "".join(
        f'<site name="a{i}" pos="{i} 0 1"/><site name="b{i}" pos="{i} 1 1"/>' for i in range(count)
    )
    tendons = "".join(
        f'<spatial limited="true" range="0 1.5"><site site="a{i}"/><site site="b{i}"/></spatial>'
        for i in range(count)
    )
    model = mujoco.MjModel.from_xml_string(
        f"<mujoco><worldbody>{sites}</worldbody><tendon>{tendons}</tendon></mujoco>"
    )
    geoms = shown(model, mujoco.MjvOption())
    assert np.count_nonzero(geoms["objtype"] == mujoco.mjtObj.mjOBJ_TENDON) > 20 * count


def test_many_contacts_are_shown_beside_all_else() -> None:
    """Ninety boxes on a floor, each with four contacts of which all is shown, and a cloth."""
    boxes = "".join(
        f'<body pos="{i % 10} {i // 10} .099"><freejoint/><geom type="box" size=".1 .1 .1"/></body>'
        for i in range(90)
    )
    cloth = CLOTH.format(4).replace("</worldbody>", f"{boxes}</worldbody>")
    model = mujoco.MjModel.from_xml_string(cloth)
    option: Any = mujoco.MjvOption()
    few, data = GeomBuffer(model, mujoco.MjvOption()), mujoco.MjData(model)
    for name in ("CONTACTPOINT", "CONTACTFORCE", "CONTACTSPLIT"):
        option.flags[getattr(mujoco.mjtVisFlag, f"mjVIS_{name}")] = 1
    option.frame = mujoco.mjtFrame.mjFRAME_CONTACT
    buffer, seen = GeomBuffer(model, option), []
    for height in (0.0, 2.0, 0.0):  # contacts come, go and come again
        data.qpos[:] = model.qpos0
        data.qpos[-7 * 90 :].reshape(-1, 7)[:, 2] += height
        mujoco.mj_forward(model, data)
        geoms, plain = buffer.update(data), few.update(data)
        places = [
            each["pos"][each["objtype"] == mujoco.mjtObj.mjOBJ_GEOM] for each in (geoms, plain)
        ]
        assert np.array_equal(*places)
        assert np.array_equal(buffer.scene.flexvert, few.scene.flexvert)
        for one, other in zip(buffer.scene.lights, few.scene.lights, strict=True):
            assert np.array_equal(one.pos, other.pos)
        seen.append(len(geoms))
    assert seen[0] == seen[2] > 1500
    assert seen[1] < 200


def test_what_is_shown_of_each_triangle_has_room_once_it_is_shown(tmp_path: Path) -> None:
    trimesh.creation.icosphere(subdivisions=4).export(tmp_path / "ball.obj")
    (tmp_path / "ball.xml").write_text(
        """<mujoco><asset><mesh name="ball" file="ball.obj"/></asset><worldbody>
        <geom type="mesh" mesh="ball"/></worldbody></mujoco>"""
    )
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "ball.xml"))
    option: Any = mujoco.MjvOption()
    buffer, data = GeomBuffer(model, option), mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    assert buffer.scene.maxgeom < model.nbvh
    assert len(buffer.update(data)) == 1
    option.flags[mujoco.mjtVisFlag.mjVIS_MESHBVH] = 1
    option.bvh_depth = 9
    whole, camera = mujoco.MjvScene(model, maxgeom=100_000), mujoco.MjvCamera()
    every = mujoco.mjtCatBit.mjCAT_ALL
    mujoco.mjv_updateScene(model, data, option, None, camera, every, whole)
    assert len(buffer.update(data)) == whole.ngeom  # 1 in the oldest MuJoCo, hundreds in others
    option.flags[mujoco.mjtVisFlag.mjVIS_MESHBVH] = 0
    assert len(buffer.update(data)) == 1


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heliograph.engines.mujoco.visual._room", lambda _: 2)
    model = mujoco.MjModel.from_xml_string(MJCF)
    option: Any = mujoco.MjvOption()
    option.flags[mujoco.mjtVisFlag.mjVIS_COM] = 1
    with pytest.raises(hg.EngineError, match="more than the 2 elements"):
        shown(model, option)
