"""The route that files dropped on a page are sent to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from aiohttp import BodyPartReader, web

from heliograph.errors import HeliographError, SceneError
from heliograph.live.viewer.dropped import MOST_BYTES, MOST_FILES

OpenFiles: TypeAlias = Callable[[str, Mapping[str, bytes]], Awaitable[str]]
"""Opens files, by name, on the page of a session; returns what the scene is called."""
_CHUNK = 1 << 16


def drop_handler(open_files: OpenFiles) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """What answers `POST /drop?session=...` with multipart/form-data, one part for each file."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method != "POST" or not request.content_type.startswith("multipart/"):
            return web.json_response(
                {"error": "expected POST with multipart/form-data"}, status=400
            )
        try:
            files = await _files(request)
            opened = await open_files(request.query.get("session", ""), files)
        except (HeliographError, ValueError) as error:  # aiohttp's of malformed parts, too
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"opened": opened})

    return handle


async def _files(request: web.Request) -> dict[str, bytes]:
    """The parts of a request, by the names of their files.

    Raises:
        SceneError: more than is taken.
    """
    found: dict[str, bytes] = {}
    total = 0
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or not part.filename:
            continue
        data = bytearray()
        while chunk := await part.read_chunk(_CHUNK):
            data += chunk
            total += len(chunk)
            if total > MOST_BYTES:
                raise SceneError(
                    f"dropped files: expected at most {MOST_BYTES >> 20} MiB in all, got more; "
                    "open them by their path: heliograph view FILE"
                )
        found[part.filename] = bytes(data)
        if len(found) > MOST_FILES:
            raise SceneError(f"dropped files: expected at most {MOST_FILES}, got more")
    return found
