"""Recordings of blendtorch's, which are pickles, as streams that are not.

A `.btr` file begins with a pickled array of int64: where each message begins, -1 for none (or, from
a recorder that was not closed, -1 for all). The messages follow, pickled one by one.
"""

from __future__ import annotations

import logging
import operator
import pickle
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from heliograph.checks import is_integer
from heliograph.disk import open_file, reason
from heliograph.errors import InvalidValueError, RecordError
from heliograph.publish.framing import Message
from heliograph.publish.recording import StreamWriter

_LOG = logging.getLogger("heliograph.publish")


def convert_btr(path: str | Path, out: str | Path, *, trust: bool = False) -> int:
    """Write the messages of a `.btr` file to a stream.

    Args:
        path: the `.btr` file.
        out: the stream's file, which must not be there.
        trust: whether the file is yours, or of somebody you trust: reading it can run any code.

    Returns:
        How many messages there are.

    Raises:
        InvalidValueError: it is not trusted, or a message holds what a stream cannot.
        RecordError: it is no `.btr` file, or `out` cannot be written.
    """
    if not trust:
        raise InvalidValueError(
            f"{path}: a .btr file is a pickle, and reading one can run any code; if it is yours, "
            "or of somebody you trust, say so: trust=True, or --trust on the command line"
        )
    try:
        stream = open_file(path, most=None)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({reason(error)})") from None
    with stream, StreamWriter(out) as writer:
        for number, values in enumerate(_messages(stream, path)):
            instance = values.get("btid")
            known = operator.index(instance) if is_integer(instance, -(2**31), 2**31) else 0
            message = Message(values, known, number)
            try:
                writer.write(message)
            except InvalidValueError as error:
                raise InvalidValueError(f"{path}, message {number}: {error.message}") from None
        return len(writer)


def _messages(stream: BufferedReader, path: str | Path) -> Iterator[dict[str, Any]]:
    """The messages, in the order in which they were recorded."""
    loader = _Loader(stream)
    try:
        offsets = np.asarray(loader.load(0))
        if offsets.dtype.kind != "i" or offsets.ndim != 1:
            raise ValueError("it does not begin with offsets")
    except Exception as error:  # noqa: BLE001 -- a damaged pickle raises anything
        raise RecordError(f"{path}: expected a .btr file of blendtorch's ({error})") from None
    places = offsets[offsets >= 0].tolist()
    try:
        for place in places:
            yield _values(loader.load(place))
        while not places and stream.peek(1):
            yield _values(loader.load(stream.tell()))
    except Exception as error:  # noqa: BLE001
        if places:
            raise RecordError(f"{path}: a damaged message ({error})") from None
        _LOG.warning("%s: left out an unfinished message", path)


class _Loader:
    """Loads pickles from a file, where a later one may refer to what is in earlier ones."""

    def __init__(self, stream: BufferedReader) -> None:
        self._stream = stream
        self._places: list[int] = []
        self._shared: pickle.Unpickler | None = None

    def load(self, place: int) -> Any:
        self._stream.seek(place)
        if self._shared is None:
            try:
                found = pickle.Unpickler(self._stream).load()
            except Exception:  # noqa: BLE001 -- one pickler may have written all
                self._replay()
                self._stream.seek(place)
        if self._shared is not None:
            found = self._shared.load()
        self._places.append(place)
        return found

    def _replay(self) -> None:
        """Load with one unpickler what was loaded with one each."""
        self._shared = pickle.Unpickler(self._stream)
        for each in self._places:
            self._stream.seek(each)
            self._shared.load()


def _values(loaded: object) -> dict[str, Any]:
    return loaded if isinstance(loaded, dict) else {"value": loaded}
