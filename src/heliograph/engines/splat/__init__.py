"""Gaussian splats: files of them drawn, and scenes turned into them."""

from heliograph.engines.splat.engine import SplatEngine

__all__ = ["SplatEngine"]
