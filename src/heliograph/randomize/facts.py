"""What a randomizer may know of a scene; values only, so that it can be known in any process."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.errors import UnknownNameError
from heliograph.poses import Floats
from heliograph.randomize import names
from heliograph.scene import Description, Edit, Joint
from heliograph.scene.appearance import EditLight, MoveCamera

_T = TypeVar("_T")
HEAD = "head"
"""The category of the light at the camera."""
_TOLD = (MoveCamera, EditLight)


class Describes(Protocol):
    """What engines and other renderers say about themselves; or about one version of a scene."""

    @property
    def scene(self) -> Description:
        """The scene."""

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """Its cameras."""


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of a scene before any state; all but the description may be empty.

    Attributes:
        description: what the scene says about itself.
        cameras: its cameras by name; while a sample is drawn, as they have been moved so far.
        materials: names of materials -> the objects that wear them; the description's without.
        bodies: names of bodies -> the objects on them and on all below them.
        colours: objects -> their own red, green, blue, alpha.
        poses: objects and bodies -> (4, 4) world_from_object.
        boxes: objects and bodies -> (8, 3) corners of their box in their own axes, metres.
        joints: the joints whose positions `qpos` holds.
        state: what the state is before anything is drawn, by key.
        random_state: draws a state that suits the scene.
        lights: names of the lights that are on; those of the description without it.
        dark: names of lights that are off; an edit that does not switch them on leaves them so.
        shown: names of the cameras that are asked for; others need no edits. All without it.
        memory: what was worked out once; shared by all that `after` returns.
    """

    description: Description
    cameras: Mapping[str, Camera] = field(default_factory=dict)
    materials: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bodies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    colours: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    poses: Mapping[str, Floats] = field(default_factory=dict)
    boxes: Mapping[str, Floats] = field(default_factory=dict)
    joints: tuple[Joint, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    random_state: Callable[[Generator], Mapping[str, NDArray[Any]]] | None = None
    lights: tuple[str, ...] | None = None
    dark: frozenset[str] = frozenset()
    shown: tuple[str, ...] | None = None
    memory: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.materials:
            object.__setattr__(self, "materials", self.description.objects.wearers)
        if not self.dark:
            dark = {item.name for item in self.description.lights}.difference(self.lit)
            object.__setattr__(self, "dark", frozenset(dark))

    @classmethod
    def of(cls, renderer: Describes, **more: Any) -> Self:
        """What a renderer says of its scene: its object table, joints and own state."""
        scene = renderer.scene
        table, space = scene.objects, scene.space
        rows = {name: rows[0] for name, rows in table.rows.items()}
        corners = {name: table.corners(row) for name, row in rows.items()}
        known: dict[str, Any] = {
            "materials": table.wearers,
            "bodies": table.groups,
            "colours": {
                name: tuple(table.colours[row].tolist())
                for name, row in rows.items()
                if not np.isnan(table.colours[row]).any()
            },
            "poses": {name: table.poses[row] for name, row in rows.items()},
            "boxes": {name: box for name, box in corners.items() if box is not None},
            "joints": space.joints,
            "lights": tuple(item.name for item in scene.lights if item.active),
            "state": space.rest,
            "random_state": scene.random_state if space.drawable else None,
        }
        return cls(scene, **{"cameras": renderer.cameras, **known, **more})

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of all objects."""
        return self.remember("objects", lambda: self.description.objects.seen_names)

    @property
    def lit(self) -> tuple[str, ...]:
        """Names of the lights that are on."""
        own = self.description.lights
        return tuple(item.name for item in own) if self.lights is None else self.lights

    def is_head(self, light: str) -> bool:
        """Whether a light is the one at the camera."""
        return any(item.name == light and item.category == HEAD for item in self.description.lights)

    def is_shown(self, camera: str) -> bool:
        """Whether a camera is asked for."""
        return self.shown is None or camera in self.shown

    def remember(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """What `make` returned the first time this key came; for what no edit changes."""
        if key not in self.memory:
            self.memory[key] = make()
        found: _T = self.memory[key]
        return found

    def choose(
        self, kind: str, include: names.Prefixes = (), exclude: names.Prefixes = ()
    ) -> tuple[str, ...]:
        """Names of `objects`, `materials`, `bodies` or `cameras` by prefix.

        A prefix that nothing starts with is warned of, once.
        """

        def find() -> tuple[str, ...]:
            known = tuple(getattr(self, kind))
            names.warn_of_nothing(kind[:-1].replace("bodie", "body"), (*include, *exclude), known)
            return names.choose(known, include, exclude)

        return self.remember(("choose", kind, tuple(include), tuple(exclude)), find)

    def after(self, edits: Iterable[Edit], state: Mapping[str, Any]) -> Self:
        """What is known once these edits are made: where cameras are, which lights are on."""
        edits = [edit for edit in edits if type(edit) in _TOLD]
        if not edits and not state:
            return self
        cameras, lights, dark = dict(self.cameras), dict.fromkeys(self.lit), set(self.dark)
        for edit in edits:
            if isinstance(edit, MoveCamera) and edit.name in cameras:
                cameras[edit.name] = _moved(cameras[edit.name], edit)
            elif isinstance(edit, EditLight):
                on = edit.name not in dark if edit.active is None else edit.active
                if on:
                    lights[edit.name] = None
                    dark.discard(edit.name)
                else:
                    lights.pop(edit.name, None)
                    dark.add(edit.name)
        merged, off = {**self.state, **state}, frozenset(dark)
        return self.changed(cameras=cameras, lights=tuple(lights), state=merged, dark=off)

    def changed(self, **fields: Any) -> Self:
        """The same but for these fields; `replace` would take a third of a sample's time."""
        known = object.__new__(type(self))
        known.__dict__.update(self.__dict__, **fields)
        return known

    def camera(self, name: str) -> Camera:
        """A camera by name.

        Raises:
            UnknownNameError: lists the cameras there are.
        """
        if name not in self.cameras:
            raise UnknownNameError.of("camera", name, self.cameras)
        return self.cameras[name]


def _moved(camera: Camera, edit: MoveCamera) -> Camera:
    pose = edit.camera.world_from_camera
    placed = camera.world_from_camera @ pose if edit.relative else pose
    return edit.camera.moved(np.asarray(placed))
