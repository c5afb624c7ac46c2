"""Edits: what one view shows differently from the scene."""

from __future__ import annotations


class Edit:
    """Base of everything that may stand in `View.edits`; subclasses are frozen dataclasses."""

    __slots__ = ()
