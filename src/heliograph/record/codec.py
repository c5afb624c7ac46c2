"""Samples as files in memory, without loss, and back.

A pass has the form that its spec names: rgb is PNG, depth, normals and segmentation are .npy;
`json` holds the rest: cameras, what passes are that this package does not name, labels, state,
randomization, annotations, seed, index, scene version.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.errors import HeliographError, RecordError
from heliograph.frame import Frame, Label, Provenance, Sample
from heliograph.passes import KNOWN_PASSES, FileForm, PassSpec, PassSpecs, specs
from heliograph.requires import Requires

META = "json"

_NAME = 60
_NUMBERS = ("width", "height", "fx", "fy", "cx", "cy", "near", "far")
_ASCII = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def encode(sample: Sample) -> dict[str, bytes]:
    """The files of a sample by what follows the key: `front.rgb.png`, ..., and last `json`.

    Raises:
        RecordError: its randomization or annotations are not JSON.
    """
    files: dict[str, bytes] = {}
    cameras: dict[str, Any] = {}
    for (name, frame), short in zip(sample.frames.items(), _short_names(sample), strict=True):
        names: dict[str, str] = {}
        for kind, array in frame.passes.items():
            form = _form(frame.spec(kind), array)
            names[kind] = f"{short}.{kind}.{form}"
            files[names[kind]] = _png(array) if form == "png" else _npy(array)
        cameras[name] = {**_camera_facts(frame.camera), "files": names}
    return {**files, META: _meta(sample, cameras)}


def decode(read: Callable[[str], bytes]) -> Sample:
    """The sample again, from what reads one of its files.

    Raises:
        RecordError: a file is not what it should be.
    """
    try:
        return _decoded(read)
    except RecordError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OSError, HeliographError) as error:
        raise RecordError(f"a damaged sample ({type(error).__name__}: {error})") from None


def _decoded(read: Callable[[str], bytes]) -> Sample:
    meta = json.loads(read(META))
    labels = {int(number): Label(*names) for number, names in meta["labels"].items()}
    known = {**KNOWN_PASSES, **_specs(meta.get("passes", []))}
    frames = {}
    for name, facts in meta["cameras"].items():
        camera = _camera(name, facts)
        passes = {
            kind: _array(read(file), known[kind], camera) for kind, file in facts["files"].items()
        }
        frames[name] = Frame(camera, passes, labels, known)
    state = {
        key: np.array(value, meta["state_types"][key][0]).reshape(meta["state_types"][key][1])
        for key, value in meta["state"].items()
    }
    for array in state.values():
        array.flags.writeable = False
    rest = (meta["seed"], meta["index"], meta["randomization"], meta["annotations"])
    provenance = Provenance(scene_version=meta.get("scene_version", 0))
    return Sample(frames, labels, state, *rest, provenance)


def _specs(passes: list[dict[str, Any]]) -> PassSpecs:
    """The passes that this package does not name."""
    return specs(
        *(
            PassSpec(**{**each, "dtype": np.dtype(each["dtype"]), "fill": float(each["fill"])})
            for each in passes
        )
    )


def _own_passes(sample: Sample) -> list[dict[str, Any]]:
    """What the passes are that this package does not name, as JSON holds it."""
    own = {
        name: frame.spec(name)
        for frame in sample
        for name in frame.passes
        if name not in KNOWN_PASSES
    }
    # JSON has no NaN and no infinity.
    told = {name: {"dtype": spec.dtype.str, "fill": str(spec.fill)} for name, spec in own.items()}
    return [{**asdict(spec), **told[name]} for name, spec in own.items()]


def _short_names(sample: Sample) -> list[str]:
    """The cameras' names as parts of file names; made different where they would be the same."""
    names = ["".join(c if c in _ASCII else "_" for c in name)[:_NAME] for name in sample.frames]
    return [
        f"{name}-{place}" if names.count(name) > 1 else name for place, name in enumerate(names)
    ]


def _form(spec: PassSpec, array: NDArray[Any]) -> FileForm:
    """The form that the spec names; .npy for ids that 16 bits do not hold."""
    wide = array.dtype.itemsize > 2 and array.size and not 0 <= array.min() <= array.max() < 2**16
    return "npy" if wide else spec.file_form


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _png(array: NDArray[Any]) -> bytes:
    with Requires("PIL"):
        from PIL import Image

    stream = io.BytesIO()
    fitting = array if array.dtype.itemsize <= 2 else array.astype(np.uint16)
    Image.fromarray(fitting).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _array(data: bytes, spec: PassSpec, camera: Camera) -> NDArray[Any]:
    array = _from_png(data) if data[:4] == b"\x89PNG" else np.load(io.BytesIO(data))
    if array.shape != spec.shape(camera):
        raise RecordError(f"{spec.name}: expected shape {spec.shape(camera)}, got {array.shape}")
    found: NDArray[Any] = array.astype(spec.dtype, copy=False)
    return found


def _from_png(data: bytes) -> NDArray[Any]:
    with Requires("PIL"):
        from PIL import Image

    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        return np.array(image)


def _meta(sample: Sample, cameras: Mapping[str, Any]) -> bytes:
    facts = {
        "seed": None if sample.seed is None else int(sample.seed),
        "index": int(sample.index),
        "cameras": cameras,
        "state": dict(sample.state),
        "state_types": {k: [v.dtype.str, list(v.shape)] for k, v in sample.state.items()},
        "randomization": dict(sample.randomization),
        "annotations": dict(sample.annotations),
        "scene_version": sample.provenance.scene_version,
        "passes": _own_passes(sample),
        "labels": {str(number): list(label) for number, label in sample.labels.items()},
    }
    try:
        return json.dumps(facts, separators=(",", ":"), default=_plain).encode()
    except (TypeError, ValueError) as error:
        raise RecordError(f"sample {sample.index} cannot be written as JSON: {error}") from None


def _camera_facts(camera: Camera) -> dict[str, Any]:
    return {
        **{name: getattr(camera, name) for name in _NUMBERS},
        "projection": camera.projection.value,
        "world_from_camera": camera.world_from_camera,
        "K": camera.K,
    }


def _camera(name: str, facts: Mapping[str, Any]) -> Camera:
    return Camera(
        name=name,
        world_from_camera=np.array(facts["world_from_camera"], float),
        projection=Projection(facts["projection"]),
        **{number: facts[number] for number in _NUMBERS},
    )


def _plain(value: object) -> Any:
    """What JSON does not know: arrays and numpy's numbers."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
