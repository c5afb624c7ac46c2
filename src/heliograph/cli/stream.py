"""`heliograph stream`: recorded streams."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from heliograph.cli.streams import say
from heliograph.errors import InvalidValueError
from heliograph.publish.btr import convert_btr
from heliograph.publish.recording import StreamReader


def stream(
    action: Annotated[Literal["convert", "show"], tyro.conf.Positional],
    path: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path | None, tyro.conf.Positional] = None,
    trust: bool = False,
) -> int:
    """Show what a recorded stream holds, or make one of a blendtorch recording (.btr).

    Args:
        action: show or convert.
        path: the stream, or the .btr file.
        out: for convert: the stream that is written, which must not be there.
        trust: the .btr file is mine, or of somebody I trust: reading it can run any code.
    """
    if action == "show":
        _show(path)
        return 0
    if out is None:
        raise InvalidValueError("convert: expected the file to write after the .btr file, got none")
    say(f"{out}: {convert_btr(path, out, trust=trust)} messages")
    return 0


def _show(path: Path) -> None:
    with StreamReader(path) as reader:
        cut = f", and {reader.cut} bytes of one that was not finished" if reader.cut else ""
        say(f"{path}: {len(reader)} messages{cut}")
        for name, value in (reader[0].values if len(reader) else {}).items():
            say(f"  {name}: {_kind(value)}")


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return type(value).__name__
