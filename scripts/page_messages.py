"""Writes client/src/messages.ts from heliograph.engines.web.messages; `--check` only compares."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import inspect as types

from heliograph.engines.web import messages

TARGET = Path(__file__).parents[1] / "client" / "src" / "messages.ts"
HEAD = """\
// Written by scripts/page_messages.py from src/heliograph/engines/web/messages.py; do not edit.
"""
_SIMPLE = {
    types.StrType: "string",
    types.IntType: "number",
    types.FloatType: "number",
    types.BoolType: "boolean",
    types.NoneType: "null",
    types.AnyType: "unknown",
}


def typescript() -> str:
    """The text of messages.ts."""
    structs = [
        each
        for each in vars(messages).values()
        if inspect.isclass(each)
        and issubclass(each, msgspec.Struct)
        and each not in (messages.Message, messages.Part)
    ]
    parts = [HEAD, f"export const PROTOCOL = {messages.PROTOCOL};\n"]
    parts += [_interface(each) for each in structs]
    for name in ("ToPage", "FromPage"):
        union = " | ".join(each.__name__ for each in get_args(getattr(messages, name)))
        parts.append(f"export type {name} = {union};\n")
    return "\n".join(parts)


def _interface(struct: type[msgspec.Struct]) -> str:
    told: Any = types.type_info(struct)
    summary = inspect.getdoc(struct) or ""
    lines = [f"/** {summary.splitlines()[0]} */", f"export interface {struct.__name__} {{"]
    if told.tag is not None:
        lines.append(f'  type: "{told.tag}";')
    lines += [
        f"  {field.encode_name}{'' if field.required else '?'}: {_type(field.type)};"
        for field in told.fields
    ]
    return "\n".join([*lines, "}", ""])


def _type(told: types.Type) -> str:
    simple = _SIMPLE.get(type(told))
    if simple is not None:
        return simple
    if isinstance(told, types.ListType):
        inner = _type(told.item_type)
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if isinstance(told, types.DictType):
        return f"Record<{_type(told.key_type)}, {_type(told.value_type)}>"
    if isinstance(told, types.LiteralType):
        return " | ".join(f'"{value}"' for value in told.values)
    if isinstance(told, types.UnionType):
        return " | ".join(_type(each) for each in told.types)
    if isinstance(told, types.StructType):
        return told.cls.__name__
    raise TypeError(f"messages.py: a type that has no TypeScript here: {told}")


def main() -> None:
    """Write or check."""
    made = typescript()
    if "--check" in sys.argv[1:]:
        if TARGET.read_text() != made:
            sys.exit(f"{TARGET.name} is not what messages.py says; run scripts/page_messages.py")
        return
    TARGET.write_text(made)


if __name__ == "__main__":
    main()
