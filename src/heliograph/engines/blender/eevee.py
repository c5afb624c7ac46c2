"""Style `eevee`: rgb by Blender's own rasterizer, everything else as style `fast` draws it.

EEVEE keeps what it renders to itself where there is no window: its picture is had as a file only.
One is written into memory, an EXR of 32-bit floats without compression.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.engines.blender.cameras import camera_set
from heliograph.engines.blender.colour import as_shown
from heliograph.engines.blender.fast import FastStyle
from heliograph.engines.blender.ram_file import ram_file
from heliograph.engines.blender.result import run
from heliograph.engines.blender.settings import image_settings, settings
from heliograph.engines.blender.world import FAST, Shown
from heliograph.errors import ClosedError
from heliograph.frame import Array, Buffers
from heliograph.passes import PassSpecs
from heliograph.raster import RasterOptions

ENGINE = "BLENDER_EEVEE_NEXT" if bpy.app.version < (5, 0) else "BLENDER_EEVEE"


class EeveeStyle:
    """Draws rgb with EEVEE, the other passes with style `fast`, whose geometry is the same.

    Depth of field and motion blur are off; the compositor and sequencer of a .blend are not run.
    What a transparent film leaves open is black, or the background that an edit gives. The first
    picture takes long: shaders are compiled. Once EEVEE has drawn, Blender 4.5 hangs when its
    process ends as usual: flush, then end it by `os._exit`.

    Args:
        samples: of each pixel.
        options: how the other passes are rasterized.

    Raises:
        InvalidValueError: no such number of samples, or options that `fast` does not take.
        ContextError: GL is to draw, and there is no usable one here.
    """

    def __init__(self, samples: int = 16, options: RasterOptions = FAST) -> None:
        self._samples = check_integer("samples", samples, 1, 2**20)
        self._fast = FastStyle(options)
        self._closed = False

    @property
    def device(self) -> str:
        """Blender's version, and what draws the other passes."""
        return f"eevee {bpy.app.version_string}; {self._fast.device}"

    @property
    def passes(self) -> PassSpecs:
        """Those of style `fast`."""
        return self._fast.passes

    def draw(
        self,
        shown: Shown,
        cameras: Sequence[Camera],
        specs: PassSpecs,
        buffers: Sequence[Buffers],
    ) -> None:
        """Draw a scene from each camera into the arrays given.

        Raises:
            ClosedError: the style is closed.
            EngineError: Blender could not render it.
        """
        if self._closed:
            raise ClosedError("this style is closed")
        others = {name: spec for name, spec in specs.items() if name != "rgb"}
        if others:
            rest = [{name: arrays[name] for name in others} for arrays in buffers]
            self._fast.draw(shown, cameras, others, rest)
        if "rgb" in specs:
            for camera, arrays in zip(cameras, buffers, strict=True):
                arrays["rgb"][:] = self._colour(shown, camera)

    def close(self) -> None:
        """Free what it holds; may be called twice."""
        self._closed = True
        self._fast.close()

    def _colour(self, shown: Shown, camera: Camera) -> Array:
        scene, layer = shown.scene, shown.view_layer
        film_open = scene.render.film_transparent or shown.background is not None
        with (
            camera_set(scene, camera),
            settings(
                scene.render,
                engine=ENGINE,
                film_transparent=film_open,
                use_compositing=False,
                use_sequencer=False,
                use_freestyle=False,
            ),
            settings(scene.eevee, taa_render_samples=self._samples),
            settings(layer, use=True, use_pass_combined=True),
        ):
            run(scene, layer)
            light = _result(scene)[: camera.height, : camera.width]
        return as_shown(scene, light, shown.background or (0.0, 0.0, 0.0))


def _result(scene: Any) -> NDArray[np.float32]:
    """What was rendered last, (H, W, 4), linear, alpha premultiplied; the top first."""
    render = bpy.data.images["Render Result"]
    with ram_file() as file, image_settings(scene, "OPEN_EXR", "RGBA", "32", exr_codec="NONE"):
        path = f"/dev/fd/{file}"
        render.save_render(path, scene=scene)
        image = bpy.data.images.load(path)
        try:
            width, height = image.size
            numbers = np.empty(height * width * 4, np.float32)
            image.pixels.foreach_get(numbers)
        finally:
            bpy.data.images.remove(image)
    return numbers.reshape(height, width, 4)[::-1]
