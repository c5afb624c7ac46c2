"""Batches over any renderer: columns in, stacked arrays out.

A batch is a mapping; row i of every column is entry i:

================ ============================================================================
key              value
================ ============================================================================
`seed`           an integer; entry i uses seed + i, or with `index` every entry uses it
`seeds`          (N,) integers instead; they win where both are given
`index`          (N,) integers, such as a range: entry i is sample `index[i]` of its seed's run
a state key      (N, ...), such as joint positions or the key of a component
`cameras`        names or cameras, the same for all entries; the scene's first without it
`camera_poses`   camera name -> (N, 4, 4), `world_from_camera` of each entry
`passes`         names, ("rgb",) without it
`edits`          for each entry a sequence of edits
================ ============================================================================

The result maps `<camera>` (rgb) and `<camera>_<pass>` to arrays (N, ...), row 0 of each picture the
top.

Entry i of `{"seed": s}` is the view with seed s + i and index 0. Sample i of run s is another one,
with seed s and index i, and draws other numbers: `{"seed": s, "index": range(n)}` gives the first
n samples of that run.
"""

from __future__ import annotations

from collections.abc import Mapping
from queue import Queue
from typing import Any

from heliograph.batch import Stacked
from heliograph.engine import Renderer


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
    return renderer.submit_batch(batch).result()


def render_batch_async(renderer: Renderer, batch: Mapping[str, Any], queue: Queue[Any]) -> None:
    """Draw a batch elsewhere; the stacked arrays, or the error, are put into the queue.

    Raises:
        InvalidValueError: something is wrong with the batch.
        UnknownNameError: no such camera or pass.
    """
    renderer.render_batch_async(batch, queue)
