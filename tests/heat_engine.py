"""An engine with a pass that no other has, for tests of whatever carries passes."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heliograph.engine import Outs, resolve_cameras
from heliograph.engines.fake import FakeEngine
from heliograph.frame import Frame, Provenance, Sample, own_or_given
from heliograph.passes import PASSES, PassSpec, PassSpecs, select_passes, specs
from heliograph.view import View, unchecked_view

HEAT = PassSpec(
    "heat", np.dtype(np.float32), 2, "K", np.nan, "own and reflected temperature, NaN of nothing"
)
SOURCE = "heat://scene"


class HeatEngine(FakeEngine):
    """The fake engine with one more pass, `heat`, of what is seen and how far it is.

    Args:
        source: `SOURCE`.
        size: (width, height) of its cameras, pixels.
    """

    def __init__(self, source: str = SOURCE, *, size: tuple[int, int] = (120, 90)) -> None:
        del source
        super().__init__(size=size)

    @staticmethod
    def accepts(source: object) -> bool:
        """Whether this engine opens it."""
        return source == SOURCE

    @property
    def passes(self) -> PassSpecs:
        """Those that every engine has, and `heat`."""
        return specs(*PASSES.values(), HEAT)

    @property
    def provenance(self) -> Provenance:
        """Who draws."""
        return replace(super().provenance, engine="heat")

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        asked = select_passes(view.pass_names, self.passes)
        given = own_or_given(resolve_cameras(view, self.cameras), asked, out)
        needed = dict.fromkeys([*asked, "depth", "segmentation"])
        names = tuple(name for name in needed if name != HEAT.name)
        sample = super().render(unchecked_view(**{**vars(view), "passes": names}))
        frames = {}
        for frame, arrays in zip(sample, given, strict=True):
            for name, array in arrays.items():
                array[...] = heat(frame) if name == HEAT.name else frame[name]
            frames[frame.camera.name] = Frame(frame.camera, arrays, frame.labels, self.passes)
        made = replace(sample.provenance, done=time.time())
        return replace(sample, frames=frames, provenance=made)


def heat(frame: Frame) -> NDArray[np.float32]:
    """(H, W, 2) kelvin: 280 and the id; 300 less the depth; NaN where nothing is."""
    values = np.stack([280.0 + frame.segmentation, 300.0 - frame.depth], -1)
    return np.where((frame.segmentation > 0)[..., None], values, np.nan).astype(np.float32)
