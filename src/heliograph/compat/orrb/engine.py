"""The engine of ORRB's interface: MuJoCo's, with ORRB's components before and its arrays after.

It lives in a worker. A view is a row of a request: `qpos` and a seed, and as part of the state the
components, as text. What comes out are the arrays that the caller gets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.compat.orrb.components.tracker import Tracker
from heliograph.compat.orrb.encoding import Encoding, category_table
from heliograph.compat.orrb.look import DARKENED, OrrbLook, brightened, developed
from heliograph.compat.orrb.places import Places
from heliograph.compat.orrb.reading import OrrbRandomization, read_components
from heliograph.engine import Outs
from heliograph.engines.mujoco import MujocoEngine
from heliograph.engines.mujoco.backends import Backend, RasterBackend
from heliograph.engines.mujoco.engine import Style
from heliograph.errors import InvalidValueError
from heliograph.frame import Buffers, Frame, Sample, own_or_given
from heliograph.passes import PassSpecs, select_passes
from heliograph.randomize import Drawn, Randomization
from heliograph.raster import RasterOptions
from heliograph.scene.appearance import MoveCamera
from heliograph.view import View, unchecked_view
from heliograph.wrappers import Order, PostProcessingEngine, PreparingEngine

COMPONENTS = "components"
"""The state key of the components: renderer_config.json as UTF-8 bytes."""
STREAMS = "orrb streams"
"""The name of a camera that yields what trackers tell, as the bytes of its `orrb_rgb`."""
_BYTES, _CHANNELS = 8, 3


class _LitAsOrrb(MujocoEngine):
    """Draws a model in ORRB's light."""

    backends: ClassVar[Mapping[Style, Callable[..., Backend]]] = {
        Style.RASTER: partial(RasterBackend, look=OrrbLook())
    }


class OrrbEngine(PreparingEngine):
    """Draws a model as ORRB's users get it.

    Its passes are `orrb_rgb`, `orrb_depth`, `orrb_normals` and `orrb_segmentation`. Batches hold
    arrays of pictures alone, so what trackers tell comes as one more picture: see `stream_camera`.

    Args:
        source: path to MJCF, or MJCF text.
        size: (width, height) in pixels of all cameras.
        options: how to rasterize.
        encoding: fields of `Encoding`.

    Raises:
        HeliographError: the model cannot be loaded.
    """

    def __init__(
        self,
        source: Any,
        *,
        size: tuple[int, int] = (100, 100),
        options: RasterOptions | None = None,
        encoding: Mapping[str, Any] | None = None,
    ) -> None:
        self._encoding = msgspec.convert(encoding or {}, Encoding)
        model = _LitAsOrrb(source, size=size, options=_in_linear_light(options or RasterOptions()))
        super().__init__(PostProcessingEngine(model))
        self._places = Places(model.model, model, size)
        named = self._encoding.segmentation_encoding == "orrb"
        self._table = category_table(model.scene.objects) if named else np.zeros(1, np.uint8)
        self._layout: tuple[Any, ...] = ()
        self._scratch: list[Sequence[Buffers]] = []

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The model's, with ORRB's near and far."""
        return dict(self._places.cameras)

    @property
    def passes(self) -> PassSpecs:
        """ORRB's four."""
        return self._encoding.passes

    def _prepare(self, view: View, out: Outs) -> Order:
        """What the components make of a view with a seed."""
        specs = select_passes(view.pass_names, self.passes)
        asked = view.cameras or tuple(self._places.cameras)[:1]
        names = [each if isinstance(each, str) else each.name for each in asked]
        known = self._places.facts(view.state.get("qpos"), names)
        edits, told = list(view.edits), b""
        text = view.state.get(COMPONENTS)
        if text is not None and view.seed is not None:
            randomization = _components(text.tobytes())
            drawn, known = randomization.run(view.seed, view.index, known)
            shown = [each for each in drawn.edits if not isinstance(each, MoveCamera)]
            edits = brightened(shown) + edits
            told = _told(randomization, drawn)
        cameras = [known.camera(each) if isinstance(each, str) else each for each in asked]
        pictures = [camera for camera in cameras if camera.name != STREAMS]
        own = {key: value for key, value in view.state.items() if key != COMPONENTS}
        changes = {
            "cameras": tuple(pictures),
            "passes": self._encoding.needed(view.pass_names),
            "state": {**own, "qpos": known.state["qpos"]},
            "edits": tuple(developed(edits)),
        }
        changed = unchecked_view(**{**vars(view), **changes})
        scratch = self._taken(pictures, changed.pass_names)
        kept = self._scratch

        def finish(sample: Sample) -> Sample:
            frames: dict[str, Frame] = {}
            for camera, arrays in zip(cameras, own_or_given(cameras, specs, out), strict=True):
                if camera.name == STREAMS:
                    _write(told, arrays)
                else:
                    self._encoding.encode(sample[camera.name], arrays, self._table)
                frames[camera.name] = Frame(camera, arrays, sample.labels, self.passes)
            kept.append(scratch)
            return replace(sample, frames=frames)

        nbytes = sum(array.nbytes for buffers in scratch for array in buffers.values())
        return Order(changed, scratch, finish, nbytes)

    def _taken(self, cameras: Sequence[Camera], passes: Sequence[str]) -> Sequence[Buffers]:
        """Arrays to draw into; those that were encoded are used again, which saves a tenth."""
        layout = [camera.size for camera in cameras], *passes
        if layout != self._layout:
            self._layout, self._scratch = layout, []
        if self._scratch:
            return self._scratch.pop()
        return own_or_given(cameras, select_passes(passes, self._engine.passes), None)


def _in_linear_light(options: RasterOptions) -> RasterOptions:
    """The options of a picture that is developed afterwards.

    Raises:
        InvalidValueError: options of another look.
    """
    if options.shading == "classic" or options.lighting != "auto":
        raise InvalidValueError(
            "expected neither shading='classic' nor lighting: ORRB's light is added in linear space"
        )
    if options.tone_mapping not in ("auto", "none"):
        raise InvalidValueError(
            f"tone_mapping: expected none, as PostProcessingRandomizer has its own, got "
            f"{options.tone_mapping!r}"
        )
    exposure = options.exposure * DARKENED
    return replace(options, shading="standard", tone_mapping="none", exposure=exposure)


def stream_widths(randomization: Randomization) -> dict[str, int]:
    """Streams of its trackers -> how many numbers each is."""
    trackers = [each for each in randomization.randomizers if isinstance(each, Tracker)]
    return {name: width for each in trackers for name, width in each.streams.items()}


def stream_camera(numbers: int) -> list[Camera]:
    """The camera whose `orrb_rgb` has the streams' numbers; none without numbers."""
    if not numbers:
        return []
    pixels = -(-_BYTES * numbers // _CHANNELS)
    return [Camera.perspective(fov_y=1.0, width=pixels, height=1, name=STREAMS)]


def read_streams(pictures: NDArray[np.uint8], numbers: int) -> NDArray[np.float64]:
    """The numbers (N, `numbers`) of what the camera of the streams yields."""
    rows = pictures.reshape(len(pictures), math.prod(pictures.shape[1:]))[:, : _BYTES * numbers]
    return np.ascontiguousarray(rows).view(np.float64)


def _told(randomization: OrrbRandomization, drawn: Drawn) -> bytes:
    pairs = zip(randomization.names, randomization.randomizers, strict=True)
    told: dict[str, list[float]] = {}
    for name, each in pairs:
        told |= drawn.facts[name] if isinstance(each, Tracker) else {}
    return np.array([number for numbers in told.values() for number in numbers], float).tobytes()


def _write(told: bytes, arrays: Buffers) -> None:
    for array in arrays.values():
        array[...] = 0
    if "orrb_rgb" in arrays:
        arrays["orrb_rgb"].reshape(-1)[: len(told)] = np.frombuffer(told, np.uint8)


@lru_cache(maxsize=16)
def _components(text: bytes) -> OrrbRandomization:
    return read_components(msgspec.json.decode(text), COMPONENTS)
