"""Scripts of users, run by `heliograph.engines.blender.program`, each in a process of its own."""

import signal
import subprocess
import sys

import bpy
import pytest

from heliograph.errors import WorkerError
from heliograph.publish.sockets import Subscriber
from inside_blender.newer import later

PROGRAM = [sys.executable, "-P", "-m", "heliograph.engines.blender.program"]


def run(folder, script, *arguments, scene="-"):
    path = folder / "script.py"
    path.write_text(script)
    command = [*PROGRAM, str(scene), str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_script_runs_as_in_blender(tmp_path):
    (tmp_path / "beside.py").write_text("value = 42\n")
    script = """
import sys, bpy, beside
print(sys.argv)
print(__name__, __file__, beside.value, sorted(bpy.data.objects.keys()))
def later():
    print("played", bpy.context.scene.frame_current, beside.value)
from heliograph.engines.blender.animation import AnimationController
anim = AnimationController()
anim.post_frame.add(later)
anim.play((3, 4), num_episodes=1)
print("the script ends")
"""
    done = run(tmp_path, script, "--", "-btid", "2", "--own", "--", "x")
    assert done.returncode == 0, done.stderr
    path = str(tmp_path / "script.py")
    assert done.stdout.splitlines() == [
        str(["blender", "--background", "--python", path, "--", "-btid", "2", "--own", "--", "x"]),
        f"__main__ {path} 42 ['Camera', 'Cube', 'Light']",
        "the script ends",
        "played 3 42",
        "played 4 42",
    ]


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit()", 0, ""),
        ("raise SystemExit('no more')", 1, "no more\n"),
        ("def f():\n    return {}['key']\nf()", 1, "KeyError: 'key'"),
        ("x = (", 1, "SyntaxError"),
    ],
)
def test_how_a_script_ends_is_the_exit_code(tmp_path, script, code, said):
    done = run(tmp_path, script)
    assert done.returncode == code
    assert said in done.stderr
    if "KeyError" in said:
        assert done.stderr.splitlines()[1].strip().startswith('File "' + str(tmp_path))


def test_what_a_play_raises_ends_the_process(tmp_path):
    script = """
from heliograph.engines.blender.animation import AnimationController
anim = AnimationController()
anim.pre_frame.add(lambda: {}["lost"])
anim.play()
print("returned", flush=True)
"""
    done = run(tmp_path, script)
    assert (done.returncode, done.stdout) == (1, "returned\n")
    assert "KeyError: 'lost'" in done.stderr


def test_files_that_are_not_there_are_named(tmp_path):
    done = run(tmp_path, "", scene=tmp_path / "no.blend")
    assert done.returncode == 1
    assert "no.blend" in done.stderr
    assert "Traceback" not in done.stderr
    command = [*PROGRAM, "-", str(tmp_path / "no.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "no.py" in done.stderr


def test_a_file_that_is_no_blend_is_named(tmp_path):
    path = tmp_path / "torn.blend"
    path.write_bytes(b"BLENDER-v")
    done = run(tmp_path, "print('ran')", scene=path)
    assert done.returncode == 1
    assert "torn.blend" in done.stderr
    assert "ran" not in done.stdout


def test_code_in_a_file_runs_only_where_it_is_trusted(tmp_path):
    path = tmp_path / "scene.blend"
    build = f"""
import bpy
text = bpy.data.texts.new("boot.py")
text.write("import bpy; bpy.data.scenes[0]['ran'] = 1")
text.use_module = True
bpy.ops.wm.save_as_mainfile(filepath={str(path)!r})
"""
    assert run(tmp_path, build).returncode == 0
    script = "import bpy; print(bpy.context.scene.get('ran'), bpy.data.filepath)"
    assert f"None {path}" in run(tmp_path, script, scene=path).stdout
    assert f"1 {path}" in run(tmp_path, script, "--trust", scene=path).stdout


def test_a_file_of_a_newer_blender_is_refused(tmp_path):
    path = tmp_path / "new.blend"
    build = f"import bpy; bpy.ops.wm.save_as_mainfile(filepath={str(path)!r}, compress=False)"
    assert run(tmp_path, build).returncode == 0
    path.write_bytes(later(path.read_bytes()))
    done = run(tmp_path, "print('ran')", scene=path)
    assert (done.returncode, done.stdout.count("ran")) == (1, 0)
    assert f"newer than this one, {bpy.app.version[0]}.{bpy.app.version[1]}" in done.stderr


def test_an_endless_play_ends_by_a_signal(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(
        "from heliograph.engines.blender.animation import AnimationController\n"
        "anim = AnimationController()\n"
        "anim.post_animation.add(print, 'round', flush=True)\n"
        "anim.play((1, 2))\n"
    )
    with subprocess.Popen([*PROGRAM, "-", str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "round\n"
        process.terminate()
        assert process.wait(20) == -signal.SIGTERM


PUBLISHING = """
from heliograph.compat.blendtorch import btb
args, (ending,) = btb.parse_blendtorch_args()
publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid, lingerms=5000)
publisher.publish(number=1)
publisher.publish(number=2)
if ending == "raise":
    raise ValueError("broken")
"""


@pytest.mark.parametrize("ending", ["return", "raise"])
def test_only_a_script_that_ended_well_tells_its_consumers_that_it_ended(tmp_path, ending):
    path = tmp_path / "script.py"
    path.write_text(PUBLISHING)
    address = f"ipc://{tmp_path}/data"
    told = ["-btsockets", f"DATA={address}", "-btid", "0"]
    command = [*PROGRAM, "-", str(path), "--", *told, ending]
    with (
        Subscriber([address], timeout=20) as subscriber,
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert [subscriber.recv().values["number"] for _ in range(2)] == [1, 2]
        if ending == "return":
            assert list(subscriber) == []
        else:
            with pytest.raises(WorkerError, match="died"):
                subscriber.recv()
        process.wait(20)
        assert process.stderr is not None
        assert process.returncode == (ending == "raise")
        assert ("ValueError: broken" in process.stderr.read()) == (ending == "raise")
