# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
# mypy: disable-error-code="arg-type, union-attr"
"""Animations of glTF files: nodes, skins and morph targets against what they say by hand."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicHermiteSpline
from scipy.spatial.transform import Rotation, Slerp

import heliograph as hg
from component_scenes import ALL, FRONT
from heliograph.engines.components import ComponentEngine
from heliograph.engines.shared import animation, meshes
from heliograph.errors import HeliographError, InvalidValueError, SceneError, UnknownNameError

SQUARE = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0.5, 1, 0], [-0.5, 1, 0]], np.float32)
FACES = np.array([0, 1, 2, 0, 2, 3], np.uint16)
TYPES = {np.dtype("f4"): 5126, np.dtype("u2"): 5123, np.dtype("u1"): 5121, np.dtype("i2"): 5122}
KINDS = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
UP = np.array([0.0, 1.0, 0.0])


class Maker:
    """Writes .glb files."""

    def __init__(self) -> None:
        self.data = b""
        self.said: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "accessors": [],
            "bufferViews": [],
        }
        self.said |= {"meshes": [], "nodes": [], "scenes": [{"nodes": [0]}], "scene": 0}

    def view(self, rows) -> int:
        self.data += b"\0" * (-len(self.data) % 4)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": rows.nbytes}
        self.said["bufferViews"].append(view)
        self.data += rows.tobytes()
        return len(self.said["bufferViews"]) - 1

    def array(self, rows, **more) -> int:
        rows = np.ascontiguousarray(rows)
        accessor: dict[str, Any] = {
            "bufferView": self.view(rows),
            "componentType": TYPES[rows.dtype],
        }
        accessor |= {"count": len(rows), "type": KINDS[rows.shape[1:]], **more}
        if rows.shape[1:] == (3,):
            accessor |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        self.said["accessors"].append(accessor)
        return len(self.said["accessors"]) - 1

    def floats(self, rows) -> int:
        return self.array(np.array(rows, np.float32))

    def mesh(self, positions=SQUARE, **more) -> int:
        attributes = {"POSITION": self.floats(positions), **more.pop("attributes", {})}
        primitive = {"attributes": attributes, "indices": self.array(FACES)}
        primitive |= {"targets": more.pop("targets")} if "targets" in more else {}
        self.said["meshes"].append({"primitives": [primitive], **more})
        return len(self.said["meshes"]) - 1

    def animate(self, name, *tracks) -> None:
        """Add an animation of (node, path, times, values, interpolation)."""
        made = {"samplers": [], "channels": []} | ({"name": name} if name else {})
        for node, path, times, values, way in tracks:
            sampler = {"input": self.floats(times), "interpolation": way}
            sampler["output"] = self.floats(values) if not isinstance(values, int) else values
            made["channels"].append(
                {"sampler": len(made["samplers"]), "target": {"node": node, "path": path}}
            )
            made["samplers"].append(sampler)
        self.said.setdefault("animations", []).append(made)

    def write(self, path):
        said = {**self.said, "buffers": [{"byteLength": len(self.data)}]}
        if path.suffix == ".gltf":
            uri = "data:application/octet-stream;base64," + base64.b64encode(self.data).decode()
            said["buffers"][0]["uri"] = uri
            path.write_text(json.dumps(said))
            return path
        text = json.dumps(said).encode()
        text += b" " * (-len(text) % 4)
        data = self.data + b"\0" * (-len(self.data) % 4)
        body = struct.pack("<I4s", len(text), b"JSON") + text
        body += struct.pack("<I4s", len(data), b"BIN\0") + data
        path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body)
        return path


def corners(path, name=None, time=0.0):
    """The four corners as they are drawn, in the file's axes, by their number."""
    (part,) = meshes.load(path, (name, time))
    flat = np.asarray(part.geometry.positions)[np.asarray(part.geometry.triangles)].reshape(-1, 3)
    points = flat @ part.pose[:3, :3].T + part.pose[:3, 3]
    return points[[0, 1, 2, 5]]


def turned(angle):
    return [0, 0, np.sin(angle / 2), np.cos(angle / 2)]


def walker():
    """A square that moves, turns and grows: all ways of interpolation."""
    maker = Maker()
    maker.said["nodes"] = [{"children": [1], "translation": [0, 0, 1]}, {"mesh": maker.mesh()}]
    spline = [[0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]]
    maker.animate(
        "walk",
        (0, "translation", [0, 1, 3], [[0, 0, 0], [2, 0, 0], [2, 4, 0]], "LINEAR"),
        (1, "rotation", [0, 2], [turned(0), turned(2)], "LINEAR"),
        (1, "scale", [0, 1.5], [[1, 1, 1], [2, 2, 2]], "STEP"),
    )
    maker.animate("", (0, "translation", [1, 3], spline, "CUBICSPLINE"))
    return maker


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 8), st.sampled_from([".glb", ".gltf"]))
def test_nodes_are_where_the_tracks_put_them(tmp_path_factory, time, suffix):
    path = walker().write(tmp_path_factory.getbasetemp() / f"walk{suffix}")
    at = time % 3
    x, y = (np.interp(at, [0, 1, 3], row) for row in ([0, 2, 2], [0, 0, 4]))
    turn = Slerp([0, 2], Rotation.from_quat([turned(0), turned(2)]))(min(at, 2))
    scale = 2 if at >= 1.5 else 1
    expected = turn.apply(scale * SQUARE) + np.array([x, y, 0])
    assert np.abs(corners(path, "walk", time) - expected).max() < 1e-5
    spline = CubicHermiteSpline([1, 3], [[0, 0, 0], [1, 1, 0]], [[1, 0, 0], [0, 1, 0]])
    expected = SQUARE + spline(np.clip(at, 1, 3))
    assert np.abs(corners(path, "animation_1", time) - expected).max() < 1e-5
    assert np.abs(corners(path) - SQUARE - [0, 0, 1]).max() < 1e-6


def skinned(weights=None, joints=None):
    """A square of two bones: its upper edge belongs to one that stands 1 up the other."""
    maker = Maker()
    joints = np.array([[0, 0, 0, 0]] * 2 + [[1, 0, 0, 0]] * 2) if joints is None else joints
    weights = np.eye(4)[[0] * 4] if weights is None else weights
    back = np.tile(np.eye(4), (2, 1, 1))
    back[1, 1, 3] = -1
    attributes = {
        "JOINTS_0": maker.array(joints.astype(np.uint8)),
        "WEIGHTS_0": maker.floats(weights),
        "NORMAL": maker.floats([[0, 0, 1]] * 4),
    }
    mesh = maker.mesh(attributes=attributes)
    maker.said["skins"] = [
        {"joints": [1, 2], "inverseBindMatrices": maker.floats(back.swapaxes(1, 2))}
    ]
    maker.said["nodes"] = [
        {"children": [1, 3]},
        {"children": [2], "translation": [0.25, 0, 0]},
        {"translation": [0, 1, 0]},
        {"mesh": mesh, "skin": 0, "translation": [7, 7, 7]},
    ]
    maker.animate("bend", (2, "rotation", [0, 1], [turned(0), turned(np.pi / 2)], "LINEAR"))
    return maker


def test_skins_follow_their_joints_and_no_node_of_theirs(tmp_path):
    path = skinned().write(tmp_path / "a.glb")
    assert np.abs(corners(path) - SQUARE - [0.25, 0, 0]).max() < 1e-6
    bent = corners(path, "bend", 0.5)
    turn = Rotation.from_quat(turned(np.pi / 4)).apply([[0.5, 0, 0], [-0.5, 0, 0]])
    assert np.abs(bent[:2] - SQUARE[:2] - [0.25, 0, 0]).max() < 1e-6
    assert np.abs(bent[2:] - turn - [0.25, 1, 0]).max() < 1e-6
    (part,) = meshes.load(path, ("bend", 0.5))
    assert np.abs(np.asarray(part.geometry.normals) - [0, 0, 1]).max() < 1e-6
    assert part.geometry.simplify is False
    half = np.tile([0.5, 0.5, 0, 0], (4, 1))
    both = np.tile([0, 1, 0, 0], (4, 1))
    path = skinned(half, both).write(tmp_path / "b.glb")
    turn = Rotation.from_quat(turned(np.pi / 4)).apply(SQUARE - UP) + UP
    assert np.abs(corners(path, "bend", 0.5) - (turn + SQUARE) / 2 - [0.25, 0, 0]).max() < 1e-6


def morphing():
    maker = Maker()
    up = maker.floats([[0, 0, 1]] * 4)
    maker.said["accessors"].append(
        {
            "componentType": 5126,
            "count": 4,
            "type": "VEC3",
            "sparse": {
                "count": 1,
                "indices": {
                    "bufferView": maker.view(np.array([2], np.uint8)),
                    "componentType": 5121,
                },
                "values": {"bufferView": maker.view(np.array([[1, 1, 0]], np.float32))},
            },
        }
    )
    sparse = len(maker.said["accessors"]) - 1
    mesh = maker.mesh(targets=[{"POSITION": up}, {"POSITION": sparse}], weights=[0.5, 0])
    maker.said["nodes"] = [{"mesh": mesh}]
    maker.animate("grow", (0, "weights", [0, 2], [0, 0, 1, 2], "LINEAR"))
    return maker


def test_morph_targets_add_up(tmp_path):
    path = morphing().write(tmp_path / "a.glb")
    assert np.abs(corners(path) - SQUARE - [0, 0, 0.5]).max() < 1e-6
    at = corners(path, "grow", 1.0)
    expected = SQUARE + 0.5 * np.eye(3)[2]
    expected[2] += [1, 1, 0]
    assert np.abs(at - expected).max() < 1e-6


def test_components_show_an_animation_by_name_and_time(tmp_path):
    path = skinned().write(tmp_path / "a.glb")
    engine = ComponentEngine(hg.Scene(hg.Mesh(key="a", src=path, animation="bend")))
    first = engine.render(hg.View((FRONT,), ALL))["front"]
    hashes = {engine.scene.hash}
    for time in (0.5, 0.999, 0.25):
        engine.advance([hg.Update(hg.Mesh(key="a", time=time))])
        hashes.add(engine.scene.hash)
        shot = engine.render(hg.View((FRONT,), ALL))["front"]
        fresh = ComponentEngine(hg.Scene(hg.Mesh(key="a", src=path, animation="bend", time=time)))
        other = fresh.render(hg.View((FRONT,), ALL))["front"]
        fresh.close()
        assert all(np.array_equal(shot[name], other[name]) for name in ALL)
        assert not np.array_equal(shot.segmentation, first.segmentation)
    high = engine.scene.objects["a"].box
    edits = [hg.Update(hg.Mesh(key="a", time=1.5, outlines={"thickness": 0.05}))]
    lined = engine.render(hg.View((FRONT,), ALL, edits=edits))["front"]
    engine.close()
    assert len(hashes) == 4
    assert high[1][2] == pytest.approx(1 + 0.5 * np.sin(np.pi / 8), abs=1e-6)  # y is up there
    assert (lined.segmentation == 1).sum() > 0
    with pytest.raises(UnknownNameError, match=r"Mesh 'a' .*'bent'; did you mean 'bend'"):
        ComponentEngine(hg.Scene(hg.Mesh(key="a", src=path, animation="bent")))
    with pytest.raises(InvalidValueError, match=r"expected a \.glb or \.gltf file, to have"):
        hg.Mesh(src="a.obj", animation="bend")
    with pytest.raises(InvalidValueError, match="time: expected a finite number from 0"):
        hg.Mesh(time=-1)


@pytest.mark.parametrize("maker", [walker, skinned, morphing])
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_damaged_animations_are_refused_or_drawn(tmp_path_factory, maker, data):
    """One number of the file's JSON is another."""
    made = maker()
    places: list[tuple[Any, Any]] = []

    def walk(node):
        for key in node if isinstance(node, dict) else range(len(node)):
            if isinstance(node[key], (dict, list)):
                walk(node[key])
            else:
                places.append((node, key))

    walk({n: made.said[n] for n in made.said if n != "asset"})
    node, key = data.draw(st.sampled_from(places))
    node[key] = data.draw(st.sampled_from([-1, 0, 1, 2, 7, 2**40, 0.5, "x", None, "VEC4"]))
    path = made.write(tmp_path_factory.getbasetemp() / "damaged.glb")
    name = animation.names(made.said)[0]
    try:
        meshes.load(path, (name, 0.7))
    except HeliographError:
        return


def test_a_skin_that_names_no_joint_is_an_error(tmp_path):
    path = skinned(joints=np.full((4, 4), 9)).write(tmp_path / "a.glb")
    with pytest.raises(SceneError, match="name joints that are not there"):
        meshes.load(path)
