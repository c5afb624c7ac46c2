"""How pictures come back from where they are drawn: each at once, or many of them together."""

from __future__ import annotations

from collections.abc import Iterator

import moderngl
import numpy as np

from heliograph.frame import Buffers
from heliograph.raster.gl.targets import Target

_ALIGNMENT = 16
_MOST = 256 << 20
"""Bytes of the GPU's memory in which pictures wait; then they are brought over first."""


class Readback:
    """Brings drawn pictures into arrays.

    To ask a GPU for a picture is to wait until it is drawn. Asked for into memory of its own, it
    goes on with the next one meanwhile, and only `finish` waits. Entered for each call that draws:
    when it is left all is there, unless others are `gathering`; what fails leaves its arrays alone.

    Args:
        gl: the context.
        deferred: whether pictures go to the GPU's own memory first.

    Attributes:
        gathering: how many wait for what several calls draw; above 0 none of these waits.
    """

    def __init__(self, gl: moderngl.Context, *, deferred: bool) -> None:
        self._gl = gl
        self._deferred = deferred
        self._staging: list[moderngl.Buffer] = []
        self._pending: list[Buffers] = []
        self._nbytes = 0
        self._before = 0
        self.gathering = 0

    def __enter__(self) -> None:
        if self._nbytes > _MOST:
            self.finish()
        self._before = self.pending

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for mine in self._pending[self._before :]:  # their arrays stay as they are
                self._nbytes -= sum(_aligned(array.nbytes) for array in mine.values())
            del self._pending[self._before :]
        elif not self.gathering:
            self.finish()

    @property
    def pending(self) -> int:
        """How many pictures were taken and not yet brought over."""
        return len(self._pending)

    def take(self, target: Target, out: Buffers) -> None:
        """Have what is drawn in a target copied into arrays, at the latest by `finish`."""
        if not self._deferred:
            target.read(out)
            return
        mine = {name: out[name] for name in target.passes if name in out}
        nbytes = sum(_aligned(array.nbytes) for array in mine.values())
        target.stage(self._room(nbytes), dict(_offsets(mine)))
        self._pending.append(mine)
        self._nbytes += nbytes

    def finish(self) -> None:
        """Wait for all pictures that were taken."""
        pending, self._pending, self._nbytes = self._pending, [], 0
        for staging, out in zip(self._staging, pending, strict=False):
            for name, offset in _offsets(out):
                array = np.asarray(out[name])
                staging.read_into(array.data.cast("B"), array.nbytes, offset=offset)

    def _room(self, nbytes: int) -> moderngl.Buffer:
        """Memory of the GPU's for the next picture."""
        place = len(self._pending)
        if place == len(self._staging):
            self._staging.append(self._gl.buffer(reserve=nbytes))
        elif self._staging[place].size < nbytes:
            old, self._staging[place] = self._staging[place], self._gl.buffer(reserve=nbytes)
            old.release()
        return self._staging[place]


def _offsets(out: Buffers) -> Iterator[tuple[str, int]]:
    """Where each pass begins in the staging memory."""
    offset = 0
    for name, array in out.items():
        yield name, offset
        offset += _aligned(array.nbytes)


def _aligned(nbytes: int) -> int:
    return -(-nbytes // _ALIGNMENT) * _ALIGNMENT
