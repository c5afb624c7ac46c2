# mypy: allow-untyped-defs, allow-untyped-calls
"""The engines that the conformance suite runs on, and what it is told about each scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from heliograph.engine import Engine
from heliograph.engines.fake import FakeEngine, Paint
from heliograph.raster import RasterOptions
from heliograph.scene import EditMaterial, Hide
from heliograph.testing import ContractError, Report, Verdict, check_engine
from raster_scenes import BACKENDS

Backend = Literal["gl", "cpu"]

MJCF = """<mujoco><worldbody><light pos="1 -1 3"/>
<geom name="floor" type="plane" size="3 3 1" rgba=".6 .6 .5 1"/>
<geom name="ball" type="sphere" size=".4" pos="-.7 .5 .5" rgba=".1 .3 .9 1"/>
<body name="arm" pos="0 0 .4"><joint name="hinge" axis="0 0 1"/>
<geom name="rod" type="box" size=".7 .2 .25" pos=".3 0 0" rgba=".9 .2 .1 1"/></body>
<camera name="front" pos="0.4 -3.2 1.6" xyaxes="1 0.1 0 -0.04 0.4 1"/>
<camera name="top" pos="0 0 4"/>
</worldbody></mujoco>"""


@dataclass(frozen=True)
class Case:
    """One engine and how to check it.

    Attributes:
        make: makes a fresh engine.
        told: what `check_engine` is told besides.
        gaps: checks known to fail, each with the reason; they must go on failing, or go from here.
    """

    make: Callable[[], Engine]
    told: Mapping[str, Any] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> Report:
        return check_engine(self.make, skip=tuple(self.gaps), **self.told)


def _fake() -> Engine:
    return FakeEngine(size=(120, 90))


def _mujoco(backend: Backend) -> Engine:
    from heliograph.engines.mujoco import MujocoEngine

    return MujocoEngine(MJCF, size=(120, 90), options=RasterOptions(backend=backend))


def _components(backend: Backend) -> Engine:
    # By name, so that this file can be read where the engine is not there yet.
    scene = import_module("heliograph.scene")
    tree = scene.Scene(
        scene.Box(key="ground", args=[6, 6, 0.1], position=[0, 0, -0.05]),
        scene.Box(key="rod", args=[1.4, 0.4, 0.5], position=[0.3, 0, 0.4]),
        scene.Sphere(key="ball", args=[0.4], position=[-0.7, 0.5, 0.5]),
        scene.CameraView(
            key="ego", position=[0.4, -3.2, 1.6], lookAt=[0, 0, 0.4], width=120, height=90
        ),
    )
    engine: Engine = import_module("heliograph.engines.components").ComponentEngine(
        tree, options=RasterOptions(backend=backend)
    )
    return engine


def _moved_rod() -> Any:
    scene = import_module("heliograph.scene")
    return scene.Update(scene.Box(key="rod", position=[0.5, -0.2, 0.6]))


CASES: dict[str, Case] = {
    "fake": Case(
        _fake,
        {
            "other_state": {"ball": (0.0, -0.6, 0.5)},
            "edits": (Paint("ball", (0.0, 1.0, 1.0)),),
            "changes": (Paint("ball", (1.0, 1.0, 0.0)), Paint("globe", (0.0, 1.0, 0.0))),
        },
    ),
}
for _backend in BACKENDS:
    CASES[f"mujoco {_backend}"] = Case(
        partial(_mujoco, _backend),
        {
            "other_state": {"qpos": [1.2]},
            "edits": (Hide(("ball",)), EditMaterial(("rod",), rgba=(0.0, 1.0, 0.0, None))),
        },
    )
    if find_spec("heliograph.engines.components"):
        CASES[f"components {_backend}"] = Case(
            partial(_components, _backend),
            {
                "other_state": {"ball": (-0.2, -0.6, 0.5)},
                "edits": (import_module("heliograph.scene").Remove("ball"),),
                "changes": (_moved_rod(),),
            },
        )


@cache
def report(name: str) -> Report:
    """What the suite finds about an engine; it runs once."""
    return CASES[name].check()


def broken(make: Callable[[], Engine], **told: Any) -> set[str]:
    """The names of the checks that an engine fails."""
    try:
        check_engine(make, **told)
    except ContractError as error:
        if error.report is None:
            raise
        return set(error.report.of(Verdict.FAILED))
    return set()
