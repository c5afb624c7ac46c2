"""Operations on a live scene, as `session.add(box)` and as `session.add @ box`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Operation(Generic[P, R]):
    """A method that may be called with `@`, too, where its first argument is all it is given."""

    def __init__(self, call: Callable[P, R]) -> None:
        self._call = call
        self.__doc__ = call.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do it."""
        return self._call(*args, **kwargs)

    def __matmul__(self, what: object) -> R:
        """Do it with what stands right of the `@`."""
        return self._call(what)  # type: ignore[call-arg, arg-type]  # one is enough for each
