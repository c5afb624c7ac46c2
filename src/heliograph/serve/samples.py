"""Samples as messages, and back."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.codec import encode_jpeg
from heliograph.errors import WorkerError
from heliograph.frame import Array, Frame, Labels, Provenance, Sample
from heliograph.passes import PassSpec, PassSpecs
from heliograph.requires import Requires
from heliograph.serve.messages import ALIGNMENT, Codec, Part, SampleWire
from heliograph.transport.tables import HeardTables, SentTables
from heliograph.transport.values import (
    pack,
    pack_array,
    pack_camera,
    unpack,
    unpack_array,
    unpack_camera,
)
from heliograph.view import View


class Packer:
    """Writes samples for one client.

    Args:
        labels: the renderer's own, which the client was told.
        codec: how rgb travels.
        quality: of jpeg and webp.
    """

    def __init__(self, labels: Labels, codec: Codec, quality: int) -> None:
        self._tables = SentTables(labels)
        self._codec = codec
        self._quality = quality

    def pictures(self, sample: Sample) -> tuple[list[list[Part]], list[memoryview]]:
        """The pictures of a sample; the slow part, which needs nothing of the client's."""
        parts: list[list[Part]] = []
        buffers: list[memoryview] = []
        offset = 0
        for frame in sample:
            parts.append([])
            for name, array in frame.passes.items():
                form, data = self._written(name, array)
                parts[-1].append(Part(name, form, offset, data.nbytes))
                buffers.append(data)
                offset += -(-data.nbytes // ALIGNMENT) * ALIGNMENT
        return parts, buffers

    def sample(self, sample: Sample, view: View) -> SampleWire:
        """All else of a sample; in the order in which samples are sent."""
        made = sample.provenance
        wire = SampleWire(
            [pack_camera(frame.camera) for frame in sample],
            scene_version=made.scene_version,
            begun=made.begun,
            done=made.done,
        )
        if sample.state is not view.state:
            wire.state = {key: pack_array(each) for key, each in sample.state.items()}
        if sample.randomization:
            wire.randomization = pack(sample.randomization, "randomization")
        if sample.annotations:
            wire.annotations = pack(sample.annotations, "annotations")
        wire.labels, wire.table = self._tables.number(sample.labels)
        return wire

    def _written(self, name: str, array: Array) -> tuple[Any, memoryview]:
        whole = np.ascontiguousarray(array)
        data = whole.data.cast("B")
        if self._codec == "raw":
            return "raw", data
        if name != "rgb":
            return "deflated", memoryview(zlib.compress(data, 1))
        if self._codec == "jpeg":
            return "jpeg", memoryview(encode_jpeg(whole, self._quality))
        return self._codec, memoryview(_encoded(whole, self._codec, self._quality))


class Unpacker:
    """Reads samples of one server.

    Args:
        labels: the renderer's own.
        specs: of its passes.
        provenance: who draws.
    """

    def __init__(self, labels: Labels, specs: PassSpecs, provenance: Provenance) -> None:
        self._tables = HeardTables()
        self._tables.own(labels)
        self._specs = specs
        self._provenance = provenance

    def sample(
        self, wire: SampleWire, parts: Sequence[Sequence[Part]], body: memoryview, view: View
    ) -> Sample:
        """The sample of a message; its arrays are the caller's.

        Raises:
            WorkerError: it is none.
        """
        labels = self._tables.hear(wire.labels, wire.table)
        if labels is None or len(parts) != len(wire.cameras):
            raise WorkerError("an answer that makes no sample: labels or cameras are missing")
        memory = memoryview(bytearray(body))
        frames = {}
        for packed, each in zip(wire.cameras, parts, strict=True):
            camera = unpack_camera(packed)
            passes = {part.name: self._array(part, camera, memory) for part in each}
            frames[camera.name] = Frame(camera, passes, labels, self._specs)
        return Sample(
            frames,
            labels,
            _state(wire, view),
            view.seed,
            view.index,
            randomization=unpack(wire.randomization) or {},
            annotations=unpack(wire.annotations) or {},
            provenance=replace(
                self._provenance,
                scene_version=wire.scene_version,
                begun=wire.begun,
                done=wire.done,
            ),
        )

    def _array(self, part: Part, camera: Camera, memory: memoryview) -> Array:
        spec = self._specs.get(part.name)
        if spec is None or not 0 <= part.offset <= part.offset + part.nbytes <= len(memory):
            raise WorkerError(f"an answer that makes no sample: pass {part.name!r} is nowhere")
        data = memory[part.offset : part.offset + part.nbytes]
        shape, dtype = spec.shape(camera), np.dtype(spec.dtype)
        array = _read(part, spec, data, shape)
        if array.shape != tuple(shape) or array.dtype != dtype:
            raise WorkerError(
                f"an answer that makes no sample: expected {shape} of {dtype} for pass "
                f"{part.name!r}, got {array.shape} of {array.dtype}"
            )
        return array


def _state(wire: SampleWire, view: View) -> Mapping[str, Any]:
    if wire.state is None:
        return view.state
    return {key: unpack_array(each) for key, each in wire.state.items()}


def _encoded(rgb: NDArray[np.uint8], form: str, quality: int) -> bytes:
    with Requires("PIL"):
        from PIL import Image

    file = io.BytesIO()
    how: dict[str, Any] = {"compress_level": 1} if form == "png" else {"quality": quality}
    Image.fromarray(rgb).save(file, form.upper(), **how)
    return file.getvalue()


def _read(part: Part, spec: PassSpec, data: memoryview, shape: tuple[int, ...]) -> NDArray[Any]:
    """The array of a part; of whatever shape it turns out to have."""
    dtype = np.dtype(spec.dtype)
    nbytes = int(np.prod(shape)) * dtype.itemsize
    if part.form in ("raw", "deflated"):
        if part.form == "deflated":
            data = memoryview(bytearray(zlib.decompressobj().decompress(data, nbytes + 1)))
        if data.nbytes != nbytes:
            raise WorkerError(
                f"an answer that makes no sample: expected {nbytes} bytes for pass "
                f"{part.name!r}, got {data.nbytes}"
            )
        return np.frombuffer(data, dtype).reshape(shape)
    with Requires("PIL"):
        from PIL import Image

    with Image.open(io.BytesIO(data), formats=[part.form.upper()]) as image:
        if image.size != (shape[1], shape[0]):
            raise WorkerError(f"an answer that makes no sample: a picture of {image.size} pixels")
        return np.array(image.convert("RGB"))
