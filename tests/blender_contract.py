"""The conformance suite on the styles of the Blender engine; run inside Blender, tells it as JSON.

.venv-blender/bin/python tests/blender_contract.py
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

from engine_contract import Case
from heliograph.engines.blender.engine import BlenderEngine
from heliograph.scene import EditMaterial, Hide

SCENE = Path(__file__).with_name("blender_scene.py")
TOLD = {
    "state": {"frame": 3.0, 'objects["Cube"].location': [-0.7, 0, 0.5]},
    "other_state": {"frame": 9.0},
    "edits": (EditMaterial("Cube", rgba=(0.1, 0.9, 0.2, 1.0)), Hide("Ball")),
}
NOISE = "the noise of a path tracer belongs to the pixel, not to what it shows"

CASES: dict[str, Case] = {
    "blender fast": Case(partial(BlenderEngine, SCENE, size=(96, 64)), TOLD),
    "blender cycles": Case(
        partial(BlenderEngine, SCENE, size=(96, 64), style="cycles", samples=1),
        TOLD,
        {"principal_point_moves_the_picture": NOISE, "upside_down_is_turned": NOISE},
    ),
}


EEVEE = {
    "blender eevee": Case(
        partial(BlenderEngine, SCENE, size=(32, 24), style="eevee", samples=1), TOLD
    )
}


def main() -> None:
    told = {}
    for name, case in (EEVEE if "--eevee" in sys.argv else CASES).items():
        report = case.check()
        told[name] = {
            "passes": report.passes,
            "gaps": dict(case.gaps),
            "outcomes": {
                check: (outcome.verdict.value, outcome.passes)
                for check, outcome in report.outcomes.items()
            },
        }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    os._exit(0)  # Blender may hang in its exit handlers


if __name__ == "__main__":
    main()
