"""Random draw lists for rasterizers: all that they may be given, and much that no engine would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.poses import look_at
from heliograph.raster import (
    LARGEST,
    SMALLEST,
    DrawList,
    Environment,
    Geometry,
    Instances,
    Layer,
    Light,
    Lighting,
    LightKind,
    Mapping,
    Rasterizer,
    Sampler,
    Shading,
    Shape,
    Side,
    Texture,
    TextureKind,
    ToneMapping,
    Use,
    Wrap,
)

SHAPES = tuple(Shape)
ROUND = (Shape.SPHERE, Shape.CYLINDER, Shape.CAPSULE)
ODD = (1, 2, 3, 5, 7, 13, 31, 64, 100)
"""Sides of textures, texels."""


class Dice:
    """Random choices.

    Args:
        seed: equal seed, equal choices.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def chance(self, part: float) -> bool:
        return bool(self.rng.random() < part)

    def one_of(self, values: Sequence[Any]) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def some_of(self, values: Sequence[Any], count: int) -> list[Any]:
        return [self.one_of(values) for _ in range(count)]

    def whole(self, low: int, high: int) -> int:
        """From low to high, both included; small numbers are as likely as large ones."""
        return int(np.exp(self.rng.uniform(np.log(low), np.log(high + 1))))

    def size(self, low: float, high: float) -> float:
        """Any order of magnitude is equally likely."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def colour(self, most: float = 1.0) -> tuple[float, float, float]:
        red, green, blue = self.rng.uniform(0, most, 3).tolist()
        return red, green, blue

    def vector(self, length: float = 1.0) -> NDArray[np.float64]:
        return self.rng.normal(size=3) * length


class SceneMaker:
    """Makes one random scene, its cameras and what it changes to.

    Args:
        seed: equal seed, equal scene, whatever the rasterizer.
        rasterizer: takes in its geometries and textures, and knows none of another scene.
        tame: leaves out what float32 cannot hold well: huge and tiny things, slivers, endless
            lenses; two rasterizers then draw nearly the same.
    """

    def __init__(self, seed: int, rasterizer: Rasterizer, *, tame: bool = False) -> None:
        self.dice, self.tame = Dice(seed), tame
        self._rasterizer = rasterizer
        extreme = not tame and self.dice.chance(0.3)
        self.unit = self.dice.size(1e-14, 1e14) if extreme else 1.0
        self._standard = self.dice.chance(0.5)
        self._meshes: dict[int, Geometry] = {}
        self._textures: list[tuple[int, Texture]] = []

    def scene(self) -> DrawList:
        """What is to be drawn."""
        dice = self.dice
        for _ in range(dice.whole(1, 6)):
            mesh = self._mesh()
            self._meshes[self._rasterizer.add_geometry(mesh)] = mesh
        for _ in range(dice.whole(1, 4)):
            texture = self._texture()
            self._textures.append((self._rasterizer.add_texture(texture), texture))
        standard = Lighting.STANDARD
        lighting = standard if self._standard else dice.one_of((Lighting.PIXEL, Lighting.VERTEX))
        return DrawList(
            self._instances(),
            tuple(self._light() for _ in range(self._number_of_lights())),
            self._environment(),
            ambient=dice.colour(0.5),
            gradient=(dice.colour(), dice.colour(), dice.colour()) if dice.chance(0.3) else None,
            lighting=lighting,
            tone_mapping=dice.one_of(tuple(ToneMapping)) if self._standard else ToneMapping.NONE,
            exposure=dice.size(0.1, 10) if self._standard else 1.0,
        )

    def cameras(self) -> list[Camera]:
        """One to three, with sizes of their own."""
        return [self._camera(f"camera{number}") for number in range(self.dice.whole(1, 3))]

    def later(self, scene: DrawList) -> DrawList:
        """The same things a moment later: they moved, one mesh is deformed, some are hidden."""
        dice, instances = self.dice, scene.instances
        handle = dice.one_of(list(self._meshes))
        mesh = self._meshes[handle]
        if mesh.normals is not None:
            count = len(mesh.positions)
            moved = mesh.positions + dice.rng.normal(size=(count, 3)) * 0.1 * self.unit
            self._rasterizer.update_geometry(handle, moved, mesh.normals)
        pose = instances.transforms.world_from_object.copy()
        pose[:, :, 3] += dice.rng.normal(size=(len(pose), 3)) * self.unit
        visible = dice.rng.random(len(pose)) < 0.8
        return replace(scene, instances=instances.moved(pose, visible, rigidly=True))

    def release(self, scene: DrawList) -> None:
        """Gives back what the scene took."""
        for handle in self._meshes:
            self._rasterizer.remove_geometry(handle)
        for handle, _ in self._textures:
            self._rasterizer.remove_texture(handle)
        if scene.environment.radiance is not None:
            self._rasterizer.remove_radiance(scene.environment.radiance)

    def _mesh(self) -> Geometry:
        dice = self.dice
        kinds = (_soup, _ball) if self.tame else (_soup, _ball, _slivers, _crushed, _lone)
        positions, triangles = dice.one_of(kinds)(dice)
        normals = None
        if dice.chance(0.7):
            normals = positions / np.maximum(np.linalg.norm(positions, axis=1), 1e-9)[:, None]
        uvs = None
        if dice.chance(0.5):
            reach = 1.0 if self.tame else dice.size(1e-6, 1e6)
            uvs = dice.rng.normal(size=(len(positions), 2)) * reach
        colours = None
        if self._standard and dice.chance(0.3):
            colours = dice.rng.random((len(positions), 4))
        return Geometry(
            positions * self.unit,
            triangles.astype(np.uint32),
            normals,
            uvs,
            simplify=dice.chance(0.5),
            colours=colours,
        )

    def _texture(self) -> Texture:
        dice, linear = self.dice, self._standard
        channels = dice.one_of((1, 3, 4))
        if dice.chance(0.3):
            side = dice.one_of(ODD)
            pixels = self._pixels(6, side, side, channels)
            return Texture(pixels, TextureKind.CUBE, linear=linear)
        uv_map = ((1.5, 0.2, 0.3), (-0.4, 0.7, -0.1)) if linear and dice.chance(0.3) else None
        made = Texture(
            self._pixels(dice.one_of(ODD), dice.one_of(ODD), channels),
            linear=linear,
            sampler=self._sampler(),
        )
        if not linear:
            return made
        uses = [use for use in Use if dice.chance(0.3)]
        layers = tuple(
            Layer(use, self._pixels(dice.one_of(ODD), dice.one_of(ODD), 3), self._sampler())
            for use in uses
        )
        return replace(made, layers=layers, uv_map=uv_map or made.uv_map)

    def _pixels(self, *shape: int) -> NDArray[np.uint8]:
        return self.dice.rng.integers(0, 256, shape, np.uint8)

    def _sampler(self) -> Sampler:
        wraps = self.dice.some_of(tuple(Wrap), 2)
        return Sampler(wraps[0], wraps[1], nearest=self.dice.chance(0.3))

    def _instances(self) -> Instances:
        dice = self.dice
        count = dice.whole(4, 80) if self.tame or dice.chance(0.95) else dice.whole(1000, 5000)
        made = Instances.blank(count)
        table, materials, rng = made.table, made.materials, dice.rng
        table.geometry[:] = dice.some_of((*SHAPES, *self._meshes), count)
        table.ids[:] = rng.integers(0, 2 * count, count)
        table.side[:] = rng.integers(0, len(Side), count) * (rng.random(count) < 0.3)
        kinds = tuple(Shading) if self._standard else (Shading.LIT, Shading.UNLIT, Shading.HAZY)
        table.shading[:] = np.where(rng.random(count) < 0.3, dice.some_of(kinds, count), 0)
        table.casts_shadow[:] = rng.random(count) < 0.7
        table.texture_scale[:] = rng.normal(size=(count, 3)) * (
            2.0 if self.tame else dice.size(1e-5, 1e5)
        )
        table.texture_offset = rng.normal(size=(count, 2)).astype(np.float32)
        self._dress(made)
        materials.rgba[:] = rng.random((count, 4))
        materials.rgba[rng.random(count) < 0.7, 3] = 1.0
        materials.surface[:] = rng.random((count, 4))
        materials.surface[rng.random(count) < 0.7, 3] = 0.0
        if self._standard:
            materials.emissive = rng.random((count, 3)).astype(np.float32)
            rough = rng.random((count, 2)).astype(np.float32)
            materials.metallic_roughness = np.where(rng.random((count, 2)) < 0.3, np.nan, rough)
            materials.highlight = rng.random((count, 4)).astype(np.float32)
        self._place(made)
        return made

    def _dress(self, made: Instances) -> None:
        """Textures on half of the things, some of them with holes."""
        dice, table = self.dice, made.table
        holes = np.full(len(made), -1.0, np.float32)
        for row in np.flatnonzero(dice.rng.random(len(made)) < 0.5):
            table.texture[row], texture = dice.one_of(self._textures)
            cube = texture.kind is TextureKind.CUBE
            flat = (Mapping.UV, Mapping.THREE_JS, Mapping.OBJECT)
            table.mapping[row] = Mapping.OBJECT if cube else dice.one_of(flat)
            if dice.chance(0.3):
                holes[row] = dice.rng.random()
        if dice.chance(0.5):
            table.cutoff = np.maximum(holes, 0.0)

    def _place(self, made: Instances) -> None:
        dice, rng, count = self.dice, self.dice.rng, len(made)
        turn = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
        spread = 0.5 if self.tame else 1.5
        size = np.exp(rng.normal(size=(count, 1, 3)) * spread - 1)
        even = (rng.random(count) < 0.5) | np.isin(made.table.geometry, ROUND[2:])
        size[even] = size[even, :, :1]
        if not self.tame:
            odd = rng.random(count)
            size[odd < 0.02] *= 1e6
            size[(odd > 0.02) & (odd < 0.04)] *= 1e-6
            size[(odd > 0.04) & (odd < 0.06), :, 2] *= 1e-9
        size[rng.random(count) < 0.1, :, 0] *= -1
        shapes = made.table.geometry < len(SHAPES)
        size[shapes] *= self.unit  # meshes have it in their vertices
        least = np.where(shapes, SMALLEST, SMALLEST / self.unit)[:, None, None]
        size = np.sign(size) * np.maximum(np.abs(size), least)
        pose = made.transforms.world_from_object
        pose[:, :, :3] = turn * size
        pose[:, :, 3] = rng.normal(size=(count, 3)) * 1.2 * self.unit
        if not self.tame:
            pose[rng.random(count) < 0.03, :, 3] *= 1e3
        made.transforms.visible[:] = rng.random(count) < 0.95
        if dice.chance(0.7):
            made.transforms.length = rng.random(count) * 3
        made.transforms.scales = pose.copy() if dice.chance(0.5) else pose

    def _number_of_lights(self) -> int:
        return self.dice.whole(1, 6) - 1 if self.dice.chance(0.95) else self.dice.whole(20, 100)

    def _light(self) -> Light:
        dice, unit = self.dice, self.unit
        standard_kinds = tuple(LightKind)
        kind = dice.one_of(standard_kinds if self._standard else standard_kinds[:4])
        x, y, z = (dice.vector(3 * unit) + np.array([0, 0, 4 * unit])).tolist()
        right, up, ahead = (dice.vector() + 1e-3).tolist(), dice.vector().tolist(), dice.vector()
        ahead = ahead / np.linalg.norm(ahead)
        made = Light(
            kind,
            position=(x, y, z),
            direction=(float(ahead[0]), float(ahead[1]), float(ahead[2])),
            diffuse=dice.colour(2.0),
            specular=dice.colour(),
            ambient=dice.colour(0.2),
            cutoff=float(dice.rng.uniform(0.05, 1.5)),
            exponent=float(dice.rng.uniform(0, 30)),
            softness=float(dice.rng.random()),
            casts_shadow=dice.chance(0.6) and kind is not LightKind.AREA,
            shadow_extent=dice.size(0.5, 20) * unit,
            shadow_range=(0.01 * unit, dice.size(5, 100) * unit),
        )
        if not self._standard:
            constant, linear, square = dice.rng.random(3).tolist()
            return replace(made, attenuation=(constant + 0.1, linear / unit, square / unit**2))
        return replace(
            made,
            decay=float(dice.one_of((0.0, 1.0, 2.0))),
            distance=dice.size(1, 100) * unit if dice.chance(0.3) else 0.0,
            size=dice.size(0.01, 1) * unit if dice.chance(0.5) else 0.0,
            sides=(_triple(right, unit), _triple(up, unit)),
        )

    def _environment(self) -> Environment:
        dice, unit = self.dice, self.unit
        cubes = [handle for handle, made in self._textures if made.kind is TextureKind.CUBE]
        near = dice.size(0.1, 5) * unit
        made = Environment(
            colour=dice.colour(),
            sky=cubes[0] if cubes and dice.chance(0.7) else None,
            haze=dice.colour() if dice.chance(0.4) else None,
            haze_range=(near, near + dice.size(0.1, 20) * unit),
        )
        if not self._standard or dice.chance(0.6):
            return made
        picture = dice.rng.exponential(size=(dice.one_of((1, 8, 33)), 64, 3)).astype(np.float32)
        handle = self._rasterizer.add_radiance(picture)
        return replace(
            made, radiance=handle, radiance_scale=dice.size(0.1, 3), radiance_shown=dice.chance(0.5)
        )

    def _camera(self, name: str) -> Camera:
        dice, unit = self.dice, self.unit
        tiny = dice.chance(0.2)
        width, height = dice.rng.integers(1, 9 if tiny else 120, 2).tolist()
        if dice.chance(0.05):
            width = dice.whole(120, 600)
        distance = dice.one_of((0.0, 0.3, 2.0, 6.0)) + 0.1
        eye, target = dice.vector(distance * unit), dice.vector(0.5 * unit)
        near, far = dice.size(1e-3, 0.5), dice.size(10, 1e4)
        fov, centre = dice.rng.uniform(0.3, 2.0), dice.rng.uniform(0.3, 0.7, 2)
        if not self.tame and dice.chance(0.3):
            near, far = 1e-6, 1e6
            fov, centre = dice.size(1e-5, 3.1), dice.rng.normal(size=2) * 2
        made = Camera.perspective(
            fov_y=float(fov),
            width=width,
            height=height,
            world_from_camera=look_at(eye, target, up=dice.vector()),
            name=name,
            near=max(near * unit, SMALLEST),
            far=min(far * unit, LARGEST),
        )
        if dice.chance(0.5):
            cx, cy = (centre * made.size).tolist()
            made = made.replace(cx=cx, cy=cy, fx=made.fx * dice.size(0.5, 2))
        if dice.chance(0.25):
            scale = height / (dice.size(0.1, 20) * unit)
            made = made.replace(projection=Projection.ORTHOGRAPHIC, fx=scale, fy=scale)
        return made


Mesh = tuple[NDArray[np.float64], NDArray[np.int64]]


def _soup(dice: Dice) -> Mesh:
    """Triangles anywhere."""
    count = dice.whole(1, 600)
    positions = dice.rng.normal(size=(dice.whole(3, 400), 3))
    return positions, dice.rng.integers(0, len(positions), (count, 3))


def _ball(dice: Dice) -> Mesh:
    """A wavy ball, closed and finely divided."""
    rows, columns = dice.whole(3, 30), dice.whole(3, 40)
    around, up = np.meshgrid(
        np.linspace(0, 2 * np.pi, columns + 1), np.linspace(-np.pi / 2, np.pi / 2, rows + 1)
    )
    radius = 1 + 0.2 * np.sin(3 * around) * np.cos(up)
    place = radius[..., None] * np.stack(
        [np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)], -1
    )
    grid = np.arange(around.size).reshape(around.shape)
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    triangles = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    return place.reshape(-1, 3), triangles


def _slivers(dice: Dice) -> Mesh:
    """Long triangles, far thinner than a pixel, some of them without any area."""
    positions, triangles = _soup(dice)
    thin = np.array([1.0, dice.size(1e-12, 1e-2), dice.one_of((0.0, 1e-7, 1.0))])
    return positions * thin * dice.size(1, 1e3), triangles


def _crushed(dice: Dice) -> Mesh:
    """Every vertex at one of few places."""
    positions, triangles = _soup(dice)
    return np.round(positions * 0.7), triangles


def _lone(dice: Dice) -> Mesh:
    """One vertex, thrice, or no triangle at all."""
    return dice.rng.normal(size=(3, 3)), np.zeros((dice.one_of((0, 1)), 3), np.int64)


def _triple(numbers: Sequence[float], unit: float) -> tuple[float, float, float]:
    x, y, z = numbers
    return x * unit, y * unit, z * unit
