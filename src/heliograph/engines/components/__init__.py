"""Scenes of components and mesh files through our rasterizer."""

from heliograph.engines.components.engine import ComponentEngine

__all__ = ["ComponentEngine"]
