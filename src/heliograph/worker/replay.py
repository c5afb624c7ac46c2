"""Orders as one line of text, and drawing one again by hand."""

from __future__ import annotations

import base64
import binascii
import shlex
import sys
import tempfile
import zlib
from collections.abc import Mapping, Sequence

import msgspec

from heliograph.disk import read_file
from heliograph.errors import HeliographError, InvalidValueError
from heliograph.transport.messages import Open, ViewWire
from heliograph.transport.values import ArrayWire, unpack_array
from heliograph.transport.views import unpack_view
from heliograph.worker.opening import open_engine

MAX_INLINE = 8000
"""Characters of an order on the command line; a longer one is written to a file."""


class Order(msgspec.Struct, array_like=True, tag=True):
    """One view of one scene."""

    opening: Open
    view: ViewWire
    blobs: dict[bytes, ArrayWire]


def command(
    opening: Open, view: ViewWire, blobs: Mapping[bytes, ArrayWire], worker: Sequence[str]
) -> str:
    """The one-line command that draws this view in a process of its own.

    An order that does not fit a command line is written to the directory for temporary files.

    Args:
        opening: what a worker opens.
        view: the view.
        blobs: arrays that it names by the hash of their content.
        worker: the command that starts a worker.
    """
    data = zlib.compress(msgspec.msgpack.encode(Order(opening, view, dict(blobs))))
    text = base64.urlsafe_b64encode(data).decode()
    if len(text) > MAX_INLINE:
        with tempfile.NamedTemporaryFile(
            prefix="heliograph-", suffix=".order", delete=False
        ) as file:
            file.write(data)
        text = f"@{file.name}"
    return shlex.join([*worker, "--replay", text])


def replay(text: str) -> int:
    """Draw an order and say what came of it; the exit status is 0 if it was drawn."""
    try:
        order = _read(text)
        engine = open_engine(order.opening)
        blobs = {digest: unpack_array(array) for digest, array in order.blobs.items()}
        view = unpack_view(order.view, blobs)
        sys.stderr.write(f"drawing seed {view.seed}, index {view.index} ...\n")
        sample = engine.render(view)
    except HeliographError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    for frame in sample:
        sys.stdout.write(f"{frame.camera!r}: {', '.join(frame.passes)}\n")
    engine.close()
    return 0


def _read(text: str) -> Order:
    try:
        data = read_file(text[1:]) if text.startswith("@") else base64.urlsafe_b64decode(text)
        return msgspec.msgpack.decode(zlib.decompress(data), type=Order)
    except (OSError, binascii.Error, zlib.error, msgspec.MsgspecError) as error:
        raise InvalidValueError(f"not an order as an error message shows it: {error}") from None
