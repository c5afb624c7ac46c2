"""ORRB's components on objects, bodies and joints."""

# ruff: noqa: RUF009 - the defaults are frozen values
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heliograph import poses
from heliograph.compat.orrb import unity
from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.facts import NOT_SHAPES, OrrbFacts
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.poses import Floats, QuaternionOrder
from heliograph.randomize import names
from heliograph.randomize.cameras import move_from_json, move_to_json
from heliograph.randomize.randomizer import Drawn, Values
from heliograph.scene import appearance
from heliograph.scene.appearance import MoveObject


@dataclass(frozen=True, kw_only=True)
class PoseComponent(Component):
    """A component that moves the camera, object or body at its path."""

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        cameras = [move_from_json(each) for each in values["cameras"]]
        objects = [
            MoveObject(each["name"], np.array(each["pose"]), tuple(each["scale"]))
            for each in values["objects"]
        ]
        return Drawn((*cameras, *objects))

    def _camera(self, scene: OrrbFacts, pose: Floats) -> Values:
        move = move_to_json(self.node, scene.cameras[self.node], pose, relative=True)
        return {"cameras": [move], "objects": []}

    def _objects(
        self, scene: OrrbFacts, name: str, pose: Floats, scale: Sequence[float] = (1, 1, 1)
    ) -> Values:
        """Move an object or body by a pose on its own side; what is on a body goes along."""
        if name in scene.objects or name not in scene.bodies:
            return {"cameras": [], "objects": [_row(name, pose, scale)]}
        if len(set(scale)) > 1:
            raise InvalidValueError(f"scale: expected equal factors for a body, got {scale}")
        body = scene.pose(name)
        carried = body @ pose @ np.diag([*scale, 1.0]) @ poses.invert(body)
        rows = [
            _row(each, _carried(scene.pose(each), carried, scale[0]), scale)
            for each in scene.bodies[name]
        ]
        return {"cameras": [], "objects": rows}

    def _target(self, scene: OrrbFacts) -> str:
        """What is at the path; the object, where it is the node of a shape."""
        known = (*scene.cameras, *scene.objects, *scene.bodies)
        name = self.node if self.node in known else scene.owner(self.node)
        if name not in known:
            raise UnknownNameError.of(f"path of {type(self).__name__}", self.node, known)
        return name


@dataclass(frozen=True, kw_only=True)
class LookAt(PoseComponent):
    """Turns what is at the path to a world point, its up to the vertical.

    A camera then looks there; of an object or body, Unity's forward (our -y) points there.

    Attributes:
        target_offset: a point of Unity's world.
    """

    target_offset: unity.Vector3 = unity.Vector3()

    def drawn(self, random: unity.UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`; takes no numbers."""
        name, target = self._target(scene), unity.vector(self.target_offset)
        if name in scene.cameras:
            pose = scene.cameras[name].world_from_camera
            looking = poses.look_at(pose[:3, 3], target)[:3, :3]
            return self._camera(scene, poses.compose(np.zeros(3), pose[:3, :3].T @ looking))
        pose = scene.pose(name)
        right, up, back = poses.look_at(pose[:3, 3], target)[:3, :3].T
        facing = np.stack((-right, back, up), axis=1)
        return self._objects(scene, name, poses.compose(np.zeros(3), pose[:3, :3].T @ facing))


@dataclass(frozen=True, kw_only=True)
class TranslateRotateScale(PoseComponent):
    """Moves, turns and scales what is at the path, from where the scene has it.

    Attributes:
        translate: metres along the axes of Unity's world.
        rotate: a turn in its own axes.
        scale: factors along its own axes.
    """

    translate: unity.Vector3 = unity.Vector3()
    rotate: unity.Quaternion = unity.Quaternion()
    scale: unity.Vector3 = unity.Vector3(1.0, 1.0, 1.0)

    def drawn(self, random: unity.UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`; takes no numbers."""
        name, shift = self._target(scene), unity.vector(self.translate)
        if name in scene.cameras:
            own = scene.cameras[name].world_from_camera[:3, :3]
            return self._camera(
                scene, poses.compose(own.T @ shift, unity.camera_rotation(self.rotate))
            )
        own = scene.poses.get(name, np.eye(4))[:3, :3]
        pose = poses.compose(own.T @ shift, unity.rotation(self.rotate))
        return self._objects(scene, name, pose, unity.factors(self.scale))


@dataclass(frozen=True, kw_only=True)
class Hide(Component):
    """Hides bodies with all below them, geoms and sites; names by prefix, in comma lists.

    Attributes:
        body_prefix, geom_prefix, site_prefix: nothing, where it is empty.
    """

    body_prefix: str = ""
    geom_prefix: str = ""
    site_prefix: str = ""

    def drawn(self, random: unity.UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`; takes no numbers."""
        key = ("orrb hide", self.body_prefix, self.geom_prefix, self.site_prefix)
        return {"hidden": list(scene.remember(key, lambda: self._hidden(scene)))}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        hidden = tuple(values["hidden"])
        return Drawn((appearance.Hide(hidden),) if hidden else ())

    def _hidden(self, scene: OrrbFacts) -> tuple[str, ...]:
        kinds = {item.name: item.category for item in scene.description.objects if item.seen}
        geoms = [name for name, kind in kinds.items() if kind not in {"site", *NOT_SHAPES}]
        sites = [name for name, kind in kinds.items() if kind == "site"]
        bodies = _matching("body", self.body_prefix, tuple(scene.bodies))
        gone = {name for body in bodies for name in scene.bodies[body]}
        gone |= set(_matching("geom", self.geom_prefix, geoms))
        gone |= set(_matching("site", self.site_prefix, sites))
        return tuple(name for name in kinds if name in gone)


@dataclass(frozen=True, kw_only=True)
class JointRandomizer(Component):
    """Draws hinges with a range uniform in it, and balls uniform over all turns.

    Takes, joint by joint in the model's order, one number of a hinge and three of a ball.
    """

    def drawn(self, random: unity.UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`; all of `qpos` is in the values."""
        if "qpos" not in scene.state or not scene.joints:
            raise InvalidValueError("JointRandomizer: this scene names no joints")
        qpos = [float(each) for each in scene.state["qpos"]]
        for joint in scene.joints:
            if joint.kind == "hinge" and joint.low is not None and joint.high is not None:
                qpos[joint.at] = random.range(joint.low, joint.high)
            elif joint.kind == "ball":
                turn = poses.to_quaternion(
                    unity.rotation(random.rotation()), order=QuaternionOrder.WXYZ
                )
                qpos[joint.at : joint.at + 4] = turn.tolist()
        return {"qpos": qpos}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn(state={"qpos": np.array(values["qpos"], float)})


def _matching(kind: str, prefix: str, known: Sequence[str]) -> tuple[str, ...]:
    wanted = names.split(prefix)
    names.warn_of_nothing(kind, wanted, known)
    return names.choose(known, wanted, ()) if wanted else ()


def _carried(own: Floats, carried: Floats, scale: float) -> Floats:
    """The motion of a body as a pose relative to one of its objects."""
    pose = poses.invert(own) @ carried @ own
    pose[:3, :3] /= scale
    return pose


def _row(name: str, pose: Floats, scale: Sequence[float]) -> dict[str, Any]:
    return {"name": name, "pose": pose.tolist(), "scale": [float(each) for each in scale]}
