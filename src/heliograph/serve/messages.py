"""What a client and a server of pictures say to each other.

A client begins with `Hello`; the server answers with `Welcome`, or with `Refused` and ends. Then
come `Draw`, `Advance` and `Cancel`, and for each order what came of it, by its number. `Changed` is
told to all clients. Each WebSocket message is one of these:

    buffer, buffer, ...   each at a multiple of 16 bytes
    message               msgpack
    length of the message uint32, little-endian
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec

from heliograph.engines.web.wire import unpacked
from heliograph.frame import Label
from heliograph.transport.messages import Opened, Problem, ViewWire
from heliograph.transport.values import ArrayWire, CameraWire

PROTOCOL: Final = 1
ALIGNMENT: Final = 16
MAX_HEADER: Final = 1 << 26
"""Bytes of the msgpack part that are looked at, at most: an order may hold meshes."""

Codec: TypeAlias = Literal["raw", "png", "jpeg", "webp"]
"""How rgb travels. All else is data and stays as it is: raw, or deflated where rgb is encoded."""
CODECS: Final[tuple[Codec, ...]] = ("raw", "png", "jpeg", "webp")


class _Message(msgspec.Struct, array_like=True, tag=True):
    """Base of the messages: an array on the wire, its name first."""


class Hello(_Message):
    """A client is there.

    Attributes:
        protocol: `PROTOCOL` of the client.
        version: of heliograph there.
        codec: how rgb is to travel.
        quality: of jpeg and webp, 1 to 100.
    """

    protocol: int
    version: str = "?"
    codec: Codec = "raw"
    quality: int = 90


class Welcome(_Message):
    """The server is ready.

    Attributes:
        protocol: `PROTOCOL` of the server.
        version: of heliograph there.
        opened: what the renderer says about itself.
        seed: of the run.
        most_bytes: that the pictures of one order may have.
        settings: what decides its pictures besides the scene, in terms of JSON.
    """

    protocol: int
    version: str
    opened: Opened
    seed: int = 0
    most_bytes: int = 0
    settings: dict[str, Any] = {}


class Refused(_Message):
    """The server does not serve this client, and why."""

    reason: str


class Draw(_Message):
    """Draw a view.

    Attributes:
        order: the client's number for it.
        view: what.
        levels: parts of the whole work, a `Drawn` for each; None for the whole picture alone.
        priority: which of this client's orders goes first.
        within: seconds after which it is not begun any more; None for no end.
        skip: levels that the client has already, after a lost connection.
    """

    order: int
    view: ViewWire
    levels: list[float] | None = None
    priority: int = 0
    within: float | None = None
    skip: int = 0


class Cancel(_Message):
    """Nobody waits for an order any more."""

    order: int


class Advance(_Message):
    """Change the scene for good; `changes` as `transport.views.pack_edits` writes them."""

    order: int
    changes: Any


class Part(msgspec.Struct, array_like=True):
    """One pass of one camera: where it stands and how it is written."""

    name: str
    form: Literal["raw", "deflated", "png", "jpeg", "webp"]
    offset: int
    nbytes: int


class SampleWire(msgspec.Struct, array_like=True):
    """A sample without its pictures.

    Attributes:
        cameras: as they were used.
        labels: 0 for the renderer's own, else the number of a table.
        table: the table itself, the first time.
        state: the state that was shown, where it is not the view's.
        randomization: what was drawn, as `transport.values.pack` writes it.
        annotations: further facts, as `transport.values.pack` writes it.
        scene_version: the version of the scene that was shown.
        begun: when its drawing began, seconds since the epoch.
        done: when it ended.
    """

    cameras: list[CameraWire]
    labels: int = 0
    table: dict[int, Label] | None = None
    state: dict[str, ArrayWire] | None = None
    randomization: Any = None
    annotations: Any = None
    scene_version: int = 0
    begun: float = 0.0
    done: float = 0.0


class Drawn(_Message):
    """A picture of an order.

    Attributes:
        order: which.
        number: which of its levels, from 0.
        last: whether it is the last one.
        sample: what came of it.
        parts: its pictures, camera after camera.
    """

    order: int
    number: int
    last: bool
    sample: SampleWire
    parts: list[list[Part]]


class Failed(_Message):
    """An order came to nothing."""

    order: int
    problem: Problem


class Advanced(_Message):
    """The scene has changed."""

    order: int
    version: int


class Changed(_Message):
    """Somebody has changed the scene: what the renderer says about itself now."""

    opened: Opened


FromClient: TypeAlias = Hello | Draw | Cancel | Advance
FromServer: TypeAlias = Welcome | Refused | Drawn | Failed | Advanced | Changed

_ENCODER = msgspec.msgpack.Encoder()
FROM_CLIENT: Final = msgspec.msgpack.Decoder(FromClient)
FROM_SERVER: Final = msgspec.msgpack.Decoder(FromServer)


def pack(message: FromClient | FromServer, buffers: Sequence[memoryview] = ()) -> bytes:
    """A message with its buffers, each put at the next multiple of `ALIGNMENT`, as one frame."""
    header = _ENCODER.encode(message)
    parts: list[bytes | memoryview] = []
    for buffer in buffers:
        gap = -buffer.nbytes % ALIGNMENT
        parts += [buffer, bytes(gap)] if gap else [buffer]
    return b"".join((*parts, header, len(header).to_bytes(4, "little")))


def unpack(frame: bytes, decoder: msgspec.msgpack.Decoder[Any]) -> tuple[Any, memoryview]:
    """A message, and the bytes that its offsets point into.

    Raises:
        InvalidValueError: bytes that are no message.
    """
    return unpacked(frame, decoder, MAX_HEADER)
