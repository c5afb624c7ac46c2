"""A renderer that is served in a thread of this process, for tests of its clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from heliograph.engine import Renderer
from heliograph.serve.server import RenderServer


@contextmanager
def served(renderer: Renderer, token: str) -> Iterator[int]:
    """The port that it is served at."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = RenderServer(renderer, token=token)
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(20)
        yield int(server.url.partition("://")[2].partition("/")[0].rpartition(":")[2])
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
