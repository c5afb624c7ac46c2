"""What Blender's dependency graph evaluates anew, as its handlers tell it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import bpy

Stamp: TypeAlias = tuple[int, int, int]
"""Tells evaluated data from what it was before."""

_LOOKS = ("Material", "Texture", "NodeTree")


@dataclass
class Updated:
    """What was evaluated since it was last asked for.

    Attributes:
        everything: another file was opened, or a step was undone.
        anything: something was, if only a transform.
        structure: what is in collections, or is visible, may differ.
        looks: materials may differ.
        objects: names of objects of which more than their place may differ.
        images: names of images whose pixels may differ.
    """

    everything: bool = False
    anything: bool = False
    structure: bool = False
    looks: bool = False
    objects: set[str] = field(default_factory=set)
    images: set[str] = field(default_factory=set)


class Updates:
    """Listens to Blender until it is closed.

    `depsgraph.updates` is empty outside of handlers, and `frame_set` calls but those of frames.
    """

    def __init__(self) -> None:
        self._updated = Updated(everything=True)
        self._versions: dict[int, int] = {}
        self._replacements = 0
        handlers = bpy.app.handlers
        self._installed: list[tuple[list[Any], Callable[..., None]]] = []
        for name, function in (
            ("depsgraph_update_post", self._evaluated),
            ("frame_change_post", self._evaluated),
            ("load_post", self._replaced),
            ("undo_post", self._replaced),
            ("redo_post", self._replaced),
        ):
            self._install(getattr(handlers, name), function)

    def take(self) -> Updated:
        """What was evaluated since this was last called."""
        taken, self._updated = self._updated, Updated()
        return taken

    def stamp(self, data: Any) -> Stamp:
        """Of an object's evaluated data: another one whenever it is evaluated anew.

        Blender 4 gives each evaluated copy a `session_uid` of its own, Blender 5 only what
        modifiers make: of the rest the changes are counted here.
        """
        if data is None:
            return 0, 0, 0
        if data.session_uid:
            return data.session_uid, 0, 0
        own = data.original.session_uid
        return -own, self._versions.get(own, 0), self._replacements

    def close(self) -> None:
        """Stop listening; may be called twice."""
        for handlers, function in self._installed:
            if function in handlers:
                handlers.remove(function)
        self._installed = []

    def _install(self, handlers: list[Any], function: Callable[..., None]) -> None:
        def handler(*given: Any) -> None:
            function(*given)

        kept: Callable[..., None] = bpy.app.handlers.persistent(handler)  # with the next file too
        handlers.append(kept)
        self._installed.append((handlers, kept))

    def _replaced(self, *_: Any) -> None:
        self._updated.everything = True
        self._replacements += 1

    def _evaluated(self, _: Any, graph: Any = None) -> None:
        if graph is None:
            self._replaced()
            return
        for update in graph.updates:
            self._updated.anything = True
            self._note(update, type(update.id).__name__)

    def _note(self, update: Any, kind: str) -> None:
        updated, thing = self._updated, update.id
        if kind == "Object":
            if update.is_updated_geometry or update.is_updated_shading:
                updated.objects.add(thing.name_full)
        elif kind == "Mesh":
            own = thing.original.session_uid
            self._versions[own] = self._versions.get(own, 0) + 1
        elif kind == "Collection":
            updated.structure = True
        elif kind == "Image":
            updated.images.add(thing.name_full)
            updated.looks = True
        elif kind.endswith(_LOOKS):
            updated.looks = True
