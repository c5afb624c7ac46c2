"""glTF files in the pose of an animation: nodes moved, vertices morphed and skinned.

What comes out is a file's JSON without skins and morph targets, which any reader of glTF shows as
the file is at that time. Times and interpolation are three.js's: an animation begins anew at its
end, and each track holds its first and last value before and after.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import UnknownNameError
from heliograph.poses import QuaternionOrder, from_quaternion

_TYPES: Mapping[int, Any] = {
    **{5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16},
    **{5125: np.uint32, 5126: np.float32},
}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_FLOAT = 5126
_DATA = "data:application/octet-stream;base64,"
_DEFAULTS: Mapping[str, tuple[float, ...]] = {
    "translation": (0.0, 0.0, 0.0),
    "rotation": (0.0, 0.0, 0.0, 1.0),
    "scale": (1.0, 1.0, 1.0),
}
_MOST_ROWS = 100_000_000
_MOVED = ("POSITION", "NORMAL")

Floats = NDArray[np.float64]
Said = Mapping[str, Any]


def names(said: Said) -> list[str]:
    """The names of a file's animations; those without one have three.js's."""
    found = enumerate(said.get("animations", ()))
    return [each.get("name") or f"animation_{number}" for number, each in found]


def posed(
    said: Said, binary: Callable[[int], bytes], animation: str | None, time: float
) -> dict[str, Any]:
    """A file's JSON as it is at a time of an animation, or without one.

    Args:
        said: its JSON.
        binary: gives what is in a buffer, by its number.
        animation: its name; None for none.
        time: seconds.

    Raises:
        UnknownNameError: there is no such animation.
        ValueError: numbers that are not there, or do not fit.
    """
    if animation is not None and animation not in names(said):
        raise UnknownNameError.of("animation", animation, names(said))
    if animation is None and not _is_deformed(said):
        return dict(said)
    return _Pose(said, binary).made(animation, time)


def _is_deformed(said: Said) -> bool:
    primitives = [each for mesh in said.get("meshes", ()) for each in mesh["primitives"]]
    return bool(said.get("skins")) or any(each.get("targets") for each in primitives)


class _Pose:
    """A file's JSON while it is changed; see `posed`."""

    def __init__(self, said: Said, binary: Callable[[int], bytes]) -> None:
        self._said = said
        self._nodes: list[dict[str, Any]] = [dict(node) for node in said.get("nodes", ())]
        self._meshes: list[dict[str, Any]] = [dict(mesh) for mesh in said.get("meshes", ())]
        self._accessors, self._views = [*said.get("accessors", ())], [*said.get("bufferViews", ())]
        self._data = bytearray()
        self._binary = binary
        self._read = cache(self._numbers)

    def made(self, animation: str | None, time: float) -> dict[str, Any]:
        if animation is not None:
            self._move(self._said["animations"][names(self._said).index(animation)], time)
        worlds = self._worlds()
        scenes = [dict(scene) for scene in self._said.get("scenes", ())]
        for number, node in enumerate([*self._nodes]):
            if "mesh" in node:
                self._deform(number, node, worlds, scenes)
        buffers = [*self._said.get("buffers", ())]
        if self._data:
            uri = _DATA + base64.b64encode(self._data).decode()
            buffers.append({"uri": uri, "byteLength": len(self._data)})
        return {
            **{
                name: each
                for name, each in self._said.items()
                if name not in ("skins", "animations")
            },
            **{"nodes": self._nodes, "meshes": self._meshes, "accessors": self._accessors},
            **{"bufferViews": self._views, "buffers": buffers, "scenes": scenes},
        }

    def _numbers(self, number: int) -> Floats:
        """An accessor's rows (N, width) as floats; what is `normalized` as shares."""
        accessor = self._accessors[number]
        width = _WIDTHS[accessor["type"]]
        count, kind = accessor["count"], np.dtype(_TYPES[accessor["componentType"]])
        if not 0 <= count <= _MOST_ROWS:
            raise ValueError(f"expected up to {_MOST_ROWS} rows of numbers, got {count}")
        if "bufferView" in accessor:
            view = self._views[accessor["bufferView"]]
            rows = self._rows(view, accessor, kind, (count, width)).astype(float)
        else:
            rows = np.zeros((count, width))
        if "sparse" in accessor:
            rows = self._sparse(accessor["sparse"], rows, kind)
        if accessor.get("normalized"):
            rows = np.maximum(rows / np.iinfo(kind).max, -1)
        if not np.isfinite(rows).all():
            raise ValueError("its numbers are not finite")
        return rows

    def _rows(self, view: Said, at: Said, kind: Any, shape: tuple[int, int]) -> NDArray[Any]:
        count, width = shape
        data = self._binary(view["buffer"])
        stride = view.get("byteStride") or kind.itemsize * width
        start = view.get("byteOffset", 0) + at.get("byteOffset", 0)
        end = start + stride * (count - 1) + kind.itemsize * width
        if start < 0 or end > len(data) or stride < kind.itemsize * width:
            raise ValueError("its numbers are cut off")
        return np.ndarray(shape, kind, data, start, (stride, kind.itemsize))

    def _sparse(self, sparse: Said, rows: Floats, kind: Any) -> Floats:
        """Rows with those replaced that a sparse accessor names."""
        indices, values, count = sparse["indices"], sparse["values"], sparse["count"]
        whole = np.dtype(_TYPES[indices["componentType"]])
        view = self._views[indices["bufferView"]]
        places = self._rows(view, indices, whole, (count, 1))[:, 0]
        view = self._views[values["bufferView"]]
        new = self._rows(view, values, kind, (count, rows.shape[1]))
        if count and places.max() >= len(rows):
            raise ValueError("its sparse numbers are out of range")
        rows[places] = new
        return rows

    def _move(self, animation: Said, time: float) -> None:
        """Have nodes stand, and weights be, as they are at a time."""
        samplers = animation["samplers"]
        channels = [each for each in animation["channels"] if "node" in each["target"]]
        times = {
            each["sampler"]: self._read(samplers[each["sampler"]]["input"])[:, 0]
            for each in channels
        }
        length = max([float(each[-1]) for each in times.values() if len(each)], default=0.0)
        at = time % length if length > 0 else 0.0
        for channel in channels:
            sampler, path = samplers[channel["sampler"]], channel["target"]["path"]
            keys = times[channel["sampler"]]
            way = sampler.get("interpolation", "LINEAR")
            parts = len(keys) * (3 if way == "CUBICSPLINE" else 1)
            values = self._read(sampler["output"]).reshape(parts, -1)
            node = self._nodes[channel["target"]["node"]]
            if path in _DEFAULTS:
                _split(node)
            node[path] = _between(keys, values, at, way, is_turn=path == "rotation").tolist()

    def _worlds(self) -> list[Floats]:
        """World_from_node (4, 4) of all nodes."""
        above = {}
        for number, node in enumerate(self._nodes):
            above.update(dict.fromkeys(node.get("children", ()), number))
        found: dict[int, Floats] = {}

        def world(number: int) -> Floats:
            path = [number]
            while path[-1] in above and above[path[-1]] not in found:
                path.append(above[path[-1]])
                if len(path) > len(self._nodes):
                    raise ValueError("its nodes stand on themselves")
            for each in reversed(path):
                standing = found[above[each]] if each in above else np.eye(4)
                found[each] = standing @ _matrix(self._nodes[each])
            return found[number]

        return [found[n] if n in found else world(n) for n in range(len(self._nodes))]

    def _deform(
        self, number: int, node: dict[str, Any], worlds: Sequence[Floats], scenes: Sequence[Any]
    ) -> None:
        """Give a node a mesh of its own, with its vertices where skin and weights put them."""
        mesh = self._meshes[node["mesh"]]
        weights = np.array(node.get("weights", mesh.get("weights", ())), float)
        skin = self._said["skins"][node["skin"]] if "skin" in node else None
        if skin is None and not any(each.get("targets") for each in mesh["primitives"]):
            return
        bones = None if skin is None else self._bones(skin, worlds)
        primitives = [self._deformed(each, weights, bones) for each in mesh["primitives"]]
        made = {**mesh, "primitives": primitives, "name": f"{mesh.get('name', 'mesh')} {number}"}
        self._meshes.append({name: made[name] for name in made if name != "weights"})
        bare = {n: each for n, each in node.items() if n not in ("mesh", "skin", "weights")}
        if skin is None:
            self._nodes[number] = {**bare, "mesh": len(self._meshes) - 1}
            return
        self._nodes[number] = bare  # where it stands means nothing to a mesh with a skin
        for scene in scenes:
            if number in self._within(scene):
                scene["nodes"] = [*scene.get("nodes", ()), len(self._nodes)]
        self._nodes.append({"mesh": len(self._meshes) - 1, "name": f"skinned {number}"})

    def _within(self, scene: Said) -> set[int]:
        found: set[int] = set()
        todo = [*scene.get("nodes", ())]
        while todo:
            number = todo.pop()
            if number not in found:
                found.add(number)
                todo += self._nodes[number].get("children", ())
        return found

    def _bones(self, skin: Said, worlds: Sequence[Floats]) -> Floats:
        """(J, 4, 4), world_from_mesh of each joint."""
        joints = np.array([worlds[joint] for joint in skin["joints"]])
        if "inverseBindMatrices" not in skin:
            return joints
        back = self._read(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
        return np.asarray(joints @ back[: len(joints)])

    def _deformed(self, primitive: Said, weights: Floats, bones: Floats | None) -> dict[str, Any]:
        attributes = dict(primitive["attributes"])
        skinning = None if bones is None else self._skinning(attributes, bones)
        for name in _MOVED:
            if name not in attributes:
                continue
            rows = self._read(attributes[name])
            for weight, target in zip(weights, primitive.get("targets", ()), strict=False):
                if name in target and weight:
                    rows = rows + weight * self._read(target[name])
            if skinning is not None:
                whole = np.column_stack([rows, np.full(len(rows), name == "POSITION")])
                rows = np.einsum("nij,nj->ni", skinning, whole)[:, :3]
            attributes[name] = self._stored(rows)
        kept = {n: each for n, each in attributes.items() if n[:6] not in ("JOINTS", "WEIGHT")}
        return {**{n: p for n, p in primitive.items() if n != "targets"}, "attributes": kept}

    def _skinning(self, attributes: Said, bones: Floats) -> Floats | None:
        """(V, 4, 4), where each vertex goes; None for a mesh that has no joints."""
        total: Any = None
        for each in range(sum(name.startswith("JOINTS_") for name in attributes)):
            joints = self._read(attributes[f"JOINTS_{each}"]).astype(np.int64)
            shares = self._read(attributes[f"WEIGHTS_{each}"])
            if joints.size and joints.max() >= len(bones):
                raise ValueError("its vertices name joints that are not there")
            part = np.einsum("vj,vjab->vab", shares, bones[joints])
            total = part if total is None else total + part
        if total is None:
            return None
        scale = total[:, 3, 3]  # shares of rounded numbers do not sum up to 1
        return np.asarray(total / np.where(scale > 0, scale, 1.0)[:, None, None])

    def _stored(self, rows: Floats) -> int:
        """The number of a new accessor that holds rows (N, 3)."""
        data = rows.astype(np.float32).tobytes()
        buffer = len(self._said.get("buffers", ()))
        view = {"buffer": buffer, "byteOffset": len(self._data), "byteLength": len(data)}
        self._data += data
        self._views.append(view)
        made: dict[str, Any] = {"bufferView": len(self._views) - 1, "componentType": _FLOAT}
        self._accessors.append({**made, "count": len(rows), "type": "VEC3"})
        return len(self._accessors) - 1


def _split(node: dict[str, Any]) -> None:
    """What is animated has no matrix (glTF 2.0, 5.25); readers let it win, so it goes."""
    node.pop("matrix", None)


def _matrix(node: Said) -> Floats:
    """parent_from_node (4, 4)."""
    if "matrix" in node:
        return np.array(node["matrix"], float).reshape(4, 4).T
    shift, turn, scale = (np.array(node.get(name, default)) for name, default in _DEFAULTS.items())
    made = np.eye(4)
    if turn.any():
        made[:3, :3] = from_quaternion(turn, order=QuaternionOrder.XYZW)
    made[:3, :3] *= scale
    made[:3, 3] = shift
    return made


def _between(keys: Floats, values: Floats, at: float, way: str, *, is_turn: bool) -> Floats:
    """A track's value (W,) at a time.

    Args:
        keys: (K,) times.
        values: (K, W), of splines (3 K, W): tangent in, value, tangent out.
        at: the time.
        way: glTF's name of the interpolation.
        is_turn: whether values are quaternions.
    """
    if not len(keys):
        raise ValueError("a track of its animation is empty")
    is_spline = way == "CUBICSPLINE"
    own = values[1::3] if is_spline else values
    place = int(np.searchsorted(keys, at, "right")) - 1
    if place < 0 or place >= len(keys) - 1 or way == "STEP":
        return np.asarray(own[max(place, 0)])
    span = float(keys[place + 1] - keys[place])
    part = (at - float(keys[place])) / span
    if is_spline:
        return _spline(values[3 * place : 3 * place + 6], span, part, is_turn=is_turn)
    one, other = own[place], own[place + 1]
    return _slerp(one, other, part) if is_turn else one + part * (other - one)


def _spline(six: Floats, span: float, t: float, *, is_turn: bool) -> Floats:
    """Of two keys and their tangents: glTF 2.0, appendix C."""
    _, start, leaving, arriving, end, _ = six
    made: Floats = (2 * t**3 - 3 * t**2 + 1) * start + span * (t**3 - 2 * t**2 + t) * leaving
    made = made + (3 * t**2 - 2 * t**3) * end + span * (t**3 - t**2) * arriving
    return made / np.linalg.norm(made) if is_turn else made


def _slerp(one: Floats, other: Floats, part: float) -> Floats:
    """The shortest way from one unit quaternion to another."""
    cosine = float(one @ other)
    if cosine < 0:
        other, cosine = -other, -cosine
    angle = np.arccos(min(cosine, 1.0))
    if angle < 1e-4:
        made = one + part * (other - one)
    else:
        made = np.sin((1 - part) * angle) * one + np.sin(part * angle) * other
    return np.asarray(made / np.linalg.norm(made))
