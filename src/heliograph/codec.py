"""Samples as files in memory, without loss, and back.

A pass has the form that its spec names: rgb is PNG, depth and normals are .npy float32. Ids are
16-bit PNG where 16 bits hold every id in the sample's labels, else .npy int32: one form for all
samples of a scene, whatever they show. `json` holds the rest: cameras, what passes are that are not
as this package knows them, labels, state, randomization, annotations, seed, index, scene version.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.errors import MissingDependencyError, RecordError, shown
from heliograph.frame import Frame, Label, Provenance, Sample
from heliograph.passes import KNOWN_PASSES, FileForm, PassSpec, PassSpecs, specs
from heliograph.requires import Requires

META = "json"

_SHORT = 2**16
_NAME = 32
"""Letters of a camera or a pass in a file's name; with index and number it fits a tar header."""

_NUMBER = "[<>|][biuf][0-9]{1,2}"
"""The types of arrays that are kept, as numpy writes them."""

_NPY = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(" + _NUMBER.encode() + rb")', "
    rb"'fortran_order': False, 'shape': \(([0-9, ]*)\), \} *\n",
    re.DOTALL,
)
"""The header of an array as `numpy.save` writes it."""

_NUMBERS = ("width", "height", "fx", "fy", "cx", "cy", "near", "far")
_ASCII = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def encode(sample: Sample, name: str = "{camera}.{kind}") -> dict[str, bytes]:
    """The files of a sample by name: `front.rgb.png`, ..., and last `json`.

    Args:
        sample: what is to be kept.
        name: of a file without suffix, for the camera and the kind of pass.

    Raises:
        RecordError: its randomization or annotations are not JSON, or an id is not in its labels.
    """
    files: dict[str, bytes] = {}
    cameras: dict[str, Any] = {}
    taken: set[str] = set()
    for camera, frame in sample.frames.items():
        short = _ascii(camera)[:_NAME]
        names: dict[str, str] = {}
        for kind, array in frame.passes.items():
            form = _form(frame.spec(kind), sample)
            stem = name.format(camera=short, kind=_ascii(kind)[:_NAME])
            names[kind] = _unused(stem, form, taken)
            files[names[kind]] = encode_array(array, form)
        cameras[camera] = {**_camera_facts(frame.camera), "files": names}
    return {**files, META: _meta(sample, cameras)}


def decode(read: Callable[[str], bytes]) -> Sample:
    """The sample again, from what reads one of its files.

    Raises:
        RecordError: a file is not what it should be.
    """
    try:
        return _decoded(read)
    except (RecordError, MissingDependencyError):
        raise
    except Exception as error:  # noqa: BLE001 -- damaged bytes make Pillow and numpy raise anything
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
        key: _numbers(value, *meta["state_types"][key]) for key, value in meta["state"].items()
    }
    for array in state.values():
        array.flags.writeable = False
    rest = (meta["seed"], meta["index"], meta["randomization"], meta["annotations"])
    provenance = Provenance(scene_version=meta.get("scene_version", 0))
    return Sample(frames, labels, state, *rest, provenance)


def _numbers(value: Any, kind: str, shape: list[int]) -> NDArray[Any]:
    """An array of a state."""
    if re.fullmatch(_NUMBER, kind) is None:
        raise RecordError(f"state: expected the type of an array of numbers, got {shown(kind)}")
    return np.array(value, kind).reshape(shape)


def _specs(passes: list[dict[str, Any]]) -> PassSpecs:
    """The passes that are not as this package knows them."""
    return specs(
        *(
            PassSpec(**{**each, "dtype": np.dtype(each["dtype"]), "fill": float(each["fill"])})
            for each in passes
        )
    )


def _own_passes(sample: Sample) -> list[dict[str, Any]]:
    """What the passes are that are not as this package knows them, as JSON holds it."""
    found = {name: frame.spec(name) for frame in sample for name in frame.passes}
    own = {name: spec for name, spec in found.items() if KNOWN_PASSES.get(name) != spec}
    # JSON has no NaN and no infinity.
    told = {name: {"dtype": spec.dtype.str, "fill": str(spec.fill)} for name, spec in own.items()}
    return [{**asdict(spec), **told[name]} for name, spec in own.items()]


def _ascii(name: str) -> str:
    return "".join(letter if letter in _ASCII else "_" for letter in name)


def _unused(stem: str, form: FileForm, taken: set[str]) -> str:
    """The name of a file, numbered where another one has it, be it in other letters' cases."""
    numbered = chain([stem], (f"{stem}-{number}" for number in count(1)))
    name = next(f"{each}.{form}" for each in numbered if f"{each}.{form}".lower() not in taken)
    taken.add(name.lower())
    return name


def encode_array(array: NDArray[Any], form: FileForm) -> bytes:
    """An array as the bytes of a file, without loss.

    Args:
        array: for "png" (H, W), (H, W, 3) or (H, W, 4) uint8, or (H, W) integers from 0 to 65535.
        form: "png" or "npy".

    Raises:
        RecordError: numbers that a 16-bit PNG does not hold.
    """
    stream = io.BytesIO()
    if form == "npy":
        np.save(stream, np.asarray(array, order="C"), allow_pickle=False)
        return stream.getvalue()
    with Requires("PIL"):
        from PIL import Image

    Image.fromarray(_pixels(array)).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def encode_jpeg(rgb: NDArray[np.uint8], quality: int, *, fine_colours: bool = False) -> bytes:
    """(H, W, 3) uint8 as a JPEG file, which takes a tenth of a PNG's bytes and time.

    Args:
        rgb: the picture.
        quality: 0 to 100.
        fine_colours: whether chroma is as fine as the picture, so that a colour can be read back.
    """
    with Requires("PIL"):
        from PIL import Image

    stream, subsampling = io.BytesIO(), 0 if fine_colours else 2
    Image.fromarray(rgb).save(stream, "JPEG", quality=quality, subsampling=subsampling)
    return stream.getvalue()


def decode_array(data: bytes, size: tuple[int, int] | None = None) -> NDArray[Any]:
    """The array in the bytes of a file; integers of a 16-bit PNG come as they are stored.

    Args:
        data: the bytes.
        size: (width, height) that a PNG has, of which none of another size is decoded.

    Raises:
        Exception: neither a PNG nor an array of numbers, or damaged.
    """
    if data[:4] != b"\x89PNG":
        header = _NPY.match(data)
        if header is None:
            raise RecordError("expected a PNG or an array of numbers as numpy.save writes it")
        shape = tuple(map(int, header[2].replace(b",", b" ").split()))
        found = np.frombuffer(data, header[1].decode(), offset=header.end())
        return found.reshape(shape).copy()
    with Requires("PIL"):
        from PIL import Image

    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        if size not in (None, image.size):
            raise RecordError(f"expected a picture of (width, height) {size}, got {image.size}")
        return np.array(image)


def _form(spec: PassSpec, sample: Sample) -> FileForm:
    """The form of a pass: the same for all samples with these labels."""
    ids_fit = 0 <= max(sample.labels, default=-1) < _SHORT
    return "npy" if spec.dtype == np.int32 and not ids_fit else spec.file_form


def _pixels(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype == np.uint8:
        return array
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    if low < 0 or high >= _SHORT:
        raise RecordError(
            f"ids in a PNG: expected those of the sample's labels, from 0 to {_SHORT - 1}, got "
            f"{low} to {high}; give labels that name them"
        )
    return array.astype(np.uint16)


def _array(data: bytes, spec: PassSpec, camera: Camera) -> NDArray[Any]:
    array = decode_array(data, camera.size)
    if array.shape != spec.shape(camera):
        raise RecordError(f"{spec.name}: expected shape {spec.shape(camera)}, got {array.shape}")
    found: NDArray[Any] = array.astype(spec.dtype, copy=False)
    return found


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
        return json.dumps(facts, separators=(",", ":"), default=as_lists).encode()
    except (TypeError, ValueError, RecursionError) as error:
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


def as_lists(value: object) -> Any:
    """What JSON does not know: arrays and numpy's numbers."""
    if isinstance(value, np.longdouble | np.clongdouble):  # whose `tolist` gives the same again
        raise TypeError(f"{type(value).__name__} cannot be written as JSON; give float64")
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
