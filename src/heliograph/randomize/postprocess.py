"""Image post-processing, drawn; what the steps do is in `heliograph.randomize.imaging`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.random import Generator

from heliograph.randomize.facts import Facts
from heliograph.randomize.imaging import find_step
from heliograph.randomize.parameters import SHARE, Numbers, drawn, fixed
from heliograph.randomize.randomizer import Drawn, Randomizer, Values
from heliograph.randomize.samplers import Sampler
from heliograph.randomize.streams import subseed
from heliograph.scene.appearance import EditImage


@dataclass(frozen=True, kw_only=True)
class PostProcess(Randomizer):
    """Draws what is done to rgb, in the order given; no other pass is touched.

    Attributes:
        steps: names of steps -> their parameters -> samplers
            (`{"hue": {"degrees": {"uniform": [-10, 10]}}}`); see docs/randomization.md.
        probability: how likely each step is to be taken, by name; 1 for those not named.
    """

    steps: dict[str, dict[str, Sampler]] = drawn({}, Numbers(), depth=2)
    probability: dict[str, float] = fixed({}, SHARE, depth=1)
    type_name: ClassVar[str] = "postprocess"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in (*self.probability, *self.steps):
            find_step(name)
        for name, given in self.steps.items():
            for key, sampler in given.items():
                find_step(name).expected(key).check(f"steps.{name}.{key}", sampler)

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        steps: list[list[Any]] = []
        for name, parameters in self.steps.items():
            taken = rng.random() < self.probability.get(name, 1.0)
            drawn = {key: float(parameters[key].draw(rng)) for key in parameters}
            if taken:
                steps.append([name, drawn])
        return {"steps": steps, "seed": subseed(rng)}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn(image_edit(values["steps"], values["seed"]))


def image_edit(steps: Sequence[Any], seed: int) -> tuple[EditImage, ...]:
    """One edit of the steps (name, parameters), or none where there are none."""
    if not steps:
        return ()
    return (EditImage(tuple((name, dict(parameters)) for name, parameters in steps), seed),)
