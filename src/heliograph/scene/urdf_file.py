"""URDF files: links, joints and what is seen, as components.

http://wiki.ros.org/urdf/XML; of what is for physics nothing is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from heliograph.disk import printable
from heliograph.errors import HeliographError, SceneError
from heliograph.poses import QuaternionOrder, from_quaternion, to_quaternion
from heliograph.scene import values as v
from heliograph.scene.components import Component, Group
from heliograph.scene.files import read_scene_file
from heliograph.scene.shapes import SUFFIXES, Box, Capsule, Cylinder, Mesh, Sphere

_PACKAGE = ("package://", "model://")
_TURNING, _SLIDING = ("revolute", "continuous"), "prismatic"
_KINDS = (*_TURNING, _SLIDING, "fixed", "floating", "planar")
_Y_TO_Z = from_quaternion((math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)), order=QuaternionOrder.XYZW)
"""Turns a cylinder along y, as components have it, into one along z, as URDF has it."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Joint:
    """A joint as the file has it; `said` is what a `UrdfJoint` says, without names."""

    name: str
    kind: str
    parent: str
    child: str
    origin: Matrix
    said: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Robot:
    """A robot of a file.

    Attributes:
        model: what a `UrdfModel` says.
        root: the link that stands on nothing.
        visuals: link -> what is seen of it.
        joints: link -> the joints that stand on it.
        prefix: what its keys begin with.
    """

    model: Mapping[str, Any]
    root: str
    visuals: Mapping[str, Sequence[Component]]
    joints: Mapping[str, Sequence[_Joint]]
    prefix: str

    def component(self, moved: Mapping[str, Component]) -> Component:
        """All of it, as the frame of its root.

        Args:
            moved: key -> a group as its joint places it; of joints that never move there is none.
        """
        return self._frame(self.root, np.eye(4), moved)

    def _frame(self, link: str, origin: Matrix, moved: Mapping[str, Component]) -> Component:
        key = f"{self.prefix}/{link}/frame"
        standing = moved.get(key) or Group(key=key, **_placed(origin))
        below = [self._frame(each.child, each.origin, moved) for each in self.joints.get(link, ())]
        return standing.changed(children=(*self.visuals[link], *below))


def read(source: str, packages: Mapping[str, str], prefix: str) -> Robot:
    """The robot of a file.

    Args:
        source: its path.
        packages: folders of ROS packages by name.
        prefix: what its keys begin with.

    Raises:
        SceneError: the file or one that it names is missing, or malformed.
    """
    path, data = Path(source), read_scene_file(Path(source))
    robot = _parsed(path, data)
    try:
        return _Reader(path, packages, prefix, robot).robot(v.fingerprint((source, packages, data)))
    except SceneError:
        raise
    except HeliographError as error:
        raise SceneError(f"{printable(path)}: {error}") from None


def placement(said: Mapping[str, Any], value: float) -> dict[str, Any]:
    """Position and quaternion of the link that a joint moves, at a value (radians or metres)."""
    origin, axis = np.array(said["origin"]).reshape(4, 4).T, np.array(said["axis"])
    motion = np.eye(4)
    if said["kind"] == _SLIDING:
        motion[:3, 3] = axis * value
    else:
        half = value / 2
        turn = (*(axis * math.sin(half)).tolist(), math.cos(half))
        motion[:3, :3] = from_quaternion(turn, order=QuaternionOrder.XYZW)
    return _placed(origin @ motion)


def _placed(matrix: Matrix) -> dict[str, Any]:
    turn = to_quaternion(matrix[:3, :3], order=QuaternionOrder.XYZW)
    return {"position": matrix[:3, 3], "quaternion": turn}


class _Builder(ET.TreeBuilder):
    """Refuses documents that define entities before any is used."""

    def doctype(self, name: str, pubid: str, system: str) -> NoReturn:
        raise SceneError("expected no DOCTYPE, as URDF needs none; take it out")


def _parsed(path: Path, data: bytes) -> ET.Element:
    try:
        root = ET.fromstring(data, ET.XMLParser(target=_Builder()))
    except (ET.ParseError, LookupError, ValueError) as error:
        raise SceneError(f"{printable(path)}: not a readable URDF file ({error})") from None
    except SceneError as error:
        raise SceneError(f"{printable(path)}: {error}") from None
    if root.tag != "robot":
        raise SceneError(f"{printable(path)}: expected <robot> as root, got <{root.tag}>")
    macro = next((each.tag for each in root.iter() if "xacro" in each.tag), None)
    if macro is not None:
        raise SceneError(f"{printable(path)}: it holds xacro macros; expand it by `xacro` first")
    return root


class _Reader:
    """Reads one file; see `read`."""

    def __init__(
        self, path: Path, packages: Mapping[str, str], prefix: str, root: ET.Element
    ) -> None:
        self._path = path
        self._packages = packages
        self._prefix = prefix
        self._root = root
        said = [each for each in root.iter("material") if len(each)]
        self._materials = {each.get("name", ""): each for each in said}

    def robot(self, digest: bytes) -> Robot:
        links = {self._name(each, "link"): each for each in self._root.findall("link")}
        joints = [self._joint(each) for each in self._root.findall("joint")]
        root = self._root_of(links, joints)
        self._check_mimics(joints)
        said = {
            each.name: {"kind": each.kind, "link": each.child, **each.said}
            for each in joints
            if each.said
        }
        standing: dict[str, list[_Joint]] = {}
        for each in joints:
            standing.setdefault(each.parent, []).append(each)
        visuals = {name: self._visuals(name, link) for name, link in links.items()}
        model = {"root": root, "digest": digest.hex(), "joints": said}
        return Robot(model, root, visuals, standing, self._prefix)

    def _refuse(self, what: str) -> SceneError:
        return SceneError(f"{printable(self._path)}: {what}")

    def _name(self, element: ET.Element, what: str) -> str:
        name = element.get("name")
        if not name:
            raise self._refuse(f"a <{what}> has no name")
        return name

    def _numbers(self, text: str | None, default: str, count: int, where: str) -> Matrix:
        words = (default if text is None else text).split()
        try:
            numbers = np.array([float(word) for word in words])
        except ValueError:
            numbers = np.empty(0)
        if len(numbers) != count or not np.isfinite(numbers).all():
            raise self._refuse(f"{where}: expected {count} numbers, got {text!r}")
        return numbers

    def _number(self, text: str | None, default: str, where: str) -> float:
        return float(self._numbers(text, default, 1, where)[0])

    def _origin(self, element: ET.Element, where: str) -> Matrix:
        """parent_from_element (4, 4): `rpy` turns about x, then y, then z of the parent."""
        origin = element.find("origin")
        said: Any = {} if origin is None else origin.attrib
        made = np.eye(4)
        made[:3, 3] = self._numbers(said.get("xyz"), "0 0 0", 3, f"{where} origin xyz")
        for at, angle in enumerate(self._numbers(said.get("rpy"), "0 0 0", 3, f"{where} rpy")):
            half, turn = angle / 2, [0.0, 0.0, 0.0]
            turn[at] = math.sin(half)
            about = from_quaternion((*turn, math.cos(half)), order=QuaternionOrder.XYZW)
            made[:3, :3] = about @ made[:3, :3]
        return made

    def _joint(self, element: ET.Element) -> _Joint:
        name = self._name(element, "joint")
        where, kind = f"joint {name!r}", element.get("type", "")
        if kind not in _KINDS:
            raise self._refuse(f"{where}: expected a type of {', '.join(_KINDS)}, got {kind!r}")
        ends = [element.find(each) for each in ("parent", "child")]
        parent, child = ("" if end is None else end.get("link", "") for end in ends)
        origin = self._origin(element, where)
        said: dict[str, Any] = {}
        if kind in _TURNING or kind == _SLIDING:
            said = self._motion(element, where) | {"origin": origin.T.ravel()}
        return _Joint(name, kind, parent, child, origin, said)

    def _motion(self, element: ET.Element, where: str) -> dict[str, Any]:
        """Its axis, its limits, and what it follows."""
        axis, limit, mimic = (element.find(each) for each in ("axis", "limit", "mimic"))
        given = None if axis is None else axis.get("xyz")
        along = self._numbers(given, "1 0 0", 3, f"{where} axis")
        length = float(np.linalg.norm(along))
        if not length:
            raise self._refuse(f"{where} axis: expected one that is not 0")
        said: dict[str, Any] = {"axis": along / length}
        for bound, name in (("lower", "low"), ("upper", "high")):
            if limit is not None and limit.get(bound) is not None:
                said[name] = self._number(limit.get(bound), "0", f"{where} {bound}")
        if mimic is not None:
            said["mimic"] = mimic.get("joint", "")
            said["multiplier"] = self._number(mimic.get("multiplier"), "1", f"{where} multiplier")
            said["offset"] = self._number(mimic.get("offset"), "0", f"{where} offset")
        return said

    def _root_of(self, links: Mapping[str, ET.Element], joints: Sequence[_Joint]) -> str:
        """The link that stands on nothing; all others stand on it."""
        above: dict[str, str] = {}
        for joint in joints:
            for end in (joint.parent, joint.child):
                if end not in links:
                    raise self._refuse(f"joint {joint.name!r}: there is no link {end!r}")
            if joint.child in above:
                raise self._refuse(f"link {joint.child!r}: two joints move it, expected one")
            above[joint.child] = joint.parent
        roots = [name for name in links if name not in above]
        if len(roots) != 1:
            raise self._refuse(f"expected one link that no joint moves, got {roots}")
        for name in links:
            if _climbs_forever(name, above):
                raise self._refuse(f"link {name!r} stands on itself")
        return roots[0]

    def _check_mimics(self, joints: Sequence[_Joint]) -> None:
        moving = {each.name for each in joints if each.said}
        if len(joints) != len({each.name for each in joints}):
            raise self._refuse("two joints have one name")
        follows = {each.name: each.said["mimic"] for each in joints if each.said.get("mimic")}
        for name, followed in follows.items():
            if followed not in moving or _climbs_forever(name, follows):
                raise self._refuse(f"joint {name!r} cannot follow {followed!r}")

    def _visuals(self, link: str, element: ET.Element) -> list[Component]:
        return [
            self._visual(each, f"{self._prefix}/{link}{f'/{number}' if number > 1 else ''}", link)
            for number, each in enumerate(element.findall("visual"), 1)
        ]

    def _visual(self, element: ET.Element, key: str, link: str) -> Component:
        where, origin = f"link {link!r} visual", self._origin(element, f"link {link!r} visual")
        geometry = element.find("geometry")
        shape = None if geometry is None else next(iter(geometry), None)
        if shape is None:
            raise self._refuse(f"{where}: expected a geometry")
        looks: Any = {"material": self._material(element.find("material"), where)}
        if not looks["material"]:
            looks = {}
        return self._shape(shape, where, {"key": key, **looks}, origin)

    def _shape(
        self, shape: ET.Element, where: str, common: dict[str, Any], origin: Matrix
    ) -> Component:
        def number(name: str) -> float:
            return self._number(shape.get(name), "", f"{where} {shape.tag} {name}")

        standing = origin.copy()
        standing[:3, :3] = origin[:3, :3] @ _Y_TO_Z
        if shape.tag == "box":
            size = self._numbers(shape.get("size"), "", 3, f"{where} box size")
            return Box(size=size, **common, **_placed(origin))
        if shape.tag == "sphere":
            return Sphere(radius=number("radius"), **common, **_placed(origin))
        if shape.tag == "cylinder":
            radius, length = number("radius"), number("length")
            return Cylinder(args=[radius, radius, length], **common, **_placed(standing))
        if shape.tag == "capsule":
            radius, length = number("radius"), number("length")
            return Capsule(args=[radius, length], **common, **_placed(standing))
        if shape.tag != "mesh":
            raise self._refuse(f"{where}: expected box, cylinder, sphere or mesh, got {shape.tag}")
        scale = self._numbers(shape.get("scale"), "1 1 1", 3, f"{where} mesh scale")
        file = self._file(shape.get("filename", ""), where)
        if file.suffix.lower() not in SUFFIXES:
            raise self._refuse(
                f"{where}: expected a mesh of {' '.join(SUFFIXES)}, got {printable(file)}; convert "
                "it and name the new file"
            )
        return Mesh(src=file, up="z", scale=scale, **common, **_placed(origin))

    def _material(self, element: ET.Element | None, where: str) -> dict[str, Any]:
        if element is None:
            return {}
        said = element if len(element) else self._materials.get(element.get("name", ""), element)
        made: dict[str, Any] = {}
        color, texture = said.find("color"), said.find("texture")
        if color is not None:
            rgba = self._numbers(color.get("rgba"), "", 4, f"{where} color").clip(0, 1)
            made = {"color": rgba[:3]} | ({"opacity": rgba[3]} if rgba[3] < 1 else {})
        if texture is not None:
            made["map"] = self._file(texture.get("filename", ""), where)
        return made

    def _file(self, named: str, where: str) -> Path:
        """The file that is meant by a name in the file."""
        tried = list(self._places(named))
        for place in tried:
            if place.is_file():
                return place
        looked = ", ".join(printable(place) for place in tried[:4]) or "nowhere"
        hint = ""
        if named.startswith(_PACKAGE):
            package = named.partition("://")[2].partition("/")[0]
            hint = f"; say where it is by packages={{{package!r}: folder}}"
        raise self._refuse(f"{where}: {named!r} is not there (looked for {looked}){hint}")

    def _places(self, named: str) -> Iterator[Path]:
        if named.startswith(_PACKAGE):
            package, _, rest = named.partition("://")[2].partition("/")
            if package in self._packages:
                yield Path(self._packages[package]) / rest
                return
            for folder in self._path.absolute().parents:
                if folder.name == package:
                    yield folder / rest
                yield folder / package / rest
        elif "://" not in named or named.startswith("file://"):
            yield self._path.parent / named.removeprefix("file://")


def _climbs_forever(name: str, above: Mapping[str, str]) -> bool:
    """Whether going up from a name comes back to where it was."""
    seen = set()
    while name in above and name not in seen:
        seen.add(name)
        name = above[name]
    return name in seen
