"""Every exception that heliograph raises on purpose.

A message says what was expected, what came and what to do. All of them can be copied and made
again from their text, `type(error)(str(error))`, so no wire needs pickle to carry one.
"""

from __future__ import annotations

import difflib
import reprlib
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_KNOWN = 20
MAX_NAME_LENGTH = 80
MAX_SHOWN_LENGTH = 300


class HeliographError(Exception):
    """Base of every exception raised on purpose.

    Attributes:
        message: the text without the sample.
        index: index of the sample it happened to, or None.
        seed: run seed of that sample, or None.
        repro: a one-line command that reproduces it, or None.
    """

    def __init__(
        self,
        message: str = "",
        *,
        index: int | None = None,
        seed: int | None = None,
        repro: str | None = None,
    ) -> None:
        """Keep the message and, where there is one, the sample that it is about."""
        super().__init__(message)
        self.index = index
        self.seed = seed
        self.repro = repro

    @property
    def message(self) -> str:
        """The text without the sample."""
        return str(self.args[0]) if self.args else ""

    def __str__(self) -> str:
        """The message, then the sample (index, seed) and how to reproduce it, where known."""
        sample = [f"{k} {v}" for k in ("index", "seed") if (v := getattr(self, k)) is not None]
        lines = [self.message]
        if sample:
            lines.append(f"  sample: {', '.join(sample)}")
        if self.repro is not None:
            lines.append(f"  reproduce: {self.repro}")
        return "\n".join(lines)


class InvalidValueError(HeliographError, ValueError):
    """An argument of the wrong type, shape, size or range."""


class UnknownNameError(HeliographError, LookupError):
    """A name that is not among the known ones; `of` writes the message."""

    @classmethod
    def of(cls, kind: str, name: object, known: Iterable[str]) -> Self:
        """Return an error that names the kind, what came, the nearest name and the known ones.

        Args:
            kind: what the name is a name of, such as "camera".
            name: what came; a value that is no text is shown in short.
            known: the names there are; the first 20 are listed.
        """
        names = [str(each) for each in known]
        came = name if isinstance(name, str) else shown(name)
        near = _nearest(came, names)
        hint = f"; did you mean {_quoted(near)}?" if near is not None else ""
        return cls(f"unknown {kind} {_quoted(came)}{hint} (known: {_listed(names)})")


class SceneError(HeliographError):
    """A scene file that is missing or malformed."""


class MissingDependencyError(HeliographError, ImportError):
    """A package or system library that is not installed; `of` writes the message."""

    @classmethod
    def of(
        cls,
        module: str,
        *,
        extra: str | None = None,
        pip: str | None = None,
        apt: str | None = None,
        cause: str = "",
    ) -> Self:
        """Return an error that says what is missing and what to install.

        Args:
            module: the Python module or the shared library that could not be loaded.
            extra: the extra of heliograph that brings it.
            pip: the package on PyPI that brings it.
            apt: the Debian or Ubuntu package that brings it.
            cause: why it could not be loaded, where it is there.
        """
        commands = [f"pip install 'heliograph[{extra}]'"] if extra else []
        commands += [f"pip install {pip}"] if pip else []
        commands += [f"apt-get install {apt}"] if apt else []
        advice = f"; install it: {' or '.join(commands)}" if commands else ""
        why = f" ({cause})" if cause else ""
        error = cls(f"{module} is needed here and cannot be loaded{why}{advice}")
        error.name = module
        return error


class ContextError(HeliographError):
    """OpenGL is not available, or its context was used from another thread than its own."""


class EngineError(HeliographError):
    """A view that an engine could not draw."""


class WorkerError(HeliographError):
    """A worker that died, hung past its deadline or could not be started."""


class ClosedError(HeliographError):
    """Something that was used after it was closed."""


class RecordError(HeliographError):
    """A recording that cannot be written, or is incomplete or damaged."""


def shown(value: object) -> str:
    """Return a short text for any value, however much it holds."""
    try:
        text = _SHORT.repr(value)
        return text if len(text) <= MAX_SHOWN_LENGTH else f"{text[:MAX_SHOWN_LENGTH]}..."
    except ValueError:  # Python writes out integers up to a number of digits
        return f"a {type(value).__name__} of too many digits"


_SHORT = reprlib.Repr()
_SHORT.maxlevel = 4


def _nearest(name: str, known: Sequence[str]) -> str | None:
    """Return the known name most like `name`, whatever the case of its letters."""
    folded = {each.casefold(): each for each in reversed(known)}
    matches = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[matches[0]] if matches else None


def _quoted(name: object) -> str:
    text = repr(name)
    if len(text) <= MAX_NAME_LENGTH:
        return text
    return f"{text[:MAX_NAME_LENGTH]}... ({len(text)} characters)"


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(_quoted(name) for name in names[:MAX_KNOWN])
    more = len(names) - MAX_KNOWN
    return f"{listed}, ... and {more} more" if more > 0 else listed or "none"
