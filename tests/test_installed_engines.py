"""Engines that other packages bring: installed for real, beside this one, in a folder of a test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import heliograph as hg
from heliograph.engines.registry import engine_names, engine_of

ENGINE = """
from heliograph.engines.fake import FakeEngine


class {name}(FakeEngine):
    suffixes = {suffixes!r}

    def __init__(self, source, *, size=(320, 240), quality=1):
        super().__init__("fake", size=size)
        self.source, self.quality = source, quality

{methods}
"""
SPLATS = """
    @classmethod
    def opens(cls, path, head):
        return path.suffix == ".ply" and b"property float f_dc_0" in head
"""
ADDRESSES = """
    @classmethod
    def accepts(cls, source):
        return str(source).startswith("other://")
"""
SDF = """
    @classmethod
    def opens(cls, path, head):
        return path.suffix == ".xml" and b"<sdf" in head
"""
PLY = "ply\nformat ascii 1.0\nelement vertex 3\n{}end_header\n0 0 0\n1 0 0\n0 1 0\n"
POINT = "property float x\nproperty float y\nproperty float z\n"
FACES = "element face 1\nproperty list uchar int vertex_indices\n"
SPLAT = PLY.format(POINT + "property float f_dc_0\n")


class Site:
    """A folder of installed packages, on the path of this process and of its workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, text: str) -> None:
        """A package of one module with one engine, `Made`."""
        (self.folder / f"plugin_{name}.py").write_text(text)
        info = self.folder / f"plugin_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: plugin-{name}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(
            f"[heliograph.engines]\n{name} = plugin_{name}:Made\n"
        )

    def engine(self, name: str, suffixes: tuple[str, ...] = (), methods: str = "") -> None:
        self.install(name, ENGINE.format(name="Made", suffixes=suffixes, methods=methods))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)
    before = set(sys.modules)
    yield Site(folder)
    for name in set(sys.modules) - before:
        if name.startswith("plugin_"):
            del sys.modules[name]


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_an_installed_engine_opens_its_files_here_and_in_workers(
    site: Site, tmp_path: Path
) -> None:
    site.engine("mine", (".mine",))
    path = written(tmp_path, "scene.MINE", "")
    with hg.open(path, size=(8, 6), engine_options={"quality": 3}) as renderer:
        assert renderer.render(hg.View())["front"].rgb.shape == (6, 8, 3)
        assert renderer.opened["options"]["quality"] == 3
    with hg.open(path, size=(8, 6), workers=1) as pool:
        assert pool.render(hg.View())["front"].rgb.shape == (6, 8, 3)
    with pytest.raises(hg.UnknownNameError, match="option of the mine engine 'msaa'"):
        hg.open(path, msaa=4)
    assert "mine" in engine_names()


def test_the_header_says_whether_a_ply_is_a_mesh_or_splats(site: Site, tmp_path: Path) -> None:
    splats = written(tmp_path, "splats.ply", SPLAT)
    assert engine_of(splats) == "splat"
    site.engine("mine", (".ply",), SPLATS)
    with pytest.raises(hg.SceneError, match=r"mine and splat .*engine='mine'"):
        engine_of(splats)
    for text in (PLY.format(POINT), PLY.format(POINT + FACES)):
        assert engine_of(written(tmp_path, "mesh.ply", text)) == "components"


def test_no_engine_owns_an_ending(site: Site, tmp_path: Path) -> None:
    site.engine("gazebo", (".xml",), SDF)
    world = written(tmp_path, "world.xml", "<?xml version='1.0'?>\n<!-- <mujoco> -->\n<sdf/>")
    assert engine_of(world) == "gazebo"
    assert engine_of(written(tmp_path, "hand.xml", "<!-- a hand -->\n<mujoco/>")) == "mujoco"


def test_engines_that_both_open_a_source_are_named(site: Site, tmp_path: Path) -> None:
    site.engine("mine", (".glb",))
    path = written(tmp_path, "scene.glb", "")
    with pytest.raises(hg.SceneError, match=r"mine and components .*engine='mine'"):
        hg.open(path)
    with hg.open(path, engine="mine", size=(8, 6)) as renderer:
        assert renderer.passes


def test_an_installed_engine_accepts_what_is_no_file(site: Site) -> None:
    site.engine("other", methods=ADDRESSES)
    assert engine_of("other://thing") == "other"
    with hg.open("other://thing", size=(8, 6)) as renderer:
        assert renderer.scene.source


def test_an_installed_engine_does_not_take_the_name_of_ours(site: Site) -> None:
    site.install("fake", "raise RuntimeError('asked')")
    with hg.open("fake", size=(8, 6)) as renderer:
        assert renderer.provenance.engine == "fake"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "import nowhere_to_be_found",
            "ModuleNotFoundError: No module named 'nowhere",
        ),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        (
            ENGINE.format(
                name="Made",
                suffixes=(),
                methods="    @staticmethod\n    def opens(path, head):\n        raise OSError(5)",
            ),
            "OSError: 5",
        ),
    ],
)
def test_a_broken_engine_is_named_only_where_nothing_else_opens_a_source(
    site: Site, tmp_path: Path, text: str, cause: str
) -> None:
    site.install("broken", text)
    assert engine_of("fake") == "fake"
    with pytest.raises(hg.SceneError, match=f"engine 'broken' failed: {cause}"):
        hg.open(written(tmp_path, "scene.unknown", ""))


def test_a_broken_engine_that_is_asked_for_says_why(site: Site) -> None:
    site.install("needy", "import nowhere_to_be_found")
    site.install("broken", "raise RuntimeError('no licence')")
    with pytest.raises(hg.MissingDependencyError, match="pip install nowhere_to_be_found"):
        hg.open("fake", engine="needy")
    with pytest.raises(hg.EngineError, match=r"'broken' cannot be imported.*no licence"):
        hg.open("fake", engine="broken")


def test_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.xml"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.ply"))
        for path in (pipe, tmp_path / "socket.ply", Path("/dev/zero")):
            with pytest.raises(hg.SceneError, match=r"expected a regular|No such device"):
                hg.open(path)
    with pytest.raises(hg.SceneError, match="nothing here opens it"):
        hg.open(tmp_path)


def test_asking_our_engines_imports_none(tmp_path: Path) -> None:
    path = written(tmp_path, "hand.xml", "<mujoco/>")
    code = (
        "import sys; from heliograph.engines.registry import engine_of;"
        f"print(engine_of({str(path)!r}));"
        "print(*{'mujoco', 'moderngl', 'trimesh'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["mujoco"]
