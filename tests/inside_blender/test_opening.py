"""What is opened, and what is said of files that cannot be."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from heliograph.engines.blender.engine import BlenderEngine
from heliograph.engines.blender.opening import open_source
from heliograph.errors import EngineError, HeliographError, SceneError, UnknownNameError
from heliograph.scene import MoveObject
from heliograph.view import View
from inside_blender.newer import later

VERSION = r"\.".join(map(str, bpy.app.version))
TESTS = Path(__file__).parents[1]
SCRIPT = TESTS / "blender_scene.py"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    program = [sys.executable, str(TESTS / "blender_files.py"), str(folder)]
    subprocess.run(program, check=True, capture_output=True, timeout=60)
    return folder


def cube() -> Any:
    return bpy.data.objects["Cube"]


def script(folder: Path, text: str) -> Path:
    path = folder / "made.py"
    path.write_text(text)
    return path


LINKED = """
import bpy
import blender_scene

blender_scene.build()
{before}
with bpy.data.libraries.load({library!r}, link=True) as (_, wanted):
    wanted.{kind} = [{name!r}]
{after}
"""


def linking(folder: Path, library: Path, kind: str, name: str, **steps: str) -> Path:
    """A script that links something of a file, after and before steps of its own."""
    given = {"before": "", "after": "", **steps}
    return script(folder, LINKED.format(library=str(library), kind=kind, name=name, **given))


def test_a_file_and_its_script_hold_the_same(files: Path) -> None:
    opened = open_source(files / "scene.blend")
    assert opened.name == str(files / "scene.blend")
    assert opened.scene == bpy.context.scene
    names = sorted(bpy.data.objects.keys())
    open_source(SCRIPT)
    assert sorted(bpy.data.objects.keys()) == names


def test_the_digest_is_that_of_the_file_and_of_what_it_shows(files: Path) -> None:
    plain = open_source(files / "scene.blend").digest
    assert open_source(files / "scene.blend").digest == plain
    without = open_source(files / "missing.blend", allow_missing=True).digest
    assert without != plain
    (files / "wood.png").write_bytes(b"wood")
    try:
        assert open_source(files / "missing.blend").digest != without
    finally:
        (files / "wood.png").unlink()


def test_what_is_missing_is_listed(files: Path) -> None:
    with pytest.raises(SceneError, match=r"wood\.png") as caught:
        open_source(files / "missing.blend")
    assert "allow_missing=True" in str(caught.value)
    assert "roof.png" not in str(caught.value)
    with pytest.raises(SceneError, match=r"library .*library\.blend, object 'Cone'"):
        open_source(files / "linked.blend")
    assert open_source(files / "linked.blend", allow_missing=True)
    (files / "moved.blend").rename(files / "library.blend")
    try:
        assert open_source(files / "linked.blend")
    finally:
        (files / "library.blend").rename(files / "moved.blend")


def test_a_file_s_code_runs_only_where_it_is_trusted(files: Path) -> None:
    with pytest.raises(SceneError, match=r"trust=True .*: Cube: location") as caught:
        open_source(files / "driver.blend")
    assert "Cone" not in str(caught.value)
    open_source(files / "driver.blend", trust=True)
    assert cube().location.x == pytest.approx(0.25)
    with pytest.warns(UserWarning, match=r"not run.*panel\.py"):
        open_source(files / "text.blend")
    assert cube().location.z == 0.5
    open_source(files / "text.blend", trust=True)
    assert cube().location.z == 9


@pytest.mark.parametrize(("scene", "driven"), [("Scene", ["Ball", "Cube"]), ("Other", ["Lid"])])
def test_drivers_that_nothing_evaluated_yet_are_refused(
    files: Path, scene: str, driven: list[str]
) -> None:
    with pytest.raises(SceneError, match=r"trust=True") as caught:
        open_source(files / "unseen_drivers.blend", scene=scene)
    assert re.findall(r"(\w+): location = ", str(caught.value)) == driven
    assert open_source(files / "unseen_drivers.blend", scene=scene, trust=True)


def test_drivers_of_another_scene_do_not_matter(files: Path) -> None:
    assert open_source(files / "unseen_drivers.blend", scene="Plain")


def test_fluids_write_nothing_where_the_file_is_not_trusted(files: Path, tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"write files .*trust=True .*: Cube"):
        open_source(files / "fluid.blend")
    with pytest.raises(SceneError, match=r"made\.py: fluids .*trust=True .*: Cube"):
        open_source(linking(tmp_path, files / "fluid.blend", "objects", "Cube"))
    assert not (files / "cache").exists()
    assert open_source(files / "scene.blend")


@pytest.mark.parametrize(
    ("name", "made", "why"),
    [
        ("newer", later, rf"saved by Blender .*newer than this one, {VERSION}"),
        ("cut", lambda whole: whole[: len(whole) // 2], "damaged, cut off"),
        ("short", lambda whole: whole[:-100], "damaged, cut off"),
        ("text", lambda _whole: b"hello world", r"no \.blend file.*hello"),
        ("nothing", lambda _whole: b"", r"no \.blend file"),
    ],
)
def test_bad_files_are_told(
    files: Path, tmp_path: Path, name: str, made: Callable[[bytes], bytes], why: str
) -> None:
    bad = tmp_path / f"{name}.blend"
    bad.write_bytes(made((files / "scene.blend").read_bytes()))
    with pytest.raises(SceneError, match=why) as caught:
        open_source(bad)
    assert str(bad) in str(caught.value)
    assert open_source(files / "scene.blend")  # the next one is opened all the same


def test_a_packed_file_is_opened(files: Path) -> None:
    assert (files / "lens.blend").read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    assert open_source(files / "lens.blend")


def test_no_file_and_no_such_kind_of_file(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="No such file"):
        open_source(tmp_path / "nowhere.blend")
    with pytest.raises(SceneError, match=r"expected a \.blend file or a script"):
        open_source(tmp_path / "scene.max")


def test_a_scene_of_nothing(files: Path) -> None:
    with pytest.raises(SceneError, match="nothing is to be seen in scene 'Scene'"):
        open_source(files / "empty.blend")


def test_scenes_and_view_layers_are_chosen_by_name(files: Path) -> None:
    opened = open_source(files / "two.blend", scene="Other", view_layer="Second")
    assert (opened.scene.name, opened.view_layer.name) == ("Other", "Second")
    assert bpy.context.view_layer == opened.view_layer
    with pytest.raises(UnknownNameError, match="'Other'"):
        open_source(files / "two.blend", scene="Othr")
    with pytest.raises(UnknownNameError, match="'Second'"):
        open_source(files / "two.blend", scene="Other", view_layer="Secnd")


def test_a_script_that_raises_shows_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="the script raised") as caught:
        open_source(script(tmp_path, "def build():\n    1 / 0\n\nbuild()\n"))
    told = str(caught.value)
    assert "line 2, in build" in told
    assert "line 4, in <module>" in told
    assert told.endswith("ZeroDivisionError: division by zero")
    assert "runpy" not in told
    with pytest.raises(SceneError, match="SyntaxError"):
        open_source(script(tmp_path, "1 +\n"))
    with pytest.raises(SceneError, match="ended with 'no mesh'"):
        open_source(script(tmp_path, "import sys\nsys.exit('no mesh')\n"))


def test_a_script_runs_as_a_program_in_an_empty_scene(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("NAME = 'Beside'\n")
    text = (
        "import sys, bpy, beside\n"
        "assert __name__ == '__main__' and sys.argv == [__file__]\n"
        "assert not bpy.data.objects\n"
        "bpy.ops.mesh.primitive_cube_add()\n"
        "bpy.context.object.name = beside.NAME\n"
        "bpy.context.object.driver_add('location', 0).driver.expression = '[3 for _ in [1]][0]'\n"
        "print('built')\n"
        "sys.exit()\n"
    )
    before = list(sys.argv), list(sys.path)
    open_source(script(tmp_path, text))
    sys.modules.pop("beside")
    bpy.context.view_layer.update()
    assert bpy.data.objects["Beside"].location.x == 3
    assert (sys.argv, sys.path) == before


def loading(path: Path) -> str:
    return f"import bpy\nbpy.ops.wm.open_mainfile(filepath={str(path)!r})\n"


def test_code_of_a_file_that_a_script_loads_runs_only_where_it_is_trusted(
    files: Path, tmp_path: Path
) -> None:
    text = script(tmp_path, loading(files / "text.blend"))
    with pytest.warns(UserWarning, match=r"not run.*panel\.py"):
        open_source(text)
    assert cube().location.z == 0.5
    open_source(text, trust=True)
    assert cube().location.z == 9
    driver = str(files / "driver.blend")
    taking = (
        f"import bpy\nwith bpy.data.libraries.load({driver!r}) as (there, here):\n"
        "    here.objects = there.objects\n"
        "for each in here.objects:\n    bpy.context.scene.collection.objects.link(each)\n"
    )
    for how in (loading(files / "driver.blend"), taking):
        loaded = script(tmp_path, how)
        with pytest.raises(SceneError, match=r"made\.py: drivers .*trust=True .*: Cube: location"):
            open_source(loaded)
        open_source(loaded, trust=True)
        bpy.context.view_layer.update()
        assert cube().location.x == pytest.approx(0.25)


def test_a_script_s_drivers_run_though_it_looks_at_the_scene_before_it_ends(tmp_path: Path) -> None:
    text = (
        "import bpy\nbpy.ops.mesh.primitive_cube_add()\n"
        "curve = bpy.context.object.driver_add('location', 0)\n"
        "curve.driver.expression = '[3 for _ in [1]][0]'\n"
        "bpy.context.view_layer.update()\n"
    )
    open_source(script(tmp_path, text))
    bpy.context.view_layer.update()
    assert cube().location.x == 3


HANDLER = """
import bpy
bpy.ops.mesh.primitive_cube_add()

@bpy.app.handlers.persistent
def drop(scene, graph=None):
    bpy.data.objects["Cube"].location.z = -9

bpy.app.handlers.frame_change_post.append(drop)
"""


def test_what_a_script_has_called_is_called_for_its_own_scene_alone(tmp_path: Path) -> None:
    engine = BlenderEngine(script(tmp_path, HANDLER))
    engine.render(View("fit", state={"frame": 3.0}))
    assert cube().location.z == -9
    engine.close()
    engine = BlenderEngine(SCRIPT)
    engine.render(View("fit", state={"frame": 3.0}))
    assert cube().location.z == 0.5
    engine.close()


SHOW = "bpy.context.scene.collection.objects.link(wanted.objects[0])"
RENAME = "bpy.data.objects['Cone'].name = 'Hat'"


def test_things_of_one_name_from_two_files_are_refused(files: Path, tmp_path: Path) -> None:
    library = files / "moved.blend"
    same = linking(tmp_path, library, "objects", "Cone", after=SHOW)
    with pytest.raises(SceneError, match=r"objects of one name .*: Cone and Cone \[moved\.blend\]"):
        BlenderEngine(same)
    other = linking(tmp_path, library, "objects", "Cone", before=RENAME, after=SHOW)
    with pytest.raises(SceneError, match=r"materials of one name .*: Red and Red \[moved\.blend\]"):
        BlenderEngine(other, segment_by="material")
    engine = BlenderEngine(other)
    ids = [engine.scene.objects.ids[engine.scene.objects.row(name)] for name in ("Hat", "Cone")]
    edit = MoveObject("Cone", Matrix.Translation((0, 0, 1)), relative=True)
    found = engine.render(View("Camera", ("segmentation",), edits=[edit]))["Camera"].segmentation
    assert np.isin(ids, found).all()
    engine.close()


INSTANCE = """
maker = bpy.data.objects.new("Maker", None)
maker.instance_type, maker.instance_collection = "COLLECTION", wanted.collections[0]
maker.location.z = 1
bpy.context.scene.collection.objects.link(maker)
"""


def test_instances_of_a_linked_collection_may_have_names_of_the_scene(
    files: Path, tmp_path: Path
) -> None:
    library = files / "moved.blend"
    engine = BlenderEngine(linking(tmp_path, library, "collections", "Moving", after=INSTANCE))
    frame = engine.render(View("Camera", ("segmentation",)))["Camera"]
    shown = [frame.labels[each].name for each in np.unique(frame.segmentation) if each]
    assert sum("Ball" in name for name in shown) == 2
    engine.close()


def test_one_engine_at_a_time() -> None:
    first = BlenderEngine(SCRIPT)
    try:
        with pytest.raises(EngineError, match="one scene in a process"):
            BlenderEngine(SCRIPT)
        assert first.render(View()).frames
    finally:
        first.close()
    BlenderEngine(SCRIPT).close()


def test_an_engine_that_could_not_be_opened_leaves_room_for_the_next(tmp_path: Path) -> None:
    with pytest.raises(HeliographError):
        BlenderEngine(tmp_path / "nowhere.blend")
    BlenderEngine(os.fspath(SCRIPT)).close()


def test_cameras_without_a_pinhole_are_left_out(files: Path) -> None:
    engine = BlenderEngine(files / "lens.blend")
    try:
        assert list(engine.cameras) == ["Top", "fit"]
    finally:
        engine.close()
