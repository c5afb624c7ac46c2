"""Batches over any renderer: columns in, stacked arrays out.

A batch is a mapping; row i of every column is entry i:

================ ============================================================================
key              value
================ ============================================================================
`seed`           an integer; entry i uses seed + i
`seeds`          (N,) integers instead; it wins where both are given
a state key      (N, ...) such as `qpos`, `mocap_pos` or a component's key
`cameras`        names or cameras, the same for all entries; the scene's first without it
`camera_poses`   camera name -> (N, 4, 4), `world_from_camera` of each entry
`passes`         names, ("rgb",) without it
`edits`          for each entry a sequence of edits
================ ============================================================================

The result maps `<camera>` (rgb) and `<camera>_<pass>` to arrays (N, ...), row 0 of each picture the
top. Entry i is the view with seed `seeds[i]` and index 0.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from queue import Queue
from typing import Any

import numpy as np

from heliograph.batch import Batch, key_of
from heliograph.engine import Renderer
from heliograph.errors import EngineError, HeliographError
from heliograph.frame import Array, Sample, check_passes
from heliograph.transport.layout import lay_out

Stacked = dict[str, Array]


def render_batch(renderer: Renderer, batch: Mapping[str, Any]) -> Stacked:
    """Draw a batch and wait for it.

    Over a pool the arrays are the shared memory that its workers drew into, without a copy.

    Args:
        renderer: any renderer.
        batch: see above.

    Returns:
        Stacked arrays, which belong to the caller.

    Raises:
        InvalidValueError: a key is missing, or a value of a wrong kind, shape or range.
        UnknownNameError: no such camera or pass.
        HeliographError: an entry could not be drawn; the message names it.
    """
    submit = getattr(renderer, "submit_batch", None)
    if submit is not None:
        made: Stacked = submit(batch).result()
        return made
    return stack(renderer, checked(renderer, batch))


def render_batch_async(renderer: Renderer, batch: Mapping[str, Any], queue: Queue[Any]) -> None:
    """Draw a batch elsewhere; the stacked arrays, or the error, are put into the queue.

    Raises:
        InvalidValueError: something is wrong with the batch.
        UnknownNameError: no such camera or pass.
    """
    getattr(renderer, "render_batch_async", partial(draw_in_thread, renderer))(batch, queue)


def draw_in_thread(renderer: Renderer, batch: Mapping[str, Any], queue: Queue[Any]) -> None:
    """Draw a batch in another thread; the stacked arrays, or the error, are put into the queue.

    Raises:
        InvalidValueError: something is wrong with the batch.
        UnknownNameError: no such camera or pass.
    """
    entries = checked(renderer, batch)
    threading.Thread(target=lambda: queue.put(_outcome(renderer, entries)), daemon=True).start()


def checked(renderer: Renderer, batch: Mapping[str, Any]) -> Batch:
    """The batch, if the renderer knows its cameras and passes.

    Raises:
        InvalidValueError: something is wrong with the batch.
        UnknownNameError: no such camera or pass.
    """
    made = Batch.of(batch, renderer.scene)
    made.resolved(renderer.cameras)
    check_passes(made.common.passes, renderer.passes)
    return made


def stack(renderer: Renderer, batch: Batch) -> Stacked:
    """Draw the entries one after the other and stack what comes."""
    known = dict(renderer.cameras)
    cameras = batch.resolved(known)
    layout = lay_out(cameras, batch.common.passes, len(batch))
    stacks = layout.arrays(np.empty(layout.nbytes, np.uint8))
    for entry in range(len(batch)):
        sample = _entry(renderer, batch, entry, known)
        for arrays, frame in zip(stacks, sample, strict=True):
            for name, array in arrays.items():
                array[entry] = frame[name]
    return {
        key_of(camera.name, name): array
        for camera, arrays in zip(cameras, stacks, strict=True)
        for name, array in arrays.items()
    }


def _entry(renderer: Renderer, batch: Batch, entry: int, known: Mapping[str, Any]) -> Sample:
    try:
        return renderer.render(batch.view(entry, known))
    except HeliographError as error:
        message = f"entry {entry} of {len(batch)}: {error.message}"
        seed = int(batch.seeds[entry])
        raise type(error)(message, index=entry, seed=seed, repro=error.repro) from None


def _outcome(renderer: Renderer, batch: Batch) -> Stacked | HeliographError:
    try:
        return stack(renderer, batch)
    except HeliographError as error:
        return error
    except Exception as error:  # noqa: BLE001 -- who waits for the queue must not wait forever
        return EngineError(f"{type(error).__name__}: {error}")
