"""ORRB's Python interface: `import heliograph.compat.orrb as orrb` is the line that changes.

See docs/orrb.md.
"""

from heliograph import __version__
from heliograph.compat.orrb import utils
from heliograph.compat.orrb.components import RendererConfig
from heliograph.compat.orrb.config import RemoteRendererConfig
from heliograph.compat.orrb.problems import RendererError
from heliograph.compat.orrb.renderer import RemoteRenderer

__all__ = [
    "RemoteRenderer",
    "RemoteRendererConfig",
    "RendererConfig",
    "RendererError",
    "__version__",
    "get_renderer_version",
    "utils",
]


def get_renderer_version() -> str:
    """What draws: this package's own version. No binaries are picked by it."""
    return __version__
