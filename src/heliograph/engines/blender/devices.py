"""What Cycles computes on: the first kind of GPU that it finds, else the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import bpy

from heliograph.engines.blender.settings import settings

KINDS = ("OPTIX", "CUDA", "HIP", "ONEAPI", "METAL")
"""Of GPUs, as Cycles calls them; the faster of two that drive the same one comes first."""


@dataclass(frozen=True)
class Compute:
    """What Cycles computes on.

    Attributes:
        kind: one of `KINDS`; `NONE` for the CPU.
        name: for people.
    """

    kind: str = "NONE"
    name: str = "CPU"

    @property
    def device(self) -> Literal["CPU", "GPU"]:
        """As a scene's settings of Cycles say it."""
        return "CPU" if self.kind == "NONE" else "GPU"

    @contextmanager
    def used(self, preferences: Any = None) -> Iterator[None]:
        """Have Cycles compute on it within.

        Args:
            preferences: of Cycles; without them Blender's.
        """
        if self.kind == "NONE":
            yield
            return
        preferences = preferences or _preferences()
        with settings(preferences, compute_device_type=self.kind):
            for each in preferences.devices:
                each.use = each.type == self.kind
            yield


def best(preferences: Any = None) -> Compute:
    """The first kind of GPU that there is, else the CPU; of several GPUs all are used."""
    preferences = preferences or _preferences()
    for kind in KINDS:
        found = [each.name for each in _devices(preferences, kind) if each.type == kind]
        if found:
            return Compute(kind, f"{kind} ({', '.join(found)})")
    return Compute()


def _devices(preferences: Any, kind: str) -> list[Any]:
    try:
        return list(preferences.get_devices_for_type(kind) or ())
    except ValueError:  # a kind that this build knows nothing of
        return []


def _preferences() -> Any:
    return bpy.context.preferences.addons["cycles"].preferences
