"""What the documents' programs use of ml_logger and pandas: rows in a file, and their columns.

    logger = ML_Logger(root=os.getcwd(), prefix="assets")
    logger.log(**event.value, flush=True, silent=True)
    matrices = DataFrame(logger.load_pkl("metrics.pkl"))["matrix"].values.tolist()

Rows stand in `metrics.jsonl`, one JSON object a line, and `load_pkl("metrics.pkl")` reads that: a
pickle is a program, and is never loaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from heliograph.errors import RecordError, UnknownNameError

_FILE = "metrics.jsonl"


class ML_Logger:  # noqa: N801 - its name in the programs
    """Rows of values in a file.

    Args:
        root: folder.
        prefix: folder below it.
    """

    def __init__(self, root: str | os.PathLike[str] = ".", prefix: str = "") -> None:
        self.root = os.fspath(root)
        self.prefix = prefix
        self._folder = Path(root) / prefix

    def __repr__(self) -> str:
        """As it is made."""
        return f'ML_Logger(root="{self.root}", prefix="{self.prefix}")'

    def log(self, *, flush: bool = True, silent: bool = True, **values: Any) -> None:
        """Add a row.

        Args:
            flush: rows are always written at once.
            silent: nothing is ever printed.
            **values: numbers, texts, lists and mappings of them; arrays become lists.

        Raises:
            RecordError: a value that JSON cannot hold, or a file that cannot be written.
        """
        del flush, silent
        try:
            line = msgspec.json.encode(values, enc_hook=_listed)
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / _FILE).open("ab") as file:
                file.write(line + b"\n")
        except (TypeError, OSError) as error:
            raise RecordError(f"{self._folder / _FILE}: cannot add a row: {error}") from None

    def load_pkl(self, name: str = "metrics.pkl") -> list[dict[str, Any]]:
        """The rows of the file of this name, whose suffix is `.jsonl` whatever is given.

        Raises:
            RecordError: there is none, or it is damaged.
        """
        path = (self._folder / name).with_suffix(".jsonl")
        try:
            return msgspec.json.Decoder(dict[str, Any]).decode_lines(path.read_bytes())
        except FileNotFoundError:
            pickled = path.with_suffix(".pkl")
            hint = (
                f"; {pickled} is a pickle, which is a program and is never loaded: record the "
                "moves again, or log its rows with this class"
                if pickled.exists()
                else "; record one with `logger.log(**event.value)` in a handler of CAMERA_MOVE"
            )
            raise RecordError(f"expected rows in {path}{hint}") from None
        except msgspec.DecodeError as error:
            raise RecordError(f"{path}: expected one JSON object a line: {error}") from None


def _listed(value: Any) -> Any:
    """What JSON has no form for."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"expected numbers, texts, lists or mappings, got a {type(value).__name__}")


class Column:
    """One value of each row.

    Attributes:
        values: (N,) of them.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self.values: NDArray[np.object_] = np.empty(len(values), object)
        for row, value in enumerate(values):
            self.values[row] = value

    def __len__(self) -> int:
        """How many rows."""
        return len(self.values)


class DataFrame:
    """Rows by column; pandas' own does as well."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = list(rows)

    def __len__(self) -> int:
        """How many rows."""
        return len(self._rows)

    def __getitem__(self, name: str) -> Column:
        """The values of a name; None where a row has none.

        Raises:
            UnknownNameError: no row has it.
        """
        known = dict.fromkeys(key for row in self._rows for key in row)
        if name not in known:
            raise UnknownNameError.of("column", name, known)
        return Column([row.get(name) for row in self._rows])
