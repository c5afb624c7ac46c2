"""Workers under interpreters that hold nothing but numpy and msgspec."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.requires import EXTRAS, Requires
from heliograph.scene.values import colour

SOURCES = Path(hg.__file__).parent
HEAVY = {
    *("moderngl", "glcontext", "mujoco", "PIL", "scipy", "trimesh", "meshoptimizer", "tqdm"),
    *("tyro", "torch", "yaml", "OpenEXR", "bpy", "zmq", "gymnasium", "pycocotools"),
}
LEAVES = (
    *("raster/gl/", "engines/mujoco/", "engines/nerf/", "engines/blender/", "cli/"),
    "compat/blendtorch/btb/",
)
"""Where heavy packages may stand at the top of a module: who imports these guards the import."""

BARE = (
    *("camera", "frame", "passes", "view", "scene", "engine", "batch", "errors", "wrappers"),
    *("transport.channel", "transport.slots", "transport.views", "worker.serve", "worker.replay"),
    *("engines.registry", "engines.fake", "pool", "delivery.call", "randomize.config"),
)


@pytest.fixture(scope="module", params=["numpy", "numpy==1.26.4"])
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with numpy, msgspec and this package alone."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    made = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(made), "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "install", "-q", "--no-compile", "--only-binary=:all:", request.param, "msgspec"],
        check=True,
        stderr=subprocess.PIPE,
    )
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "heliograph.pth").write_text(f"{SOURCES.parent}\n")
    return made


def run(python: Path, code: str) -> str:
    command = [str(python), "-I", "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_pool_draws_under_an_interpreter_with_numpy_and_msgspec_alone(python: Path) -> None:
    view = hg.View(
        cameras=["front", hg.Camera.perspective(fov_y=0.9, width=9, height=7, name="mine")],
        passes=("rgb", "depth", "normals", "segmentation"),
        state={"ball": [0.1, 0.2, 0.7]},
        seed=3,
    )
    with hg.open("fake", size=(32, 24)) as renderer:
        expected = renderer.render(view)
    with hg.open("fake", size=(32, 24), workers=1, python=python) as pool:
        assert isinstance(pool, hg.Pool)
        assert pool.options.python == str(python)
        found = pool.render(view)
        stacked = pool.render_batch({"ball": np.full((5, 3), 0.5), "seed": 0})
    assert stacked["front"].shape == (5, 24, 32, 3)
    assert found.labels == expected.labels
    for frame in expected:
        for name, array in frame.passes.items():
            assert np.array_equal(found[frame.camera.name][name], array), name


def test_a_pool_is_opened_from_such_an_interpreter_too(python: Path) -> None:
    code = (
        "import heliograph as hg\n"
        "if __name__ == '__main__':\n"
        "    with hg.open('fake', workers=1, engine_options={'cost': 1e-4}) as pool:\n"
        "        print(pool.render(hg.View())['front'].rgb.shape)\n"
    )
    assert run(python, code) == "(240, 320, 3)\n"


def test_what_such_a_worker_imports_needs_nothing_else(python: Path) -> None:
    modules = ", ".join(f"heliograph.{name}" for name in BARE)
    assert run(python, f"import {modules}; print('imported')") == "imported\n"


def test_scenes_travel_as_numbers(python: Path) -> None:
    ball = hg.Sphere(key="ball", args=[1.0], material={"color": "rebeccapurple"})
    assert "rebeccapurple" not in str(ball.to_dict())
    code = (
        "from heliograph.scene.values import colour\n"
        "print(colour(0x80ff00, 'color'))\n"
        "try:\n    colour('rebeccapurple', 'color')\n"
        "except ImportError as error:\n    print(type(error).__name__, error)\n"
    )
    first, second = run(python, code).splitlines()
    assert first == str(colour("#80ff00", "color"))
    assert second.startswith("MissingDependencyError PIL is needed here")
    assert "pip install pillow" in second


def test_heavy_packages_are_imported_where_a_missing_one_is_named() -> None:
    bare = []
    for path in sorted(SOURCES.rglob("*.py")):
        place = str(path.relative_to(SOURCES))
        tree = ast.parse(path.read_text())
        skipped: set[ast.AST] = set() if not place.startswith(LEAVES) else set(tree.body)
        bare += [f"{place}: {name}" for name in sorted(_unguarded(tree, skipped))]
    assert bare == []


def _unguarded(node: ast.AST, skipped: set[ast.AST]) -> set[str]:
    """Heavy packages imported outside of `with Requires(...)` and `if TYPE_CHECKING`."""
    if node in skipped and isinstance(node, (ast.Import, ast.ImportFrom)):
        return set()
    if isinstance(node, ast.With) and ast.unparse(node.items[0]).startswith("Requires("):
        return set()
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return set()
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [each.name for each in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    found = {name.partition(".")[0] for name in names} & HEAVY
    return found.union(*(_unguarded(each, skipped) for each in ast.iter_child_nodes(node)))


@pytest.mark.parametrize("package", sorted(HEAVY))
def test_a_missing_package_is_named_with_what_brings_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    extra = EXTRAS.get(package)
    brought = {"PIL": "pillow"}.get(package, package)
    advice = f"'heliograph[{extra}]'" if extra else brought
    with pytest.raises(hg.MissingDependencyError) as caught, Requires(package):
        __import__(package)
    assert f"pip install {advice}" in str(caught.value)
    assert caught.value.name == package


HEAVY_USERS = {
    "moderngl": "import heliograph as hg; hg.open(hg.Sphere(key='a', args=[1.0]), backend='gl')",
    "mujoco": "import heliograph as hg; hg.open('<mujoco/>')",
    "PIL": "import heliograph as hg; hg.Sphere(key='a', args=[1], material={'color': 'red'})",
    "scipy": "from heliograph.randomize.imaging import noise; noise._table()",
    "trimesh": "from heliograph.engines.shared import meshes; meshes._trimesh()",
    "meshoptimizer": (
        "import numpy as np; from heliograph.raster.lod import optimize;"
        "optimize(np.zeros((3, 3)), np.zeros((1, 3)))"
    ),
    "tyro": "from heliograph.cli import _run; _run(['doctor'])",
    "tqdm": "from heliograph.cli import _run; _run(['doctor'])",
    "torch": "import heliograph.torch",
    "yaml": (
        "from heliograph.randomize import source; from pathlib import Path;"
        "source._yaml(b'a: 1', Path('dr.yaml'))"
    ),
}


@pytest.mark.parametrize("package", sorted(HEAVY_USERS))
def test_who_needs_a_missing_package_says_so(package: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"try:\n    {HEAVY_USERS[package]}\n"
        "except ImportError as error:\n    print(type(error).__name__, error)\n"
    )
    run: Any = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert run.stdout.startswith(f"MissingDependencyError {package} is needed here"), run.stderr
