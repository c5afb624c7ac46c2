"""State: joint positions and whatever else moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from heliograph.errors import InvalidValueError, shown
from heliograph.randomize.facts import Facts
from heliograph.randomize.parameters import Numbers, drawn
from heliograph.randomize.randomizer import Drawn, Randomizer, Values
from heliograph.randomize.samplers import Sampler

MOST = 1e10
"""The largest number of a drawn state, as MuJoCo takes them (`mjMAXVAL`)."""
_NOTHING = (
    "joint_states: this scene draws no random state; give samplers by key, as in "
    '{"state": {"qpos": [{"uniform": [-1, 1]}]}}'
)


@dataclass(frozen=True, kw_only=True)
class JointStates(Randomizer):
    """Draws the state anew.

    Attributes:
        state: samplers by key of `View.state`, a list of samplers for a vector
            (`{"qpos": [{"uniform": [-1, 1]}, 0, 0]}`), -1e10 to 1e10; empty takes a random state
            that suits the scene, as its engine draws it.
    """

    state: dict[str, Sampler] = drawn({}, Numbers(-MOST, MOST, widths=()), depth=1)
    type_name: ClassVar[str] = "joint_states"

    def check(self, scene: Facts) -> None:
        """See `Randomizer.check`: what is drawn has the shapes that the scene's own state has."""
        if not self.state and scene.random_state is None:
            raise InvalidValueError(_NOTHING)
        for key, sampler in self.state.items():
            shape = (sampler.width,) if sampler.width else ()
            own = np.shape(scene.state.get(key, np.empty(shape)))
            if own != shape:
                raise InvalidValueError(
                    f"state.{key}: expected samplers for shape {own}, as the scene has it, got "
                    f"{shown(sampler.to_json())} of shape {shape}"
                )

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        if self.state:
            state: Mapping[str, Any] = {key: self.state[key].draw(rng) for key in self.state}
        elif scene.random_state is not None:
            state = scene.random_state(rng)
        else:
            raise InvalidValueError(_NOTHING)
        return {"state": {key: np.asarray(value).tolist() for key, value in state.items()}}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn(state={key: np.array(value) for key, value in values["state"].items()})
