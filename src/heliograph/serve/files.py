"""Files that clients name: they would be read as the server's own user."""

from __future__ import annotations

from collections.abc import Iterable

from heliograph.errors import InvalidValueError
from heliograph.scene import Add, Component, Edit, Set, Update, Upsert


def check_no_files(edits: Iterable[Edit]) -> None:
    """Refuse edits whose components show files.

    Raises:
        InvalidValueError: names the first.
    """
    for edit in edits:
        for node in _shown(edit):
            for name, path in node.named_files.items():
                raise InvalidValueError(
                    f"{node.kind} {node.key!r}: {name}={path!r} is a file of the server's, which "
                    "does not read any for its clients; send arrays, or start it with "
                    "allow_files=True (--allow-files)"
                )


def _shown(edit: Edit) -> Iterable[Component]:
    if isinstance(edit, Set):
        return edit.scene.walk()
    return edit.component.walk() if isinstance(edit, Add | Update | Upsert) else ()
