"""What the checks are and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from heliograph.errors import HeliographError

CheckFunction: TypeAlias = Callable[[Any], None]


class Verdict(Enum):
    """What came of one check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class BrokenPromiseError(Exception):
    """Raised inside a check; `check_engine` turns it into a failed `Outcome`."""


class NothingToCheckError(Exception):
    """Raised inside a check that this engine or scene gives no occasion for."""


@dataclass(frozen=True)
class Check:
    """One check of one promise.

    Attributes:
        name: its name, that of the function.
        feature: the promise in a few words, for the support matrix.
        needs: the passes without which it says nothing.
        run: takes a `heliograph.testing.probe.Probe`.
    """

    name: str
    feature: str
    needs: tuple[str, ...]
    run: CheckFunction


@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    Attributes:
        check: the check.
        verdict: passed, failed or skipped.
        detail: what was expected and what came, or why it was skipped.
        passes: the passes that it is about: those it needs, or else all that were drawn.
    """

    check: Check
    verdict: Verdict
    detail: str = ""
    passes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.check.name}: {self.verdict.value} {self.detail}".rstrip()


@dataclass(frozen=True)
class Report:
    """What `check_engine` found.

    Attributes:
        outcomes: one for each check, by its name, in the order they ran.
        passes: the passes the engine says it yields.
        seconds: how long it took.
    """

    outcomes: Mapping[str, Outcome]
    passes: tuple[str, ...]
    seconds: float

    def of(self, verdict: Verdict) -> tuple[str, ...]:
        """The names of the checks with this verdict."""
        return tuple(name for name, each in self.outcomes.items() if each.verdict is verdict)

    def __str__(self) -> str:
        """One line for each check."""
        return "\n".join(str(each) for each in self.outcomes.values())


class ContractError(HeliographError):
    """An engine that breaks promises; the message lists each with what was expected and came.

    Attributes:
        report: all outcomes, or None in a copy made from the text.
    """

    report: Report | None = None

    @classmethod
    def of(cls, report: Report) -> ContractError:
        """Return an error that lists the failed checks of a report."""
        failed = [report.outcomes[name] for name in report.of(Verdict.FAILED)]
        lines = [f"  {each.check.name} ({each.check.feature}): {each.detail}" for each in failed]
        error = cls("\n".join([f"{len(failed)} promises of an engine are broken:", *lines]))
        error.report = report
        return error


CHECKS: dict[str, Check] = {}
"""All checks by name, in the order they run."""


def promise(feature: str, *needs: str) -> Callable[[CheckFunction], CheckFunction]:
    """Make a function a check: `feature` is what it covers, `needs` the passes for it.

    The function takes a `Probe`; it returns if the promise holds.
    """

    def register(function: CheckFunction) -> CheckFunction:
        name = function.__name__
        CHECKS[name] = Check(name, feature, needs, function)
        return function

    return register


def expect(holds: object, message: str) -> None:
    """Break the promise with a message unless `holds`."""
    if not holds:
        raise BrokenPromiseError(message)
