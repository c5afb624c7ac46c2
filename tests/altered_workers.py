"""Workers that do not behave: the real ones, with some of their functions replaced."""

import sys
from pathlib import Path

import heliograph as hg
from heliograph.pool import Launcher

_BEGIN = """
import os, sys, time
from itertools import islice
from pathlib import Path
import heliograph.engines.fake as fake
from heliograph.engines.fake import FakeEngine
from heliograph.transport.messages import *
from heliograph.worker.drawing import RenderExecutor
from heliograph.worker.serve import serve

FOLDER = Path(__file__).parent
"""
_END = """
sys.exit(serve(int(sys.argv[-2]), int(sys.argv[-1])))
"""

MANY_SAMPLES = """
refine = FakeEngine.refine
def refine_often(self, view, cancel=None, levels=None):
    for _ in range(5):
        yield from refine(self, view, cancel, levels)
FakeEngine.refine = refine_often
"""
"""A refinement of the fake engine has 15 samples in place of 3."""

FEW_VERSIONS = """
check_version = fake.check_version
fake.check_version = lambda view, oldest, newest: check_version(view, max(0, newest - 15), newest)
"""
"""The fake engine drops old versions of its scene, as others do."""


def altered(folder: Path, text: str) -> Launcher:
    """What starts workers in which this was done before they serve; `FOLDER` is theirs, too."""
    path = folder / "altered_worker.py"
    path.write_text(_BEGIN + text + _END)
    environment = {"PYTHONPATH": str(Path(hg.__file__).parents[1])}
    return Launcher((sys.executable, str(path)), environment)
