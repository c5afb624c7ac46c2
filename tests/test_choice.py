# mypy: allow-untyped-defs, allow-untyped-calls
"""Which rasterizer backend draws, and that the native one needs no GL."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from heliograph import cli
from heliograph.errors import ContextError, MissingDependencyError
from heliograph.raster import RasterOptions, choice, make_rasterizer
from heliograph.raster.choice import Choice, choose, has_gpu

BUILT, OLD = SimpleNamespace(RasterScene=object), SimpleNamespace()
WITHOUT_GL = """
import ctypes, os, sys

os.environ.pop("MUJOCO_GL", None)
os.environ.pop("DISPLAY", None)
sys.modules["moderngl"] = sys.modules["glcontext"] = None
load = ctypes.CDLL.__init__

def refuse(self, name, *args, **more):
    if name and any(part in str(name) for part in ("GL", "OSMesa", "gbm")):
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")
    load(self, name, *args, **more)

ctypes.CDLL.__init__ = refuse
import heliograph as hg
from heliograph.raster import choice

choice.has_gpu = lambda: False
"""
BALL = 'hg.Sphere(key="ball", args=[0.5])'
MJCF = '\'<mujoco><worldbody><geom name="ball" size=".5"/></worldbody></mujoco>\''


@pytest.fixture
def native(monkeypatch):
    """Has this stand for the native module; None for none."""
    return lambda module: monkeypatch.setitem(sys.modules, "heliograph._native", module)


@pytest.fixture
def gpu(monkeypatch):
    """Has the machine show a GPU, and GL draw like this: what draws and whether that is the CPU."""

    def show(renderer, *, software=False):
        def context():
            if renderer is None:
                raise ContextError("no EGL here")
            return SimpleNamespace(renderer=renderer, software=software, release=lambda: None)

        monkeypatch.setattr(choice, "has_gpu", lambda: True)
        monkeypatch.setattr("heliograph.raster.gl.context.Context", context)

    choice._of_gl.cache_clear()
    yield show
    choice._of_gl.cache_clear()


def python(code):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not run.returncode, run.stderr
    return run.stdout.split()


@pytest.mark.parametrize(
    ("name", "found"),
    [("dri/renderD128", True), ("nvidia0", True), ("dxg", True), ("nvidiactl", False)],
)
def test_a_gpu_is_known_by_its_device(tmp_path, name, found):
    assert not has_gpu(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert has_gpu(tmp_path) is found


@pytest.mark.parametrize("backend", ["cpu", "gl"])
def test_the_backend_that_is_asked_for_is_taken(backend, native):
    for module in (BUILT, None):
        native(module)
        assert choose(RasterOptions(backend=backend)).backend == backend


def test_a_device_is_one_of_gl(native):
    native(BUILT)
    assert choose(RasterOptions(device=0)) == Choice("gl", "device=0 was given")


def test_without_a_gpu_the_cpu_draws(native, monkeypatch):
    native(BUILT)
    monkeypatch.setattr(choice, "has_gpu", lambda: False)
    assert choose() == choose(RasterOptions()) == Choice("cpu", "there is no GPU here")


def test_a_gpu_draws_where_gl_reaches_it(native, gpu):
    native(BUILT)
    gpu("NVIDIA H200")
    assert choose() == Choice("gl", "there is a GPU here: NVIDIA H200")


def test_the_cpu_draws_where_gl_would_draw_on_it_too(native, gpu):
    native(BUILT)
    gpu("llvmpipe", software=True)
    assert choose() == Choice("cpu", "GL would draw on the CPU as well, with llvmpipe")


def test_the_cpu_draws_where_gl_does_not_reach_the_gpu(native, gpu):
    native(BUILT)
    gpu(None)
    assert choose() == Choice("cpu", "GL does not work here: no EGL here")


@pytest.mark.parametrize(
    ("module", "says"),
    [(None, r"not built here .*install\s+a C\+\+ compiler"), (OLD, "older than")],
)
def test_without_the_native_module_gl_draws_and_the_cpu_is_refused(native, module, says):
    native(module)
    assert choose().backend == "gl"
    with pytest.raises(MissingDependencyError, match=says):
        make_rasterizer(RasterOptions(backend="cpu"))


def test_where_neither_works_both_are_named(native, monkeypatch):
    def fail(device=None):
        raise ContextError("no EGL here")

    native(None)
    monkeypatch.setattr("heliograph.raster.gl.rasterizer.Context", fail)
    with pytest.raises(ContextError, match=r"no EGL here; .*install a C\+\+ compiler"):
        make_rasterizer()
    with pytest.raises(ContextError, match=r"^no EGL here$"):
        make_rasterizer(RasterOptions(backend="gl"))


def test_whoever_asks_for_gl_is_told_that_it_is_not_needed(native, monkeypatch):
    def fail(device=None):
        raise ContextError("no EGL here")

    native(BUILT)
    monkeypatch.setattr(choice, "has_gpu", lambda: False)
    monkeypatch.setattr("heliograph.raster.gl.rasterizer.Context", fail)
    with pytest.raises(ContextError, match=r"^no EGL here; leave backend out to draw without GL$"):
        make_rasterizer(RasterOptions(backend="gl"))
    with pytest.raises(ContextError, match=r"^no EGL here; leave device out to draw without GL$"):
        make_rasterizer(RasterOptions(device=0))
    with pytest.raises(ContextError, match=r"; leave backend and device out to draw without GL$"):
        make_rasterizer(RasterOptions(backend="gl", device=0))


def test_the_rasterizer_s_face_loads_no_backend():
    names = "[name for name in sys.modules if 'moderngl' in name or '.raster.' in name]"
    loaded = python(f"import sys, heliograph.raster; print(*{names})")
    assert "heliograph.raster.choice" in loaded
    assert not [each for each in loaded if "moderngl" in each or "raster.gl" in each]


@pytest.mark.parametrize("scene", [BALL, MJCF])
def test_the_first_program_needs_no_gl(scene):
    code = f"""{WITHOUT_GL}
with hg.open({scene}, size=(48, 32)) as renderer:
    sample = renderer.render(hg.View(passes=("rgb", "segmentation")))
frame = next(iter(sample))
assert sample.labels[frame.segmentation[16, 24]].name == "ball"
print(sample.provenance.device)
assert not [each for each in sys.modules if "raster.gl" in each]
"""
    assert " ".join(python(code)).startswith("heliograph cpu rasterizer ")


def test_doctor_says_that_gl_is_not_needed(monkeypatch, capsys):
    def fail(device=None):
        raise ContextError("no EGL here")

    monkeypatch.setattr("heliograph.cli.doctor.choose", lambda _: Choice("cpu", "no GPU"))
    monkeypatch.setattr("heliograph.raster.gl.context.Context", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert "rasterizer: cpu, as no GPU\n" in told
    assert "GL: does not work, and is not needed: no EGL here\n" in told


@pytest.mark.parametrize("platform", ["egl", "OSMesa"])
def test_mujoco_that_is_told_to_load_what_is_not_there_is_drawn_all_the_same(platform):
    code = f"""{WITHOUT_GL}
os.environ["MUJOCO_GL"] = "{platform}"
with hg.open({MJCF}) as renderer:
    print(renderer.provenance.device, os.environ["MUJOCO_GL"])
try:
    hg.open({MJCF}, style="classic").render(hg.View())
except hg.ContextError as error:
    print(error)
"""
    told = " ".join(python(code))
    assert told.startswith(f"heliograph cpu rasterizer 2 {platform} style='classic':")
    assert "MuJoCo cannot make a GL context" in told
    assert "libEGL.so.1 (apt-get install libegl1" in told
