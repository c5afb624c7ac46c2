"""Tests that run inside Blender; an interpreter without `bpy` does not collect them."""

import os
import sys
from importlib.util import find_spec

import pytest

collect_ignore_glob = [] if find_spec("bpy") else ["test_*.py"]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    session.config.stash[_CODE] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Blender 4.5 hangs at the end of an interpreter that drew on its GPU interface."""
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash.get(_CODE, 1))


_CODE = pytest.StashKey[int]()
