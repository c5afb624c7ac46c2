"""Files that clients name: they would be read as the server's own user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from heliograph.errors import InvalidValueError
from heliograph.scene import Add, Component, Edit, Set, Update, Upsert, Urdf


def check_no_files(edits: Iterable[Edit]) -> None:
    """Refuse edits whose components show files.

    Raises:
        InvalidValueError: names the first.
    """
    for edit in edits:
        for node in _shown(edit):
            for name, path in _files(node).items():
                raise InvalidValueError(
                    f"{node.kind} {node.key!r}: {name}={path!r} is a file of the server's, which "
                    "does not read any for its clients; send arrays, or start it with "
                    "allow_files=True (--allow-files)"
                )


def _files(node: Component) -> Mapping[str, object]:
    """Paths that a component is made of, by property."""
    source = node.get("src") if isinstance(node, Urdf) else None
    return node.named_files if source is None else {"src": source}


def _shown(edit: Edit) -> Iterable[Component]:
    if isinstance(edit, Set):
        return edit.scene.walk()
    return edit.component.walk() if isinstance(edit, Add | Update | Upsert) else ()
