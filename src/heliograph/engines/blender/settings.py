"""Properties of Blender's that are set for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def settings(owner: Any, **values: object) -> Iterator[None]:
    """Have properties of one of Blender's structs other values within.

    Those that the struct lacks in this version of Blender are left out, and those that are so
    already are not touched: to set a property has Blender work out anew what depends on it.
    """
    before = {name: getattr(owner, name) for name in values if hasattr(owner, name)}
    changed = {name: kept for name, kept in before.items() if kept != values[name]}
    try:
        for name in changed:
            setattr(owner, name, values[name])
        yield
    finally:
        for name, kept in changed.items():
            setattr(owner, name, kept)
