"""When to look out for an answer without sleep: only where that has paid."""

from __future__ import annotations

_LONGEST = 32


class Patience:
    """Looking out saves waking up where a core is free, and takes it from the other side where not.

    So after each time in vain it is left out for twice as many times as before.
    """

    def __init__(self) -> None:
        self._left_out = 0
        self._next = 1

    def tries(self) -> bool:
        """Whether to look out this time."""
        if self._left_out:
            self._left_out -= 1
            return False
        return True

    def tell(self, came: bool) -> None:
        """What came of it: whether the answer came in time."""
        self._next = 1 if came else min(2 * self._next, _LONGEST)
        self._left_out = 0 if came else self._next
