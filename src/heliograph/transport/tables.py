"""Which tables of labels are kept: worker and driver follow the same rule, message by message."""

from __future__ import annotations

from heliograph.frame import Label, Labels

MOST_TABLES = 64
"""How many tables are kept besides the engine's own, which has the number 0."""


class SentTables:
    """The worker's side: which tables the driver has.

    Args:
        own: the engine's own labels, which the driver got as it opened.
    """

    def __init__(self, own: Labels) -> None:
        self._tables: list[tuple[Labels, int]] = [(own, 0)]
        self._last = 0

    def number(self, labels: Labels) -> tuple[int, dict[int, Label] | None]:
        """The number of a table, and the table itself where the driver does not have it.

        It must be told to the driver: from now on it counts as sent.
        """
        for table, number in self._tables:
            if table is labels or table == labels:
                return number, None
        self._last += 1
        if len(self._tables) > MOST_TABLES:
            del self._tables[1]
        self._tables.append((labels, self._last))
        return self._last, dict(labels)


class HeardTables:
    """The driver's side: the tables of one worker, by number."""

    def __init__(self) -> None:
        self._tables: dict[int, Labels] = {}

    def __len__(self) -> int:
        return len(self._tables)

    def own(self, labels: Labels) -> None:
        """The engine's own labels."""
        self._tables[0] = labels

    def hear(self, number: int, table: dict[int, Label] | None) -> Labels | None:
        """The table of an answer, which may bring it; None if the worker never sent it."""
        if table is None:
            return self._tables.get(number)
        self._tables[number] = table
        if len(self._tables) > MOST_TABLES + 1:
            del self._tables[min(self._tables.keys() - {0})]
        return table
