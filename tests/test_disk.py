"""Files that are read and written whole; and what is no file, or too large for one."""

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import heliograph as hg
from heliograph import disk
from heliograph.cli.folder import save_sample
from heliograph.errors import RecordError
from heliograph.randomize import load_randomization


def fifo(path: Path) -> None:
    os.mkfifo(path)


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as each:
        here = Path.cwd()
        os.chdir(path.parent)  # names of sockets are short
        try:
            each.bind(path.name)
        finally:
            os.chdir(here)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(disk.MAX_BYTES + 1)


NOT_FILES: list[tuple[Callable[[Path], None], str]] = [
    (fifo, r"expected a regular file, got a named pipe \(FIFO\)"),
    (device, "expected a regular file, got a device"),
    (Path.mkdir, "expected a regular file, got a folder"),
    (huge, "expected at most 2 GiB, got 2.0 GiB"),
]
MODELS = ("a.xml", "a.urdf", "a.mjb", "a.glb", "a.gltf", "a.obj", "a.ply", "a.stl")


@pytest.mark.parametrize(("make", "message"), NOT_FILES, ids=[m.__name__ for m, _ in NOT_FILES])
@pytest.mark.parametrize("name", MODELS)
def test_what_is_no_file_is_refused_as_a_model(
    tmp_path: Path, name: str, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(hg.SceneError, match=f"{name}: {message}"):
        hg.open(str(tmp_path / name))


@pytest.mark.parametrize(("make", "message"), NOT_FILES, ids=[m.__name__ for m, _ in NOT_FILES])
def test_what_is_no_file_is_refused_as_a_texture(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / "t.png")
    picture = str(tmp_path / "t.png")
    scene = hg.Scene(hg.Sphere(key="ball", args=[1.0], material={"map": picture}))
    with pytest.raises(hg.SceneError, match=f"t.png: {message}"):
        hg.open(scene, size=(8, 8))


def test_what_is_no_file_is_refused_as_a_config(tmp_path: Path) -> None:
    fifo(tmp_path / "dr.json")
    with pytest.raises(hg.InvalidValueError, match=r"dr.json: cannot be read .*named pipe"):
        load_randomization(tmp_path / "dr.json")


def test_a_socket_is_no_file(tmp_path: Path) -> None:
    bound_socket(tmp_path / "s")
    with pytest.raises(OSError, match="s"):
        disk.read_file(tmp_path / "s")


def test_files_that_a_gltf_names_are_looked_at_too(tmp_path: Path) -> None:
    trimesh: Any = import_module("trimesh")
    files = trimesh.exchange.gltf.export_gltf(trimesh.creation.box())
    (tmp_path / "box.gltf").write_bytes(files.pop("model.gltf"))
    for name in files:
        fifo(tmp_path / name)
    with pytest.raises(hg.SceneError, match=r"box.gltf: names .*, which is no regular file"):
        hg.open(str(tmp_path / "box.gltf"))
    for name, data in files.items():
        (tmp_path / name).unlink()
        (tmp_path / name).write_bytes(data)
    with hg.open(str(tmp_path / "box.gltf"), size=(8, 8)) as renderer:
        assert renderer.scene.objects


def read_or_reason(path: Path) -> bytes | str:
    try:
        return disk.read_file(path)
    except OSError as error:
        return disk.reason(error)


def test_what_is_opened_is_what_is_looked_at(tmp_path: Path) -> None:
    """Of a path that changes all the time, nothing but the file is ever read, and no read waits."""
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"whole")
    fifo(other)
    swap = (
        "import os, sys\n"
        "a, b, c = sys.argv[1:]\n"
        "print(flush=True)\n"
        "while True:\n"
        "    os.rename(a, c); os.rename(b, a); os.rename(c, b)\n"
    )
    words = [sys.executable, "-c", swap, str(path), str(other), str(tmp_path / "c")]
    fifo_told = "expected a regular file, got a named pipe (FIFO)"
    found, reads = set[bytes | str](), 0
    with subprocess.Popen(words, stdout=subprocess.PIPE) as swapper:
        assert swapper.stdout is not None
        swapper.stdout.readline()
        try:
            while reads < 3000 or not {b"whole", fifo_told} <= found:  # both come up, in time
                found.add(read_or_reason(path))
                reads += 1
        finally:
            swapper.kill()
    assert found <= {b"whole", "no such file", fifo_told}


@pytest.mark.parametrize("make", [fifo, device, Path.mkdir], ids=lambda make: make.__name__)
def test_nothing_but_a_file_is_written_to(tmp_path: Path, make: Callable[[Path], None]) -> None:
    part = tmp_path / "file.part"
    make(part)
    before = part.lstat()
    with pytest.raises(RecordError, match="file: cannot be written"):
        disk.write_file(tmp_path / "file", b"x")
    assert (part.lstat().st_mode, part.lstat().st_ino) == (before.st_mode, before.st_ino)
    assert [path.name for path in tmp_path.iterdir()] == ["file.part"]


def test_links_are_followed_unless_told_otherwise(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert disk.read_file(tmp_path / "link") == b"x"
    with pytest.raises(OSError, match="expected a regular file, got a link"):
        disk.read_file(tmp_path / "link", follow=False)
    assert disk.read_file(tmp_path / "file", follow=False) == b"x"


@pytest.mark.parametrize("settle", [True, False])
def test_a_file_that_fails_half_way_is_not_there(tmp_path: Path, settle: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(RecordError, match=r"cannot be written \(File too large\)"):
            disk.write_file(path, bytes(2000), settle=settle)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    disk.write_file(path, b"new", settle=settle)
    assert path.read_bytes() == b"new"


def test_a_missing_folder_is_an_error_in_one_line(tmp_path: Path) -> None:
    with hg.open("fake", size=(4, 4)) as renderer:
        sample = renderer.render(hg.View())
    with pytest.raises(RecordError, match=r"cannot be written \(no such file\)"):
        save_sample(sample, tmp_path / "nowhere", "s")


def test_paths_become_text_that_can_be_written(tmp_path: Path) -> None:
    assert disk.printable("größe.xml") == "größe.xml"
    assert disk.printable(os.fsdecode(b"m\xe9.xml")) == r"m\xe9.xml"
    with pytest.raises(OSError, match="null byte"):
        disk.read_file("a\0b")
    assert not list(tmp_path.iterdir())
