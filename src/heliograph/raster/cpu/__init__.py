"""The native rasterizer: pictures drawn by the CPU alone, without GL."""

from typing import Final

VERSION: Final = 1
"""Of the pictures: it counts up whenever a byte of any of them may change."""
