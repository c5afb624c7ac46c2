"""Bringing MjData to the state of a view, from a clean slate every time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.scene import Item, Joint, StateSpace

_RANGEFINDER = mujoco.mjtSensor.mjSENS_RANGEFINDER
_MOST = float(mujoco.mjMAXVAL)
MAX_STEPS = 1_000_000


class Poser:
    """Knows the state keys of one model and applies them.

    Keys: `qpos` (nq,), `mocap_pos` (nmocap, 3), `mocap_quat` (nmocap, 4, wxyz); and for physics
    `qvel` (nv,), `act` (na,), `ctrl` (nu,) with `steps`, how many times to step from there. Keys
    left out keep the model's initial values. Without `steps` only kinematics are computed.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self.data = mujoco.MjData(model)
        self._shapes: dict[str, tuple[int, ...]] = {
            "qpos": (model.nq,),
            "mocap_pos": (model.nmocap, 3),
            "mocap_quat": (model.nmocap, 4),
            "qvel": (model.nv,),
            "act": (model.na,),
            "ctrl": (model.nu,),
        }
        fields = {name: getattr(self.data, name) for name in self._shapes}
        self._fields = {
            name: (field, np.array(field)) for name, field in fields.items() if field.size
        }
        self._dirty = False
        self._senses = bool((model.sensor_type == _RANGEFINDER).any())
        self._forward = _forward_steps(model, senses=self._senses)

    @property
    def items(self) -> tuple[Item, ...]:
        """The state keys with their shapes."""
        rows = [Item(n, "state", f"shape {s}") for n, s in self._shapes.items() if s[0]]
        return (*rows, Item("steps", "state", "how many physics steps to take, integer"))

    def apply(self, state: Mapping[str, NDArray[Any]]) -> mujoco.MjData:
        """The data with everything that drawing needs computed for this state."""
        values = {name: self._checked(name, state[name]) for name in state if name != "steps"}
        steps = _steps(state["steps"]) if "steps" in state else 0
        if self._dirty:
            mujoco.mj_resetData(self._model, self.data)
        self._dirty = steps > 0 or self._senses
        for name, (field, initial) in self._fields.items():
            field[:] = values.get(name, initial)
        for _ in range(steps):
            mujoco.mj_step(self._model, self.data)
        for step in self._forward:
            step(self._model, self.data)
        return self.data

    def _checked(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        if name not in self._shapes:
            raise UnknownNameError.of("state", name, [*self._shapes, "steps"])
        shape = self._shapes[name]
        if value.shape != shape:
            symbol = {"qpos": "nq", "qvel": "nv", "act": "na", "ctrl": "nu"}.get(name, "nmocap")
            raise InvalidValueError(
                f"state[{name!r}]: expected shape {shape} ({symbol} = {shape[0]}), "
                f"got {value.shape}"
            )
        sizes = np.abs(value)
        largest = float(sizes.item(sizes.argmax())) if sizes.size else 0.0  # quicker than `max`
        if largest > _MOST:
            raise InvalidValueError(
                f"state[{name!r}]: expected numbers up to {_MOST:g}, as MuJoCo takes "
                f"them, got {largest:g}"
            )
        return value


def _forward_steps(
    model: mujoco.MjModel, *, senses: bool
) -> tuple[Callable[[mujoco.MjModel, mujoco.MjData], None], ...]:
    """What computes from a state all that drawing needs."""
    if senses:
        return (mujoco.mj_forward,)
    steps = [mujoco.mj_kinematics, mujoco.mj_comPos, mujoco.mj_camlight]
    if model.nflex:
        steps.append(mujoco.mj_flex)
    if model.ntendon or model.nu:
        steps.append(mujoco.mj_tendon)
    return tuple(steps)


def _steps(steps: NDArray[Any]) -> int:
    if steps.size != 1 or steps.dtype.kind not in "iu" or not 0 <= steps.item() <= MAX_STEPS:
        raise InvalidValueError(
            f"state['steps']: expected one integer from 0 to {MAX_STEPS}, got {steps!r}"
        )
    return int(steps.item())


_KINDS = {
    mujoco.mjtJoint.mjJNT_HINGE: "hinge",
    mujoco.mjtJoint.mjJNT_SLIDE: "slide",
    mujoco.mjtJoint.mjJNT_BALL: "ball",
    mujoco.mjtJoint.mjJNT_FREE: "free",
}


def state_space(model: mujoco.MjModel) -> StateSpace:
    """The model's initial joint state, and its joints."""
    joints = tuple(_joint(model, i) for i in range(model.njnt))
    return StateSpace({"qpos": np.array(model.qpos0)}, joints)


def _joint(model: mujoco.MjModel, index: int) -> Joint:
    low, high = np.asarray(model.jnt_range[index], float).tolist()
    limited = bool(model.jnt_limited[index])
    return Joint(
        name=model.joint(index).name or f"joint{index}",
        kind=_KINDS[mujoco.mjtJoint(int(model.jnt_type[index]))],
        at=int(model.jnt_qposadr[index]),
        low=low if limited else None,
        high=high if limited else None,
    )
