"""What a scene's state may be: its own values, its joints, and random states that suit it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TURN, _SHIFT = np.pi, 0.1
"""How far joints without limits go from where they are: radians, metres."""


@dataclass(frozen=True)
class Joint:
    """One joint of a scene.

    Attributes:
        name: its name.
        kind: `hinge`, `slide`, `ball` or `free`.
        at: where its numbers start in `qpos`.
        low, high: its range, radians or metres; None without one.
    """

    name: str
    kind: str
    at: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class StateSpace:
    """Which states a scene may be in; a value, so that states can be drawn in any process.

    Attributes:
        rest: the scene's own state, by key of `View.state`.
        joints: what the numbers of `rest["qpos"]` are.
        ranges: state key -> lowest and highest value, two arrays of one shape.
    """

    rest: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    joints: tuple[Joint, ...] = ()
    ranges: Mapping[str, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict)

    @property
    def drawable(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self.joints or self.ranges)

    def draw(self, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """A random state.

        Hinges and slides are uniform in their range (without one +-pi or +-0.1 m from where they
        are), balls uniform over rotations; free joints stay. Ranges are uniform.
        """
        drawn = {}
        if self.joints:
            drawn["qpos"] = self._draw_joints(rng)
        for key, (low, high) in self.ranges.items():
            drawn[key] = rng.uniform(low, high)
        return drawn

    def _draw_joints(self, rng: np.random.Generator) -> NDArray[np.float64]:
        qpos = np.array(self.rest["qpos"], float)
        for joint in self.joints:
            at, low, high = joint.at, joint.low, joint.high
            if joint.kind in ("hinge", "slide"):
                reach = _TURN if joint.kind == "hinge" else _SHIFT
                if low is None or high is None:
                    low, high = qpos[at] - reach, qpos[at] + reach
                qpos[at] = rng.uniform(low, high)
            elif joint.kind == "ball":
                quaternion = rng.normal(size=4)
                qpos[at : at + 4] = quaternion / np.linalg.norm(quaternion)
        return qpos
