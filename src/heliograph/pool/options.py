"""How a pool treats its workers."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, TypedDict

from heliograph import cores
from heliograph.checks import MAX_INTEGER, check_integer
from heliograph.errors import InvalidValueError, shown

_THREAD_VARIABLES = (
    "LP_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_OF_THIS_INTERPRETER = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")
_POSITIVE = ("deadline", "start_timeout", "memory_limit")
_COUNTS = {"max_kills": MAX_INTEGER, "recycle_after": MAX_INTEGER, "depth": 1024, "cores": 4096}


class PoolSettings(TypedDict, total=False):
    """The fields of `PoolOptions` as keywords."""

    deadline: float | None
    max_kills: int
    recycle_after: int | None
    memory_limit: int | None
    depth: int
    cores: int | None
    python: str | os.PathLike[str]
    launcher: Launcher | None
    start_timeout: float


@dataclass(frozen=True)
class Launcher:
    """How a worker is started under another interpreter, with its packages and its environment.

    Attributes:
        argv: the command up to and including the interpreter, such as `("xvfb-run", "-a",
            "venv/bin/python")`; a wrapper waits for it, as `setsid --wait` does. It needs this
            package with numpy and msgspec, of the same protocol.
        environment: variables on top of this process's; None takes one away. `PYTHONPATH` and
            `PYTHONHOME` are not passed on, as they are of this interpreter.
        cwd: the working directory; without it this process's.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str | None] = field(default_factory=dict)
    cwd: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        argv: Any = self.argv
        if isinstance(argv, str) or not argv or not all(isinstance(each, str) for each in argv):
            raise InvalidValueError(
                "launcher.argv: expected a sequence of words, the last one an interpreter, such "
                f"as ('xvfb-run', '-a', 'python'), got {argv!r}"
            )
        object.__setattr__(self, "argv", tuple(argv))
        if not isinstance(self.environment, Mapping):
            raise InvalidValueError(
                "launcher.environment: expected a mapping of names to text, got "
                f"{shown(self.environment)}"
            )
        if not isinstance(self.cwd, str | os.PathLike | None):
            raise InvalidValueError(f"launcher.cwd: expected a path or None, got {shown(self.cwd)}")
        for name, value in self.environment.items():
            if not isinstance(name, str) or not (value is None or isinstance(value, str)):
                raise InvalidValueError(
                    f"launcher.environment: expected names and text, got {name!r}: {value!r}"
                )


@dataclass(frozen=True)
class PoolOptions:
    """How a pool treats its workers.

    Attributes:
        deadline: seconds that a view may take before its worker is killed and replaced; None for
            as long as it wants.
        max_kills: how many workers an order may kill before it is given up.
        recycle_after: views after which a worker is replaced by a fresh one; None for never.
        memory_limit: resident bytes above which a worker is replaced; None for no limit.
        depth: orders that a worker holds at once, so that it never waits for the next.
        cores: how many each worker's GL and numerics may keep busy; None shares them out, unless
            `LP_NUM_THREADS` or the like is set already.
        python: the interpreter of the workers; short for a `Launcher` of it alone.
        launcher: how workers are started under another interpreter; it takes the place of `python`.
        start_timeout: seconds that a worker may take to open the scene.
    """

    deadline: float | None = 120.0
    max_kills: int = 3
    recycle_after: int | None = None
    memory_limit: int | None = None
    depth: int = 2
    cores: int | None = None
    python: str | os.PathLike[str] = sys.executable
    launcher: Launcher | None = None
    start_timeout: float = 300.0

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            value = getattr(self, name)
            optional = name != "start_timeout"
            if not (optional and value is None) and not _positive(value):
                raise InvalidValueError(f"{name}: expected a number above 0, got {value!r}")
        for name, most in _COUNTS.items():
            value = getattr(self, name)
            optional = name in ("recycle_after", "cores")
            if not (optional and value is None):
                check_integer(name, value, 1, most)
        if not isinstance(self.python, (str, os.PathLike)):
            raise InvalidValueError(f"python: expected a path, got {self.python!r}")
        object.__setattr__(self, "python", os.fspath(self.python))
        if not isinstance(self.launcher, (Launcher, type(None))):
            raise InvalidValueError(f"launcher: expected a Launcher, got {self.launcher!r}")

    @property
    def command(self) -> tuple[str, ...]:
        """The command that starts a worker, but for what it is told."""
        python = (str(self.python),) if self.launcher is None else self.launcher.argv
        return (*python, "-P", "-m", "heliograph.worker")

    @property
    def cwd(self) -> str | os.PathLike[str] | None:
        """The working directory of a worker; None for this process's."""
        return None if self.launcher is None else self.launcher.cwd

    def environment(self, workers: int) -> dict[str, str]:
        """The environment of a worker, one of so many."""
        environment = dict(os.environ)
        if self.launcher is not None or self.python != sys.executable:
            for name in _OF_THIS_INTERPRETER:
                environment.pop(name, None)
        share = max(1, cores.usable() // workers)
        for name in _THREAD_VARIABLES:
            if self.cores is not None:
                environment[name] = str(self.cores)
            else:
                environment.setdefault(name, str(share))
        environment["PYTHONUNBUFFERED"] = "1"
        for name, value in ({} if self.launcher is None else self.launcher.environment).items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        return environment


def check_workers(count: object) -> int:
    """How many workers there are to be.

    Raises:
        InvalidValueError: not an integer from 1 to 4 for each core, or to 64 on a small machine.
    """
    return check_integer("workers", count, 1, max(64, 4 * (os.cpu_count() or 1)))


def split_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keywords that are a pool's, and the rest, which are the engine's."""
    ours = PoolOptions.__dataclass_fields__.keys()
    return (
        {key: value for key, value in options.items() if key in ours},
        {key: value for key, value in options.items() if key not in ours},
    )


def _positive(value: object) -> bool:
    real = isinstance(value, Real) and not isinstance(value, bool)
    return real and 0 < float(value) < math.inf  # type: ignore[arg-type]
