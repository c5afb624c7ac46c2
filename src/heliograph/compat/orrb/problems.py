"""The one error of ORRB's interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from heliograph.errors import HeliographError


class RendererError(HeliographError):
    """Whatever went wrong: in the request, the files, a worker.

    It also stands in for a result in the queue of `render_batch_async`; taking anything out of it
    as if it were one raises it, so that a program that does not look sees what happened.
    """

    def __getitem__(self, key: Any) -> NoReturn:
        raise self


def as_renderer_error(error: BaseException) -> RendererError:
    """The error of ORRB's interface for an error of ours, with sample and reproduction."""
    if isinstance(error, RendererError):
        return error
    if isinstance(error, HeliographError):
        made = RendererError(error.message, index=error.index, seed=error.seed, repro=error.repro)
    else:
        made = RendererError(f"{type(error).__name__}: {error}")
    made.__cause__ = error
    return made


@contextmanager
def renderer_errors(where: str = "") -> Iterator[None]:
    """Errors in here become RendererErrors.

    Args:
        where: put before the message.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 -- whatever it is is raised as ours
        made = as_renderer_error(error)
        if where:
            made.args = (f"{where}: {made.message}",)
        raise made from made.__cause__
