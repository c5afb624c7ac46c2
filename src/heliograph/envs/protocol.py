"""What a trainer asks of an environment in another process, and what is answered.

The trainer sends one request at a time over a `heliograph.publish.Duplex`, whose other end the
environment binds; each is answered once, with the ticket it came with. A reply with another ticket
belongs to a request that was given up.

    request                 reply
    Describe()              Described(observation_space, action_space, render_modes, render_fps)
    Reset(seed, options)    WasReset(obs, info)
    Step(action)            Stepped(obs, reward, terminated, truncated, info)
    Render(mode)            Rendered(rgb)
    Close()                 Closed()
    any                     Failed(traceback): the environment's own code raised

On the wire a message is a dict: the fields beside `kind`, the name of the class, and `ticket`.

    duplex.send(**message_of(Step(action), ticket))
    ticket, reply = reply_of(duplex.recv())

Values are those that the framing carries: numbers, text, arrays, None, lists and dicts of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.errors import InvalidValueError, UnknownNameError, shown

Space: TypeAlias = dict[str, Any]
"""A space of observations or actions as data; made by `box`, `discrete` and `dict_of`."""

SOCKET = "GYM"
"""The named socket that an environment's process is told to answer on."""


@dataclasses.dataclass(frozen=True)
class Describe:
    """Asks what the environment takes and gives; answered before the first reset too."""


@dataclasses.dataclass(frozen=True)
class Reset:
    """Starts an episode.

    Args:
        seed: of the environment's generator, which is made anew; None leaves it as it is.
        options: whatever the environment understands.
    """

    seed: int | None = None
    options: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Step:
    """Applies an action and lets one frame pass."""

    action: Any


@dataclasses.dataclass(frozen=True)
class Render:
    """Asks for a picture of the world as it stands after the last reset or step."""

    mode: str = "rgb_array"


@dataclasses.dataclass(frozen=True)
class Close:
    """Asks the process to leave."""


@dataclasses.dataclass(frozen=True)
class Described:
    """What the environment takes and gives; None where it does not say.

    Args:
        observation_space: made by `box`, `discrete` or `dict_of`.
        action_space: likewise.
        render_modes: those that `Render` may name.
        render_fps: frames per second of the scene.
    """

    observation_space: Space | None = None
    action_space: Space | None = None
    render_modes: list[str] = dataclasses.field(default_factory=list)
    render_fps: float | None = None


@dataclasses.dataclass(frozen=True)
class WasReset:
    """The first observation of an episode."""

    obs: Any
    info: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Stepped:
    """What an action led to."""

    obs: Any
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Rendered:
    """A picture: (H, W, 3) uint8 sRGB, row 0 on top; None where the environment draws none."""

    rgb: NDArray[np.uint8] | None


@dataclasses.dataclass(frozen=True)
class Closed:
    """The process is about to leave."""


@dataclasses.dataclass(frozen=True)
class Failed:
    """The environment's code raised; the process may go on."""

    traceback: str


Request: TypeAlias = Describe | Reset | Step | Render | Close
Reply: TypeAlias = Described | WasReset | Stepped | Rendered | Closed | Failed

_REQUESTS: dict[str, type[Request]] = {
    each.__name__: each for each in (Describe, Reset, Step, Render, Close)
}
_REPLIES: dict[str, type[Reply]] = {
    each.__name__: each for each in (Described, WasReset, Stepped, Rendered, Closed, Failed)
}
_Message = TypeVar("_Message")


def message_of(content: Request | Reply, ticket: int) -> dict[str, Any]:
    """A request or reply as the dict that is sent.

    Args:
        content: what is asked or answered.
        ticket: of the request; a reply repeats it.
    """
    fields = {each.name: getattr(content, each.name) for each in dataclasses.fields(content)}
    return {"kind": type(content).__name__, "ticket": ticket, **fields}


def request_of(message: Mapping[str, Any]) -> tuple[int, Request]:
    """The ticket and the request in a message that came.

    Raises:
        InvalidValueError: not a message of this protocol.
        UnknownNameError: no such request.
    """
    return _read(message, _REQUESTS, "request")


def reply_of(message: Mapping[str, Any]) -> tuple[int, Reply]:
    """The ticket and the reply in a message that came.

    Raises:
        InvalidValueError: not a message of this protocol.
        UnknownNameError: no such reply.
    """
    return _read(message, _REPLIES, "reply")


def _read(
    message: Mapping[str, Any], known: Mapping[str, type[_Message]], what: str
) -> tuple[int, _Message]:
    kind, ticket = message.get("kind"), message.get("ticket")
    if not isinstance(kind, str) or not isinstance(ticket, int):
        raise InvalidValueError(
            f"an environment's {what} has a 'kind' (text) and a 'ticket' (integer), "
            f"not {shown(dict(message))}"
        )
    if kind not in known:
        raise UnknownNameError.of(f"{what} of an environment", kind, known)
    made: Any = known[kind]
    names = {each.name for each in dataclasses.fields(made)}
    try:
        return ticket, made(**{name: message[name] for name in names & message.keys()})
    except TypeError as error:
        raise InvalidValueError(f"an environment's {what} {kind} lacks a field: {error}") from error


def box(
    low: ArrayLike, high: ArrayLike, shape: tuple[int, ...] = (), dtype: str = "float32"
) -> Space:
    """A space of arrays, each element within its bounds.

    Args:
        low: least values; a number, or an array that goes with `shape`.
        high: greatest values, likewise.
        shape: of the arrays, where the bounds do not say it.
        dtype: of the arrays, a name of numpy's.
    """
    full = np.broadcast_shapes(np.shape(low), np.shape(high), shape)
    bounds = [np.broadcast_to(np.asarray(each, dtype), full).copy() for each in (low, high)]
    return {"kind": "box", "low": bounds[0], "high": bounds[1]}


def discrete(n: int, start: int = 0) -> Space:
    """A space of the whole numbers `start` .. `start + n - 1`."""
    return {"kind": "discrete", "n": n, "start": start}


def dict_of(**spaces: Space) -> Space:
    """A space of dicts, each key with a space of its own."""
    return {"kind": "dict", "spaces": spaces}
