#!/usr/bin/env python
"""Writes the tables of docs/randomization.md from what randomizers and steps declare.

Run with the environment's python: .venv/bin/python scripts/randomizer_tables.py
With `--check` it only compares.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
import typing
from enum import Enum
from pathlib import Path
from typing import Any

from heliograph.randomize import Textures
from heliograph.randomize.config import TYPES
from heliograph.randomize.imaging import STEPS
from heliograph.randomize.parameters import Numbers, Parameter, parameters
from heliograph.randomize.samplers import plain

PAGE = Path(__file__).resolve().parents[1] / "docs" / "randomization.md"
BEGIN, END = "<!-- {}: written by scripts/randomizer_tables.py -->\n", "<!-- end of {} -->"
_ENTRY = re.compile(r"^    (\w[\w, ]*): (.*(?:\n     .*)*)", re.MULTILINE)
_TAKES = {
    "tuple[str, ...]": "a list of texts",
    "bool": "true or false",
    "int": "a whole number",
    "str | None": "a text",
    "Textures": "an object, see `textures`",
}


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    lines = [[cell.replace("|", "\\|").replace("**", "\\*\\*") for cell in line] for line in lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def meanings(kind: type) -> dict[str, str]:
    """What the docstrings of a class and its bases say of each attribute."""
    told: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        for names, text in _ENTRY.findall(inspect.cleandoc(each.__doc__ or "")):
            told |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return told


def takes(parameter: Parameter) -> str:
    """What a declared parameter may be, besides its unit."""
    expected, values = parameter.expected, str(parameter.expected)
    if isinstance(expected, Numbers):
        values = "whole, " * expected.whole + str(dataclasses.replace(expected, what=""))
        counts = " or ".join(str(max(width, 1)) for width in expected.widths)
        if expected.widths != (0,):
            values = f"{counts or 'any count of'} numbers, {values.replace(' numbers', '')}"
    form = "sampler" if parameter.drawn else "plain number"
    above = "by name, " * parameter.depth
    return f"{above}{form}: {values}{', or null' * parameter.optional}"


def unit(parameter: Parameter) -> str:
    """What the numbers of a declared parameter are."""
    expected = parameter.expected
    return re.split("; |, as ", expected.what)[0] if isinstance(expected, Numbers) else ""


def plainly(hint: Any) -> str:
    """What a parameter that is no number may be."""
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(each.value for each in hint)
    return _TAKES[hint.__name__ if isinstance(hint, type) else str(hint)]


def rows(kind: Any) -> list[list[str]]:
    """A row for each parameter of a class."""
    declared, hints, told = parameters(kind), typing.get_type_hints(kind), meanings(kind)
    usual = plain(kind())
    return [
        [
            f"`{name}`",
            told[name],
            unit(declared[name]) if name in declared else "",
            takes(declared[name]) if name in declared else plainly(hints[name]),
            "" if name == "textures" else f"`{json.dumps(usual[name])}`",
        ]
        for name in (field.name for field in dataclasses.fields(kind))
    ]


def parameter_tables() -> str:
    """A table for each type of randomizer, and one of textures."""
    head = ["parameter", "meaning", "unit", "takes", "default"]
    kinds: dict[str, Any] = {**TYPES, "textures": Textures}
    return "\n".join(f"#### `{name}`\n\n{table(head, rows(kind))}" for name, kind in kinds.items())


def step_table() -> str:
    """A row for each parameter of each step."""
    lines = []
    for name, step in STEPS.items():
        summary = (inspect.getdoc(step.work) or "").partition("\n")[0]
        for number, (key, each) in enumerate(step.parameters.items()):
            opening = ["", ""] if number else [f"`{name}`", summary]
            span = f"{each.low:g} to {each.high:g}"
            lines.append([*opening, f"`{key}`", each.what, span, f"{step.defaults[key]:g}"])
        if not step.parameters:
            lines.append([f"`{name}`", summary, *[""] * 4])
    return table(["step", "what it does", "parameter", "meaning", "range", "default"], lines)


def page(text: str) -> str:
    """The page with its tables written anew."""
    for name, made in {"parameters": parameter_tables(), "steps": step_table()}.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, after = text.split(begin)[0], text.split(end)[1]
        text = f"{before}{begin}\n{made}\n{end}{after}"
    return text


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` say whether it is up to date."""
    there = PAGE.read_text(encoding="utf-8")
    made = page(there)
    if "--check" not in arguments:
        PAGE.write_text(made, encoding="utf-8")
    elif made != there:
        sys.stderr.write(f"{PAGE} is out of date: run scripts/randomizer_tables.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
