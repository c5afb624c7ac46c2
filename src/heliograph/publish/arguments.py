"""What a launched program is told on its command line: its number, seed and sockets."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from heliograph.errors import InvalidValueError


@dataclass(frozen=True)
class Arguments:
    """What a launcher told this program.

    Attributes:
        instance: its number among those of its kind.
        seed: its seed; that of the run plus its number.
        sockets: addresses by name.
        instances: how many there are of its kind.
    """

    instance: int = 0
    seed: int = 0
    sockets: Mapping[str, str] = field(default_factory=dict)
    instances: int = 1


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidValueError(f"arguments of a launcher: {message}")


def parse_arguments(arguments: Sequence[str] | None = None) -> tuple[Arguments, list[str]]:
    """What this program was told, and the arguments that are left for it.

    Args:
        arguments: those of the program; of `sys.argv` those after `--` without them.

    Raises:
        InvalidValueError: they are not as a launcher writes them.
    """
    if arguments is None:
        given = sys.argv[1:]
        arguments = given[given.index("--") + 1 :] if "--" in given else given
    told, rest = read_arguments(arguments)
    number, seed = told.btid or 0, told.btseed or 0
    instances = int(os.environ.get("HELIOGRAPH_INSTANCES", "1"))
    return Arguments(number, seed, told.btsockets, max(instances, number + 1)), rest


def read_arguments(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """`btid` and `btseed`, None where they are not told, `btsockets` by name; and what is left.

    Raises:
        InvalidValueError: they are not as a launcher writes them.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("-btid", type=int)
    parser.add_argument("-btseed", type=int)
    parser.add_argument("-btsockets", action="extend", nargs="*", default=[])
    told, rest = parser.parse_known_args(list(arguments))
    # What follows the sockets and is none belongs to the program.
    rest = [each for each in told.btsockets if "=" not in each] + rest
    told.btsockets = dict(each.split("=", 1) for each in told.btsockets if "=" in each)
    return told, rest
