"""A MuJoCo model in linear light: what its lights, materials, textures and sky are there.

MuJoCo's colours of light are sRGB numbers that its own renderer adds up as they are. Decoded, and
times pi, a light makes a surface that faces it as bright as MuJoCo does. Of several lights the sum
of decoded colours is less than the decoded sum, and what MuJoCo cuts off at white is not; so all
lights of a model are multiplied by one number, which is found when it is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.colour import linear
from heliograph.engines.mujoco.versions import metallic_roughness
from heliograph.engines.mujoco.visual import SHOWN_GROUPS
from heliograph.engines.shared.lights import LightEdits, SceneLight, Sphere
from heliograph.engines.shared.maps import WHITE, packed
from heliograph.raster import (
    DrawList,
    Layer,
    Light,
    LightKind,
    MaterialTable,
    Rasterizer,
    Texture,
    Use,
)
from heliograph.raster.types import Colour

_RGB, _OCCLUSION, _ROUGHNESS, _METALLIC, _NORMAL, _EMISSIVE, _ORM = (
    int(getattr(mujoco.mjtTextureRole, f"mjTEXROLE_{name}"))
    for name in ("RGB", "OCCLUSION", "ROUGHNESS", "METALLIC", "NORMAL", "EMISSIVE", "ORM")
)
_BLACK: Colour = (0.0, 0.0, 0.0)
_UNTOLD = 0.6
"""How rough a geom without a material is: nobody has told it to shine."""
_FILL = 0.5
"""Part of the head light, and of ambient light: more of them makes all that is seen look flat."""
_BRIGHTER = 1.4
"""Than MuJoCo's diffuse light alone, as its highlights are wider."""
_BRIGHTEST = 0.98
_SPECK = 0.03
"""Of the surface that is seen: so little may be brighter than white."""
_UNSET = (0.5, 0.5, 0.5, 1.0)
"""The colour of a geom that has its material's."""
SKY_PART = 0.7
"""How much of a sky box's light arrives: it is a picture, and no measured light."""
_GREY = 0.5
"""How much of its colour that light has not: a green or blue wall would tint all there is."""
_SKY_HEIGHT = 64
_FROM_ABOVE = 0.5
"""How much of light from all sides comes from above rather than below."""

Linear = NDArray[np.float64]


def decoded(colours: ArrayLike) -> Linear:
    """Linear light of sRGB colours; above white their power of 2.2."""
    given = np.maximum(np.asarray(colours, float), 0.0)
    return np.where(given <= 1.0, linear(given), given**2.2)


@dataclass(frozen=True)
class StandardLook:
    """How MuJoCo's lights are read.

    Attributes:
        gain: multiplies all of them.
        mirrors_edits: whether what edits make metal brings the light of the sky with it, as metal
            of the model does.
    """

    gain: float = 1.0
    mirrors_edits: ClassVar[bool] = True

    @classmethod
    def of(cls, model: mujoco.MjModel) -> StandardLook:
        """The look in which a model is as bright as in MuJoCo's own.

        So is the side of a grey ball that its free camera sees, on average; but less where the
        lightest of the model's surfaces would be brighter than white.
        """
        view = mujoco.MjvCamera()
        mujoco.mjv_defaultFreeCamera(model, view)
        turn, rise = np.radians(view.azimuth), np.radians(view.elevation)
        eye = -np.array([np.cos(rise) * np.cos(turn), np.cos(rise) * np.sin(turn), np.sin(rise)])
        lit = model.light_active != 0
        head, on = model.vis.headlight, float(model.vis.headlight.active != 0)
        ways = [*-model.light_dir0[lit], eye]
        diffuse = [*model.light_diffuse[lit], on * head.diffuse]
        ambient = [*model.light_ambient[lit], on * head.ambient]
        ball = _ball()
        ball = ball[ball @ eye > 0]
        facing = np.maximum(ball @ np.transpose(ways), 0.0)
        theirs = decoded(np.minimum(facing @ diffuse + np.sum(ambient, axis=0), 1.0))
        facing[:, -1] *= _FILL
        from_above = 1 + _FROM_ABOVE * ball[:, 2:]
        ours = facing @ decoded(diffuse) + _FILL * from_above * decoded(ambient).sum(axis=0)
        if not ours.any():
            return cls()
        alike = _BRIGHTER * theirs.mean() / ours.mean()
        brightest = ours.max() * _lightest(model)
        return cls(float(min(alike, _BRIGHTEST / max(brightest, 1e-9))))

    def irradiance(self, colour: Colour, part: float = 1.0) -> Colour:
        """What arrives of a part of light of this colour on what faces it."""
        red, green, blue = (np.pi * part * self.gain * decoded(colour)).tolist()
        return red, green, blue

    def light(self, light: Light) -> Light:
        """One light in linear units, from one in MuJoCo's."""
        part = _FILL if light.kind is LightKind.HEAD else 1.0
        diffuse, ambient = self.irradiance(light.diffuse, part), self.around(light.ambient)
        return replace(light, diffuse=diffuse, ambient=ambient)

    def around(self, ambient: Colour) -> Colour:
        """What arrives, to the side, of light from all sides of this colour."""
        return self.irradiance(ambient, _FILL)

    def lights(self, lights: tuple[Light, ...]) -> tuple[Light, ...]:
        """All lights of a scene in linear units."""
        return tuple(map(self.light, lights))

    def sky(self, sky: Texture) -> Texture:
        """A sky box as it is shown."""
        return sky

    def surrounded(self, things: DrawList) -> DrawList:
        """The same things with light from all sides: ambient, more of it from above."""
        around = [things.ambient, *(light.ambient for light in things.lights)]
        red, green, blue = (_FROM_ABOVE * np.sum(around, axis=0)).tolist()
        return replace(things, gradient=(_BLACK, _BLACK, (red, green, blue)))


def _ball(count: int = 400) -> Linear:
    """Normals (count, 3) all over a ball, evenly: a spiral of Fibonacci's."""
    z = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (3 - 5**0.5) * np.arange(count)
    flat = np.sqrt(1 - z * z)
    return np.column_stack([flat * np.cos(turn), flat * np.sin(turn), z])


def _lightest(model: mujoco.MjModel) -> float:
    """How much light, 0 to 1, the lightest of the surfaces that are seen sends on."""
    shown = (model.geom_group < SHOWN_GROUPS) & (model.geom_rgba[:, 3] > 0)
    colours, worn = np.array(model.geom_rgba[shown, :3]), model.geom_matid[shown]
    plain = (model.geom_rgba[shown] == np.array(_UNSET, np.float32)).all(1) & (worn >= 0)
    colours[plain] = model.mat_rgba[worn[plain], :3]
    painted = np.append(_maps(model)[:, _RGB], -1)[worn]
    for number in np.unique(painted[painted >= 0]):
        start, channels = model.tex_adr[number], model.tex_nchannel[number]
        count = int(model.tex_height[number]) * int(model.tex_width[number]) * int(channels)
        pixels = model.tex_data[start : start + count].reshape(-1, channels)[:, :3]
        colours[painted == number] *= np.percentile(pixels, 99, axis=0) / 255
    if not len(colours):
        return 1.0
    most = model.stat.extent / 4  # endless planes have a radius of 0
    radius = model.geom_rbound[shown]
    area = np.minimum(np.where(radius > 0, radius, most), most) ** 2
    light = colours.max(1)
    lightest_first = np.argsort(-light)
    covered = np.cumsum(area[lightest_first]) > _SPECK * area.sum()
    return float(decoded(light[lightest_first[covered.argmax()]]))


class StandardLightEdits(LightEdits):
    """Edits in MuJoCo's words of lights that are drawn in linear units."""

    def __init__(
        self,
        on: Mapping[str, SceneLight],
        dark: Mapping[str, SceneLight],
        sphere: Callable[[], Sphere],
        look: StandardLook,
    ) -> None:
        super().__init__(on, dark, sphere)
        self._look = look

    @property
    def lights(self) -> tuple[Light, ...]:
        """What the rasterizer draws."""
        return self._look.lights(super().lights)


class MaterialMaps:
    """What materials have in linear light besides colours: numbers and further textures.

    Args:
        model: the compiled model.
        rasterizer: where textures go.
        textures: the model's.
    """

    def __init__(
        self, model: mujoco.MjModel, rasterizer: Rasterizer, textures: Sequence[Texture]
    ) -> None:
        self._metallic_roughness = _metallic_roughness(model)
        self._glow = _glowing(model)
        self._colour = np.full(model.nmat + 1, -1, np.int32)
        handles = np.full(model.nmat + 1, -1, np.int32)
        for material in range(model.nmat):
            made = _layered(model, material, textures.__getitem__)
            if made is not None:
                handles[material] = rasterizer.add_texture(made)
                self._colour[material] = next(n for n in _maps(model)[material] if n >= 0)
                if not _metal_in(made):
                    self._metallic_roughness[material, 0] = 0.0
        self._handles = handles

    @property
    def metal(self) -> bool:
        """Whether anything mirrors what is around it, without which metal is black."""
        return bool((self._metallic_roughness[:, 0] > 0).any())

    def lay(self, geoms: NDArray[Any]) -> None:
        """Have geoms textured that wear maps, but none of colours."""
        bare = geoms["texid"] < 0
        geoms["texid"][bare] = self._colour[geoms["matid"][bare]]

    def handles(self, plain: NDArray[np.int32], worn: NDArray[np.int32]) -> NDArray[np.int32]:
        """Handles (M,) of the textures of geoms that wear these materials, -1 for none."""
        return np.where(self._handles[worn] >= 0, self._handles[worn], plain)

    def worn(self, materials: MaterialTable, worn: NDArray[np.int32]) -> MaterialTable:
        """The materials (M,) with all that these have of the model say."""
        return replace(
            materials,
            metallic_roughness=self._metallic_roughness[worn],
            emissive=self._glow[worn] if self._glow.any() else None,
        )


def _metallic_roughness(model: mujoco.MjModel) -> NDArray[np.float32]:
    """Metallic and roughness (nmat + 1, 2), NaN where nothing says so; of no material last."""
    given = metallic_roughness(model)
    has_map = _maps(model)[:, [_METALLIC, _ROUGHNESS]] >= 0
    has_map |= _maps(model)[:, [_ORM]] >= 0
    given = np.where(np.isnan(given) & has_map, np.float32(1.0), given)  # which a map multiplies
    return np.concatenate([given, np.array([(np.nan, _UNTOLD)], np.float32)])


def _glowing(model: mujoco.MjModel) -> NDArray[np.float32]:
    """Light (nmat + 1, 3) that a material's map of emission multiplies; 0 without a map."""
    glow = np.zeros((model.nmat + 1, 3), np.float32)
    glow[:-1][_maps(model)[:, _EMISSIVE] >= 0] = 1.0
    return glow


def _layered(
    model: mujoco.MjModel, material: int, texture: Callable[[int], Texture]
) -> Texture | None:
    """What a material's further maps are painted with; None where it has none.

    Args:
        model: the compiled model.
        material: which of its materials.
        texture: the model's textures by number.
    """
    maps = {role: int(number) for role, number in enumerate(_maps(model)[material])}
    layers = [*_direct_layers(maps, texture), *_surface_layer(maps, texture)]
    if not layers:
        return None
    colour = maps[_RGB]
    base = Texture(WHITE) if colour < 0 else texture(colour)
    return replace(base, linear=True, layers=tuple(layers))


def _metal_in(texture: Texture) -> bool:
    """Whether there may be metal where maps are laid on."""
    maps = [layer for layer in texture.layers if layer.use is Use.METALLIC_ROUGHNESS]
    return not maps or bool(maps[0].pixels[..., -1].any())


def _maps(model: mujoco.MjModel) -> NDArray[np.int32]:
    """The textures (nmat, roles) of the materials, -1 for none.

    Cubes have colours alone, and so has what is painted with one.
    """
    maps = np.array(model.mat_texid, np.int32)
    flat = np.append(model.tex_type == mujoco.mjtTexture.mjTEXTURE_2D, True)[maps]
    further = np.arange(maps.shape[1]) != _RGB
    maps[further & ~(flat & flat[:, [_RGB]])] = -1
    return maps


_DIRECT = (
    (_NORMAL, Use.NORMAL),
    (_EMISSIVE, Use.EMISSIVE),
    (_OCCLUSION, Use.OCCLUSION),
)


_DOWN = (1.0, -1.0)
"""Of normals: MuJoCo's texture coordinates go down the image, glTF's maps point up it."""


def _direct_layers(maps: Mapping[int, int], texture: Callable[[int], Texture]) -> list[Layer]:
    found = [(use, texture(maps[role]).pixels) for role, use in _DIRECT if maps[role] >= 0]
    return [Layer(use, pixels, strength=_DOWN) for use, pixels in found]


def _surface_layer(maps: Mapping[int, int], texture: Callable[[int], Texture]) -> list[Layer]:
    """Occlusion, roughness and metallic in one map, as glTF has them, or of one map each."""
    whole = maps[_ORM]
    if whole >= 0:
        layers = [Layer(Use.METALLIC_ROUGHNESS, texture(whole).pixels)]
        if maps[_OCCLUSION] < 0:
            layers.append(Layer(Use.OCCLUSION, texture(whole).pixels))
        return layers
    if maps[_ROUGHNESS] < 0 and maps[_METALLIC] < 0:
        return []
    planes = (
        texture(maps[role]).pixels[..., 0] if maps[role] >= 0 else WHITE[..., 0]
        for role in (_ROUGHNESS, _METALLIC)
    )
    return [Layer(Use.METALLIC_ROUGHNESS, packed(*planes))]


_FACES = np.array(
    [  # of OpenGL's cubes: +x -x +y -y +z -z; which way its columns and its rows go
        [[0, 0, -1], [0, -1, 0]],
        [[0, 0, 1], [0, -1, 0]],
        [[1, 0, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 0, -1]],
        [[1, 0, 0], [0, -1, 0]],
        [[-1, 0, 0], [0, -1, 0]],
    ],
    float,
)


def radiance(sky: Texture | None) -> NDArray[np.float32]:
    """Light from all around of a sky box, (H, 2 H, 3), as `Rasterizer.add_radiance` takes it.

    Without one it is grey, and fades from above to below.
    """
    if sky is None:
        fading = np.linspace(1.0, 0.0, _SKY_HEIGHT, dtype=np.float32)
        return np.tile(fading[:, None, None], (1, 2 * _SKY_HEIGHT, 3))
    pixels = sky.pixels if sky.pixels.shape[-1] > 1 else np.repeat(sky.pixels, 3, -1)
    faces = decoded(pixels[..., :3] / 255.0)
    faces += _GREY * (faces.mean(-1, keepdims=True) - faces)
    step = max(1, faces.shape[1] // _SKY_HEIGHT)
    side = faces.shape[1] // step
    cut = faces[:, : side * step, : side * step].reshape(6, side, step, side, step, 3)
    faces = cut.mean(axis=(2, 4))
    down = (np.arange(_SKY_HEIGHT) + 0.5)[:, None] * np.pi / _SKY_HEIGHT
    right = ((np.arange(2 * _SKY_HEIGHT) + 0.5) / _SKY_HEIGHT - 1.0)[None, :] * np.pi
    x, y, z = np.sin(down) * np.sin(right), np.sin(down) * np.cos(right), np.cos(down) + 0 * right
    way = np.stack([x, z, -y], -1)  # cube maps have y up
    axis = np.abs(way).argmax(-1)
    far = np.take_along_axis(way, axis[..., None], -1)
    face = 2 * axis + (far[..., 0] < 0)
    place = (np.einsum("hwik,hwk->hwi", _FACES[face], way) / np.abs(far) + 1.0) / 2 * side
    column, row = np.clip(place.astype(int), 0, side - 1).transpose(2, 0, 1)
    return np.asarray(faces[face, row, column], np.float32)
