"""The native rasterizer: pictures drawn by the CPU alone, without GL."""

from typing import Any, Final

from heliograph.errors import MissingDependencyError
from heliograph.requires import native_module

VERSION: Final = 2
"""Of the pictures: it counts up whenever a byte of any of them may change."""


def native_scene() -> Any:
    """The native module's class that draws triangles.

    Raises:
        MissingDependencyError: it is not built here; says how to build it.
    """
    purpose = "backend='cpu' is drawn"
    found = getattr(native_module(purpose), "RasterScene", None)
    if found is None:
        raise MissingDependencyError(
            f"{purpose} by heliograph's native module, and the one here is older than its Python "
            "part: install heliograph again (in a checkout: scripts/setup)"
        )
    return found
