"""Who draws a MuJoCo state: our rasterizer, or MuJoCo's own renderer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import ClassVar, Protocol

import mujoco
import numpy as np

from heliograph.camera import Camera, Projection
from heliograph.engines.mujoco import cameras as cams
from heliograph.engines.mujoco.flex import Flex
from heliograph.engines.mujoco.objects import ModelObjects
from heliograph.engines.mujoco.standard import StandardLook
from heliograph.engines.mujoco.translate import Translator
from heliograph.engines.mujoco.visual import GeomBuffer
from heliograph.engines.shared.edits import EditApplier, has_metal
from heliograph.errors import ContextError, InvalidValueError
from heliograph.frame import Buffers
from heliograph.passes import PASSES, PassSpecs, specs
from heliograph.raster import DrawList, Lighting, RasterOptions, make_rasterizer
from heliograph.scene import Edit
from heliograph.view import View

_CLASSIC_PASSES = specs(*(spec for name, spec in PASSES.items() if name != "normals"))
_WITHOUT_LIGHTS = (0.3, 0.3, 0.3)
"""The ambient light of a scene without any lights, as in MuJoCo."""


class Backend(Protocol):
    """Draws one state of one model."""

    @property
    def passes(self) -> PassSpecs:
        """The passes it can yield."""

    @property
    def device(self) -> str:
        """What draws, by its own name."""

    @property
    def edits(self) -> bool:
        """Whether it can apply edits."""

    def draw(
        self,
        data: mujoco.MjData,
        cameras: Sequence[Camera],
        view: View,
        out: Sequence[Buffers],
        edits: Sequence[Edit] = (),
    ) -> None:
        """Draw the state, edited, from each camera into the arrays given."""

    def together(self) -> AbstractContextManager[None]:
        """A block that may defer filling arrays: all that is drawn within is there by its end."""

    def close(self) -> None:
        """Free its resources."""


class RasterBackend:
    """Our rasterizer."""

    def __init__(
        self,
        model: mujoco.MjModel,
        objects: ModelObjects,
        visual: mujoco.MjvOption,
        options: RasterOptions,
        look: StandardLook | None = None,
    ) -> None:
        lighting = options.lit(Lighting.VERTEX)
        if lighting is not Lighting.STANDARD:
            _refuse_light_options(options)
            self._look = None
        else:
            self._look = look or StandardLook.of(model)
        self._skins = int(model.nskin)
        self._buffer = GeomBuffer(model, visual)
        self._rasterizer = make_rasterizer(options)
        self._flexes = [Flex(model, self._buffer.scene, index) for index in range(model.nflex)]
        self._translator = Translator(model, self._rasterizer, objects, lighting, self._look)
        self._translator.add_flexes(flex.geometry() for flex in self._flexes)
        self._lights = cams.Lights(model, self._buffer.scene, self._look)
        self._lighting = lighting
        self._tone_mapping, self._exposure = options.toned(), options.exposure
        self._drawn = False

    @property
    def passes(self) -> PassSpecs:
        """All passes."""
        return self._rasterizer.passes

    @property
    def device(self) -> str:
        """What draws, as the rasterizer says it."""
        return self._rasterizer.device

    @property
    def edits(self) -> bool:
        """It can apply edits."""
        return True

    def draw(
        self,
        data: mujoco.MjData,
        cameras: Sequence[Camera],
        view: View,
        out: Sequence[Buffers],
        edits: Sequence[Edit] = (),
    ) -> None:
        """Draw the state, edited, from each camera into the arrays given."""
        geoms = self._buffer.update(data)
        scene = self._buffer.scene
        for index in range(self._skins):
            self._move_skin(scene, index)
        for handle, flex in zip(self._translator.flexes, self._flexes, strict=False):
            self._rasterizer.update_geometry(int(handle), *flex.place())
        lights = self._lights.update()
        if not self._drawn:
            self._rasterizer.expect_lights(lights)
            self._drawn = True
        things = DrawList(
            instances=self._translator.instances(geoms),  # before its environment
            lights=lights,
            environment=self._translator.environment(geoms),
            lighting=self._lighting,
            tone_mapping=self._tone_mapping,
            exposure=self._exposure,
        )
        if edits:
            applier = EditApplier(
                things,
                partial(self._lights.edits, data),
                self._translator.objects,
                partial(self._translator.frames, geoms),
                self._rasterizer,
            )
            things = self._mirroring(applier.apply(edits))
        if not lights and not things.lights:  # those that edits put out leave it dark
            things.ambient = _WITHOUT_LIGHTS
            if self._look is not None:
                things.ambient = self._look.around(_WITHOUT_LIGHTS)
        if self._look is not None:
            things = self._look.surrounded(things)
        self._rasterizer.draw(things, cameras, view.pass_names, out)

    def _mirroring(self, things: DrawList) -> DrawList:
        """The same with what metal mirrors, where edits have made some."""
        behind = things.environment
        if self._look is None or not self._look.mirrors_edits or behind.radiance is not None:
            return things
        if not has_metal(things.instances.materials):
            return things
        return replace(things, environment=self._translator.mirrored(behind))

    def together(self) -> AbstractContextManager[None]:
        """A block that may defer filling arrays: all that is drawn within is there by its end."""
        return self._rasterizer.together()

    def close(self) -> None:
        """Free the rasterizer."""
        self._rasterizer.close()

    def _move_skin(self, scene: mujoco.MjvScene, index: int) -> None:
        start, count = int(scene.skinvertadr[index]), int(scene.skinvertnum[index])
        rows = slice(start, start + count)
        vertices = np.reshape(scene.skinvert, (-1, 3))[rows]
        normals = np.reshape(scene.skinnormal, (-1, 3))[rows]
        self._rasterizer.update_geometry(int(self._translator.skins[index]), vertices, normals)


class ClassicBackend:
    """`mujoco.Renderer`; a second one in a process would draw nothing, so it is refused."""

    _taken: ClassVar[bool] = False

    def __init__(
        self,
        model: mujoco.MjModel,
        objects: ModelObjects,
        visual: mujoco.MjvOption,
        options: RasterOptions,
    ) -> None:
        if options.shading == "standard":
            raise InvalidValueError(
                "style='classic': expected shading='classic', which is how mujoco.Renderer draws, "
                "got 'standard'; leave style out, or shading"
            )
        if options.backend == "cpu":
            raise InvalidValueError(
                "style='classic': mujoco.Renderer draws with GL, so backend='cpu' does not go with "
                "it; leave style out, or backend"
            )
        if options.lit(Lighting.VERTEX) is not Lighting.VERTEX:
            raise InvalidValueError("style='classic': MuJoCo lights per vertex, lighting='vertex'")
        _refuse_light_options(options)
        if ClassicBackend._taken:
            raise ContextError(
                "style='classic': another classic renderer is open in this process, and a second "
                "one would draw nothing; close the first"
            )
        self._model = model
        self._objects = objects
        self._visual = visual
        self._shadows = options.shadows
        model.vis.quality.offsamples = options.msaa
        self._renderer: mujoco.Renderer | None = None
        self._size = (0, 0)
        ClassicBackend._taken = True

    @property
    def passes(self) -> PassSpecs:
        """Everything but normals."""
        return _CLASSIC_PASSES

    @property
    def device(self) -> str:
        """MuJoCo's own renderer."""
        return f"mujoco.Renderer {mujoco.__version__}"

    @property
    def edits(self) -> bool:
        """It cannot apply edits."""
        return False

    def draw(
        self,
        data: mujoco.MjData,
        cameras: Sequence[Camera],
        view: View,
        out: Sequence[Buffers],
        edits: Sequence[Edit] = (),
    ) -> None:
        """Draw the state, edited, from each camera into the arrays given."""
        for camera, buffers in zip(cameras, out, strict=True):
            renderer = self._sized(camera.size)
            renderer.update_scene(data, scene_option=self._visual)
            _aim(renderer.scene, camera)
            renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = self._shadows
            if "rgb" in view.pass_names:
                renderer.render(out=buffers["rgb"])
            ids = self._ids(renderer)
            if "segmentation" in view.pass_names:
                buffers["segmentation"][:] = ids
            if "depth" in view.pass_names:
                renderer.enable_depth_rendering()
                renderer.render(out=buffers["depth"])
                renderer.disable_depth_rendering()
                buffers["depth"][ids == 0] = np.inf

    def together(self) -> AbstractContextManager[None]:
        """Nothing is deferred here: arrays are filled at once."""
        return nullcontext()

    def close(self) -> None:
        """Free the GL context, so that another may be made."""
        if self._renderer is not None:
            self._renderer.close()
        self._renderer = None
        ClassicBackend._taken = False

    def _ids(self, renderer: mujoco.Renderer) -> np.ndarray:
        renderer.enable_segmentation_rendering()
        objects = renderer.render()
        renderer.disable_segmentation_rendering()
        ids = self._objects.ids(objects[..., 1].ravel(), objects[..., 0].ravel())
        return ids.reshape(objects.shape[:2])

    def _sized(self, size: tuple[int, int]) -> mujoco.Renderer:
        if self._renderer is None or self._size != size:
            if self._renderer is not None:
                self._renderer.close()
            view = self._model.vis.global_
            view.offwidth, view.offheight = (
                max(view.offwidth, size[0]),
                max(view.offheight, size[1]),
            )
            try:
                self._renderer = mujoco.Renderer(self._model, size[1], size[0])
            except (mujoco.FatalError, AttributeError, ImportError) as error:
                raise ContextError(
                    f"style='classic': MuJoCo cannot make a GL context ({error}); without a "
                    "display set MUJOCO_GL=egl before mujoco is imported, which needs libEGL.so.1 "
                    "(apt-get install libegl1 libgl1-mesa-dri); leave style out to draw without GL"
                ) from None
            self._size = size
        return self._renderer


def _refuse_light_options(options: RasterOptions) -> None:
    """Refuse options of linear light where light is added in sRGB."""
    for name, value, usual in (
        ("tone_mapping", options.tone_mapping, "auto"),
        ("exposure", options.exposure, 1.0),
    ):
        if value != usual:
            raise InvalidValueError(
                f"{name}: is of linear light alone, got {value!r}; give shading='standard' as "
                "well, or leave it out"
            )


def _aim(scene: mujoco.MjvScene, camera: Camera) -> None:
    """Point both of MuJoCo's eyes the way a camera looks."""
    pose = camera.world_from_camera
    ortho = camera.projection is Projection.ORTHOGRAPHIC
    unit = 1.0 if ortho else camera.near
    for eye in (scene.camera[0], scene.camera[1]):
        eye.pos[:], eye.forward[:], eye.up[:] = pose[:3, 3], -pose[:3, 2], pose[:3, 1]
        eye.orthographic = int(ortho)
        eye.frustum_near, eye.frustum_far = camera.near, camera.far
        eye.frustum_top = unit * camera.cy / camera.fy
        eye.frustum_bottom = unit * (camera.cy - camera.height) / camera.fy
        eye.frustum_center = unit * (camera.width / 2 - camera.cx) / camera.fx
        eye.frustum_width = unit * camera.width / (2 * camera.fx)
    for light in scene.lights[: scene.nlight]:
        if light.headlight:
            light.pos[:], light.dir[:] = pose[:3, 3], -pose[:3, 2]
