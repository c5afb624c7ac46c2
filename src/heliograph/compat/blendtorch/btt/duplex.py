"""Messages to a script inside Blender and back, by blendtorch's names."""

from __future__ import annotations

from typing import Any, Self

from heliograph.compat.blendtorch.btt.launch_info import listed
from heliograph.publish.duplex import Duplex


class DuplexChannel:
    """The training program's end of a channel; the script has the other one.

    Args:
        address: as the launcher says; told at once then when that Blender has died.
        btid: number that the messages of this end carry.
        lingerms: taken for blendtorch's sake; what was sent last has two seconds to get on its way.
        timeoutms: milliseconds that `recv` waits; None for any time.
        queue_size: taken for blendtorch's sake.
    """

    def __init__(
        self,
        address: str,
        btid: int | None = None,
        lingerms: int = 0,
        timeoutms: int | None = None,
        queue_size: int = 10,
    ) -> None:
        del lingerms, queue_size
        self._btid = btid
        self._duplex = Duplex(listed(address), bind=False, timeout=seconds(timeoutms))
        self._timeout = timeoutms

    def recv(self, timeoutms: int | None = None) -> dict[str, Any] | None:
        """The next message, with `btid` and `btmid`; None where none came in time.

        Args:
            timeoutms: milliseconds to wait; -1 for any time, None for the channel's own.

        Raises:
            WorkerError: that Blender has died; says which, and its last output.
        """
        wait = seconds(self._timeout if timeoutms is None else timeoutms)
        # A channel's own timeout stands where None is given, so any time is a very long one.
        message = self._duplex.receive(_ANY_TIME if wait is None else wait)
        if message is None:
            return None
        return {"btid": message.instance, "btmid": message.number, **message.values}

    def send(self, **kwargs: Any) -> int:
        """Sends values by name; returns the number of the message."""
        return self._duplex.send(btid=self._btid, **kwargs)

    def close(self) -> None:
        """Closes the channel."""
        self._duplex.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_ANY_TIME = 1e8


def seconds(milliseconds: int | None) -> float | None:
    """Seconds, or None for any time, as blendtorch writes them: -1 or None is any time."""
    return None if milliseconds is None or milliseconds < 0 else milliseconds / 1000
