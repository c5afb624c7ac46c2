"""Workers started, watched, replaced and shared out: one renderer over many processes."""

from heliograph.pool.options import PoolOptions
from heliograph.pool.renderer import Pool

__all__ = ["Pool", "PoolOptions"]
