"""Edits that any engine applies: colours, lights, poses of one view, or objects left out of it.

Names are those that `Description` lists; an engine raises `UnknownNameError` for others and
`InvalidValueError` for an edit that it cannot apply. A field that is None keeps the scene's value.

Every edit raises `InvalidValueError` when it is made with what is not as described. Vectors and
colours may be given as anything `numpy.asarray` takes and are kept as tuples of floats; arrays are
kept as read-only copies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.errors import InvalidValueError
from heliograph.scene import checks
from heliograph.scene import values as v
from heliograph.scene.checks import CheckedEdit, Converted, LightType, checked, convert
from heliograph.scene.props import Flag, Number, Rows, Scale, SupportsArray, Vector, Whole

Names: TypeAlias = tuple[str, ...]
Pair: TypeAlias = tuple[float, float]
Triple: TypeAlias = tuple[float, float, float]
Rgba: TypeAlias = tuple[float, float, float, float | None]

SHADES = ("specular", "shininess", "emission", "reflectance", "metallic", "roughness")
"""Fields of `EditMaterial` that are one number from 0 to 1."""

BRIGHTEST = 1e30
"""The strongest light that can be added up in a float32, however near or many they are."""

_Number: TypeAlias = Converted[float | None, Number | None]
_Vector: TypeAlias = Converted[Triple | None, Vector | None]
_Column: TypeAlias = Converted[NDArray[np.float64] | None, Vector | None]
_Rows: TypeAlias = Converted[NDArray[np.float64] | None, Rows | None]


@checked
class EditMaterial(CheckedEdit):
    """Paint objects.

    Attributes:
        objects: names of objects; a single one may be given as it is.
        rgba: red, green, blue, alpha, 0 to 1; alpha None (or left out) keeps the object's.
        specular, shininess, emission, reflectance: 0 to 1 as in MuJoCo. Where light is added in
            linear space `specular` 0.5 reflects 4 %, as glTF's dielectrics do.
        metallic, roughness: 0 to 1 as in glTF, of what is lit so (`standard`); `roughness` replaces
            `shininess`. MuJoCo's classic look shows them as highlights.
        emissive: red, green, blue of light of its own, sRGB, 0 to 1.
        texture: (H, W, 3) uint8 image (or with 1 or 4 channels), row 0 on top, laid on the object,
            with holes where it is clear; an empty array removes the object's own texture.
        repeat: how often the texture repeats along its two directions, above 0.
        offset: where it starts, in parts of itself.
    """

    objects: Converted[Names, str | Sequence[str]] = convert(checks.names)
    rgba: Converted[Rgba | None, Sequence[Number | None] | SupportsArray | None] = convert(
        checks.rgba, default=None
    )
    specular: _Number = convert(checks.share, default=None)
    shininess: _Number = convert(checks.share, default=None)
    emission: _Number = convert(checks.share, default=None)
    reflectance: _Number = convert(checks.share, default=None)
    texture: Converted[NDArray[np.uint8] | None, SupportsArray | None] = convert(
        checks.texture, default=None
    )
    repeat: Converted[Pair, Vector] = convert(checks.repeat, default=(1.0, 1.0))
    offset: Converted[Pair, Vector] = convert(checks.offset, default=(0.0, 0.0))
    metallic: _Number = convert(checks.share, default=None)
    roughness: _Number = convert(checks.share, default=None)
    emissive: _Vector = convert(checks.colour, default=None)


@checked
class EditMaterials(CheckedEdit):
    """Paint many objects at once, each row as an `EditMaterial` would, in a fraction of its time.

    Attributes:
        objects: N rows of names of objects; what is in one row is painted alike.
        rgba: (N, 4) red, green, blue, alpha, 0 to 1; NaN keeps the object's alpha, or all four.
        specular, shininess, emission, reflectance, metallic, roughness: (N,) 0 to 1; NaN keeps the
            object's.
        emissive: (N, 3) light of its own, 0 to 1; NaN keeps the object's.
        texture: (N,) which of `images` each row gets; -1 keeps the object's own.
        images: images as `EditMaterial.texture`; an empty one removes the object's own.
        repeat: (N, 2) how often textures repeat, above 0; 1 without it.
        offset: (N, 2) where they start, in parts of themselves; 0 without it.
    """

    objects: Converted[tuple[Names, ...], Sequence[str | Sequence[str]]] = convert(checks.groups)
    rgba: _Rows = convert(checks.colours, default=None)
    specular: _Column = convert(checks.shares, default=None)
    shininess: _Column = convert(checks.shares, default=None)
    emission: _Column = convert(checks.shares, default=None)
    reflectance: _Column = convert(checks.shares, default=None)
    texture: Converted[NDArray[np.int64] | None, Sequence[Whole] | SupportsArray | None] = convert(
        checks.places, default=None
    )
    images: Converted[tuple[NDArray[np.uint8], ...], Sequence[SupportsArray]] = convert(
        checks.images, default=()
    )
    repeat: _Rows = convert(checks.pairs(above=0.0), default=None)
    offset: _Rows = convert(checks.pairs(), default=None)
    metallic: _Column = convert(checks.shares, default=None)
    roughness: _Column = convert(checks.shares, default=None)
    emissive: _Rows = convert(checks.emissive, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, where, _, _ in self.CHECKS:
            column = getattr(self, name)
            if name != "images" and column is not None and len(column) != len(self.objects):
                raise InvalidValueError(
                    f"{where}: expected {len(self.objects)} rows, one for each of `objects`, got "
                    f"{len(column)}"
                )
        if self.texture is not None and (self.texture >= len(self.images)).any():
            raise InvalidValueError(
                f"EditMaterials texture: expected -1 to {len(self.images) - 1}, as there are "
                f"{len(self.images)} images, got {self.texture.max()}"
            )

    def rows(self) -> tuple[EditMaterial, ...]:
        """The same as an edit for each row."""
        return tuple(self._row(i) for i in range(len(self.objects)))

    def _row(self, i: int) -> EditMaterial:
        given: dict[str, Any] = {}
        if self.rgba is not None and not np.isnan(self.rgba[i, :3]).all():
            *colour, alpha = self.rgba[i].tolist()
            given["rgba"] = (*colour, None if math.isnan(alpha) else alpha)
        for name in SHADES:
            column = getattr(self, name)
            if column is not None and not np.isnan(column[i]):
                given[name] = float(column[i])
        if self.emissive is not None and not np.isnan(self.emissive[i]).any():
            given["emissive"] = tuple(self.emissive[i].tolist())
        if self.texture is not None and self.texture[i] >= 0:
            given["texture"] = self.images[self.texture[i]]
        for name in ("repeat", "offset"):
            column = getattr(self, name)
            if column is not None:
                given[name] = tuple(column[i].tolist())
        return EditMaterial(self.objects[i], **given)


@checked
class EditLight(CheckedEdit):
    """Change one of the scene's lights, or add one under a new name.

    Attributes:
        name: the light's name; `head` is the light at the camera (`headlight` where a MuJoCo model
            has a light called `head`).
        kind: `directional`, `point` or `spot`; must be given for a new light, which is a
            `SpotLight` of this kind in a scene of components, as far as it does not say.
        position: world metres.
        direction: world, the way the light goes; of any length but 0.
        diffuse, specular, ambient: colours, 0 to 1 and above: of a model's scene as in MuJoCo, of
            one of components linear, colour times intensity in three.js's units, where `diffuse`
            lights highlights too. Of a `HemisphereLight` `diffuse` is the colour from above and
            `ambient` the one from below.
        cutoff: half-angle of a spot's cone, radians, above 0 to pi / 2.
        exponent: how a spot fades from its axis, from 0.
        softness: over which part of the cone's rim it fades, 0 to 1.
        decay: the power of the distance that it fades with; 0 is that of a model's new light.
        distance: metres at which a point light or spot ends; 0 for nowhere.
        size: radius of what shines, metres (radians of a directional one), which softens shadows.
            These three are for light in linear space.
        casts_shadow: whether it does.
        active: False switches it off.
    """

    name: str = convert(checks.name)
    kind: LightType | None = convert(checks.kind, default=None)
    position: _Vector = convert(checks.vector, default=None)
    direction: _Vector = convert(checks.direction, default=None)
    diffuse: _Vector = convert(checks.light_colour, default=None)
    specular: _Vector = convert(checks.light_colour, default=None)
    ambient: _Vector = convert(checks.light_colour, default=None)
    cutoff: _Number = convert(checks.cutoff, default=None)
    exponent: _Number = convert(checks.from_0, default=None)
    softness: _Number = convert(checks.share, default=None)
    casts_shadow: Converted[bool | None, Flag | None] = convert(v.flag, default=None)
    active: Converted[bool | None, Flag | None] = convert(v.flag, default=None)
    decay: _Number = convert(checks.decay, default=None)
    distance: _Number = convert(checks.from_0, default=None)
    size: _Number = convert(checks.from_0, default=None)


@checked
class MoveCamera(CheckedEdit):
    """Show a named camera as another value: pose, field of view, near and far.

    Attributes:
        name: the scene's camera.
        camera: what it is for this view; its `name` is ignored.
        relative: whether its pose is relative to where the state has the camera
            (world_from_camera = scene's pose @ this pose).
    """

    name: str = convert(checks.name)
    camera: Camera = convert(checks.camera)
    relative: Converted[bool, Flag] = convert(v.flag, default=False)


@checked
class MoveObject(CheckedEdit):
    """Show an object elsewhere.

    Attributes:
        name: the object.
        pose: (4, 4) world_from_object, its last row (0, 0, 0, 1), or relative to where the state
            and the moves before this one have it (on the object's own side: pose' = pose @ this).
        scale: factors along its axes, none of them 0; or one for all.
        relative: which of the two.
    """

    name: str = convert(checks.name)
    pose: Converted[NDArray[np.float64], Rows] = convert(checks.pose)
    scale: Converted[Triple, Scale] = convert(v.scale, default=(1.0, 1.0, 1.0))
    relative: Converted[bool, Flag] = convert(v.flag, default=True)


@checked
class Hide(CheckedEdit):
    """Leave objects out of every pass.

    Attributes:
        objects: names of objects; a single one may be given as it is.
    """

    objects: Converted[Names, str | Sequence[str]] = convert(checks.names)


@checked
class EditBackground(CheckedEdit):
    """Show another background where nothing is.

    Attributes:
        colour: red, green, blue, 0 to 1; takes the place of a sky.
    """

    colour: Converted[Triple, Vector] = convert(checks.colour)


@checked
class EditImage(CheckedEdit):
    """Post-processing of rgb, done after the engine by whoever called it; touches no other pass.

    Attributes:
        steps: (name, parameters) in order, as `heliograph.randomize.imaging` knows them.
        seed: what noise in it is drawn from.
    """

    steps: Converted[
        tuple[tuple[str, dict[str, float]], ...], Sequence[tuple[str, Mapping[str, Number]]]
    ] = convert(checks.steps)
    seed: Converted[int, Whole] = convert(checks.seed, default=0)
