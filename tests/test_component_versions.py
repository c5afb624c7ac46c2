# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Versions of a scene of components: each as if it had been opened so, and each stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from component_scenes import ALL, UNLIT
from heliograph.camera import Camera
from heliograph.engine import VERSIONS_KEPT
from heliograph.engines.components import ComponentEngine
from heliograph.errors import HeliographError, InvalidValueError
from heliograph.scene import (
    Add,
    AmbientLight,
    Box,
    CameraView,
    Capsule,
    Cone,
    Cylinder,
    DirectionalLight,
    Edit,
    EditBackground,
    EditMaterial,
    Group,
    Hide,
    Mesh,
    MoveObject,
    Plane,
    PointLight,
    Remove,
    Scene,
    Set,
    Sphere,
    SpotLight,
    Torus,
    Update,
    Upsert,
    apply,
)
from heliograph.view import View

FRONT = Camera.look_at(
    eye=(0, -4, 0.5), target=(0, 0, 0), fov_y=0.9, width=48, height=36, name="front", far=100
)
KEYS = tuple("abcdefgh")
BALL = trimesh.creation.icosphere(2, 0.5)
SHAPES = (Box, Sphere, Cylinder, Cone, Capsule, Torus, Plane)
LIGHTS = (AmbientLight, DirectionalLight, PointLight, SpotLight)
KINDS = (*SHAPES, *SHAPES, Mesh, Mesh, Group, Group, *LIGHTS, CameraView)


def looked_at(engine, version=None, *edits):
    return engine.render(View((FRONT,), ALL, edits=edits, scene_version=version))


def by_key(sample):
    """What a sample's camera saw, with keys in place of ids."""
    frame = sample["front"]
    names = {0: "", **{number: label[0] for number, label in sample.labels.items()}}
    seen = np.array([names[number] for number in frame.segmentation.ravel().tolist()])
    return {"rgb": frame.rgb, "depth": frame.depth, "normals": frame.normals, "keys": seen}


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


def a_place(rng):
    ways = {
        "position": lambda: rng.uniform(-1, 1, 3),
        "rotation": lambda: rng.uniform(-3, 3, 3),
        "quaternion": lambda: rng.normal(size=4),
        "scale": lambda: rng.uniform(0.3, 0.8, 3),
        "visible": lambda: bool(rng.random() < 0.7),
        "matrix": lambda: a_matrix(rng).T.ravel(),
    }
    likely = {"position": 0.7, "matrix": 0.1}
    chosen = [name for name in ways if rng.random() < likely.get(name, 0.25)]
    if "rotation" in chosen and "quaternion" in chosen:
        chosen.remove("rotation")
    return {name: ways[name]() for name in chosen}


def a_matrix(rng):
    made = trimesh.transformations.random_rotation_matrix(rng.random(3))
    made[:3, 3] = rng.uniform(-1, 1, 3)
    return made


def a_look(rng):
    ways = {
        "color": lambda: rng.random(3 if rng.random() < 0.8 else 4),
        "opacity": lambda: rng.choice([0.4, 1.0]),
        "roughness": lambda: rng.random(),
        "emissive": lambda: rng.random(3) / 3,
        "side": lambda: str(rng.choice(["front", "double"])),
        "map": lambda: rng.integers(0, 255, (8, 8, 3), np.uint8),
    }
    chosen = [name for name in ways if rng.random() < (0.6 if name == "color" else 0.15)]
    look: dict[str, object] = (
        {"material": {name: ways[name]() for name in chosen}} if chosen else {}
    )
    if rng.random() < 0.2:
        look["materialType"] = str(rng.choice(["basic", "lambert", "standard"]))
    return look


def a_light(kind, rng):
    given = {"color": rng.random(3)} if rng.random() < 0.5 else {}
    if rng.random() < 0.5:
        given["intensity"] = rng.uniform(0.2, 1)
    if kind is not AmbientLight and rng.random() < 0.3:
        given["castShadow"] = bool(rng.random() < 0.5)
    return given


def a_mesh(rng):
    """Vertices of one of two meshes, at times with others, normals or none of them."""
    if rng.random() < 0.4:
        return {}
    mesh = (BALL, trimesh.creation.box())[rng.integers(2)]
    given = {"vertices": mesh.vertices * rng.uniform(0.5, 1, 3), "faces": mesh.faces}
    return {**given, "normals": mesh.vertex_normals} if rng.random() < 0.4 else given


def a_component(rng, depth=0):
    kind, key = KINDS[rng.integers(len(KINDS))], KEYS[rng.integers(len(KEYS))]
    props = a_place(rng)
    if kind in SHAPES or kind is Mesh:
        props |= a_look(rng)
    if kind is Mesh:
        props |= a_mesh(rng)
    elif kind in LIGHTS:
        props |= a_light(kind, rng)
    elif kind is CameraView:
        props = {"position": rng.uniform(2, 3, 3), "lookAt": rng.uniform(-0.5, 0.5, 3)}
        props |= {"width": 32, "height": 24}
    elif kind in (Sphere, Torus, Capsule) and rng.random() < 0.3:
        props["args"] = rng.uniform(0.1, 0.6, {Sphere: 1, Torus: 2, Capsule: 2}[kind])
    below = () if depth > 1 or rng.random() < 0.6 else [a_component(rng, depth + 1)]
    return kind(*below, key=key, **props)


def an_edit(rng):
    choice = rng.random()
    if choice < 0.25:
        return Add(a_component(rng), to=None if rng.random() < 0.5 else KEYS[rng.integers(8)])
    if choice < 0.6:
        return Update(a_component(rng))
    if choice < 0.8:
        return Upsert(a_component(rng))
    if choice < 0.95:
        return Remove(KEYS[rng.integers(8)])
    return Set(a_scene(rng))


def a_scene(rng):
    made = Scene(background=rng.random(3))
    for _ in range(5):
        made = applied(made, [Add(a_component(rng))]) or made
    return made


def applied(scene, edits):
    """The scene with edits, or None where they are refused."""
    try:
        return apply(scene, edits)
    except HeliographError:
        return None


def steps(scene, rng, count):
    """Edits that fit a scene one after the other, and the scenes that they lead to."""
    found: list[tuple[list[Edit], Scene]] = []
    while len(found) < count:
        edits = [an_edit(rng) for _ in range(rng.integers(1, 3))]
        made = applied(scene, edits)
        if made is not None:
            scene = made
            found.append((edits, made))
    return found


def check_like_fresh(engine, scene):
    fresh = ComponentEngine(scene)
    try:
        expected, came = by_key(looked_at(fresh)), by_key(looked_at(engine))
        if next(iter(engine._tree.newest[1].deformed), None) is None:
            assert all(np.array_equal(came[name], expected[name]) for name in expected)
            assert engine.cameras.keys() == fresh.cameras.keys()
            for name, camera in fresh.cameras.items():
                assert repr(engine.cameras[name]) == repr(camera)
        else:
            assert (came["keys"] != expected["keys"]).mean() < 0.005
            off = np.abs(came["rgb"].astype(int) - expected["rgb"]).max(2) > 3
            assert off.mean() < 0.01
        assert engine.scene.hash == fresh.scene.hash
        table, other = engine.scene.objects, fresh.scene.objects
        assert table.names == other.names
        assert table.categories == other.categories
        np.testing.assert_array_equal(table.colours, other.colours)
        np.testing.assert_array_equal(table.poses, other.poses)
        np.testing.assert_allclose(table.boxes, other.boxes, atol=1e-12)
        assert table.materials == other.materials
        assert engine.scene.materials == fresh.scene.materials
        assert engine.scene.state == fresh.scene.state
    finally:
        fresh.close()


def ids_of(engine):
    """Ids by key and type."""
    return {tuple(label): number for number, label in engine.labels.items()}


def touched(edits):
    """Keys of all that edits name; what is not among them stays."""
    found = set()
    for edit in edits:
        if isinstance(edit, Remove):
            found.add(edit.key)
        elif not isinstance(edit, Set):
            found.update(node.key for node in edit.component.walk())
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32 - 1))
def test_versions_are_as_if_opened_so_and_stay(seed):
    rng = np.random.default_rng(seed)
    scene = a_scene(rng)
    engine = ComponentEngine(scene)
    try:
        shown, ids = [by_key(looked_at(engine))], ids_of(engine)
        meant = {number: thing for thing, number in ids.items()}
        for edits, scene in steps(scene, rng, 4):  # noqa: B020 -- the scene goes on
            edited = by_key(looked_at(engine, None, *edits))
            assert engine.advance(edits) == len(shown)
            check_like_fresh(engine, scene)
            shown.append(by_key(looked_at(engine)))
            assert same(edited, shown[-1])
            before, ids = ids, ids_of(engine)
            for thing, number in ids.items():
                assert meant.setdefault(number, thing) == thing
                assert before.get(thing, number) == number or thing[0] in touched(edits)
        for version in rng.permutation(len(shown)).tolist():
            assert same(by_key(looked_at(engine, version)), shown[version])
    finally:
        engine.close()


def a_start():
    return Scene(
        Box(key="box", scale=0.7, position=[-0.7, 0, 0], material={"color": [1, 0, 0]}),
        Group(Sphere(key="ball", args=[0.4]), key="arm", position=[0.6, 0, 0.2]),
        DirectionalLight(key="sun", position=[1, -2, 3]),
    )


@pytest.fixture
def engine():
    made = ComponentEngine(a_start())
    yield made
    made.close()


def like_fresh(engine, scene, *edits):
    fresh = ComponentEngine(scene)
    try:
        placed = np.array_equal(engine.scene.objects.poses, fresh.scene.objects.poses)
        one, other = (by_key(looked_at(each, None, *edits)) for each in (engine, fresh))
        return placed and same(one, other)
    finally:
        fresh.close()


def test_a_position_after_a_matrix_in_one_step_is_as_if_opened_so(engine):
    turned = trimesh.transformations.rotation_matrix(0.3, [1, 2, 3]) @ np.diag([0.5, 0.7, 0.9, 1])
    edits = [Update(Box(key="box", matrix=turned.T.ravel()))]
    engine.advance(edits)
    more = [Update(Box(key="box", position=[x, 0, 0.2])) for x in (0.1, 0.3)]
    engine.advance(more)
    assert like_fresh(engine, apply(a_start(), edits + more))


def test_materials_given_one_after_the_other_add_up(engine):
    scene = a_start()
    for material in ({"color": "green"}, {"roughness": 0.2}, {}, {"color": [0, 0, 1]}, {}):
        edits = [Update(Box(key="box", material=material, position=[-0.6, 0, 0]))]
        engine.advance(edits)
        scene = apply(scene, edits)
        assert like_fresh(engine, scene)
        assert engine.scene.hash == scene.digest()


def test_edits_of_a_view_come_on_top_of_a_version(engine):
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    looks = [
        EditMaterial(("box",), rgba=(0, 1, 0, 0.5)),
        EditMaterial(("ball",), texture=pixels),
        MoveObject("ball", np.eye(4), relative=False),
        Hide(("box",)),
        EditBackground((0.1, 0.2, 0.3)),
    ]
    first = [by_key(looked_at(engine, None, look)) for look in looks]
    changes = [
        Update(Box(key="box", material={"color": [0, 0, 1]}, position=[-0.5, 0, 0.3])),
        Update(Group(key="arm", rotation=[0.4, 0, 0])),
        Add(Torus(key="ring", scale=0.4), to="arm"),
    ]
    engine.advance(changes)
    scene = apply(a_start(), changes)
    assert all(like_fresh(engine, scene, look) for look in looks)
    assert like_fresh(engine, scene)
    for look, shown in zip(looks, first, strict=True):
        assert same(by_key(looked_at(engine, 0, look)), shown)


def test_light_that_takes_the_key_of_an_object_has_no_id(engine):
    engine.advance([Set(Scene(PointLight(key="box", position=[1, -3, 2]), Sphere(key="ball")))])
    assert ids_of(engine).keys() == {("background", "background"), ("ball", "sphere")}


def test_what_takes_the_key_of_another_type_is_another_object(engine):
    numbers = {key: number for (key, _), number in ids_of(engine).items()}
    engine.advance([Set(Scene(Sphere(key="box"), Sphere(key="ball")))])
    ids = ids_of(engine)
    assert ids["ball", "sphere"] == numbers["ball"]
    assert ids["box", "sphere"] not in numbers.values()


def nested(depth):
    """Groups, each on the one before it."""
    made = Group()
    for _ in range(depth - 1):
        made = Group(made)
    return made


@pytest.mark.parametrize(
    "wrong",
    [
        Update(Sphere(key="box")),
        Update(Box(key="nobody")),
        Add(Box(key="ball")),
        Remove("nobody"),
        Add(Mesh(key="new", src="/nowhere/missing.glb")),
        Add(Box(key="huge", args=[1e30, 1, 1])),
        Add(CameraView(key="blind", position=[0, 0, 1], lookAt=[0, 0, 1])),
        Update(CameraView(key="ego", lookAt=[0, -4, 1])),
        Add(nested(99), to="boxes"),
        Update(Mesh(key="soft", vertices=1e30 * BALL.vertices, faces=BALL.faces)),
        Add(Sphere(key="poses")),
        EditBackground((0, 0, 0)),
    ],
    ids=lambda edit: f"{type(edit).__name__}",
)
def test_refused_changes_leave_everything_as_it_was(engine, wrong):
    soft = Mesh(key="soft", vertices=BALL.vertices, faces=BALL.faces, position=[0, 0, 1])
    more = [
        Update(Box(key="box", position=[-0.5, 0, 0])),
        Add(Group(key="boxes")),
        Add(CameraView(key="ego", position=[0, -4, 1], lookAt=[0, 0, 0])),
        Add(soft),
    ]
    engine.advance(more)
    soften = Update(Mesh(key="soft", vertices=1.1 * BALL.vertices, faces=BALL.faces))
    engine.advance([soften])
    before, described, cameras = by_key(looked_at(engine)), engine.scene, repr(engine.cameras)
    changes = [
        Update(Box(key="box", position=[0, 0, 0], material={"color": "blue"})),
        Update(DirectionalLight(key="sun", intensity=0.2)),
        Remove("arm"),
        Add(Mesh(key="ball", vertices=BALL.vertices, faces=BALL.faces)),
    ]
    with pytest.raises(HeliographError):
        engine.advance([*changes, wrong])
    assert (engine.scene.version, engine.scene.hash) == (described.version, described.hash)
    assert engine.scene.objects.names == described.objects.names
    assert repr(engine.cameras) == cameras
    assert same(by_key(looked_at(engine)), before)
    assert engine.advance(changes) == described.version + 1
    assert engine.scene.hash == apply(a_start(), [*more, soften, *changes]).digest()
    assert engine.cameras.keys() == {"ego", "fit"}


def test_versions_that_are_not_kept_are_refused(engine):
    for step in range(VERSIONS_KEPT + 3):
        engine.advance([Update(Box(key="box", position=[0, 0, step / 10]))])
    oldest, newest = 4, VERSIONS_KEPT + 3
    assert looked_at(engine, oldest).provenance.scene_version == oldest
    for version in (0, oldest - 1, newest + 1):
        with pytest.raises(InvalidValueError, match=f"{oldest} to {newest}.*{version}"):
            looked_at(engine, version)


def held(engine):
    """How many geometries and textures are on the rasterizer."""
    rasterizer = engine._rasterizer
    geometries = [row for row in rasterizer._geometries._blocks if row.count]
    textures = [made for made in rasterizer._textures._textures if made is not None]
    return len(geometries), len(textures)


def test_what_versions_showed_is_freed_with_the_last_of_them(engine):
    rng, (geometries, textures) = np.random.default_rng(0), held(engine)
    ring = trimesh.creation.torus(0.4, 0.1)
    soft = Mesh(key="soft", vertices=ring.vertices, faces=ring.faces)
    pixels = rng.integers(0, 255, (8, 8, 3), np.uint8)
    engine.advance([Add(soft), Update(Box(key="box", material={"map": pixels}, **UNLIT))])
    here = held(engine)
    assert here[0] > geometries
    assert here[1] == textures + 1
    for _ in range(3):
        vertices = ring.vertices * rng.uniform(0.5, 1.5, 3)
        engine.advance([Update(Mesh(key="soft", vertices=vertices, faces=ring.faces))])
        looked_at(engine)
    assert held(engine) == (here[0] + 1, here[1])
    engine.advance([Remove("soft"), Upsert(Sphere(key="box"))])
    for step in range(VERSIONS_KEPT - 1):
        looked_at(engine, engine.scene.version)
        assert held(engine)[1] == textures + 1
        engine.advance([Update(Sphere(key="box", position=[0, 0, step / 20]))])
    assert held(engine) == (geometries, textures)
    assert not engine._tree._shows


def test_a_mesh_whose_vertices_move_shows_them_in_every_version(engine):
    scene = a_start()
    edits = [Add(Mesh(key="soft", vertices=BALL.vertices, faces=BALL.faces, position=[0, 0, -0.5]))]
    engine.advance(edits)
    seen = []
    for size in (0.6, 1.2, 0.8):
        vertices = BALL.vertices * [size, 1, 1 / size]
        engine.advance([Update(Mesh(key="soft", vertices=vertices, faces=BALL.faces))])
        seen.append(by_key(looked_at(engine)))
        plain = Mesh(key="soft", vertices=vertices, faces=BALL.faces, position=[0, 0, -0.5])
        fresh = ComponentEngine(apply(scene, [Add(plain)]))
        try:
            other = by_key(looked_at(fresh))
        finally:
            fresh.close()
        assert np.array_equal(other["keys"], seen[-1]["keys"])
        np.testing.assert_allclose(seen[-1]["depth"], other["depth"], atol=1e-5)
        assert np.abs(seen[-1]["rgb"].astype(int) - other["rgb"]).max() <= 1
    for version in (4, 2, 3, 2, 4):
        assert same(by_key(looked_at(engine, version)), seen[version - 2])


def test_normals_that_come_and_go_with_moving_vertices():
    order = np.random.default_rng(0).permutation(3 * len(BALL.faces))
    corners, faces = BALL.vertices[BALL.faces].reshape(-1, 3)[order], order.argsort().reshape(-1, 3)
    engine = ComponentEngine(Scene(Mesh(key="m", vertices=corners, faces=faces)))
    normals = corners / np.linalg.norm(corners, axis=1, keepdims=True)
    try:
        for given in ({}, {"normals": normals}):
            mesh = Mesh(key="m", vertices=0.8 * corners, faces=faces, **given)
            engine.advance([Update(mesh)])
            fresh = ComponentEngine(Scene(mesh))
            try:
                one, other = by_key(looked_at(engine)), by_key(looked_at(fresh))
            finally:
                fresh.close()
            np.testing.assert_allclose(one["depth"], other["depth"], atol=1e-5)
            assert np.abs(one["rgb"].astype(int) - other["rgb"]).max() <= 1
    finally:
        engine.close()


def test_files_are_forgotten_with_the_last_version_that_shows_them(engine, tmp_path):
    def boxes(colour):
        Image.new("RGB", (4, 4), colour).save(tmp_path / "again.png")
        return [Upsert(Box(key="painted", material={"map": tmp_path / "again.png"}, **UNLIT))]

    engine.advance(boxes((200, 10, 10)))
    red = by_key(looked_at(engine))
    for step in range(2 * VERSIONS_KEPT):
        path = tmp_path / f"{step}.png"
        Image.new("RGB", (4, 4), (step, 0, 0)).save(path)
        engine.advance([Update(Box(key="painted", material={"map": path}))])
    assert list(engine._tree.newest[1]._files) == [str(path)]
    changed = boxes((10, 200, 10))
    engine.advance(changed)
    green = by_key(looked_at(engine))
    assert not np.array_equal(green["rgb"], red["rgb"])
    assert like_fresh(engine, apply(a_start(), changed))


def test_a_version_shows_files_as_they_are_when_it_is_made(engine, tmp_path):
    path = tmp_path / "a.png"
    edits = [Update(Box(key="box", material={"map": path}, **UNLIT))]
    Image.new("RGB", (4, 4), (200, 10, 10)).save(path)
    red = by_key(looked_at(engine, None, *edits))
    Image.new("RGB", (4, 4), (10, 200, 10)).save(path)
    engine.advance(edits)
    assert not np.array_equal(by_key(looked_at(engine))["rgb"], red["rgb"])
    assert like_fresh(engine, apply(a_start(), edits))
    Image.new("RGB", (4, 4), (100, 10, 200)).save(path)
    assert not like_fresh(engine, apply(a_start(), edits))


def painted(path, colour):
    Image.new("RGB", (4, 4), colour).save(path)


def test_a_file_that_is_named_again_is_read_again_for_all_that_show_it(engine, tmp_path):
    path, colours = tmp_path / "a.png", ((200, 10, 10), (10, 200, 10), (10, 10, 200))
    material = {"map": path}
    painted(path, colours[0])
    scene, add = a_start(), [Add(Box(key=f"a{i}", position=[i, 0, 1], **UNLIT)) for i in range(2)]
    edits = [[*add, *(Update(Box(key=f"a{i}", material=material)) for i in range(2))]]
    edits += [
        [Update(Box(key="a1", material=material))],
        [Add(Sphere(key="a2", material=material))],
    ]
    seen = []
    for changes, colour in zip(edits, colours, strict=True):
        painted(path, colour)
        engine.advance(changes)
        scene = apply(scene, changes)
        assert like_fresh(engine, scene)
        assert engine.scene.hash == scene.digest()
        seen.append(by_key(looked_at(engine)))
    for version, picture in enumerate(seen, 1):
        assert same(by_key(looked_at(engine, version)), picture)


def test_other_changes_refused_ones_and_views_leave_files_as_they_are(engine, tmp_path):
    path = tmp_path / "a.png"
    paint = Update(Box(key="box", material={"map": path}, **UNLIT))
    move = Update(Sphere(key="ball", position=[0, 0, 0.1]))
    painted(path, (200, 10, 10))
    looked_at(engine, None, paint)
    engine.advance([move])
    with pytest.raises(HeliographError):
        engine.advance([paint, Remove("nobody")])
    painted(path, (10, 200, 10))
    scene = apply(a_start(), [move, paint])
    green = by_key(looked_at(engine, None, paint))
    engine.advance([paint])
    assert like_fresh(engine, scene)
    assert same(by_key(looked_at(engine)), green)
    digest = scene.digest()
    painted(path, (10, 10, 200))
    engine.advance([Update(Box(key="box", material={"roughness": 0.5}))])
    assert same(by_key(looked_at(engine)), green)
    engine.advance([Update(Box(key="box", material={"roughness": 1.0}))])
    path.unlink()
    assert engine.scene.hash != digest
    assert same(by_key(looked_at(engine)), green)
    with pytest.raises(HeliographError, match="no such file"):
        engine.advance([paint])


def three(maps):
    """A scene of three boxes with these images, or None."""
    given = [{} if image is None else {"map": image} for image in maps]
    return Scene(
        *(
            Box(key=f"box{i}", position=[i - 1, 0, 0], material=material, **UNLIT)
            for i, material in enumerate(given)
        )
    )


def rewritten(path, rng):
    colour = rng.integers(0, 255, 3, np.uint8)
    painted(path, tuple(colour.tolist()))
    return np.tile(colour, (4, 4, 1))


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32 - 1))
def test_a_version_shows_each_file_as_it_was_when_it_was_last_named(tmp_path_factory, seed):
    rng, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("files")
    paths = [folder / name for name in ("a.png", "b.png")]
    there = {path: rewritten(path, rng) for path in paths}
    shows, content = [None] * 3, {None: None}
    engine = ComponentEngine(three(shows))
    try:
        for _ in range(8):
            there |= {path: rewritten(path, rng) for path in paths if rng.random() < 0.4}
            which, path, choice = int(rng.integers(3)), paths[rng.integers(2)], rng.random()
            edits = [Update(Box(key=f"box{which}", material={"map": path}))]
            after = [path if i == which else shown for i, shown in enumerate(shows)]
            known = {**content, path: there[path]}
            if choice < 0.3:  # what it does not show, all else stays
                edits = [Update(Box(key=f"box{which}", material={"roughness": choice}))]
                after, known = shows, content
            came = by_key(looked_at(engine, None, *edits))
            if choice < 0.8:
                engine.advance(edits)
                shows, content = after, known
                assert same(by_key(looked_at(engine)), came)
            fresh = ComponentEngine(three([known[shown] for shown in after]))
            try:
                assert same(by_key(looked_at(fresh)), came)
            finally:
                fresh.close()
    finally:
        engine.close()


@pytest.mark.parametrize("far", [(2e14, -3.65e14, -7.2e13), (6.1e14, 2e15, -1.4e15)])
@pytest.mark.parametrize("scale", [1e-11, 1e-9, 1e-7])
def test_what_is_tiny_and_far_off_has_a_camera_that_frames_it(far, scale):
    engine = ComponentEngine(Scene(Box(key="near"), Box(key="far", position=far, scale=scale)))
    try:
        engine.advance([Remove("near")])
        camera = engine.cameras["fit"]
        assert 0 < camera.near < camera.far
    finally:
        engine.close()


@pytest.mark.parametrize("key", ["poses", "poses.keys"])
def test_keys_that_mean_something_else_in_a_state_are_refused(key, tmp_path):
    with pytest.raises(InvalidValueError, match="rename the component"):
        ComponentEngine(Scene(Box(key=key)))
    trimesh.creation.box().export(tmp_path / f"{key}.ply")
    engine = ComponentEngine(tmp_path / f"{key}.ply")
    try:
        assert engine.scene.objects.names == ("mesh",)
    finally:
        engine.close()


def test_keys_that_are_no_text_are_refused(engine):
    state = {"poses": np.zeros((1, 3)), "poses.keys": np.array([255, 254], np.uint8)}
    with pytest.raises(InvalidValueError, match="no text"):
        engine.render(View((FRONT,), ALL, state=state))
