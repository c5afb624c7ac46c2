"""What ORRB's components may know of a scene: shapes in order, places, what came before them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from heliograph import poses as rigid
from heliograph.camera import Camera
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.poses import Floats
from heliograph.randomize import names
from heliograph.randomize.facts import Facts
from heliograph.scene import Edit, ObjectTable
from heliograph.scene.appearance import Hide, MoveObject
from heliograph.scene.objects import CORNERS

NOT_SHAPES = frozenset({"tendon", "skin", "flex", "actuator", "sensor"})
"""Categories of what ORRB does not draw: they keep their looks, and no numbers are drawn."""
_OURS = ("free", "fit")


class Shape(NamedTuple):
    """What ORRB draws by itself; most geoms and sites are one, capsules three.

    Attributes:
        node: its name in ORRB's scene, such as `palm(primitive)`.
        owner: the geom or site.
    """

    node: str
    owner: str


@dataclass(frozen=True, eq=False)
class Posed:
    """Where everything is in one state.

    Attributes:
        poses: geoms, sites and bodies -> (4, 4) world_from_object.
        cameras: the scene's, as this state places them.
        axes: cameras -> (3, 3) turn of the body that each is fixed to.
    """

    poses: Mapping[str, Floats]
    cameras: Mapping[str, Camera]
    axes: Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class OrrbFacts(Facts):
    """Facts that follow the joints, and know what earlier components hid and moved.

    Attributes:
        shapes: in the order of the scene's tree, see `shapes_of`.
        posing: where a `qpos` puts everything; None where nobody knows.
        posed: where the state so far has everything.
        hidden: objects that are hidden so far.
        moved: objects -> (4, 4) how they are moved so far, on their own side; scaled, too.
    """

    shapes: tuple[Shape, ...] = ()
    posing: Callable[[NDArray[Any]], Posed] | None = None
    posed: Posed | None = None
    hidden: frozenset[str] = frozenset()
    moved: Mapping[str, Floats] = field(default_factory=dict)

    @classmethod
    def widened(cls, scene: Facts) -> Self:
        """These facts of others, which may be these already."""
        if isinstance(scene, cls):
            return scene
        table = scene.description.objects
        shapes = scene.remember("orrb shapes", lambda: shapes_of(table))
        known = object.__new__(cls)  # `replace` would check and copy all fields
        known.__dict__.update(_BLANK, **scene.__dict__, shapes=shapes)
        return known

    def at(self, qpos: NDArray[Any], shown: tuple[str, ...]) -> Self:
        """The same where the joints are like this and these cameras are asked for."""
        known = self.changed(shown=shown, state={"qpos": qpos})
        if self.posing is None:
            return known
        posed = self.posing(qpos)
        return known.changed(posed=posed, poses=posed.poses, cameras=posed.cameras)

    def after(self, edits: Iterable[Edit], state: Mapping[str, Any]) -> Self:
        """See `Facts.after`; cameras that were moved keep what they were moved by."""
        edits = tuple(edits)
        known = super().after(edits, state)
        if "qpos" in state and self.posing is not None and self.posed is not None:
            posed = self.posing(state["qpos"])
            cameras = {
                name: _carried(camera, self.posed.cameras[name], posed.cameras[name])
                for name, camera in known.cameras.items()
            }
            known = known.changed(posed=posed, poses=posed.poses, cameras=cameras)
        gone = {name for edit in edits if isinstance(edit, Hide) for name in edit.objects}
        moves = [edit for edit in edits if isinstance(edit, MoveObject)]
        if gone or moves:
            moved = dict(self.moved)
            for edit in moves:
                step = np.asarray(edit.pose, float) @ np.diag([*edit.scale, 1.0])
                moved[edit.name] = moved.get(edit.name, np.eye(4)) @ step
            known = known.changed(hidden=self.hidden | gone, moved=moved)
        return known

    @property
    def drawn_cameras(self) -> tuple[str, ...]:
        """The cameras in the scene's order, without those that no scene has unless asked for."""
        return tuple(name for name in self.cameras if name not in _OURS or self.is_shown(name))

    @property
    def axes(self) -> Mapping[str, Floats]:
        """Cameras -> (3, 3) turn of the body that each is fixed to; where it is not known, none."""
        return {} if self.posed is None else self.posed.axes

    def wearers_of(self, include: str, exclude: str, usual: str) -> list[str]:
        """Objects whose material starts with a prefix of `include` and none of `exclude`.

        An object comes once for each of its shapes, in the scene's order, and not where it is
        hidden; one without a material goes by its own name. Warns, once, of prefixes that match
        nothing, but not of those excluded by default (`usual`).
        """
        key = ("orrb wearers", include, exclude, usual)
        chosen = self.remember(key, lambda: self._wearers(include, exclude, usual))
        return [name for name in chosen if name not in self.hidden]

    def owner(self, node: str) -> str:
        """The object of a shape's node; any other name as it is."""
        owners = self.remember("orrb owners", lambda: dict(reversed(self.shapes)))
        return owners.get(node, node)

    def pose(self, name: str) -> Floats:
        """Where an object or body is, (4, 4) world_from_object.

        Raises:
            InvalidValueError: nobody knows.
        """
        if name not in self.poses:
            raise InvalidValueError(
                f"{name!r}: its pose is not known, so it cannot be turned or moved"
            )
        return np.asarray(self.poses[name], float)

    def bounds(self, name: str) -> Floats:
        """Corners (8, 3) of the box along the world's axes around what bears a name, metres.

        A shape's node, a geom or a body (a geom's name wins), where components moved it to. As in
        Unity, each geom's own box is boxed along the world's axes.

        Raises:
            UnknownNameError: nothing with a box bears it.
        """
        name, objects = self.owner(name), set(self.objects)
        inside = (name,) if name in objects else self.bodies.get(name, ())
        boxed = [each for each in inside if each in self.boxes]
        if not boxed:
            known = [each for each in (*self.objects, *self.bodies) if each in self.boxes]
            raise UnknownNameError.of("tracked object", name, known)
        points = np.concatenate([self._corners(each) for each in boxed])
        return np.asarray(CORNERS * np.ptp(points, axis=0) + points.min(axis=0))

    def _corners(self, name: str) -> Floats:
        pose = self.pose(name) @ self.moved.get(name, np.eye(4))
        return np.asarray(self.boxes[name] @ pose[:3, :3].T + pose[:3, 3])

    def _wearers(self, include: str, exclude: str, usual: str) -> list[str]:
        worn = {name: name for name in self.objects}
        for material, objects in self.materials.items():
            worn |= dict.fromkeys(objects, material)
        known = tuple(dict.fromkeys(worn[shape.owner] for shape in self.shapes))
        unwanted = names.split(exclude)
        asked = names.split(include) + (unwanted if exclude != usual else ())
        names.warn_of_nothing("material", asked, known)
        chosen = set(names.choose(known, names.split(include), unwanted))
        return [shape.owner for shape in self.shapes if worn[shape.owner] in chosen]


_BLANK: dict[str, Any] = {"posing": None, "posed": None, "hidden": frozenset(), "moved": {}}


def shapes_of(
    table: ObjectTable,
    kinds: Mapping[str, str] | None = None,
    meshes: Mapping[str, str] | None = None,
) -> tuple[Shape, ...]:
    """The shapes of a scene in ORRB's order: bodies depth first, of each its geoms, then sites.

    Args:
        table: the objects; bodies in the order of the tree, geoms before sites.
        kinds: objects -> what shape they are, where their category does not say so.
        meshes: objects -> their mesh; without it a mesh is called as the object.
    """
    rows = np.flatnonzero(table.seen & ~np.isin(table.categories, [*NOT_SHAPES]))
    places = {int(number): row for row, number in enumerate(table.ids)}
    order = sorted(rows.tolist(), key=lambda row: (places.get(int(table.parents[row]), -1), row))
    found: list[Shape] = []
    for row in order:
        name = table.names[row]
        kind = (kinds or {}).get(name, table.categories[row])
        nodes = [f"{name}({part})" for part in _PARTS.get(kind, ("primitive",))]
        if kind == "mesh":
            nodes = [f"{(meshes or {}).get(name, name)}_mesh_0"]
        found += [Shape(node, name) for node in nodes]
    return tuple(found)


_PARTS = {"capsule": ("top_sphere", "bottom_sphere", "cylinder")}


def _carried(camera: Camera, before: Camera, now: Camera) -> Camera:
    change = rigid.invert(before.world_from_camera) @ camera.world_from_camera
    return camera.moved(np.asarray(now.world_from_camera @ change))
