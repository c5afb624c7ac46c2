"""A scene laid out as arrays: who stands on whom, and what each component draws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.components import cameras as cams
from heliograph.engines.components.lights import (
    DEFAULT,
    DEFAULT_AMBIENT,
    HEAD,
    is_light,
    lights,
)
from heliograph.engines.components.state import moved
from heliograph.engines.components.translate import Parts, Translator
from heliograph.engines.shared.edits import Objects
from heliograph.engines.shared.lights import LightEdits, SceneLight, ambient_of, flat
from heliograph.frame import BACKGROUND, Label, Labels
from heliograph.raster import DrawList, Environment, Instances, Light
from heliograph.raster import Mapping as TextureMapping
from heliograph.raster.types import Colour
from heliograph.scene import CameraView, Component, Scene

Matrix = NDArray[np.float64]
_OF_STAGE, _OF_NODE, _OF_INSTANCE = 8192, 1024, 768


class SceneGraph:
    """One scene, ready to be drawn in any state.

    Args:
        scene: the scene.
        ids: segmentation ids by key; those of other components come after them.
        translator: where components become instances.
        size: of the camera that frames everything, pixels.

    Attributes:
        scene: the scene.
        nodes: its components, parents first.
        files: digests of the files it shows, by path.

    Raises:
        SceneError: a file of the scene is missing or malformed.
    """

    def __init__(
        self, scene: Scene, ids: Mapping[str, int], translator: Translator, size: tuple[int, int]
    ) -> None:
        self.scene = scene
        self.nodes: list[Component] = []
        self._parent: list[int] = []
        self._visible: list[bool] = []
        self._depth: list[int] = []
        self._lay_out(scene)
        self._index = {str(node.key): i for i, node in enumerate(self.nodes)}
        self._rest = np.array([node.local for node in self.nodes])
        self._layers = _layers(self._depth, self._parent)
        self._ids = self._number(ids)
        self._fit_size = size
        drawn = [(i, node) for i, node in enumerate(self.nodes) if node.drawable]
        parts = [(i, translator.parts(node)) for i, node in drawn]
        paths = dict.fromkeys(path for _, node in drawn for path in node.files)
        self.files = {path: translator.assets.digest(path) for path in paths}
        self._shining: tuple[Light, ...] = ()
        self._place(parts)
        lit = [i for i, node in enumerate(self.nodes) if is_light(node)]
        self._unlit = not lit
        self._lights = [i for i in lit if self._visible[i]]
        self._dark = [i for i in lit if not self._visible[i]]
        self._shadows = any(self.nodes[i].props.get("castShadow") for i in self._lights)

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category)."""
        named = {
            number: Label(key, self.nodes[self._index[key]].kind)
            for key, number in self._ids.items()
        }
        return {0: BACKGROUND, **named}

    @property
    def ids(self) -> Mapping[str, int]:
        """Segmentation ids by key."""
        return self._ids

    def worlds(self, state: Mapping[str, NDArray[Any]]) -> Matrix:
        """world_from_component, (N, 4, 4), of all components in a state.

        Raises:
            UnknownNameError, InvalidValueError: a state that does not fit the scene.
        """
        if not state:
            return self._rest_worlds
        local = self._rest.copy()
        for key, matrix in moved(state, self._node).items():
            local[self._index[key]] = matrix
        return self._composed(local)

    @cached_property
    def handles(self) -> tuple[set[int], set[int]]:
        """Handles of the geometries and of the textures that it shows."""
        instances = self._instances
        return set(instances.geometry.tolist()), set(instances.texture.tolist())

    @property
    def size(self) -> int:
        """Bytes, about, besides what components hold."""
        return _OF_STAGE + _OF_NODE * len(self.nodes) + _OF_INSTANCE * len(self._owner)

    @cached_property
    def names(self) -> dict[str, list[int]]:
        """Keys of what is drawn -> the component's number, as `placed` has them."""
        return {str(node.key): [i] for i, node in enumerate(self.nodes) if node.drawable}

    def lights(self, worlds: Matrix) -> LightEdits:
        """Its lights by key, to be edited; `head` without any."""
        sphere = partial(_sphere, self._corners(worlds))
        if self._unlit:
            return LightEdits({HEAD: SceneLight(DEFAULT)}, {}, sphere)
        on, dark = (self._scene_lights(worlds, rows) for rows in (self._lights, self._dark))
        return LightEdits(on, dark, sphere)

    @cached_property
    def objects(self) -> Objects:
        """Which instances show which components."""
        rows: dict[int, list[int]] = {}
        for row, owner in enumerate(self._owner.tolist()):
            rows.setdefault(owner, []).append(row)
        return Objects(rows, self.names)

    def frames(self, worlds: Matrix) -> Matrix:
        """Where each instance's component is, (M, 3, 4)."""
        frames: Matrix = worlds[self._owner][:, :3]
        return frames

    def draw_list(self, worlds: Matrix) -> DrawList:
        """What is to be drawn with the components there."""
        if worlds is self._rest_worlds:
            return self._rest_draw_list
        return self._drawn(worlds)

    @cached_property
    def cameras(self) -> dict[str, Camera]:
        """The scene's cameras by key where they stand without a state, and `fit`."""
        found = {
            str(node.key): cams.camera(node, self._rest_worlds[i])
            for i, node in enumerate(self.nodes)
            if isinstance(node, CameraView)
        }
        found.setdefault(cams.FIT, cams.fit(self._corners(self._rest_worlds), self._fit_size))
        return found

    def camera(self, name: str, worlds: Matrix) -> Camera:
        """One of `cameras` with the components there; `fit` stays."""
        index = self._index.get(name)
        if index is None or worlds is self._rest_worlds or name not in self.cameras:
            return self.cameras[name]
        node = self.nodes[index]
        return (
            cams.camera(node, worlds[index]) if isinstance(node, CameraView) else self.cameras[name]
        )

    @cached_property
    def _rest_worlds(self) -> Matrix:
        return self._composed(self._rest)

    @cached_property
    def _rest_draw_list(self) -> DrawList:
        return self._drawn(self._rest_worlds)

    def _lay_out(self, root: Component) -> None:
        stack = [(root, -1, True, 0)]
        while stack:
            node, parent, shown, depth = stack.pop()
            shown = shown and node.get("visible")
            index = len(self.nodes)
            self.nodes.append(node)
            self._parent.append(parent)
            self._visible.append(shown)
            self._depth.append(depth)
            stack += [(child, index, shown, depth + 1) for child in reversed(node.children)]

    def _number(self, known: Mapping[str, int]) -> dict[str, int]:
        keys = [str(node.key) for node in self.nodes if node.drawable]
        following = max(known.values(), default=0) + 1
        ids = {key: known[key] for key in keys if key in known}
        fresh = (key for key in keys if key not in known)
        ids.update({key: following + i for i, key in enumerate(fresh)})
        return ids

    def _node(self, key: str) -> Component | None:
        return self.nodes[self._index[key]] if key in self._index else None

    def _composed(self, local: Matrix) -> Matrix:
        worlds = local.copy()
        for rows, parents in self._layers:
            worlds[rows] = worlds[parents] @ local[rows]
        return worlds

    def _place(self, parts: list[tuple[int, Parts]]) -> None:
        """Everything about the instances but where they stand."""
        counts = [len(part.geometry) for _, part in parts]
        self._owner = np.repeat(np.array([i for i, _ in parts], int), counts)
        numbers = [self._ids[str(self.nodes[i].key)] for i, _ in parts]
        shown = [self._visible[i] for i, _ in parts]
        self._pose = _stacked(parts, "pose", np.empty((0, 4, 4)))
        texture = _stacked(parts, "texture", np.empty(0, np.int32))
        length = _stacked(parts, "length", np.empty(0))
        self._instances = Instances(
            geometry=_stacked(parts, "geometry", np.empty(0, np.int32)),
            world_from_object=self._pose[:, :3],
            rgba=_stacked(parts, "rgba", np.empty((0, 4), np.float32)),
            surface=_stacked(parts, "surface", np.empty((0, 4), np.float32)),
            texture=texture,
            mapping=np.where(texture >= 0, TextureMapping.UV, 0).astype(np.int8),
            texture_scale=np.ones((len(texture), 3), np.float32),
            ids=np.repeat(np.array(numbers, np.int32), counts),
            side=_stacked(parts, "side", np.empty(0, np.int8)),
            shading=_stacked(parts, "shading", np.empty(0, np.int8)),
            casts_shadow=np.ones(len(texture), np.bool_),
            visible=np.repeat(np.array(shown, np.bool_), counts),
            length=length if length.any() else None,
        )
        seen = [(i, part.corners) for (i, part), show in zip(parts, shown, strict=True) if show]
        lengths = [len(corners) for _, corners in seen]
        self._corner_owner = np.repeat(np.array([i for i, _ in seen], int), lengths)
        self._corner = np.concatenate([np.empty((0, 3)), *(corners for _, corners in seen)])

    def _corners(self, worlds: Matrix) -> Matrix:
        """World corners (M, 3) of the boxes round all that is visible."""
        maps = worlds[self._corner_owner]
        turned: Matrix = (maps[:, :3, :3] @ self._corner[:, :, None])[:, :, 0] + maps[:, :3, 3]
        return turned

    def _drawn(self, worlds: Matrix) -> DrawList:
        instances = self._instances.moved((worlds[self._owner] @ self._pose)[:, :3])
        shining, ambient = self._shine(worlds)
        red, green, blue = self.scene.get("background")[:3]
        return DrawList(instances, shining, Environment((red, green, blue)), ambient)

    def _shine(self, worlds: Matrix) -> tuple[tuple[Light, ...], Colour]:
        """Lights, and light from everywhere; one at the camera for a scene without any."""
        if self._unlit:
            return DEFAULT, DEFAULT_AMBIENT
        named = self._scene_lights(worlds, self._lights).values()
        shining = flat(named)
        # The rasterizer keeps what it prepared for lights while they are the same tuple.
        self._shining = self._shining if shining == self._shining else shining
        return self._shining, ambient_of(named)

    def _scene_lights(self, worlds: Matrix, rows: list[int]) -> dict[str, SceneLight]:
        sphere = _sphere(self._corners(worlds)) if self._shadows else None
        return lights([(self.nodes[i], worlds[i]) for i in rows], sphere)


def _layers(depth: list[int], parent: list[int]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """For each depth from 1 on the components there, and their parents."""
    depths, parents = np.array(depth), np.array(parent)
    rows = [np.flatnonzero(depths == level) for level in range(1, int(depths.max()) + 1)]
    return [(each, parents[each]) for each in rows]


def _stacked(parts: list[tuple[int, Parts]], name: str, nothing: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([nothing, *(getattr(part, name) for _, part in parts)])


def _sphere(corners: Matrix) -> tuple[Matrix, float]:
    if not len(corners):
        return np.zeros(3), 0.0
    centre = (corners.min(0) + corners.max(0)) / 2
    return centre, math.sqrt(float(((corners - centre) ** 2).sum(1).max()))
