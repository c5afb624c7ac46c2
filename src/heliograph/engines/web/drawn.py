"""What a page was asked to draw, and its answer, checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Required, TypedDict

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.web.decode import (
    CONTENTS,
    PAGE_NAMES,
    contents_of,
    decode,
    raw_bytes,
    raw_picture,
)
from heliograph.engines.web.messages import Encoding, Picture, Render, Rendered
from heliograph.engines.web.specs import camera_of, spec_of
from heliograph.engines.web.wire import ALIGNMENT
from heliograph.errors import InvalidValueError, UnknownNameError

MOST_BYTES: Final = 1 << 30
"""Bytes of all pictures of one answer."""
FILE_HEAD: Final = 1 << 16
"""Bytes that an image file may be larger than its pixels."""


class SharedSlot(Protocol):
    """A slot of a file that a page writes its pictures into instead of sending them."""

    @property
    def number(self) -> int:
        """Which slot."""

    def body(self) -> memoryview:
        """What it holds, at an address that is a multiple of 16."""


class RenderOptions(TypedDict, total=False):
    """How a page draws, see `messages.Render`; `timeout` is in seconds."""

    encoding: Encoding
    quality: float
    patience: float
    samples: int
    viewport: bool
    shared: SharedSlot | None
    timeout: Required[float]


class Pictures(Mapping[tuple[str, str], NDArray[Any]]):
    """Pictures by camera and pass, each read from what came when it is looked at.

    An encoded one is the bytes of its file, (N,) uint8.

    Args:
        cameras: by name.
        raw: what came, by camera and content (see `messages.Picture`).
        contents: what each pass is read from.
        made: pictures that were read already; each is given away once.
    """

    def __init__(
        self,
        cameras: Mapping[str, Camera],
        raw: Mapping[tuple[str, str], memoryview],
        contents: Mapping[str, str],
        made: dict[tuple[str, str], NDArray[Any]],
    ) -> None:
        self._cameras = cameras
        self._raw = raw
        self._contents = contents
        self._made = made

    def __getitem__(self, key: tuple[str, str]) -> NDArray[Any]:
        """One picture, an array of its own."""
        return self.read(*key)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Cameras and passes."""
        return ((camera, name) for camera in self._cameras for name in self._contents)

    def __len__(self) -> int:
        """How many pictures."""
        return len(self._cameras) * len(self._contents)

    def read_all(self, cameras: Iterable[str]) -> dict[tuple[str, str], NDArray[Any]]:
        """What there is of these cameras."""
        keys = [(camera, name) for camera in cameras for name in self._contents]
        return {key: self[key] for key in keys if (key[0], self._contents[key[1]]) in self._raw}

    def read(self, camera: str, name: str, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """One picture.

        Args:
            camera: name of the camera.
            name: of the pass.
            out: where to, of a raw one; None for an array of its own.
        """
        made = self._made.pop((camera, name), None)
        if made is not None:
            if out is None:
                return made
            out[...] = made
            return out
        content, seen = self._contents[name], self._cameras[camera]
        data = self._raw[camera, content]
        if content in CONTENTS:
            return decode(name, raw_picture(data, content, seen), seen, out)
        return np.frombuffer(data, np.uint8)


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a page drew.

    Attributes:
        version: of the scene that it shows.
        pictures: by camera and pass.
        camera: the page's viewport as the first picture shows it, where that was asked for.
        milliseconds: that it took the page.
    """

    version: int
    pictures: Pictures
    camera: Camera | None = None
    milliseconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Request:
    """An order for pictures.

    Attributes:
        message: what is sent.
        cameras: by name.
        contents: what each pass is read from.
        shared: where the pictures arrive, if not in the answer.
        nbytes: that an answer's pictures take at most.
    """

    message: Render
    cameras: Mapping[str, Camera]
    contents: Mapping[str, str]
    shared: SharedSlot | None
    nbytes: int
    _raw: dict[tuple[str, str], memoryview] = field(default_factory=dict)
    _made: dict[tuple[str, str], NDArray[Any]] = field(default_factory=dict)

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
            InvalidValueError: no camera, two of one name, no pass, or too many pixels.
            UnknownNameError: a pass that no page draws.
        """
        named = {camera.name: camera for camera in cameras}
        if not named or len(named) != len(cameras):
            came = [camera.name for camera in cameras]
            raise InvalidValueError(f"cameras: expected one or more, each once, got {came}")
        said = {name: options[name] for name in options if name not in ("shared", "timeout")}
        contents = _contents(passes, options.get("encoding", "raw"))
        shared = options.get("shared")
        nbytes = _most_bytes(cameras, set(contents.values()))
        if nbytes > MOST_BYTES:
            raise InvalidValueError(
                f"cameras: expected pictures of at most {MOST_BYTES >> 20} MiB at once, got "
                f"{nbytes >> 20} MiB; ask for fewer cameras in one request"
            )
        message = Render(
            number,
            [spec_of(camera) for camera in cameras],
            list(dict.fromkeys(PAGE_NAMES[name] for name in passes)),
            file_slot=None if shared is None else shared.number,
            **said,
        )
        return cls(message, named, contents, shared, 0 if shared is not None else nbytes)

    @property
    def number(self) -> int:
        """What the answer names."""
        return self.message.request

    @property
    def names(self) -> str:
        """The cameras, for messages."""
        listed = ", ".join(map(repr, self.cameras))
        return f"camera{'s' if len(self.cameras) > 1 else ''} {listed}"

    def take(self, answer: Rendered, body: memoryview) -> Drawn | None:
        """The pictures of an answer; None where more of them follow.

        What comes early is read while the page draws the rest.

        Raises:
            InvalidValueError: they are not what was asked for.
        """
        if self.shared is not None:
            body = self.shared.body()
        cameras, seen = dict(self.cameras), None
        if self.message.viewport and answer.camera is not None:
            first = next(iter(cameras.values()))
            seen = cameras[first.name] = camera_of(answer.camera, first.name, first.size)
        asked = {(name, content): None for name in cameras for content in self.contents.values()}
        raw = self._raw
        for picture in answer.pictures:
            key = picture.camera, str(picture.content)
            if key not in asked or key in raw:
                raise InvalidValueError(f"expected {_listed(asked)}, each once, got {key}")
            raw[key] = _part(picture, cameras[picture.camera], body)
        pictures = Pictures(cameras, raw, self.contents, self._made)
        if answer.more:
            self._made.update(pictures.read_all({each.camera for each in answer.pictures}))
            return None
        if len(raw) != len(asked):
            raise InvalidValueError(f"expected {_listed(asked)}, got {_listed(raw)}")
        return Drawn(answer.version, pictures, seen, answer.milliseconds)


def _contents(passes: Sequence[str], encoding: str) -> Mapping[str, str]:
    if not passes:
        raise InvalidValueError("passes: expected one or more, got none")
    for name in passes:
        if name not in PAGE_NAMES:
            raise UnknownNameError.of("pass of a page", name, PAGE_NAMES)
    contents = contents_of(passes)
    if "rgb" in contents and encoding != "raw":
        contents["rgb"] = f"image/{encoding}"
    return contents


def _most_bytes(cameras: Sequence[Camera], contents: set[str]) -> int:
    pixels = [camera.width * camera.height for camera in cameras]
    return sum(_allowed(content, count) + ALIGNMENT for count in pixels for content in contents)


def _allowed(content: str, pixels: int) -> int:
    """Bytes of a raw picture, or that an image file has at most."""
    return raw_bytes(content, pixels) if content in CONTENTS else pixels * 4 + FILE_HEAD


def _part(picture: Picture, camera: Camera, body: memoryview) -> memoryview:
    """Where a picture stands, if it is one."""
    if (picture.width, picture.height) != camera.size:
        raise InvalidValueError(
            f"expected {camera.size} pixels of camera {camera.name!r}, got "
            f"{(picture.width, picture.height)}"
        )
    start, stop = picture.offset, picture.offset + picture.nbytes
    if not 0 <= start < stop <= len(body) or start % ALIGNMENT:
        raise InvalidValueError(f"expected bytes within {len(body)}, got {start} to {stop}")
    allowed, raw = (
        _allowed(picture.content, camera.width * camera.height),
        picture.content in CONTENTS,
    )
    if picture.nbytes > allowed or (raw and picture.nbytes != allowed):
        raise InvalidValueError(
            f"expected {'' if raw else 'at most '}{allowed} bytes of {picture.content} of camera "
            f"{camera.name!r}, got {picture.nbytes}"
        )
    return body[start:stop]


def _listed(keys: Mapping[tuple[str, str], object]) -> str:
    return ", ".join(f"{content} of {camera!r}" for camera, content in keys) or "nothing"
