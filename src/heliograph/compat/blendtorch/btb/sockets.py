"""What scripts inside Blender send and receive, by blendtorch's names."""

from __future__ import annotations

from typing import Any

from heliograph.engines.blender.leaving import at_leaving
from heliograph.publish.duplex import Duplex
from heliograph.publish.sockets import Publisher

DEFAULT_TIMEOUTMS = 10_000
_ANY_TIME = 1e8  # a channel's own timeout stands where None is given


class DataPublisher:
    """Publishes what a script makes; each message goes to one of those who consume the stream.

    Args:
        bind_address: of a named socket, as the launcher says.
        btid: number of this instance; goes with each message.
        send_hwm: messages that wait at each end while consumers are slow; `publish` waits then.
        lingerms: taken for blendtorch's sake: all that was published is delivered, at the end too.

    Raises:
        InvalidValueError: the address is none, is in use, or needs a key.
    """

    def __init__(
        self, bind_address: str, btid: int | None = None, send_hwm: int = 10, lingerms: int = 0
    ) -> None:
        del lingerms
        self.btid = btid
        self._publisher = Publisher(bind_address, instance=btid or 0, queue=send_hwm)
        self.address = self._publisher.address
        at_leaving(self._leave)

    def publish(self, **kwargs: Any) -> None:
        """Send values by name, and `btid`; waits while the consumers are slow.

        Raises:
            InvalidValueError: a value that does not travel; says where it is.
        """
        self._publisher.send({"btid": self.btid, **kwargs})

    def close(self) -> None:
        """Tell the consumers that this is the end; may be called twice."""
        self._publisher.close()

    def _leave(self, well: bool) -> None:
        """A script that raised has not come to its end: its consumers are not told that it has."""
        if well:
            self._publisher.close()
        else:
            self._publisher.close(timeout=0)


class BlenderOutputChannel(DataPublisher):
    """The name that `DataPublisher` had first."""


class DuplexChannel:
    """The script's end of a channel; the program that trains has the other one.

    Args:
        address: of a named socket, as the launcher says.
        btid: number of this instance; goes with each message.
        lingerms: taken for blendtorch's sake; what was sent last has two seconds to get on its way.
        timeoutms: milliseconds that `send` and `recv` wait.

    Raises:
        InvalidValueError: the address is none, is in use, or needs a key.
    """

    def __init__(
        self,
        address: str,
        btid: int | None = None,
        lingerms: int = 0,
        timeoutms: int = DEFAULT_TIMEOUTMS,
    ) -> None:
        del lingerms
        self.btid = btid
        seconds = None if timeoutms < 0 else timeoutms / 1000
        self._duplex = Duplex(address, bind=True, instance=btid or 0, timeout=seconds)
        self.address = self._duplex.address
        at_leaving(lambda _: self._duplex.close())

    def recv(self, timeoutms: int | None = None) -> dict[str, Any] | None:
        """The next message, with the sender's `btid` and `btmid`; None where none came in time.

        Args:
            timeoutms: milliseconds to wait; -1 for any time, None for the channel's own.
        """
        seconds = None
        if timeoutms is not None:
            seconds = _ANY_TIME if timeoutms < 0 else timeoutms / 1000
        message = self._duplex.receive(seconds)
        return None if message is None else {"btmid": message.number, **message.values}

    def send(self, **kwargs: Any) -> int:
        """Send values by name, and `btid`; the number of the message, its `btmid`.

        Raises:
            InvalidValueError: a value that does not travel; says where it is.
            TimeoutError: the other end is not there, or does not read.
        """
        return self._duplex.send(**{"btid": self.btid, **kwargs})

    def close(self) -> None:
        """Hang up; may be called twice."""
        self._duplex.close()
