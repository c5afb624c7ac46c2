"""What Cycles computes on, with preferences that stand in for GPUs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from heliograph.engines.blender.devices import Compute, best


class Preferences:
    """Of Cycles, on a machine with these devices: (kind, name)."""

    def __init__(self, *found: tuple[str, str]) -> None:
        self.devices = [SimpleNamespace(type=kind, name=name, use=False) for kind, name in found]
        self.compute_device_type = "NONE"

    def get_devices_for_type(self, kind: str) -> list[Any]:
        if kind == "METAL":
            raise ValueError("no such kind in this build")
        return [each for each in self.devices if each.type in (kind, "CPU")]


def test_the_faster_way_to_a_gpu_is_taken_and_all_of_its_kind() -> None:
    preferences = Preferences(
        ("CPU", "Processor"), ("CUDA", "One"), ("OPTIX", "One"), ("OPTIX", "Two")
    )
    found = best(preferences)
    assert found == Compute("OPTIX", "OPTIX (One, Two)")
    assert found.device == "GPU"
    with found.used(preferences):
        assert preferences.compute_device_type == "OPTIX"
        assert [each.use for each in preferences.devices] == [False, False, True, True]
    assert preferences.compute_device_type == "NONE"


@pytest.mark.parametrize("found", [(), (("CPU", "Processor"),)])
def test_without_a_gpu_it_is_the_cpu(found: tuple[tuple[str, str], ...]) -> None:
    preferences = Preferences(*found)
    assert best(preferences) == Compute("NONE", "CPU")
    assert best(preferences).device == "CPU"
    with best(preferences).used(preferences):
        assert preferences.compute_device_type == "NONE"
