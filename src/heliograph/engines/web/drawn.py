"""What a page was asked to draw, and its answer, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Required, TypedDict

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.engines.web.messages import CameraSpec, Encoding, Picture, Render, Rendered
from heliograph.engines.web.wire import ALIGNMENT
from heliograph.errors import InvalidValueError, UnknownNameError

PASSES = ("rgb", "alpha", "depth", "normals", "segmentation")
_GEOMETRY = frozenset({"depth", "normals", "segmentation"})
_DTYPES: Mapping[str, tuple[type[np.generic], int]] = {
    "rgba": (np.uint8, 4),
    "geometry": (np.uint32, 16),
}
MOST_BYTES: Final = 1 << 30
"""Bytes of all pictures of one answer."""
_FILE_HEAD = 1 << 16
"""Bytes that an image file may be larger than its pixels."""


class SharedSlot(Protocol):
    """A slot of a file that a page writes its pictures into instead of sending them."""

    number: int

    def body(self) -> memoryview:
        """What the slot holds."""


class RenderOptions(TypedDict, total=False):
    """How a page draws, see `messages.Render`; `timeout` is in seconds."""

    encoding: Encoding
    quality: float
    patience: float
    samples: int
    viewport: bool
    shared: SharedSlot | None
    timeout: Required[float]


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a page drew.

    Attributes:
        version: of the scene that it shows.
        pictures: by camera and content (see `messages.Picture`): "rgba" (H, W, 4) uint8 and
            "geometry" (H, W, 4) uint32 with rows from the bottom up, views of what came; or the
            bytes of an image file under its type.
        camera: of the page's viewport, where that was asked for.
        milliseconds: that it took the page.
    """

    version: int
    pictures: Mapping[tuple[str, str], NDArray[Any] | memoryview]
    camera: CameraSpec | None = None
    milliseconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Request:
    """An order for pictures.

    Attributes:
        message: what is sent.
        shared: where the pictures arrive, if not in the answer.
        contents: what must come of each camera.
    """

    message: Render
    shared: SharedSlot | None = None
    contents: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        asked, encoding = self.message.passes, self.message.encoding
        contents = []
        if "rgb" in asked and encoding != "raw":
            contents.append(f"image/{encoding}")
        if "alpha" in asked or ("rgb" in asked and encoding == "raw"):
            contents.append("rgba")
        if not _GEOMETRY.isdisjoint(asked):
            contents.append("geometry")
        object.__setattr__(self, "contents", tuple(contents))

    @classmethod
    def of(
        cls,
        number: int,
        cameras: Sequence[Camera],
        passes: Sequence[str],
        options: Mapping[str, Any],
    ) -> Request:
        """The order for these cameras.

        Raises:
            InvalidValueError: no camera, two of one name, or no pass.
            UnknownNameError: a pass that no page draws.
        """
        names = [camera.name for camera in cameras]
        if not names or len(set(names)) != len(names):
            raise InvalidValueError(f"cameras: expected one or more, each name once, got {names}")
        for name in passes:
            if name not in PASSES:
                raise UnknownNameError.of("pass of a page", name, PASSES)
        if not passes:
            raise InvalidValueError("passes: expected one or more, got none")
        shared = options.get("shared")
        said = {name: options[name] for name in options if name not in ("shared", "timeout")}
        slot = None if shared is None else shared.number
        specs = [spec_of(camera) for camera in cameras]
        request = cls(Render(number, specs, list(passes), file_slot=slot, **said), shared)
        if request.nbytes > MOST_BYTES:
            raise InvalidValueError(
                f"cameras: expected pictures of at most {MOST_BYTES >> 20} MiB at once, got "
                f"{request.nbytes >> 20} MiB; ask for fewer cameras in one request"
            )
        return request

    @property
    def names(self) -> str:
        """The cameras, for messages."""
        named = ", ".join(repr(camera.name) for camera in self.message.cameras)
        return f"camera {named}" if len(self.message.cameras) == 1 else f"cameras {named}"

    @property
    def nbytes(self) -> int:
        """Bytes that the pictures of its answer take at most."""
        if self.shared is not None:
            return 0
        return sum(
            _most_bytes(content, camera) + ALIGNMENT
            for camera in self.message.cameras
            for content in self.contents
        )

    def check(self, answer: Rendered, body: memoryview) -> Drawn:
        """The pictures of an answer.

        Raises:
            InvalidValueError: they are not what was asked for.
        """
        if self.shared is not None:
            body = self.shared.body()
        asked = {(each.name, what): each for each in self.message.cameras for what in self.contents}
        pictures: dict[tuple[str, str], NDArray[Any] | memoryview] = {}
        for picture in answer.pictures:
            key = picture.camera, str(picture.content)
            camera = asked.get(key)
            if camera is None or key in pictures:
                raise InvalidValueError(f"expected {_listed(asked)}, each once, got {key}")
            pictures[key] = _pixels(picture, camera, body)
        if len(pictures) != len(asked):
            raise InvalidValueError(f"expected {_listed(asked)}, got {_listed(pictures)}")
        return Drawn(answer.version, pictures, answer.camera, answer.milliseconds)


def spec_of(camera: Camera) -> CameraSpec:
    """A camera by value."""
    return CameraSpec(
        name=camera.name,
        width=camera.width,
        height=camera.height,
        matrix=camera.world_from_camera.T.ravel().tolist(),
        projection=camera.projection_matrix.T.ravel().tolist(),
        near=camera.near,
        far=camera.far,
        orthographic=camera.projection is Projection.ORTHOGRAPHIC,
    )


def _most_bytes(content: str, camera: CameraSpec) -> int:
    pixels = camera.width * camera.height
    return pixels * _DTYPES[content][1] if content in _DTYPES else pixels * 4 + _FILE_HEAD


def _pixels(picture: Picture, camera: CameraSpec, body: memoryview) -> NDArray[Any] | memoryview:
    size, said = (camera.width, camera.height), (picture.width, picture.height)
    if said != size:
        raise InvalidValueError(f"expected {size} pixels of camera {camera.name!r}, got {said}")
    start, stop, most = picture.offset, picture.offset + picture.nbytes, len(body)
    if not 0 <= start <= stop <= most or start % ALIGNMENT:
        raise InvalidValueError(f"expected bytes within {most}, aligned, got {start} to {stop}")
    allowed, raw = _most_bytes(picture.content, camera), picture.content in _DTYPES
    if not 0 < picture.nbytes <= allowed or (raw and picture.nbytes != allowed):
        raise InvalidValueError(
            f"expected {'' if raw else 'at most '}{allowed} bytes of {picture.content} of camera "
            f"{camera.name!r}, got {picture.nbytes}"
        )
    if not raw:
        return body[start:stop]
    dtype, _ = _DTYPES[picture.content]
    return np.frombuffer(body[start:stop], dtype).reshape(camera.height, camera.width, 4)


def _listed(keys: Mapping[tuple[str, str], object]) -> str:
    return ", ".join(f"{content} of {camera!r}" for camera, content in keys) or "nothing"
