"""What a launcher tells the scripts that it starts."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence

import numpy as np

from heliograph.publish.arguments import read_arguments

_SEEDS = 2**32


def parse_blendtorch_args(
    argv: Sequence[str] | None = None,
) -> tuple[argparse.Namespace, list[str]]:
    """Read what a launcher has put behind `--`.

    Python's and numpy's generators of random numbers begin anew with the seed, so that a script
    that draws from them draws the same each time it is launched so.

    Args:
        argv: the whole command; without it that of this process.

    Returns:
        `btid` (number of the instance), `btseed` (its seed) and `btsockets` (address by name); and
        the arguments that are the script's own.

    Raises:
        InvalidValueError: a number that is not written as a launcher does.
    """
    command = sys.argv if argv is None else list(argv)
    given = command[command.index("--") + 1 :] if "--" in command else []
    args, remainder = read_arguments(given)
    if args.btseed is not None:
        random.seed(args.btseed)
        np.random.seed(args.btseed % _SEEDS)  # noqa: NPY002 - what scripts of blendtorch draw from
    return args, remainder
