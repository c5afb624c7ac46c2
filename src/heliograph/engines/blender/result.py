"""What Cycles renders, read from its own result in memory.

Cycles is a render engine that Blender calls, `cycles.CyclesRender`. Its method `render` is wrapped
while we render: once it has drawn, the result is in reach as floats, pass by pass, before Blender
turns it into anything else. Blender swallows errors there, so one is kept and raised afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import bpy
import cycles
import numpy as np
from numpy.typing import NDArray

from heliograph.engines.blender.quiet import quiet
from heliograph.errors import EngineError

Pass = NDArray[np.float32]

Passes = Mapping[str, Pass]
"""By Blender's newest name: (H, W, channels), the first row being the top."""

DEPTH, COLOUR, SKY, NORMAL = "Depth", "Combined", "Environment", "Normal"
OBJECT, MATERIAL = "Object Index", "Material Index"
"""Passes that are read."""

_OLD_NAMES = {"Env": SKY, "IndexOB": OBJECT, "IndexMA": MATERIAL}  # before Blender 5

Reader = Callable[[Any], None]
"""Is given the `bpy.types.Depsgraph` to be rendered, which does not outlive the call."""


def render(scene: Any, view_layer: Any, read: Reader | None = None) -> Passes:
    """Render a view layer with Cycles, as the scene stands.

    Raises:
        EngineError: Blender could not, with the end of what it printed.
    """
    found: dict[str, Pass] = {}
    problems: list[Exception] = []

    def around(original: Callable[[Any, Any], None], engine: Any, depsgraph: Any) -> None:
        try:
            if read is not None:
                read(depsgraph)  # before, since Cycles has Blender free what it has taken in
            original(engine, depsgraph)
            found.update(_read(engine.get_result(), view_layer.name))
        except Exception as error:  # noqa: BLE001 -- Blender would swallow it
            problems.append(error)
        finally:
            del engine, depsgraph  # the error's traceback would hold them beyond their end

    with _wrapped(around):
        printed = run(scene, view_layer)
    if problems:
        raise problems[0]
    if not found:
        raise EngineError(f"Cycles rendered nothing; Blender says:\n{printed}")
    return found


def run(scene: Any, view_layer: Any) -> str:
    """Have Blender render a view layer with the scene's engine.

    Returns:
        The end of what it printed.

    Raises:
        EngineError: Blender could not, with the end of what it printed.
    """
    with quiet() as printed:
        try:
            bpy.ops.render.render(scene=scene.name, layer=view_layer.name)
        except RuntimeError as error:
            engine = scene.render.engine
            raise EngineError(f"{engine} could not render: {error}\n{printed()}") from None
        return printed()


@contextmanager
def _wrapped(around: Callable[[Callable[[Any, Any], None], Any, Any], None]) -> Iterator[None]:
    original = cycles.CyclesRender.render

    def render(self: Any, depsgraph: Any) -> None:
        try:
            around(original, self, depsgraph)
        finally:
            del self, depsgraph  # as above: of the frames of callers, too

    cycles.CyclesRender.render = render
    try:
        yield
    finally:
        cycles.CyclesRender.render = original


def _read(result: Any, layer_name: str) -> dict[str, Pass]:
    width, height = result.resolution_x, result.resolution_y
    passes: dict[str, Pass] = {}
    for layer in result.layers:
        if layer.name != layer_name:
            continue
        for each in layer.passes:
            numbers = np.empty(height * width * each.channels, np.float32)
            each.rect.foreach_get(numbers)
            passes[_OLD_NAMES.get(each.name, each.name)] = numbers.reshape(
                height, width, each.channels
            )[::-1]
    return passes
