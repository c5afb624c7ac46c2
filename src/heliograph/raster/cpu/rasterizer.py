"""The rasterizer on the CPU: draw lists and cameras in, all requested passes out, without GL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph import array_pool, cores
from heliograph.camera import Camera, Projection
from heliograph.errors import ClosedError
from heliograph.frame import Buffers, LaidOut
from heliograph.passes import KNOWN_PASSES, PassSpecs
from heliograph.raster import albedo, area_lights
from heliograph.raster.cpu import VERSION, native_scene
from heliograph.raster.cpu.alone import OneAtATime
from heliograph.raster.cpu.numbers import camera_numbers
from heliograph.raster.cpu.shadow_maps import NO_SHADOWS, ShadowAtlas, ShadowMaps
from heliograph.raster.cpu.stores import (
    CpuTextureStore,
    RadianceMap,
    RadianceStore,
    halves,
    streams,
)
from heliograph.raster.frame_block import FrameBlocks
from heliograph.raster.geometries import GeometryStore
from heliograph.raster.light_layouts import LightLayouts, kinds
from heliograph.raster.mirror import Mirrors
from heliograph.raster.options import RasterOptions
from heliograph.raster.prepared import PlacedInstances, Prepared, Scaling, place, renewed
from heliograph.raster.refusals import (
    FAILURES,
    are_arrays,
    check_drawn,
    check_goal,
    check_lights,
    check_transforms,
    explained,
)
from heliograph.raster.types import (
    DrawList,
    Geometry,
    Light,
    Lighting,
    Texture,
    ToneMapping,
)
from heliograph.requires import native_module

_TONES = (ToneMapping.NONE, ToneMapping.NEUTRAL, ToneMapping.ACES)
_PASSES = ("rgb", "alpha", "depth", "distance", "normals", "segmentation")
_MOST_PLACES = 64
_NOWHERE = Camera.look_at(eye=(0, 0, 1), target=(0, 0, 0), fov_y=1, width=1, height=1)
_FASTEST = 2
"""Which of the native kernels: 0 plain, 1 with what every processor has, 2 with AVX2."""


class _Seen:
    """One camera as it is drawn, kept for views in which it stands still."""

    def __init__(self, camera: Camera) -> None:
        self.blocks = FrameBlocks(LightLayouts())
        self.camera = camera, camera_numbers(camera)  # in one step: Ctrl-C may come at any

    def by(self, camera: Camera) -> _Seen:
        """The same by this camera."""
        if self.camera[0] is not camera:
            self.camera = camera, camera_numbers(camera)
        return self


class _Place:
    """What is kept of the cameras at one place of views, and of what mirrors show them."""

    def __init__(self) -> None:
        self.seen, self.mirrored, self.mirrors = _Seen(_NOWHERE), _Seen(_NOWHERE), Mirrors()


class CpuRasterizer:
    """Draws triangles with heliograph's native module, all passes in one go.

    Args:
        options: how to draw.

    Raises:
        MissingDependencyError: the native module is not built here.
    """

    kernels = _FASTEST

    def __init__(self, options: RasterOptions | None = None) -> None:
        self.options = options or RasterOptions()
        self._native = native_scene()()
        self._make_shot = native_module("pictures are drawn without GL").Shot
        self._geometries = GeometryStore(streams(self._native), simplify=self.options.lod == "auto")
        self._textures = CpuTextureStore(self._native)
        self._radiances = RadianceStore()
        self._shadows = ShadowMaps(self._native, self.options)
        self._places = [_Place()]
        self._ready: tuple[Prepared, Scaling] | None = None
        self._instances: Any = None
        self._kinds: tuple[object, object, Any] = (None, None, None)
        self._tables = False
        self._alone = OneAtATime()

    @property
    def passes(self) -> PassSpecs:
        """The passes it can draw."""
        return KNOWN_PASSES

    @property
    def device(self) -> str:
        """Which version draws; the same one draws the same bytes on every machine."""
        return f"heliograph cpu rasterizer {VERSION}"

    def expect_lights(self, lights: tuple[Light, ...]) -> None:
        """Nothing but to look at them: all kinds of lights are drawn alike."""
        check_lights(lights)

    def add_geometry(self, geometry: Geometry) -> int:
        """Take in triangles; the handle that `InstanceTable.geometry` names them by."""
        self._check_open()
        return self._alone.call(self._geometries.add, geometry)

    def add_levels(self, levels: Sequence[tuple[Geometry, float]]) -> int:
        """Take in one surface at several levels of detail, finest first, with errors in metres."""
        self._check_open()
        return self._alone.call(self._geometries.add_levels, levels)

    def update_geometry(self, handle: int, positions: NDArray[Any], normals: NDArray[Any]) -> None:
        """Move a geometry's vertices: positions and normals (V, 3); the triangles stay."""
        self._check_open()
        self._alone.call(self._geometries.update, handle, positions, normals)

    def remove_geometry(self, handle: int) -> None:
        """Free a geometry that no later draw shows; its handle is given out again."""
        self._check_open()
        self._alone.call(self._geometries.remove, handle)
        self._alone.call(self._native.trim, *self._geometries.used)

    def add_texture(self, texture: Texture) -> int:
        """Take in pixels; the handle that `InstanceTable.texture` names them by."""
        self._check_open()
        return self._alone.call(self._textures.add, texture)

    def lend_texture(self, texture: Texture) -> int:
        """A handle for pixels that may change with every view: equal pixels, equal handle.

        Only the last few are kept, so a handle is good for the next `draw` alone.
        """
        self._check_open()
        return self._alone.call(self._textures.lend, texture)

    def remove_texture(self, handle: int) -> None:
        """Free a texture that no later draw shows; its handle is given out again."""
        self._check_open()
        self._alone.call(self._textures.remove, handle)

    def add_radiance(self, radiance: NDArray[np.float32]) -> int:
        """Take in light from all around; the handle that `Environment.radiance` names it by.

        Args:
            radiance: (H, W, 3) linear, an equirectangular picture of the world: row 0 is straight
                up (+z), the middle column is ahead (+y), to its right is +x.
        """
        self._check_open()
        return self._alone.call(self._radiances.add, radiance)

    def remove_radiance(self, handle: int) -> None:
        """Free a picture of all around that no later draw shows."""
        self._check_open()
        self._alone.call(self._radiances.remove, handle)

    def has_uvs(self, geometry: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these geometries (N,) have texture coordinates of their own."""
        return self._geometries.has_uvs(geometry)

    def radii(self, geometry: NDArray[np.int32]) -> NDArray[np.float64]:
        """Radii (N,) of these geometries' bounding spheres, before scaling."""
        return self._geometries.radii(geometry)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Calls of `draw` that need not wait one by one: here they are filled at once."""
        yield

    def settle(self) -> None:
        """Nothing: the arrays of all pictures drawn so far are filled."""

    def draw(
        self,
        scene: DrawList,
        cameras: Sequence[Camera],
        passes: Sequence[str],
        out: Sequence[Buffers],
    ) -> None:
        """Draw one state of a scene from each camera into the arrays given.

        Args:
            scene: what is to be seen.
            cameras: from where; each with its own size.
            passes: which images each camera yields.
            out: per camera, an array of the right shape and dtype for each pass.

        Raises:
            InvalidValueError: more lights than can be drawn, or what is not as said here.
            EngineError: a signal handler calls it while it draws.
        """
        try:
            check_drawn(scene, passes)
            self._textures.check_sky(scene.environment.sky)
            self._alone.call(self._draw_all, scene, cameras, passes, out)
        except FAILURES as error:
            found = explained(error, scene, self._textures, cameras, passes, out)
            if found is None:
                raise
            raise found from None

    def close(self) -> None:
        """Free all it holds; may be called twice."""
        self._native = self._instances = None

    def _check_open(self) -> None:
        if self._native is None:
            raise ClosedError("this renderer is closed")

    def _draw_all(
        self,
        scene: DrawList,
        cameras: Sequence[Camera],
        passes: Sequence[str],
        out: Sequence[Buffers],
    ) -> None:
        self._check_open()
        if len(cameras) > 1 and type(out) is not LaidOut:
            check_goal(cameras, passes, out)
        prepared, scaling = self._place(scene)
        placed: PlacedInstances | None = None
        coloured = "rgb" in passes
        casting = self._shadows.casting(scene.lights) if coloured else ()
        if casting or (coloured and len(prepared.mirrors)):
            placed = place(prepared, scaling, scene.instances.transforms, self._geometries.tables)
        atlases: dict[int, ShadowAtlas] = {}
        shots = []
        for number, (camera, buffers) in enumerate(zip(cameras, out, strict=True)):
            mirror, atlas, at = None, NO_SHADOWS, self._at(number)
            if placed is not None:
                mirror = self._mirror(scene, placed, camera, at)
                if casting:
                    atlas = self._atlas(scene.lights, placed, camera, atlases)
            wanted = {name: buffers[name] for name in passes}
            if not are_arrays(wanted.values()):
                check_goal(cameras, passes, out)
            shots.append(self._shot(scene, at.seen.by(camera), wanted, atlas, mirror))
        alone = len(shots) <= 1  # which needs no look at what there is
        threads = self.options.threads or (1 if alone else min(cores.threads(), len(shots)))
        self._native.draw(self._instances, shots, threads, self.kernels)
        self._textures.settle()

    def _at(self, number: int) -> _Place:
        """What is kept of the cameras at this place of views."""
        number %= _MOST_PLACES
        while len(self._places) <= number:
            self._places.append(_Place())
        return self._places[number]

    def _atlas(
        self,
        lights: tuple[Light, ...],
        placed: PlacedInstances,
        camera: Camera,
        drawn: dict[int, ShadowAtlas],
    ) -> ShadowAtlas:
        """Shadow maps as fine as a camera's picture needs them; `drawn` are those of this state."""
        size = self._shadows.size(camera)
        if size not in drawn:
            drawn[size] = self._shadows.draw(lights, placed, self._instances, size, self.kernels)
        return drawn[size]

    def _shot(
        self,
        scene: DrawList,
        seen: _Seen,
        out: Buffers,
        atlas: ShadowAtlas = NO_SHADOWS,
        mirror: Any = None,
        reflected: NDArray[np.bool_] | None = None,
    ) -> Any:
        """One picture to be drawn; `reflected` (N,) are what a mirror shows: it is seen in one."""
        radiance, back = self._radiance(scene), scene.environment
        camera, numbers = seen.camera
        seen.blocks.layout(scene, atlas.casting)
        reach = camera.near, camera.far
        block, _ = seen.blocks.make(scene, camera, reach, atlas.casting, atlas.maps, radiance)
        standard = scene.lighting is Lighting.STANDARD
        if standard:
            self._need_tables()
        flags = (
            *(*camera.size, camera.projection is Projection.ORTHOGRAPHIC),
            *(standard, scene.lighting is Lighting.VERTEX, reflected is not None),
            *(back.haze is not None, _TONES.index(scene.tone_mapping)),
            self.options.msaa if self.options.msaa and reflected is None else 1,
            radiance is not None and back.radiance_shown,
            -1 if back.sky is None else back.sky,
        )
        return self._make_shot(
            numbers,
            np.array(flags, np.int32),
            block,
            self._kinds_of(scene.lights, atlas.casting),
            np.array(back.colour, np.float32),
            None if radiance is None else radiance.tables,
            atlas.depths,
            mirror,
            reflected,
            *map(out.get, _PASSES),
        )

    def _mirror(
        self, scene: DrawList, placed: PlacedInstances, camera: Camera, at: _Place
    ) -> Any | None:
        """What the scene's mirror shows from this camera, as a picture of its own."""
        found = at.mirrors.find(scene, placed, camera)
        if found is None:
            return None
        picture = array_pool.empty((camera.height, camera.width, 3), np.uint8)
        reflected = found.ahead(placed)
        seen = at.mirrored.by(found.camera)
        return self._shot(found.scene(scene), seen, {"rgb": picture}, reflected=reflected)

    def _radiance(self, scene: DrawList) -> RadianceMap | None:
        handle = scene.environment.radiance
        lit = handle is not None and scene.lighting is Lighting.STANDARD
        return self._radiances.at(handle) if lit and handle is not None else None

    def _need_tables(self) -> None:
        """Hand over what linear light looks up."""
        if not self._tables:
            self._native.set_tables(halves(albedo.table()), halves(area_lights.table()))
            self._tables = True

    def _kinds_of(self, lights: tuple[Light, ...], casting: tuple[int, ...]) -> Any:
        for_lights, with_maps, numbers = self._kinds
        if for_lights is not lights or with_maps != casting:
            numbers = np.array(kinds(lights, casting), np.int32)
            self._kinds = lights, casting, numbers
        return numbers

    def _place(self, scene: DrawList) -> tuple[Prepared, Scaling]:
        """Prepare instances for drawing; each step is done again only where its input changed."""
        tables, linear = self._geometries.tables, scene.lighting is Lighting.STANDARD
        transforms, ready = scene.instances.transforms, self._ready
        ready = renewed(ready, scene.instances, tables, linear=linear)
        if ready is not self._ready:
            self._instances = _native_instances(*ready)
            self._ready = ready
        check_transforms(transforms, len(scene.instances))
        self._native.place(
            self._instances,
            transforms.world_from_object,
            transforms.visible,
            transforms.length,
            tables.box,
            tables.radius,
        )
        return ready


def _native_instances(prepared: Prepared, scaling: Scaling) -> Any:
    """What the native scene takes of instances, in its columns."""
    table, count = prepared.table, len(prepared.key)
    turned = scaling.turned
    flat = np.zeros(count, bool)
    flat[prepared.flat] = True
    cast = np.zeros(count, bool) if prepared.cast is None else prepared.cast > 0
    pixel = scaling.pixel
    module = native_module("pictures are drawn without GL")
    return module.Instances(
        geometry=np.ascontiguousarray(table.geometry, np.int32),
        commands=prepared.commands,
        keys=prepared.key if turned is None else prepared.key | turned,
        order=prepared.order if turned is None else prepared.order | turned,
        records=prepared.records,
        pixel=np.stack([pixel[False, True], pixel[True, True], pixel[False, False]]),
        distance=scaling.far,
        flags=np.stack([prepared.drawn & scaling.solid, prepared.transparent, flat, cast]),
        scales=np.stack([scaling.largest, scaling.determinant]),
    )
