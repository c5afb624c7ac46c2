"""The rasterizer: draw lists and cameras in, all requested passes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import moderngl
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.frame import Buffers
from heliograph.raster import plan as planning
from heliograph.raster.context import Context, RasterOptions
from heliograph.raster.drawables import DrawList, Geometry, Texture
from heliograph.raster.frame_block import frame_block
from heliograph.raster.mirror import mirrored
from heliograph.raster.pipeline import Picture, Pipeline
from heliograph.raster.shaders import ATTACHMENTS, MAX_LIGHTS, LightPlan
from heliograph.raster.shadows import Shadows
from heliograph.raster.store import GeometryStore, TextureStore
from heliograph.raster.targets import Target, Targets


class Rasterizer:
    """Draws triangles with moderngl over EGL, all passes in one go.

    Args:
        options: how to draw.

    Raises:
        ContextError: no usable GL here.
    """

    def __init__(self, options: RasterOptions | None = None) -> None:
        self.options = options or RasterOptions()
        self.context = Context(self.options.device)
        with self.context.current() as gl:
            self._geometries = GeometryStore(gl, simplify=self.options.lod == "auto")
            self._textures = TextureStore(gl)
            self._targets = Targets(gl)
            self._pipeline = Pipeline(gl, self._geometries, self._textures)
            self._shadows = Shadows(gl, self._pipeline, self.options)

    def add_geometry(self, geometry: Geometry) -> int:
        """Take in triangles; the handle that `Instances.geometry` names them by."""
        with self.context.current():
            return self._geometries.add(geometry)

    def update_geometry(self, handle: int, positions: NDArray[Any], normals: NDArray[Any]) -> None:
        """Move a geometry's vertices: positions and normals (V, 3); the triangles stay."""
        with self.context.current():
            self._geometries.update(handle, positions, normals)

    def add_texture(self, texture: Texture) -> int:
        """Take in pixels; the handle that `Instances.texture` names them by."""
        with self.context.current():
            return self._textures.add(texture)

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
        """
        with self.context.current():
            self._geometries.upload()
            placed = planning.place(scene.instances, self._geometries.tables)
            side = max((max(camera.size) for camera in cameras), default=0)
            lights, maps = self._shadows.draw(scene, placed, side if "rgb" in passes else 0)
            for camera, buffers in zip(cameras, out, strict=True):
                mirror = self._mirror(scene, camera) if "rgb" in passes else None
                for target in self._goals(camera, passes):
                    picture = self._picture(scene, placed, camera, target, (lights, maps))
                    picture.mirror = mirror
                    self._pipeline.draw(picture)
                    target.read(buffers)

    def close(self) -> None:
        """Free the GL context and all it holds; may be called twice."""
        self.context.release()

    def _goals(self, camera: Camera, passes: Sequence[str]) -> list[Target]:
        """One framebuffer for all passes; with multisampling rgb has one of its own."""
        wanted = tuple(name for name in ATTACHMENTS if name in passes)
        if not self.options.msaa or "rgb" not in wanted:
            return [self._targets.get(camera.size, wanted)]
        rest = wanted[1:]
        smooth = self._targets.get(camera.size, ("rgb",), self.options.msaa)
        return [smooth, self._targets.get(camera.size, rest)] if rest else [smooth]

    def _mirror(self, scene: DrawList, camera: Camera) -> moderngl.Texture | None:
        """What the scene's mirror shows from this camera, as a picture of its own."""
        turned = mirrored(scene, camera)
        if turned is None:
            return None
        target = self._targets.get(camera.size, ("rgb",), purpose="mirror")
        placed = planning.place(turned.instances, self._geometries.tables)
        lights = LightPlan(tuple(light.kind for light in turned.lights[:MAX_LIGHTS]))
        self._pipeline.draw(self._picture(turned, placed, camera, target, (lights, [])))
        return target.images[0]

    def _picture(
        self,
        scene: DrawList,
        placed: planning.Placed,
        camera: Camera,
        target: Target,
        lighting: tuple[LightPlan, list[Any]],
    ) -> Picture:
        lights, maps = lighting
        return Picture(
            target=target,
            plan=planning.plan(placed, camera, self._geometries.tables, None),
            block=frame_block(scene, camera, [shadow.clip_from_world for shadow in maps]),
            lights=lights,
            shadow_maps=[shadow.texture for shadow in maps],
            surroundings=scene.surroundings,
            ortho=camera.projection is Projection.ORTHOGRAPHIC,
        )
