"""Vuer's Python interface over `heliograph.live`: programs change their import lines alone.

    from vuer import Vuer, VuerSession          -> from heliograph.compat.vuer import ...
    from vuer.events import ClientEvent         -> from heliograph.compat.vuer.events import ...
    from vuer.schemas import Box, CameraView    -> from heliograph.compat.vuer.schemas import ...
    from ml_logger import ML_Logger             -> from heliograph.compat.vuer.logger import ...

See docs/vuer.md.
"""

from __future__ import annotations

from heliograph.compat.vuer.app import Vuer
from heliograph.compat.vuer.session import VuerSession

__all__ = ["Vuer", "VuerSession"]
