"""Robots of URDF files."""

# No `from __future__ import annotations`: properties are read from them when this is imported.
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeAlias, TypedDict, Unpack

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.scene import urdf_file
from heliograph.scene import values as v
from heliograph.scene.components import Component, Group, Props
from heliograph.scene.placement import PlacementProps
from heliograph.scene.props import FilePath, Folders, Number, Numbers, Prop, Vector, properties

_Kind: TypeAlias = Literal["revolute", "continuous", "prismatic"]


class UrdfJoint(TypedDict, total=False):
    """A joint of a robot as its file has it."""

    kind: Annotated[_Kind, Prop(v.choice(_Kind), None, "How it moves.")]
    link: Annotated[str, Prop(v.text, "", "The link that it moves.")]
    origin: Annotated[Vector, Prop(v.matrix, None, "16 numbers: where it is in the link above.")]
    axis: Annotated[Vector, Prop(v.vector(3), (1.0, 0.0, 0.0), "Unit vector it turns or slides.")]
    low: Annotated[Number, Prop(v.number(), None, "Its lower limit, which is not held.")]
    high: Annotated[Number, Prop(v.number(), None, "Its upper limit, which is not held.")]
    mimic: Annotated[str, Prop(v.text, "", "The joint that it follows.")]
    multiplier: Annotated[Number, Prop(v.number(), 1.0, "Of the value of that joint.")]
    offset: Annotated[Number, Prop(v.number(), 0.0, "Added to that.")]


_JOINT = properties(UrdfJoint)


class UrdfModel(TypedDict):
    """What was read of a robot besides what is seen of it."""

    root: Annotated[str, Prop(v.text, "", "The link that stands on nothing.")]
    digest: Annotated[str, Prop(v.text, "", "Of its file and where its meshes are looked for.")]
    joints: Annotated[
        Mapping[str, UrdfJoint], Prop(v.named(v.mapping(_JOINT, "{...}")), None, "By name.")
    ]


_check_model = v.mapping(properties(UrdfModel), "{...}")
FILES = frozenset({"src", "packages"})
"""Properties that say which files it is made of."""
_READ = ("model", "joints")


class UrdfProps(PlacementProps, total=False):
    """What a robot takes."""

    src: Annotated[FilePath, Prop(v.path, None, "A .urdf file.")]
    joints: Annotated[
        Numbers,
        Prop(v.named(v.number()), MappingProxyType({}), "Values by name; radians or metres."),
    ]
    packages: Annotated[
        Folders,
        Prop(v.named(v.path), MappingProxyType({}), "Folders of ROS packages by name."),
    ]
    model: Annotated[UrdfModel, Prop(_check_model, None, "As read; filled in.")]


class Urdf(Component):
    """A robot of a URDF file; its links are read into components when it joins a scene.

    What is seen of a link is an object `key/link` (`key/link/2` for what else is seen of it). The
    frame of a link is a group `key/link/frame`; what is added to it moves with the link. `joints`
    places these groups: `Update(Urdf(key=..., joints={...}))` moves the joints that it names, and
    leaves the others where they are. Joints start at 0. `package://` is looked for in `packages`,
    then in all folders above the file. Later changes of the file do not show until `src` is given
    again.
    """

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[UrdfProps]
    ) -> None:
        self._build(children, key, props)

    def unfolded(self) -> Self:
        """With its links below it, if they are not yet.

        Raises:
            SceneError: its file is missing or malformed.
            UnknownNameError, InvalidValueError: it has no such joint, or one that follows another.
        """
        source = self.get("src")
        if source is None or "model" in self._props:
            return self
        robot = urdf_file.read(source, self.get("packages"), str(self.key))
        made = self.changed(props={**self._props, "model": _check_model(robot.model, self._name)})
        made._check_joints(self.get("joints"))
        moved = {str(group.key): group for group in made._frames([*made._joints])}
        return made.changed(children=(robot.component(moved), *self.children))

    def merged(self, props: Props) -> Self:
        """This robot with checked properties changed; joints change one by one."""
        joints = props.get("joints")
        if joints is None:
            return super().merged(props)
        if not props.keys() & FILES:
            self._check_joints(joints)
        together = MappingProxyType({**self.get("joints"), **joints})
        return super().merged({**props, "joints": together})

    def reread(self, props: Props) -> Self:
        """It as its file is now, its links below it; itself if that is as it was read.

        Args:
            props: what was given anew; joints among these must be there, others go with their file.
        """
        bare = {name: each for name, each in self._props.items() if name not in _READ}
        made = self.changed(props=bare, children=()).unfolded()
        if made.get("model") == self.get("model"):
            return self
        known, named = made._joints, props.get("joints", {})
        kept = {n: each for n, each in self.get("joints").items() if n in known or n in named}
        return self.changed(props={**bare, "joints": MappingProxyType(kept)}).unfolded()

    @property
    def links(self) -> str | None:
        """Key of the frame of its root, on which all its links stand; None before it is read."""
        model = self.get("model")
        return f"{self.key}/{model['root']}/frame" if model else None

    def frames_moved(self, joints: Mapping[str, float]) -> list[Group]:
        """Frames that changes of these joints move, where they are now."""
        if not joints:
            return []
        known = self._joints
        return self._frames([name for name in known if _leader(name, known) in joints])

    @property
    def _joints(self) -> Mapping[str, Any]:
        model = self.get("model")
        return model["joints"] if model else {}

    def _check_joints(self, named: Mapping[str, float]) -> None:
        joints = self._joints
        free = [name for name, said in joints.items() if not said.get("mimic")]
        for name in named:
            followed = joints.get(name, {}).get("mimic")
            if followed:
                raise InvalidValueError(
                    f"{self._name} joints: {name!r} follows {followed!r}, so give that one a value"
                )
            if name not in joints:
                raise UnknownNameError.of(f"joint of {self._name}", name, free)

    def _frames(self, names: Sequence[str]) -> list[Group]:
        """The frames of the links that these joints move, where the joints put them."""
        joints, values = self._joints, self.get("joints")
        return [
            Group(
                key=f"{self.key}/{joints[name]['link']}/frame",
                **urdf_file.placement(joints[name], _value(name, joints, values)),
            )
            for name in names
        ]


def _leader(name: str, joints: Mapping[str, Any]) -> str:
    """The joint that a joint follows in the end; itself if it follows none."""
    while joints[name].get("mimic"):
        name = joints[name]["mimic"]
    return name


def _value(name: str, joints: Mapping[str, Any], values: Mapping[str, float]) -> float:
    said = joints[name]
    if not said.get("mimic"):
        return values.get(name, 0.0)
    followed = _value(said["mimic"], joints, values)
    result: float = said["multiplier"] * followed + said["offset"]
    return result
