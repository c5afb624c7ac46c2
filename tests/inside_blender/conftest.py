"""Tests that run inside Blender; an interpreter without `bpy` does not collect them."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("bpy") else ["test_*.py"]
