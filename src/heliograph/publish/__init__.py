"""Programs that publish: whatever they like, from other processes, to whoever subscribes.

| module | job | owns |
|---|---|---|
| framing.py | messages as frames of bytes, and back | |
| addresses.py, keys.py | where programs meet, and who may | |
| zeromq.py | sockets, and who is at their other ends | connections |
| sockets.py | `Publisher` and `Subscriber`: one way, with backpressure | |
| duplex.py | `Duplex`: both ways between two | |
| guard.py | one process beside each program, which ends it with its launcher | one program |
| launcher.py, info.py | `Launcher`: starts programs, tells consumers how they are | guards |
| arguments.py | what a launched program is told | |
| seeds.py | which instance draws which samples, and all of them in order | |
| recording.py, btr.py | streams on disk; blendtorch's recordings | files |
| dataset.py | `StreamDataset`, for torch's DataLoader | |

A message goes from `Publisher.publish` through `framing.pack` and the queues of ZeroMQ to
`Subscriber.recv`, which looks ten times a second whether a process of the launcher has died.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heliograph.publish.arguments import Arguments, parse_arguments
    from heliograph.publish.btr import convert_btr
    from heliograph.publish.dataset import StreamDataset
    from heliograph.publish.duplex import Duplex
    from heliograph.publish.framing import Message
    from heliograph.publish.info import Addresses, LaunchInfo
    from heliograph.publish.keys import make_key
    from heliograph.publish.launcher import Launcher
    from heliograph.publish.recording import StreamReader, StreamWriter
    from heliograph.publish.seeds import in_order, indices
    from heliograph.publish.sockets import Publisher, Subscriber

__all__ = [
    "Addresses",
    "Arguments",
    "Duplex",
    "LaunchInfo",
    "Launcher",
    "Message",
    "Publisher",
    "StreamDataset",
    "StreamReader",
    "StreamWriter",
    "Subscriber",
    "convert_btr",
    "in_order",
    "indices",
    "make_key",
    "parse_arguments",
]

_MODULES = {
    "arguments": ("Arguments", "parse_arguments"),
    "btr": ("convert_btr",),
    "dataset": ("StreamDataset",),
    "duplex": ("Duplex",),
    "framing": ("Message",),
    "info": ("Addresses", "LaunchInfo"),
    "keys": ("make_key",),
    "launcher": ("Launcher",),
    "recording": ("StreamReader", "StreamWriter"),
    "seeds": ("in_order", "indices"),
    "sockets": ("Publisher", "Subscriber"),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a name on first access: some need ZeroMQ or torch, which others do without."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    return found


def __dir__() -> list[str]:
    return __all__
