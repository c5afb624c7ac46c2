"""Streams of random numbers: one for each (seed, index, name), whatever else is drawn.

A stream is a Philox counter generator whose key is a hash of the three, so streams are independent,
need no history, and are the same in every process and on every machine.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

from heliograph.checks import check_integer

_DOMAIN = "heliograph/1"


class _Nothing(ISeedSequence):
    """A seed of zeros, for a generator whose key is set afterwards."""

    def generate_state(
        self, n_words: int, dtype: Any = np.uint32
    ) -> NDArray[np.uint32 | np.uint64]:
        return np.zeros(n_words, dtype)


_NOTHING = _Nothing()


def stream(seed: int, index: int, name: str) -> np.random.Generator:
    """Return the stream of one name for one sample; about 8 microseconds.

    Args:
        seed: seed of the run, 0 to 2**63 - 1.
        index: index of the sample in the run, >= 0.
        name: whose stream; any text.

    Raises:
        InvalidValueError: a seed or index that is no such integer.
    """
    text = f"{_DOMAIN}/{check_integer('seed', seed)}/{check_integer('index', index)}/{name}"
    digest = hashlib.sha256(text.encode()).digest()
    # With a key in place of this it would ask the system for entropy first.
    made = np.random.Philox(_NOTHING)  # type: ignore[arg-type]
    state = made.state
    state["state"]["key"] = np.frombuffer(digest, "<u8", 2).astype(np.uint64)
    made.state = state
    return np.random.Generator(made)


def subseed(rng: np.random.Generator) -> int:
    """Draw a seed (0 to 2**53 - 1, exact in JSON) from which more can be drawn later."""
    return int(rng.integers(0, 2**53))
