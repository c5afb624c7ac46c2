"""Nerfstudio Renderer's Python interface: a queue of pictures of a NeRF, here or served.

`from heliograph.compat import nerfstudio_renderer` is the line that changes, and the connection's.
See docs/nerfstudio_renderer.md.
"""

from __future__ import annotations

from heliograph.compat.nerfstudio_renderer.cameras import CAMERAS
from heliograph.compat.nerfstudio_renderer.connection import Connection, connect
from heliograph.compat.nerfstudio_renderer.queue import NerfStudioRenderQueue, PoseQueue

__all__ = ["CAMERAS", "Connection", "NerfStudioRenderQueue", "PoseQueue", "connect"]
