"""State: joint positions and whatever else moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from heliograph.errors import InvalidValueError
from heliograph.randomize.facts import Facts
from heliograph.randomize.limits import check_span
from heliograph.randomize.randomizer import Drawn, Randomizer, Values
from heliograph.randomize.samplers import Sampler


@dataclass(frozen=True, kw_only=True)
class JointStates(Randomizer):
    """Draws the state anew.

    Attributes:
        state: samplers by key of `View.state`, a list of samplers for a vector
            (`{"qpos": [{"uniform": [-1, 1]}, 0, 0]}`); empty takes a random state that suits the
            scene, as its engine draws it.
    """

    state: dict[str, Sampler] = field(default_factory=dict)
    type_name: ClassVar[str] = "joint_states"

    def __post_init__(self) -> None:
        for key, sampler in self.state.items():
            check_span(f"state.{key}", sampler)

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        if self.state:
            drawn: Mapping[str, Any] = {key: self.state[key].draw(rng) for key in self.state}
        elif scene.random_state is None:
            raise InvalidValueError(
                "joint_states: this scene draws no random state; give samplers by key, as in "
                '{"state": {"qpos": [{"uniform": [-1, 1]}]}}'
            )
        else:
            drawn = scene.random_state(rng)
        return {"state": {key: np.asarray(value).tolist() for key, value in drawn.items()}}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn(state={key: np.array(value) for key, value in values["state"].items()})
