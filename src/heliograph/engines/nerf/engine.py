"""The NeRF engine: scenes that nerfstudio's nerfacto learnt from pictures."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, takewhile
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import torch

from heliograph import cores
from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.engine import (
    CancelToken,
    Capability,
    Engine,
    Outs,
    check_levels,
    check_version,
    made_sample,
    resolve_cameras,
)
from heliograph.engines.nerf.checkpoint import Checkpoint, load_checkpoint
from heliograph.engines.nerf.frames import TRANSFORMS, CaptureFrame, capture_cameras
from heliograph.engines.nerf.picture import Picture, Pixels, Viewpoint, stride_for
from heliograph.engines.nerf.render import NormalSource, RayRenderer
from heliograph.engines.nerf.threads import ChunkThreads
from heliograph.engines.shared.cameras import FIT, fit
from heliograph.engines.shared.edits import camera_moves, edited_camera
from heliograph.errors import ClosedError, InvalidValueError, SceneError, UnknownNameError, shown
from heliograph.frame import BACKGROUND, Labels, Provenance, Sample, allocate, own_or_given
from heliograph.passes import ALPHA, DEPTH, NORMALS, RGB, PassSpec, PassSpecs, select_passes
from heliograph.scene import Description
from heliograph.view import View

FrameName: TypeAlias = Literal["capture", "nerfstudio"]
NormalsFrom: TypeAlias = Literal["auto", "predicted", "density", "none"]

MEDIAN_DEPTH = PassSpec(
    "median_depth",
    np.dtype(np.float32),
    0,
    "m",
    np.inf,
    "metres along the optical axis to where half of the light is stopped, inf where less is",
)
CPU_CHUNK, GPU_CHUNK = 256, 16384
_FRAMES = ("capture", "nerfstudio")
_NORMALS = ("auto", "predicted", "density", "none")
_MOST_THREADS = 1024


class NerfEngine(Engine):
    """Draws a nerfacto model that nerfstudio trained, on a CPU or a GPU, without its data.

    Poses, depths and the distances near and far are in the frame and the unit of the capture, as
    `dataparser_transforms.json` says; with `frame="nerfstudio"` in the model's own. The cameras are
    those of the capture, where its `transforms.json` is still there, and `fit`.

    `depth` is the mean depth of what a pixel sees, `median_depth` that at which half of its light
    is stopped, `alpha` how much of it is.

    Args:
        source: a `config.yml`, or the folder with one.
        size: (width, height) of the camera `fit`, pixels.
        checkpoint: file of the weights; None for the newest beside the config.
        frame: whose frame poses and depths are in.
        normals: where they come from: predicted by the model, the slope of its density, "auto" for
            predicted ones where the model has them, or none.
        device: what torch calls it, such as `cpu` or `cuda`.
        threads: chunks of rays drawn side by side on a CPU; 0 for one a core. No bit depends on it.
        chunk: rays that are drawn between two looks at whether anybody still waits; 0 for 256 on a
            CPU and 16384 on a GPU.
        trust: run whatever code the checkpoint holds, where it is not plain tensors.

    Raises:
        SceneError: a file is missing, malformed, holds code, or does not fit the others.
        InvalidValueError: another kind of option.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".yml", ".yaml")

    def __init__(  # noqa: PLR0913 -- options of its own
        self,
        source: str | Path,
        *,
        size: tuple[int, int] = (320, 240),
        checkpoint: str | Path | None = None,
        frame: FrameName = "capture",
        normals: NormalsFrom = "auto",
        device: str = "cpu",
        threads: int = 0,
        chunk: int = 0,
        trust: bool = False,
    ) -> None:
        for name, value, known in (("frame", frame, _FRAMES), ("normals", normals, _NORMALS)):
            if value not in known:
                raise UnknownNameError.of(name, value, known)
        self._device = _device(device)
        path = Path(source)
        loaded = load_checkpoint(
            path, None if checkpoint is None else Path(checkpoint), trust=trust
        )
        folder = loaded.config.path.parent
        capture = frame == "capture"
        self._frame = CaptureFrame.read(folder / TRANSFORMS) if capture else CaptureFrame.identity()
        self._cameras = _cameras(loaded, self._frame, size, capture)
        self._source, self._loaded = str(source), loaded
        kind = _normals(normals, loaded)
        self._renderer = RayRenderer(loaded.model.to(self._device), kind)
        self._passes = {each.name: each for each in (RGB, DEPTH, MEDIAN_DEPTH, ALPHA)}
        if kind is not NormalSource.NONE:
            self._passes["normals"] = NORMALS
        on_cpu = self._device.type == "cpu"
        chunk = check_integer("chunk", chunk, 0)
        self._chunk = chunk or (CPU_CHUNK if on_cpu else GPU_CHUNK)
        count = check_integer("threads", threads, 0, _MOST_THREADS) or cores.usable()
        self._threads = ChunkThreads(count if on_cpu else 1)
        self._options = (frame, kind.value, self._chunk)
        self._closed = False

    @cached_property
    def _hash(self) -> str:
        digest = hashlib.sha256(repr((self._options, self._loaded.config.model)).encode())
        digest.update(repr(sorted(self._cameras.items())).encode())
        digest.update(self._frame.model_from_capture.tobytes() + repr(self._frame.scale).encode())
        for name, tensor in self._loaded.model.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def scene(self) -> Description:
        """A scene without objects."""
        return Description(self._source, self._hash)

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """Those of the capture, where they are known, and `fit`, which looks at the unit cube."""
        return dict(self._cameras)

    @property
    def passes(self) -> PassSpecs:
        """`rgb`, `depth`, `median_depth`, `alpha`, and `normals` where there are any."""
        return dict(self._passes)

    @property
    def labels(self) -> Labels:
        """The background alone."""
        return {0: BACKGROUND}

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It refines ray by ray."""
        return frozenset({Capability.REFINE})

    @property
    def provenance(self) -> Provenance:
        """Who draws."""
        return Provenance("nerf", f"torch {torch.__version__} {self._device}")

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        begun = time.time()
        cameras = self._checked(view)
        specs = select_passes(view.pass_names, self._passes)
        buffers = own_or_given(cameras, specs, out)
        pictures = self._pictures(cameras, buffers)
        self._draw(pictures, [1] * len(pictures), None)
        made = self.provenance.drawn(begun, 0)
        return made_sample(view, cameras, buffers, self.labels, made, self._passes)

    def refine(
        self,
        view: View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
    ) -> Iterator[Sample]:
        """Draw some of the rays first, then those between them; see `heliograph.engine.Engine`.

        A level has the largest picture of every pixel, every second, fourth ... 32nd in both
        directions, that is not worth more. The token is looked at after each chunk of rays.
        """
        begun = time.time()
        cameras = self._checked(view)
        specs = select_passes(view.pass_names, self._passes)
        pictures = self._pictures(cameras, [allocate(camera, specs) for camera in cameras])
        for part in check_levels(levels):
            strides = [stride_for(camera, part) for camera in cameras]
            if not self._draw(pictures, strides, cancel):
                return
            frames = [each.frame(stride) for each, stride in zip(pictures, strides, strict=True)]
            coarse, arrays = zip(*frames, strict=True)
            made = self.provenance.drawn(begun, 0)
            yield made_sample(view, coarse, arrays, self.labels, made, self._passes)

    def close(self) -> None:
        """Free the model; may be called twice."""
        self._closed = True
        self._threads.close()
        self.__dict__.pop("_renderer", None)
        self.__dict__.pop("_loaded", None)

    def _checked(self, view: View) -> tuple[Camera, ...]:
        """The cameras of a view, once it is known that it can be drawn."""
        if self._closed:
            raise ClosedError("this engine is closed")
        check_version(view, 0, 0)
        if view.state:
            raise UnknownNameError.of("state", next(iter(view.state)), ())
        edits, moves = camera_moves(view.edits, self._cameras)
        if edits:
            raise InvalidValueError(
                f"edits: the nerf engine moves cameras alone (MoveCamera), got {edits[0]!r}"
            )
        return tuple(
            edited_camera(camera, moves.get(camera.name, ())) if named else camera
            for camera, named in zip(
                resolve_cameras(view, self._cameras),
                (isinstance(each, str) for each in view.cameras or ("",)),
                strict=True,
            )
        )

    def _pictures(
        self, cameras: Sequence[Camera], buffers: Sequence[Mapping[str, Any]]
    ) -> list[Picture]:
        return [
            Picture(Viewpoint(camera, self._frame, self._device), arrays)
            for camera, arrays in zip(cameras, buffers, strict=True)
        ]

    def _draw(
        self, pictures: Sequence[Picture], strides: Sequence[int], cancel: CancelToken | None
    ) -> bool:
        """Draw pictures down to these strides; False where nobody waits for them any more."""

        def waited(_: object) -> bool:
            return cancel is None or not cancel.cancelled

        def draw(chunk: tuple[Picture, Pixels]) -> None:
            chunk[0].draw(self._renderer, chunk[1])

        chunks = chain.from_iterable(
            ((picture, pixels) for pixels in picture.chunks(stride, self._chunk))
            for picture, stride in zip(pictures, strides, strict=True)
        )
        self._threads.run(draw, takewhile(waited, chunks))
        return waited(None)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        told = str(error).partition("\n")[0]
        raise InvalidValueError(
            f"device: expected one that torch can use here, as 'cpu', got {shown(name)} ({told})"
        ) from None
    return device


def _normals(asked: NormalsFrom, loaded: Checkpoint) -> NormalSource:
    predicted = loaded.model.config.predict_normals
    if asked == "auto":
        return NormalSource.PREDICTED if predicted else NormalSource.NONE
    if asked == "predicted" and not predicted:
        raise SceneError(
            f"{loaded.config.path}: normals: the model predicts none; expected 'density' or 'none'"
        )
    return NormalSource(asked)


def _cameras(
    loaded: Checkpoint, frame: CaptureFrame, size: tuple[int, int], capture: bool
) -> dict[str, Camera]:
    """The cameras of the capture, if it is still there, and one that looks at the unit cube."""
    found: dict[str, Camera] = {}
    data = loaded.config.data
    if capture and data is not None:
        path = data if data.suffix == ".json" else data / "transforms.json"
        if path.is_file():
            found = capture_cameras(path)
    corners = np.array(list(np.ndindex(2, 2, 2)), float) * 2 - 1
    return {**found, FIT: fit(frame.points(corners), size)}
