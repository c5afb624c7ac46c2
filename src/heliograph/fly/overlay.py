"""Words over the picture."""

from __future__ import annotations

from heliograph.delivery.progressive import QueuedImage
from heliograph.fly.images import Lateness


def status(image: QueuedImage | None, shown: str, lateness: Lateness) -> tuple[str, ...]:
    """Lines: the pass, the picture's level and size; its update, how late it was, how many came."""
    if image is None:
        return (f"{shown}   waiting for the first image",)
    width, height = image.camera.size
    level = f"level {image.level}{' (final)' if image.final else ''}"
    late = f"latency {1000 * lateness.seconds:.0f} ms"
    return (
        f"{shown}   {level}   {width}x{height}",
        f"update {image.update_id}   {late}   {lateness.rate} fps",
    )


def place(position: tuple[float, float, float], speed: float) -> str:
    """One line: where the camera is, and how fast it flies."""
    x, y, z = position
    return f"({x:.3g}, {y:.3g}, {z:.3g}) m   {speed:.3g} m/s   F1 help"
