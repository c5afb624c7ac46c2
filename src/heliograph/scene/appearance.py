"""Edits that any engine applies: what one view shows in another colour, light, pose or not at all.

Names are those that `Description` lists; an engine raises `UnknownNameError` for others and
`InvalidValueError` for an edit that it cannot apply. A field that is None keeps the scene's value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.scene.edit import Edit

Colour = tuple[float, float, float]
Vector = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class EditMaterial(Edit):
    """Paint objects.

    Attributes:
        objects: names of objects.
        rgba: red, green, blue, alpha, 0 to 1; alpha None keeps the object's.
        specular, shininess, emission, reflectance: 0 to 1 as in MuJoCo.
        texture: (H, W, 3) uint8 image, row 0 on top, laid on the object; an empty array removes
            the object's own texture.
        repeat: how often the texture repeats along its two directions.
        offset: where it starts, in parts of itself.
    """

    objects: tuple[str, ...]
    rgba: tuple[float, float, float, float | None] | None = None
    specular: float | None = None
    shininess: float | None = None
    emission: float | None = None
    reflectance: float | None = None
    texture: NDArray[np.uint8] | None = None
    repeat: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class EditLight(Edit):
    """Change one of the scene's lights, or add one under a new name.

    Attributes:
        name: the light's name; `head` is the light at the camera.
        kind: `directional`, `point` or `spot`; must be given for a new light.
        position: world metres.
        direction: world, the way the light goes.
        diffuse, specular, ambient: colours, 0 to 1 and above.
        cutoff: half-angle of a spot's cone, radians.
        exponent, softness: how a spot fades from its axis, and over which part of the cone's rim.
        casts_shadow: whether it does.
        active: False switches it off.
    """

    name: str
    kind: str | None = None
    position: Vector | None = None
    direction: Vector | None = None
    diffuse: Colour | None = None
    specular: Colour | None = None
    ambient: Colour | None = None
    cutoff: float | None = None
    exponent: float | None = None
    softness: float | None = None
    casts_shadow: bool | None = None
    active: bool | None = None


@dataclass(frozen=True, eq=False)
class MoveCamera(Edit):
    """Show a named camera as another value: pose, field of view, near and far.

    Attributes:
        name: the scene's camera.
        camera: what it is for this view; its `name` is ignored.
        relative: whether its pose is relative to where the state has the camera
            (world_from_camera = scene's pose @ this pose).
    """

    name: str
    camera: Camera
    relative: bool = False


@dataclass(frozen=True, eq=False)
class MoveObject(Edit):
    """Show an object elsewhere.

    Attributes:
        name: the object.
        pose: (4, 4) world_from_object, or relative to where the state has it (applied on the
            object's own side: pose' = pose_of_state @ this).
        scale: factors along its axes.
        relative: which of the two.
    """

    name: str
    pose: NDArray[Any]
    scale: Vector = (1.0, 1.0, 1.0)
    relative: bool = True


@dataclass(frozen=True, eq=False)
class Hide(Edit):
    """Leave objects out of every pass.

    Attributes:
        objects: names of objects.
    """

    objects: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class EditBackground(Edit):
    """Show another background where nothing is.

    Attributes:
        colour: red, green, blue, 0 to 1; takes the place of a sky.
    """

    colour: Colour


@dataclass(frozen=True, eq=False)
class EditImage(Edit):
    """Post-processing of rgb, done after the engine by whoever called it; touches no other pass.

    Attributes:
        steps: (name, parameters) in order, as `heliograph.randomize.imaging` knows them.
        seed: what noise in it is drawn from.
    """

    steps: tuple[tuple[str, dict[str, float]], ...]
    seed: int = 0
