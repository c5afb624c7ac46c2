"""The rasterizer on GL: draw lists and cameras in, all requested passes out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.frame import Buffers
from heliograph.passes import KNOWN_PASSES, PassSpecs
from heliograph.raster import plan as planning
from heliograph.raster.frame_block import FrameBlocks
from heliograph.raster.geometries import GeometryStore
from heliograph.raster.gl.buffers import VertexBuffers
from heliograph.raster.gl.context import Context
from heliograph.raster.gl.light_maps import LightMaps, RadianceMap
from heliograph.raster.gl.pipeline import Picture, Pipeline
from heliograph.raster.gl.programs import ATTACHMENTS, BLENDED, CLASSIC, Look, outputs
from heliograph.raster.gl.readback import Readback
from heliograph.raster.gl.shadow_maps import NO_SHADOWS, ShadowAtlas, ShadowMaps
from heliograph.raster.gl.targets import Target, Targets
from heliograph.raster.gl.textures import GlTextureStore
from heliograph.raster.light_layouts import LightLayout, LightLayouts
from heliograph.raster.mirror import Mirrors
from heliograph.raster.options import RasterOptions
from heliograph.raster.prepared import PlacedInstances, Prepared, Scaling, place, renewed
from heliograph.raster.refusals import (
    FAILURES,
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
)


class GlRasterizer:
    """Draws triangles with moderngl over EGL; its methods are as `Rasterizer` says.

    Args:
        options: how to draw.

    Raises:
        ContextError: no usable GL here.
    """

    def __init__(self, options: RasterOptions | None = None) -> None:
        self.options = options or RasterOptions()
        self.context = Context(self.options.device)
        self._device = self.context.renderer
        choice = self.options.readback
        deferred = choice == "deferred" or (choice == "auto" and not self.context.software)
        with self.context.current() as gl:
            self._vertices = VertexBuffers(gl)
            self._geometries = GeometryStore(
                self._vertices.streams, simplify=self.options.lod == "auto"
            )
            self._textures = GlTextureStore(gl)
            self._targets = Targets(gl)
            self._readback = Readback(gl, deferred=deferred)
            self._light_maps = LightMaps(gl)
            self._pipeline = Pipeline(gl, self._vertices, self._textures, self._light_maps)
            self._shadows = ShadowMaps(gl, self._pipeline, self.options)
        self._mirrors = Mirrors()
        self._layouts, self._mirrored_layouts = LightLayouts(), LightLayouts()
        self._blocks = FrameBlocks(self._layouts)
        self._mirrored_blocks = FrameBlocks(self._mirrored_layouts)
        self._ready: tuple[Prepared, Scaling] | None = None

    @property
    def passes(self) -> PassSpecs:
        """The passes it can draw."""
        return KNOWN_PASSES

    @property
    def device(self) -> str:
        """The GL driver's name for itself, and its version."""
        return self._device

    def expect_lights(self, lights: tuple[Light, ...]) -> None:
        """Have programs made to measure for such kinds of lights; others share a few."""
        check_lights(lights)
        self._layouts.expect(lights, self._shadows.casting(lights))
        self._mirrored_layouts.expect_mirrored(lights)

    def add_geometry(self, geometry: Geometry) -> int:
        """Take in triangles; the handle that `InstanceTable.geometry` names them by."""
        with self.context.current():
            return self._geometries.add(geometry)

    def add_levels(self, levels: Sequence[tuple[Geometry, float]]) -> int:
        """Take in one surface at several levels of detail, finest first, with errors in metres."""
        with self.context.current():
            return self._geometries.add_levels(levels)

    def update_geometry(self, handle: int, positions: NDArray[Any], normals: NDArray[Any]) -> None:
        """Move a geometry's vertices: positions and normals (V, 3); the triangles stay."""
        with self.context.current():
            self._geometries.update(handle, positions, normals)

    def remove_geometry(self, handle: int) -> None:
        """Free a geometry that no later draw shows; its handle is given out again."""
        with self.context.current():
            self._geometries.remove(handle)

    def remove_texture(self, handle: int) -> None:
        """Free a texture that no later draw shows; its handle is given out again."""
        with self.context.current():
            self._textures.remove(handle)

    def add_texture(self, texture: Texture) -> int:
        """Take in pixels; the handle that `InstanceTable.texture` names them by."""
        with self.context.current():
            return self._textures.add(texture)

    def add_radiance(self, radiance: NDArray[np.float32]) -> int:
        """Take in light from all around; the handle that `Environment.radiance` names it by."""
        with self.context.current():
            return self._light_maps.add(radiance)

    def remove_radiance(self, handle: int) -> None:
        """Free a picture of all around that no later draw shows."""
        with self.context.current():
            self._light_maps.remove(handle)

    def lend_texture(self, texture: Texture) -> int:
        """A handle for pixels that may change with every view; good for the next `draw` alone."""
        with self.context.current():
            return self._textures.lend(texture)

    def has_uvs(self, geometry: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these geometries (N,) have texture coordinates of their own."""
        return self._geometries.has_uvs(geometry)

    def radii(self, geometry: NDArray[np.int32]) -> NDArray[np.float64]:
        """Radii (N,) of these geometries' bounding spheres, before scaling."""
        return self._geometries.radii(geometry)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Calls of `draw` that need not wait one by one: their arrays are filled by the end."""
        self._readback.gathering += 1
        try:
            yield
        finally:
            self._readback.gathering -= 1
            if not self._readback.gathering:
                self.settle()

    def settle(self) -> None:
        """Wait until the arrays of all pictures drawn so far are filled."""
        if self._readback.pending:
            with self.context.current():
                self._readback.finish()

    def draw(
        self,
        scene: DrawList,
        cameras: Sequence[Camera],
        passes: Sequence[str],
        out: Sequence[Buffers],
    ) -> None:
        """Draw one state of a scene from each camera into the arrays given."""
        try:
            check_drawn(scene, passes)
            check_goal(cameras, passes, out)
            self._textures.check_sky(scene.environment.sky)
            self._draw_all(scene, cameras, passes, out)
        except FAILURES as error:
            found = explained(error, scene, self._textures, cameras, passes, out)
            if found is None:
                raise
            raise found from None

    def _draw_all(
        self,
        scene: DrawList,
        cameras: Sequence[Camera],
        passes: Sequence[str],
        out: Sequence[Buffers],
    ) -> None:
        with self.context.current(), self._readback:
            self._vertices.upload()
            placed = self._place(scene)
            shadowed: dict[int, ShadowAtlas] = {}
            for camera, buffers in zip(cameras, out, strict=True):
                mirror, atlas = None, NO_SHADOWS
                if "rgb" in passes:
                    mirror = self._mirror(scene, placed, camera)
                    size = self._shadows.size(camera)
                    if size not in shadowed:
                        shadowed[size] = self._shadows.draw(scene.lights, placed, size)
                    atlas = shadowed[size]
                lights = self._blocks.layout(scene, atlas.casting)
                for target in self._goals(camera, passes, lights):
                    plan = self._plan(scene, placed, camera, cast=target.cast)
                    reach = planning.reach(plan, placed, camera)
                    radiance = self._radiance(scene)
                    made = self._blocks.make(
                        scene, camera, reach, atlas.casting, atlas.maps, radiance
                    )
                    picture = self._picture(scene, camera, target, (plan, *made))
                    picture.mirror, picture.shadows = mirror, atlas.texture
                    self._pipeline.draw(picture)
                    self._readback.take(target, buffers)
            self._textures.settle()
            self._pipeline.trim()

    def close(self) -> None:
        """Free the GL context and all it holds; may be called twice."""
        self.context.release()

    def _goals(self, camera: Camera, passes: Sequence[str], lights: LightLayout) -> list[Target]:
        """One framebuffer for all passes; with multisampling the blended ones have their own."""
        wanted = tuple(name for name in ATTACHMENTS if name in passes)
        parts = [(wanted, 0)]
        if self.options.msaa:
            smooth = tuple(name for name in wanted if name in BLENDED)
            parts = [(smooth, self.options.msaa), (wanted[len(smooth) :], 0)]
        return [self._target(camera, part, lights, samples) for part, samples in parts if part]

    def _target(
        self,
        camera: Camera,
        wanted: tuple[str, ...],
        lights: LightLayout,
        samples: int = 0,
        purpose: str = "",
    ) -> Target:
        ortho = camera.projection is Projection.ORTHOGRAPHIC
        passes = outputs(wanted, lights, ortho=ortho, samples=samples)
        return self._targets.get(camera.size, passes, samples, purpose)

    def _mirror(
        self, scene: DrawList, placed: PlacedInstances, camera: Camera
    ) -> moderngl.Texture | None:
        """What the scene's mirror shows from this camera, as a picture of its own."""
        found = self._mirrors.find(scene, placed, camera)
        if found is None:
            return None
        turned = found.scene(scene)
        lights = self._mirrored_blocks.layout(turned, ())
        target = self._target(camera, ("rgb",), lights, purpose="mirror")
        mask = found.ahead(placed)
        plan = self._plan(turned, placed, found.camera, cast=target.cast, reflected=mask)
        reach = planning.reach(plan, placed, found.camera)
        radiance = self._radiance(turned)
        made = self._mirrored_blocks.make(turned, found.camera, reach, radiance=radiance)
        picture = self._picture(turned, camera, target, (plan, *made))
        picture.reflected = True
        self._pipeline.draw(picture)
        return target.images[0]

    def _radiance(self, scene: DrawList) -> RadianceMap | None:
        handle = scene.environment.radiance
        lit = handle is not None and scene.lighting is Lighting.STANDARD
        return self._light_maps.at(handle) if lit and handle is not None else None

    def _place(self, scene: DrawList) -> PlacedInstances:
        """Prepare instances for drawing; each step is done again only where its input changed."""
        tables, linear = self._geometries.tables, scene.lighting is Lighting.STANDARD
        check_transforms(scene.instances.transforms, len(scene.instances))
        self._ready = renewed(self._ready, scene.instances, tables, linear=linear)
        return place(*self._ready, scene.instances.transforms, tables)

    def _plan(
        self,
        scene: DrawList,
        placed: PlacedInstances,
        camera: Camera,
        *,
        cast: bool,
        reflected: NDArray[np.bool_] | None = None,
    ) -> planning.Plan:
        vertex_lit = scene.lighting is Lighting.VERTEX
        policy = planning.LodPolicy(vertex_lit, cast, reflected is not None)
        mask = planning.facing(placed, camera)
        if reflected is not None:
            mask = reflected if mask is None else mask & reflected
        return planning.plan(placed, camera, mask, policy)

    def _picture(
        self,
        scene: DrawList,
        camera: Camera,
        target: Target,
        made: tuple[planning.Plan, NDArray[np.float32], LightLayout],
    ) -> Picture:
        plan, block, lights = made
        radiance = self._radiance(scene)
        standard = scene.lighting is Lighting.STANDARD
        return Picture(
            target=target,
            plan=plan,
            block=block,
            lights=lights,
            environment=scene.environment,
            ortho=camera.projection is Projection.ORTHOGRAPHIC,
            vertex_lit=scene.lighting is Lighting.VERTEX,
            look=Look(standard, scene.tone_mapping, radiance is not None) if standard else CLASSIC,
            radiance=radiance,
        )
