"""Every message between the server and a page, defined once.

`scripts/page_messages` writes `client/src/messages.ts` from this file. A message is one WebSocket
message, framed by `wire.py`: buffers first, so that they are aligned, then the message as msgpack.
`offset` and `nbytes` of a message point into those buffers.

The page shows a scene as *rows*, one for each component, parents before children. A row is replaced
as a whole, so the newest row of a key is all that must reach a page: what is queued for a slow page
is a set of keys, never a list of changes.

    server -> page: Configure, Apply, Render, Forget, Close, Show, Panel, Answer, Share
    page -> server: Hello, Applied, Rendered, Refused, Moved, Viewport, Event, Problem, Ask, Shared
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

PROTOCOL = 2
"""Number of this set of messages; a page with another one is told to reload."""

Numbers: TypeAlias = list[float]
"""Numbers in a row; a matrix is 16 of them, column after column, as in three.js."""
Encoding: TypeAlias = Literal["raw", "png", "jpeg", "webp"]


class Message(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """Base of all that is sent as one message."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what stands inside messages."""


class Row(Part, frozen=True):
    """One component without its children.

    Attributes:
        key: its name, unique in the scene.
        parent: key of what it stands on; None for the scene itself.
        tag: its type, such as `Box`.
        id: what the segmentation pass shows it as; 0 for what is never seen in it.
        props: the properties given, as `Component.to_dict` has them, but for arrays, which are
            `BlobRef`, and files, which are `AssetRef`, each as a map.
    """

    key: str
    parent: str | None
    tag: str
    id: int
    props: dict[str, Any]


class BlobRef(Part, frozen=True):
    """An array that was, or is with this message, sent to the page by the hash of its content."""

    blob: str
    dtype: str
    shape: list[int]


class AssetRef(Part, frozen=True):
    """A file, to be fetched from the path `url` of the same server (it needs the token as well)."""

    asset: str
    url: str
    name: str


class BlobData(Part, frozen=True):
    """The content of a blob: `nbytes` at `offset` of the message's buffers."""

    blob: str
    offset: int
    nbytes: int


class Configure(Message, frozen=True, tag="configure"):
    """How a page behaves; the first message it gets, and again when something of it changes.

    Attributes:
        session: which session it belongs to, for its link and its title.
        title: of the page.
        draws_viewport: whether it draws its own viewport; pages without a viewer do not.
        shows: whether the viewport shows the scene of rows or pictures that are sent (`Show`).
        tone_mapping: of the viewport alone; None for the scene's own.
        up: unit vector that is up for the viewport's controls.
        queries: what the program or the link said about the look of the page (`grid`, ...).
    """

    session: str
    title: str = "Heliograph"
    draws_viewport: bool = True
    shows: Literal["scene", "pictures"] = "scene"
    tone_mapping: Literal["none", "neutral", "aces"] | None = None
    up: Numbers = msgspec.field(default_factory=lambda: [0.0, 0.0, 1.0])
    queries: dict[str, Any] = msgspec.field(default_factory=dict)


class Apply(Message, frozen=True, tag="apply"):
    """Bring the page's scene to a version: remove keys, then put rows, parents first.

    Attributes:
        version: of the scene after it.
        reset: whether all rows that the page has are dropped first; blobs stay until `Forget`.
        removed: keys of rows that are gone; what is below them is listed too.
        rows: new rows and rows that changed, whole; a row with another tag or parent is made anew.
        blobs: content that the page does not have yet.
    """

    version: int
    reset: bool
    removed: list[str]
    rows: list[Row]
    blobs: list[BlobData]


class Forget(Message, frozen=True, tag="forget"):
    """Blobs that no row of this page's scene refers to any more."""

    blobs: list[str]


class CameraSpec(Part, frozen=True):
    """A camera by value.

    Attributes:
        name: for the answer.
        width, height: pixels.
        matrix: world_from_camera, camera axes as in OpenGL.
        projection: clip_from_camera as in OpenGL (z from -1 to 1).
        near, far: metres.
        orthographic: whether rays are parallel.
    """

    name: str
    width: int
    height: int
    matrix: Numbers
    projection: Numbers
    near: float
    far: float
    orthographic: bool


class Render(Message, frozen=True, tag="render"):
    """Draw sensor pictures of the scene as it is after the messages before this one.

    It waits until all textures and files that the scene shows are loaded, at most `patience`
    seconds.

    Attributes:
        request: number for the answer.
        cameras: one or more.
        passes: names; `rgb`, `alpha`, `depth`, `normals`, `segmentation`.
        encoding: of rgb; everything else is raw.
        quality: 0 to 1 of lossy encodings.
        patience: seconds; then the answer is `Refused` with what is missing.
        samples: 1, or 4 for anti-aliased rgb.
        file_slot: which slot of the shared file takes the pictures; None for the WebSocket.
        viewport: whether the first camera's pose and projection are those of the page's viewport;
            the picture's size is the first camera's in any case.
    """

    request: int
    cameras: list[CameraSpec]
    passes: list[str]
    encoding: Encoding = "raw"
    quality: float = 0.9
    patience: float = 10.0
    samples: int = 1
    file_slot: int | None = None
    viewport: bool = False


class Share(Message, frozen=True, tag="share"):
    """Write the pictures of a slot into a file that the server, too, can open; `Shared` answers.

    Attributes:
        slot: what `Render.file_slot` calls it.
        mark: 32 letters that the file begins with, and is found by.
    """

    slot: int
    mark: str


class Close(Message, frozen=True, tag="close"):
    """The server ends this page's session; `reason` is shown, and it reconnects if `again`."""

    reason: str
    again: bool


class Show(Message, frozen=True, tag="show"):
    """A picture for the viewport of a page that shows pictures.

    Attributes:
        update: number of the `Viewport` that it answers; never shown after one with a higher one.
        camera: as used.
        encoding: of the bytes at `offset`.
        facts: for the badge: engine, level, final, milliseconds, age, index, ...
    """

    update: int
    camera: CameraSpec
    encoding: Encoding
    offset: int
    nbytes: int
    facts: dict[str, Any]


class Panel(Message, frozen=True, tag="panel"):
    """What the page's side panel offers, as plain data that `client/src/page` draws.

    Attributes:
        controls: maps with `kind` (`slider`, `select`, `toggle`, `button`, `list`, `text`),
            `name`, `label`, `value` and what the kind needs (`min`, `max`, `step`, `options`).
        cameras: the scene's own cameras, for frustums and thumbnails.
        facts: what else is told (engine, source, labels by id).
    """

    controls: list[dict[str, Any]]
    cameras: list[CameraSpec]
    facts: dict[str, Any]


class Answer(Message, frozen=True, tag="answer"):
    """The answer to an `Ask`; buffers, if any, are named in `value` by offset and nbytes."""

    ask: int
    value: Any
    error: str | None = None


class Hello(Message, frozen=True, tag="hello"):
    """The first message of a page.

    Attributes:
        protocol: its `PROTOCOL`.
        gl: name of its GL renderer.
        info: client, userAgent, screenWidth, screenHeight, devicePixelRatio, timezone.
        session: the session it was in before its connection broke; empty for a new one.
    """

    protocol: int
    gl: str
    info: dict[str, Any]
    session: str = ""


class Applied(Message, frozen=True, tag="applied"):
    """The page's scene has this version."""

    version: int


class Picture(Part, frozen=True):
    """One pass of one camera.

    `content` says what stands at `offset`:

    - `rgb`: (H, W, 3) uint8, colour as displayed;
    - `rgba`: (H, W, 4) uint8, the same with alpha as in the alpha pass;
    - `depth`: (H, W) float32, infinity where nothing is;
    - `normals`: (H, W) uint32, an octahedral normal in camera axes as two int16 (x in the low half;
      scaled by 32767), 0x80008000 where nothing is;
    - `ids`: (H, W) uint32;
    - `image/png`, `image/jpeg`, `image/webp`: a file, its first row the top one.

    Raw rows come from the bottom up, as OpenGL has them.
    """

    camera: str
    content: Literal[
        "rgb", "rgba", "depth", "normals", "ids", "image/png", "image/jpeg", "image/webp"
    ]
    width: int
    height: int
    offset: int
    nbytes: int


class Rendered(Message, frozen=True, tag="rendered"):
    """The answer to `Render`.

    Attributes:
        request: the number asked with.
        version: of the scene shown.
        pictures: their buffers stand in the message, or in the shared file's slot.
        camera: of the viewport, where that was asked for.
        milliseconds: from the request's arrival to its answer, in the page.
        more: whether further cameras follow, each in an answer of its own.
    """

    request: int
    version: int
    pictures: list[Picture]
    camera: CameraSpec | None = None
    milliseconds: float = 0.0
    more: bool = False


class Refused(Message, frozen=True, tag="refused"):
    """Why a `Render` could not be answered.

    Attributes:
        request: the number asked with.
        reason: why.
        missing: keys and files that never loaded.
        fatal: whether this page will never draw anything again, as its GL context is lost.
    """

    request: int
    reason: str
    missing: list[str]
    fatal: bool = False


class Moved(Message, frozen=True, tag="moved"):
    """Somebody dragged a component: its new parent_from_component.

    Attributes:
        key: of the component.
        matrix: its placement.
        final: whether the drag is over.
    """

    key: str
    matrix: Numbers
    final: bool


class Viewport(Message, frozen=True, tag="viewport"):
    """The viewport's camera has moved, or its size has changed.

    Attributes:
        update: counts up from 1.
        camera: its camera; `name` is empty.
        moving: whether somebody is still dragging it.
    """

    update: int
    camera: CameraSpec
    moving: bool


class Event(Message, frozen=True, tag="event"):
    """Anything else that happened: a click on an object, a key, a button of the panel."""

    etype: str
    key: str
    value: Any


class Problem(Message, frozen=True, tag="problem"):
    """What the page could not do: an unknown tag or property, a file that does not load."""

    key: str
    text: str


class Ask(Message, frozen=True, tag="ask"):
    """A question of the page's user interface, such as what is at a pixel; answered by number."""

    ask: int
    what: str
    value: Any


class Shared(Message, frozen=True, tag="shared"):
    """The answer to `Share`; `error` is empty where the file is there."""

    slot: int
    error: str


ToPage: TypeAlias = Configure | Apply | Render | Forget | Close | Show | Panel | Answer | Share
FromPage: TypeAlias = (
    Hello | Applied | Rendered | Refused | Moved | Viewport | Event | Problem | Ask | Shared
)
