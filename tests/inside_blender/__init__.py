"""Tests that run inside Blender."""
