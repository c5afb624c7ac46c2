"""What driver and worker say to each other. Every message is one of these, checked as it comes.

To a worker: `Open`, `Map`, `Drop`, `Blob`, `DropBlobs`; the orders `Render`, `RenderMany`,
`Refine`, `Publish`, `Advance`, `Describe`; and `Credit`, `Cancel`, `Stop`. From it: `Hello`,
`Opened`, and for each order what came of it, by its ticket: `Partial` any number of times, then one
of the rest.
"""

from __future__ import annotations

import sys
from typing import Any, Literal, TypeAlias

import msgspec

from heliograph.frame import Label, Provenance
from heliograph.scene import Item, Joint, Material
from heliograph.transport.values import ArrayWire, CameraWire

PROTOCOL = 4


def version() -> str:
    """The version of heliograph here; the package above may not be imported from below."""
    return str(vars(sys.modules["heliograph"])["__version__"])


class _Message(msgspec.Struct, array_like=True, tag=True):
    """Base of the messages: an array on the wire, its name first."""


class Hello(_Message):
    """The worker is there.

    Attributes:
        protocol: `PROTOCOL` of the worker; it comes first in every version of the protocol, and
            what comes after it may be missing or more.
        version: of heliograph in the worker.
        python: which interpreter, and its version.
        pid: its process id, which is not that of the process that was started where a wrapper is.
        random: a digest of what numpy's generators draw there, see `worker.opening`.
        versions: of the packages there that decide pixels.
    """

    protocol: int
    version: str = "?"
    python: str = "?"
    pid: int = 0
    random: str = ""
    versions: dict[str, str] = {}


class Open(_Message):
    """Open a source with an engine; source and options as `values.pack` writes them."""

    engine: str
    source: Any
    options: Any


class ObjectsWire(msgspec.Struct, array_like=True):
    """An object table, column by column."""

    names: tuple[str, ...]
    categories: tuple[str, ...]
    materials: tuple[str, ...]
    columns: dict[str, ArrayWire]


class SceneWire(msgspec.Struct, array_like=True):
    """One version of a scene as it describes itself."""

    source: str
    hash: str
    objects: ObjectsWire
    lights: tuple[Item, ...]
    materials: tuple[Material, ...]
    state: tuple[Item, ...]
    rest: dict[str, ArrayWire]
    joints: tuple[Joint, ...]
    ranges: dict[str, tuple[ArrayWire, ArrayWire]]
    version: int


class PassWire(msgspec.Struct, array_like=True):
    """What one pass is; see `heliograph.passes.PassSpec`."""

    name: str
    dtype: str
    channels: int
    unit: str
    fill: float
    meaning: str
    file_form: Literal["png", "npy"]


class Opened(_Message):
    """The engine is ready: what it says about itself."""

    scene: SceneWire
    cameras: list[CameraWire]
    passes: list[PassWire]
    labels: dict[int, Label]
    capabilities: list[str]
    provenance: Provenance


class Map(_Message):
    """Map a piece of shared memory; its descriptor comes beside the message."""

    region: int
    nbytes: int


class Drop(_Message):
    """Forget a piece of shared memory."""

    region: int


class Blob(_Message):
    """Keep an array, for values that name it by the hash of its content."""

    digest: bytes
    array: ArrayWire


class DropBlobs(_Message):
    """Forget arrays; nothing that comes later names them."""

    digests: list[bytes]


class ViewWire(msgspec.Struct, array_like=True):
    """A view."""

    cameras: list[str | CameraWire]
    passes: list[str]
    state: dict[str, ArrayWire]
    edits: Any
    seed: int | None
    index: int
    scene_version: int | None = None


class Render(_Message):
    """Draw one view into a region.

    Attributes:
        ticket: number of the lease; the answer bears it.
        region: where; below 0 there is none, and the answer holds the passes.
        view: what.
        place, total: which of how many views that lie stacked in the region; total 0 for one alone.
        priority: which of the orders that are at hand is drawn first.
    """

    ticket: int
    region: int
    view: ViewWire
    place: int = 0
    total: int = 0
    priority: int = 0


class RenderMany(_Message):
    """Draw consecutive entries of a batch into their places in its region.

    Attributes:
        ticket: number of the lease; the answer bears it.
        region: the memory of the whole batch.
        total: how many entries the batch has.
        first: the first entry to draw; there are as many as seeds.
        view: what all entries share.
        seeds, indices: (n,) int64.
        state: what differs, by key: (n, ...).
        poses: for some cameras the pose of each entry, (n, 4, 4).
        edits: for each entry its edits, or nothing.
        priority: as of `Render`; where a more urgent order comes, it is left before its end.
        alone: draw one entry after the other, so that a crash tells which it was.
    """

    ticket: int
    region: int
    total: int
    first: int
    view: ViewWire
    seeds: ArrayWire
    indices: ArrayWire
    state: dict[str, ArrayWire]
    poses: dict[str, ArrayWire]
    edits: list[Any]
    priority: int = 0
    alone: bool = False


class Refine(_Message):
    """Draw one view coarsely first, then better and better: a `Partial` for each sample.

    Attributes:
        ticket: number of the lease; the answers bear it.
        view: what.
        credits: how many samples may be sent before further `Credit` comes.
        priority: as of `Render`.
        levels: parts of the whole work; None for the engine's own.
    """

    ticket: int
    view: ViewWire
    credits: int
    priority: int = 0
    levels: list[float] | None = None


class Publish(_Message):
    """Send what the engine publishes, a `Partial` for each sample, until cancelled."""

    ticket: int
    credits: int
    priority: int = 0


class Credit(_Message):
    """So many further samples of this order may be sent."""

    ticket: int
    count: int


class Cancel(_Message):
    """Nobody waits for this order any more; the status page says so as well, and sooner."""

    ticket: int


class Advance(_Message):
    """Change the scene for good; `version` is the one that this makes."""

    ticket: int
    version: int
    changes: Any
    priority: int = 0


class Describe(_Message):
    """Say what `Opened` said, of the newest version of the scene."""

    ticket: int
    priority: int = 0


class Used(msgspec.Struct, array_like=True):
    """What else came of a view.

    Attributes:
        cameras: for each camera None (as it was asked for), its new pose, or all of it.
        labels: 0 for the engine's own, else the number of a table.
        table: the table itself, the first time.
        state: the state that was shown, where it is not the view's.
        randomization: what was drawn, as `values.pack` writes it.
        annotations: further facts, as `values.pack` writes it.
        scene_version: the version of the scene that was shown.
        begun, done: when its drawing began and ended, seconds since the epoch.
    """

    cameras: list[bytes | CameraWire | None]
    labels: int = 0
    table: dict[int, Label] | None = None
    state: dict[str, ArrayWire] | None = None
    randomization: Any = None
    annotations: Any = None
    scene_version: int = 0
    begun: float = 0.0
    done: float = 0.0


class Problem(msgspec.Struct, array_like=True):
    """An error: the name of its class, its text, the sample it names, and where it came about."""

    kind: str
    message: str
    index: int | None = None
    seed: int | None = None
    repro: str | None = None
    trace: str = ""


class Done(_Message):
    """A view is drawn; or all samples of a `Refine` or `Publish` were sent.

    Attributes:
        ticket: of the order.
        used: what else came of the view.
        data: its passes, where they are not in its region: there was none, or they did not fit, as
            edits brought cameras that only the engine knows.
    """

    ticket: int
    used: Used | None = None
    data: bytes | None = None


class Partial(_Message):
    """One sample of several.

    Attributes:
        ticket: of the order.
        number: which sample, from 0.
        used: what else came of it.
        passes: the names of its passes.
        data: their arrays, where `layout.lay_out` says; no shared memory is needed.
        seed, index: of the sample, where nobody ordered it.
    """

    ticket: int
    number: int
    used: Used
    passes: list[str]
    data: bytes
    seed: int | None = None
    index: int = 0


class DoneMany(_Message):
    """Entries are drawn, except those with problems: the first `count` of those ordered."""

    ticket: int
    count: int
    problems: dict[int, Problem]


class Advanced(_Message):
    """The scene has changed, and these are its cameras now."""

    ticket: int
    version: int
    cameras: list[CameraWire]


class Described(_Message):
    """What the engine says about itself."""

    ticket: int
    opened: Opened


class Failed(_Message):
    """A view was not drawn, or (ticket 0) the engine could not be opened."""

    ticket: int
    problem: Problem


class Stop(_Message):
    """Close the engine and end."""


Order: TypeAlias = Render | RenderMany | Refine | Publish | Advance | Describe
"""What a worker does in turn, the most urgent first."""

Message: TypeAlias = (
    Order
    | Hello
    | Open
    | Opened
    | Map
    | Drop
    | Blob
    | DropBlobs
    | Credit
    | Cancel
    | Done
    | Partial
    | DoneMany
    | Advanced
    | Described
    | Failed
    | Stop
)
