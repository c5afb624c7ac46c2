"""Style `cycles`: path traced, with every pass read as floats from one and the same render.

Depth and ids are those of the first sample, whose ray goes through the pixel's middle; normals are
averaged over the samples. Where a scene makes instances, a render of one sample more tells those of
one object apart (`heliograph.engines.blender.instances`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import bpy
import numpy as np

from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.engine import CancelToken
from heliograph.engines.blender import devices
from heliograph.engines.blender.cameras import camera_set
from heliograph.engines.blender.image import Image
from heliograph.engines.blender.instances import LEAST_OPACITY, Instances
from heliograph.engines.blender.result import render
from heliograph.engines.blender.settings import settings
from heliograph.engines.blender.world import Shown
from heliograph.errors import ClosedError, EngineError
from heliograph.frame import Array, Buffers, allocate
from heliograph.passes import KNOWN_PASSES, PassSpecs

MAX_INDEX = 32767
"""Of Blender's pass indices."""

_AVERAGED = frozenset(("rgb", "alpha", "normals"))
"""Passes that all samples count in; of the others the first one alone does."""

_FLAGS = ("combined", "environment", "z", "normal", "object_index", "material_index")


class CyclesStyle:
    """Draws with Blender's path tracer, on the GPUs that it finds, else on the CPU.

    The same scene and seed give the same bits on one machine, whatever the number of threads.
    A surface is seen by depth, normals and ids however transparent it is, unless it is wholly so.
    Depth of field and motion blur are off; the compositor and sequencer of a .blend are not run.
    What a transparent film leaves open is black, or the background that an edit gives.

    Args:
        samples: paths per pixel; adaptive sampling is off.
        denoise: whether rgb is denoised.

    Raises:
        InvalidValueError: no such number of samples.
    """

    def __init__(self, samples: int = 16, denoise: bool = False) -> None:
        self._samples = check_integer("samples", samples, 1, 2**24)
        self._denoise = bool(denoise)
        self._compute = devices.best()
        self._closed = False

    @property
    def device(self) -> str:
        """Blender's version, and what it computes on."""
        return f"cycles {bpy.app.version_string} {self._compute.name}"

    @property
    def passes(self) -> PassSpecs:
        """All six passes."""
        return KNOWN_PASSES

    def draw(
        self,
        shown: Shown,
        cameras: Sequence[Camera],
        specs: PassSpecs,
        buffers: Sequence[Buffers],
    ) -> None:
        """Draw a scene from each camera into the arrays given, by one render for each.

        Raises:
            ClosedError: the style is closed.
            EngineError: Blender could not render it.
        """
        del specs
        for camera, arrays in zip(cameras, buffers, strict=True):
            self._draw(shown, camera, arrays, self._samples)

    def refine(
        self,
        shown: Shown,
        cameras: Sequence[Camera],
        specs: PassSpecs,
        levels: Sequence[float],
        cancel: CancelToken | None = None,
    ) -> Iterator[list[Buffers]]:
        """Draw a scene by the first few of its samples, then by more.

        Every level is rendered from the first sample on: it depends on no other, and the last one
        is what `draw` draws, which sums of floats that are divided otherwise are not.

        Args:
            shown: the scene.
            cameras: from which it is seen.
            specs: what to draw.
            levels: parts of the samples; at least one sample is drawn.
            cancel: looked at before every render.

        Yields:
            For each level fresh arrays of each camera.

        Raises:
            ClosedError: the style is closed.
            EngineError: Blender could not render it.
        """
        for part in levels:
            drawn: list[Buffers] = []
            for camera in cameras:
                if cancel is not None and cancel.cancelled:
                    return
                drawn.append(allocate(camera, specs))
                self._draw(shown, camera, drawn[-1], max(1, round(part * self._samples)))
            yield drawn

    def close(self) -> None:
        """Draw no more; may be called twice."""
        self._closed = True

    def _draw(self, shown: Shown, camera: Camera, arrays: Buffers, count: int) -> None:
        """Draw the first `count` samples from one camera; one where no more of them counts."""
        if self._closed:
            raise ClosedError("this style is closed")
        scene, layer = shown.scene, shown.view_layer
        film_open = scene.render.film_transparent
        with ExitStack() as stack:
            stack.enter_context(camera_set(scene, camera))
            stack.enter_context(self._compute.used())
            stack.enter_context(_film_set(scene, layer, self._denoise))
            if _AVERAGED.isdisjoint(arrays):
                stack.enter_context(self._first_sample(shown))
            else:
                stack.enter_context(self._samples_set(scene, count, shown.seed))
            if "segmentation" in arrays:
                image = self._with_ids(shown, camera, arrays["segmentation"])
            else:
                image = Image(camera, render(scene, layer))
        _fill(arrays, image, shown, film_open)

    def _with_ids(self, shown: Shown, camera: Camera, ids: Array) -> Image:
        """What is rendered as the scene is set; its ids are written."""
        scene, layer, numbering = shown.scene, shown.view_layer, shown.numbering
        if shown.by_material:
            with _numbered(bpy.data.materials) as names:
                image = Image(camera, render(scene, layer))
            ids[:] = image.ids_of_materials(_table(names, numbering.of_material))
            return image
        found: list[Instances] = []
        with _numbered(bpy.data.objects) as names:
            image = Image(
                camera,
                render(scene, layer, lambda graph: found.append(Instances.of(graph, numbering))),
            )
            with self._first_sample(shown):
                table = _table(names, numbering.of_object)
                ids[:] = image.ids_of_objects(table, found[0], layer, lambda: render(scene, layer))
        return image

    @contextmanager
    def _first_sample(self, shown: Shown) -> Iterator[None]:
        """The sample whose rays go through the middles of the pixels, without any light."""
        scene = shown.scene
        with (
            self._samples_set(scene, 1, shown.seed),
            settings(scene.cycles, max_bounces=0, use_denoising=False),
        ):
            yield

    def _samples_set(self, scene: Any, count: int, seed: int) -> AbstractContextManager[None]:
        """The first `count` of all samples."""
        return settings(
            scene.cycles,
            device=self._compute.device,
            samples=self._samples,
            use_sample_subset=count < self._samples,
            sample_offset=0,
            sample_subset_length=count,
            seed=seed,
            use_animated_seed=False,
            use_adaptive_sampling=False,
            use_layer_samples="IGNORE",
            time_limit=0.0,
            use_denoising=self._denoise,
            use_auto_tile=False,  # tiles of large pictures would go through files
        )


@contextmanager
def _film_set(scene: Any, layer: Any, denoise: bool) -> Iterator[None]:
    """The passes that are read, and nothing that comes after the render."""
    flags = {name: False for name in dir(layer) if name.startswith("use_pass_")}
    flags.update({f"use_pass_{name}": True for name in _FLAGS})
    with (
        settings(
            scene.render,
            engine="CYCLES",
            film_transparent=True,  # for alpha; the sky, a pass of its own, is added again
            use_compositing=False,
            use_sequencer=False,
            use_freestyle=False,
            use_persistent_data=False,
        ),
        settings(layer, use=True, pass_alpha_threshold=LEAST_OPACITY, **flags),
        settings(layer.cycles, use_denoising=denoise),
    ):
        yield


@contextmanager
def _numbered(things: Any) -> Iterator[list[str]]:
    """Pass indices from 1 on for all objects, or all materials, there are.

    All at once and without a word to the dependency graph, as a render makes one of its own.

    Yields:
        Their names, in order.

    Raises:
        EngineError: there are more than Blender has indices for.
    """
    if len(things) > MAX_INDEX:
        raise EngineError(
            f"segmentation by Cycles: expected at most {MAX_INDEX} objects and as many materials, "
            f"got {len(things)}; use style='fast'"
        )
    before = np.empty(len(things), np.int32)
    things.foreach_get("pass_index", before)
    things.foreach_set("pass_index", np.arange(1, len(things) + 1, dtype=np.int32))
    kept = {each.session_uid: index for each, index in zip(things, before.tolist(), strict=True)}
    try:
        yield [each.name for each in things]
    finally:  # a render may have made more, of ours or by a handler
        after = [kept.get(each.session_uid, each.pass_index) for each in things]
        things.foreach_set("pass_index", np.array(after, np.int32))


def _fill(arrays: Buffers, image: Image, shown: Shown, film_open: bool) -> None:
    """Write what a render shows but for ids."""
    if "rgb" in arrays:
        arrays["rgb"][:] = image.colour(shown.scene, shown.background, film_open)
    for name in ("alpha", "depth", "distance", "normals"):
        if name in arrays:
            arrays[name][:] = getattr(image, name)


def _table(names: Sequence[str], numbered: Callable[[str], int]) -> Array:
    """Ids by pass index, from 1 on; 0 is what has none."""
    return np.array([numbered(""), *map(numbered, names)], np.int32)
