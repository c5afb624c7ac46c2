"""Blender 4.5 hangs at the end of an interpreter that drew on its GPU interface, so we leave."""

import os
import sys
import traceback

import pytest

_CODE = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    session.config.stash[_CODE] = int(exitstatus)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_unconfigure(config):
    code = config.stash.get(_CODE, 1)
    try:
        yield
    except BaseException:  # noqa: BLE001 - told, and the process ends all the same
        traceback.print_exc()
        code = code or 1
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
