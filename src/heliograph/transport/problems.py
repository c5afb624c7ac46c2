"""Errors as data, and back."""

from __future__ import annotations

import traceback

from heliograph import errors
from heliograph.errors import EngineError, HeliographError
from heliograph.transport.messages import Problem

_MOST_TRACE = 4000
"""Characters of a traceback that travel, the last ones."""

_KINDS: dict[str, type[HeliographError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, HeliographError)
}


def pack_error(error: BaseException) -> Problem:
    """An error for the wire; one that is not a `HeliographError` becomes an `EngineError`."""
    if not isinstance(error, HeliographError):
        trace = "".join(traceback.format_exception(error))[-_MOST_TRACE:]
        return Problem("EngineError", f"{type(error).__name__}: {error}", trace=trace)
    kinds = (kind.__name__ for kind in type(error).__mro__ if _KINDS.get(kind.__name__) is kind)
    return Problem(next(kinds), error.message, error.index, error.seed, error.repro)


def unpack_error(problem: Problem) -> HeliographError:
    """The error of a wire; an unknown kind is an `EngineError`."""
    kind = _KINDS.get(problem.kind, EngineError)
    made = kind(problem.message, index=problem.index, seed=problem.seed, repro=problem.repro)
    if problem.trace:
        made.add_note(f"in the worker:\n{problem.trace}")
    return made
