"""Standard streams as they come: closed, full, a pipe that nobody reads, ASCII only."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

_CANNOT_WRITE = 1


def prepare() -> None:
    """Make all three standard streams usable.

    A closed one becomes the null device: otherwise the next file that any library opens takes its
    number, and what is meant for the stream is written into that file. Letters that the output's
    encoding lacks are written as escapes.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Write a text and a line break to standard output, at once."""
    with output():
        print(text, flush=True)


@contextmanager
def output() -> Iterator[None]:
    """Writes to standard output; where that fails, the program ends with exit code 1.

    Nothing is told where whoever read us has seen enough, as in `heliograph inspect X | head`.
    """
    try:
        yield
    except OSError as error:
        _silence(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            reason = error.strerror or error
            tell(f"error: standard output: cannot be written ({reason}); free space or redirect it")
        sys.exit(_CANNOT_WRITE)


def tell(text: str) -> None:
    """Write a text and a line break to standard error, if that can be written."""
    Progress().write(f"{text}\n")


class Progress:
    """Standard error as a file for progress: where it cannot be written, the work goes on."""

    @property
    def encoding(self) -> str:
        """Of standard error."""
        return sys.stderr.encoding

    def isatty(self) -> bool:
        """Whether somebody watches."""
        return sys.stderr.isatty()

    def write(self, text: str) -> None:
        """Write at once, or not at all."""
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            _silence(sys.stderr)

    def flush(self) -> None:
        """Nothing is held back."""


def _silence(stream: TextIO) -> None:
    """Send what is left in a stream that cannot be written, and all that follows, nowhere."""
    with suppress(OSError):  # it has no number, as in a notebook
        number = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)
