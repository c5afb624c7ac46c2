# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr, misc"
"""What edits bring is freed again, and files that change are read again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from heliograph import lru
from heliograph.camera import Camera
from heliograph.engines.components import ComponentEngine
from heliograph.engines.shared.tree import assets
from heliograph.errors import SceneError
from heliograph.raster import (
    DrawList,
    Geometry,
    Instances,
    RasterOptions,
    Texture,
    make_rasterizer,
)
from heliograph.raster import textures as stores
from heliograph.raster.ranges import Ranges
from heliograph.scene import (
    Add,
    Box,
    EditMaterial,
    Group,
    Mesh,
    Remove,
    Scene,
    Set,
    Sphere,
    Torus,
    Update,
    Upsert,
)
from heliograph.scene.files import file_digest
from heliograph.view import View

FRONT = Camera.look_at(
    eye=(0, -4, 0), target=(0, 0, 0), fov_y=0.8, width=64, height=48, name="front", far=100
)
UNLIT = {"materialType": "basic"}


def resident():
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def shown(engine, *edits):
    return engine.render(View((FRONT,), ("rgb",), edits=edits))["front"].rgb


def fresh(source, *edits):
    engine = ComponentEngine(source)
    try:
        return shown(engine, *edits)
    finally:
        engine.close()


def a_mesh(rng, key="m"):
    count = int(rng.integers(1000, 3000))
    faces = rng.integers(0, count, (2000, 3))
    return Mesh(key=key, vertices=rng.random((count, 3)) - 0.5, faces=faces)


def an_image(rng, side=128):
    return rng.integers(0, 255, (side, side, 3), np.uint8)


def keep_little(monkeypatch):
    """Keep a few megabytes, a limit that is reached soon."""
    for name in ("_MOST_PIXELS", "_MOST_TRIANGLES"):
        monkeypatch.setattr(assets, name, 4 << 20)
    monkeypatch.setattr(stores, "_MOST_LENT_BYTES", 1 << 20)


@pytest.fixture
def little(monkeypatch):
    keep_little(monkeypatch)


def test_memory_stays_flat(little):
    rng = np.random.default_rng(0)
    engine = ComponentEngine(Scene(Box(key="b"), Sphere(key="s", position=[1, 0, 0])))

    def views(count):
        for _ in range(count):
            image = {"map": an_image(rng)}
            paint = EditMaterial(("s",), texture=an_image(rng))
            ring = Torus(key="t", args=(rng.random(2) + 0.1).tolist())
            edits = (Update(Box(key="b", material=image)), Add(a_mesh(rng)), Add(ring), paint)
            shown(engine, *edits)

    try:
        views(150)
        before = resident()
        views(300)
        # Unbounded it would be over 200 MB.
        assert resident() - before < 24 << 20
        store = engine._rasterizer._textures
        assert len(store._textures) < 150
        assert len(engine._rasterizer._geometries._rows) < 150
    finally:
        engine.close()


def test_what_was_freed_is_drawn_again_as_before(little):
    rng = np.random.default_rng(1)
    source = Scene(Box(key="b", material={"map": an_image(rng)}, **UNLIT), a_mesh(rng, "base"))
    engine = ComponentEngine(source)
    views = [
        (Update(Box(key="b", material={"map": an_image(rng, 256)})), Add(a_mesh(rng)))
        for _ in range(25)
    ]
    try:
        plain, first = shown(engine), [shown(engine, *edits) for edits in views]
        for place in [*range(25), *rng.integers(0, 25, 50)]:
            assert np.array_equal(shown(engine, *views[place]), first[place])
        assert np.array_equal(shown(engine), plain)
        assert np.array_equal(fresh(source, *views[3]), first[3])
    finally:
        engine.close()


def test_a_view_may_need_more_than_is_kept(monkeypatch):
    rng = np.random.default_rng(2)
    places = [(i, x / 4 - 0.75, z / 4 - 0.5) for i, (x, z) in enumerate(np.ndindex(7, 5))]
    boxes = [
        Add(
            Box(
                key=f"{i}",
                args=[0.2] * 3,
                position=[x, 0, z],
                material={"map": an_image(rng, 256)},
                **UNLIT,
            )
        )
        for i, x, z in places
    ]
    paints = [EditMaterial((f"{i}",), texture=an_image(rng, 256)) for i, _, _ in places[::2]]
    expected = fresh(Scene(), *boxes, *paints)
    keep_little(monkeypatch)
    engine = ComponentEngine(Scene())
    try:
        for _ in range(3):
            assert np.array_equal(shown(engine, *boxes, *paints), expected)
            shown(engine, *boxes[:9], Add(Box(material={"map": an_image(rng, 256)})))
    finally:
        engine.close()


def test_ranges_are_used_again():
    ranges = Ranges()
    starts = [ranges.take(count) for count in (4, 2, 6, 3)]
    assert starts == [0, 4, 6, 12]
    ranges.give(4, 2)
    ranges.give(0, 4)
    assert [ranges.take(5), ranges.take(2), ranges.take(1)] == [0, 15, 5]
    ranges.give(15, 2)
    ranges.give(12, 3)
    assert ranges.size == 12
    taken: dict[int, int] = {}
    rng, room = np.random.default_rng(0), Ranges()
    for _ in range(500):
        if taken and rng.random() < 0.5:
            start = int(rng.choice(list(taken)))
            room.give(start, taken.pop(start))
        else:
            count = int(rng.integers(1, 20))
            taken[room.take(count)] = count
        spans = sorted(taken.items())
        ends = [start + count for start, count in spans]
        assert all(end <= start for end, (start, _) in zip(ends, spans[1:], strict=False))
        assert max(ends, default=0) <= room.size


def test_geometries_are_removed_and_others_stay():
    rasterizer, rng = make_rasterizer(), np.random.default_rng(0)

    def drawn(handle):
        things = Instances.blank(1)
        things.table.geometry[:] = handle
        out = {"depth": np.empty((48, 64), np.float32)}
        rasterizer.draw(DrawList(things), [FRONT], ("depth",), [out])
        return out["depth"]

    def a_geometry():
        count = int(rng.integers(10, 400))
        return Geometry(rng.random((count, 3)) - 0.5, rng.integers(0, count, (count, 3)))

    try:
        here = {rasterizer.add_geometry(a_geometry()): None for _ in range(8)}
        here = {handle: drawn(handle) for handle in here}
        for _ in range(40):
            gone = int(rng.choice(list(here)))
            rasterizer.remove_geometry(gone)
            del here[gone]
            assert not np.isfinite(drawn(gone)).any()
            new = rasterizer.add_geometry(a_geometry())
            assert new == gone
            here[new] = drawn(new)
            assert all(np.array_equal(drawn(handle), seen) for handle, seen in here.items())
        texture = rasterizer.add_texture(Texture(an_image(rng)))
        rasterizer.remove_texture(texture)
        assert rasterizer.add_texture(Texture(an_image(rng))) == texture
    finally:
        rasterizer.close()


def test_kept_forgets_the_oldest():
    cache = lru.LruCache[str](10)
    for name in "abcd":
        cache.put(name, name, 3)
    assert cache.get("a") == "a"
    assert cache.trim() == ["b", "c"]
    assert [cache.get(name) for name in "abd"] == ["a", None, "d"]
    cache.drop_if(lambda value: value == "a")
    assert cache.get("a") is None


def colour_of(path, colour):
    Image.new("RGB", (4, 4), colour).save(path)


def test_an_image_that_changes_is_read_again(tmp_path):
    path = tmp_path / "a.png"
    edit = Update(Box(key="b", material={"map": str(path)}))
    source = Scene(Box(key="b", **UNLIT))
    engine = ComponentEngine(source)
    try:
        for colour in ((200, 10, 10), (10, 200, 10), (10, 10, 200), (200, 10, 10)):
            colour_of(path, colour)  # of the same size within a tick of the file system's clock
            assert shown(engine, edit)[24, 32].tolist() == list(colour)
            assert np.array_equal(shown(engine, edit), fresh(source, edit))
        path.unlink()
        with pytest.raises(SceneError, match="no such file"):
            shown(engine, edit)
    finally:
        engine.close()


def test_a_mesh_and_what_it_names_are_read_again(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("mtllib a.mtl\nv -9 0 -9\nv 9 0 -9\nv 0 0 9\nvt 0 0\nusemtl m\nf 1/1 2/1 3/1\n")
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd -s 1 1 1 my picture.png\n")
    edit, source = Add(Mesh(src=path, **UNLIT)), Scene()
    engine = ComponentEngine(source)
    try:
        for colour in ((200, 10, 10), (10, 200, 10)):
            colour_of(tmp_path / "my picture.png", colour)
            assert shown(engine, edit)[24, 32].tolist() == list(colour)
        (tmp_path / "a.mtl").write_text("newmtl m\nKd 0 0 1\n")
        assert shown(engine, edit)[24, 32].tolist() == [0, 0, 255]
        trimesh.creation.box().export(tmp_path / "b.ply")
        small = shown(engine, Add(Mesh(src=tmp_path / "b.ply")))
        trimesh.creation.box((2, 2, 2)).export(tmp_path / "b.ply")
        large = shown(engine, Add(Mesh(src=tmp_path / "b.ply")))
        assert (large > 0).sum() > 2 * (small > 0).sum()
    finally:
        engine.close()


def test_the_opened_scene_stays_as_it_was_opened(tmp_path):
    path = tmp_path / "a.png"
    colour_of(path, (200, 10, 10))
    source = Scene(Box(key="b", material={"map": str(path)}, **UNLIT))
    engine = ComponentEngine(source)
    try:
        before = source.digest()
        colour_of(path, (10, 200, 10))
        assert source.digest() != before == engine.scene.hash
        assert shown(engine)[24, 32].tolist() == [200, 10, 10]
        moved = Update(Box(key="b", scale=1.5))
        assert shown(engine, moved)[24, 32].tolist() == [200, 10, 10]
        assert fresh(source)[24, 32].tolist() == [10, 200, 10]
    finally:
        engine.close()


def test_old_files_are_hashed_once(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    monkeypatch.setattr("heliograph.scene.files._SETTLED", -1)
    first = file_digest(str(path))
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read again"))
    assert file_digest(str(path)) == first
    monkeypatch.undo()
    path.write_bytes(b"two!")
    assert file_digest(str(path)) != first


def test_a_file_that_never_rests_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    colour_of(path, (1, 2, 3))
    digests = iter(range(100))
    monkeypatch.setattr(assets, "file_digest", lambda _: str(next(digests)))
    with pytest.raises(SceneError, match="changes while it is read"):
        ComponentEngine(Box(material={"map": str(path)}))


def a_sheet(cells, height):
    """A level mesh of so many cells along each side."""
    side = np.linspace(-1, 1, cells + 1)
    x, y = np.meshgrid(side, side)
    points = np.stack([x.ravel(), y.ravel(), np.full(x.size, height)], axis=1)
    ids = np.arange(x.size).reshape(x.shape)
    near, far = ids[:-1, :-1].ravel(), ids[1:, 1:].ravel()
    faces = np.concatenate(
        [
            np.stack([near, ids[:-1, 1:].ravel(), far], 1),
            np.stack([near, far, ids[1:, :-1].ravel()], 1),
        ]
    )
    return Upsert(
        Mesh(key="m", vertices=points, faces=faces, normals=np.tile([0, 0, 1.0], (x.size, 1)))
    )


def test_versions_that_nobody_draws_leave_no_mark_on_later_ones():
    above = Camera.look_at(
        eye=(0.01, 0, 6), target=(0, 0, 0), fov_y=0.6, width=8, height=8, name="above"
    )
    engine = ComponentEngine(Scene(Box(key="b", scale=0.01)), options=RasterOptions(lod="off"))
    try:
        view = View((above,), ("depth",))
        engine.render(view)
        engine.advance([a_sheet(5, 0.0)])
        engine.render(view)
        engine.advance([a_sheet(150, -3.0)])  # larger than there is room for, and never drawn
        for _ in range(20):
            engine.advance([a_sheet(5, 0.0)])
        engine.advance([a_sheet(12, 1.0)])
        assert engine.render(view)["above"].depth[4, 4] == pytest.approx(5.0, abs=1e-3)
    finally:
        engine.close()


WAYS = {
    "update": lambda mesh: [Update(mesh)],
    "upsert": lambda mesh: [Upsert(mesh)],
    "group": lambda mesh: [Upsert(Group(mesh, key="g"))],
    "again": lambda mesh: [Remove("m"), Add(mesh, to="g")],
    "scene": lambda mesh: [Set(Scene(Group(mesh, key="g")))],
}


@pytest.mark.parametrize("way", WAYS)
def test_no_levels_of_detail_are_made_of_vertices_that_come_later(way, tmp_path, monkeypatch):
    monkeypatch.setenv("HELIOGRAPH_CACHE", str(tmp_path))
    sheet, rng = a_sheet(60, 0.0).component, np.random.default_rng(0)
    vertices = np.array(sheet.get("vertices"))
    engine = ComponentEngine(Scene(Group(sheet, key="g")))
    try:
        shown(engine)
        files = len([*tmp_path.rglob("*")])
        for _ in range(3):
            bent = vertices + rng.uniform(-0.001, 0.001, vertices.shape)
            other = Mesh(
                key="m", vertices=bent, faces=sheet.get("faces"), normals=sheet.get("normals")
            )
            shown(engine, *WAYS[way](other))
            engine.advance(WAYS[way](other))
            shown(engine)
        assert files > 0
        assert len([*tmp_path.rglob("*")]) == files
    finally:
        engine.close()
