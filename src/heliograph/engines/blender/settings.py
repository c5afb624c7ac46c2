"""Properties of Blender's that are set for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MAX_FRAME = 1_048_574
"""The last frame that Blender can count to."""


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


@contextmanager
def image_settings(
    scene: Any, file_format: str, color_mode: str, color_depth: str, **more: object
) -> Iterator[None]:
    """Have a scene's images be written so within, with nothing added to the picture."""
    written = scene.render.image_settings
    with (
        settings(scene.render, dither_intensity=0.0, use_stamp=False),
        settings(
            written,
            media_type="IMAGE",  # before the format, as it decides which ones there are
            file_format=file_format,
            color_mode=color_mode,
            color_depth=color_depth,
            color_management="FOLLOW_SCENE",
            **more,
        ),
    ):
        yield
