# mypy: allow-untyped-defs, allow-untyped-calls
"""Tabs of a real browser that nothing but a page looks into, visible or hidden.

Playwright makes every page believe that it is seen, so this speaks the browser's own protocol.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import aiohttp

CHROMIUM = shutil.which("chromium") or "chromium"
FLAGS = (
    *("--headless=new", "--no-sandbox", "--no-first-run", "--remote-debugging-port=0"),
    *("--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"),
)
PATIENCE = 20.0


@contextmanager
def tab(url, *, hidden=False):
    """A browser with a page in a tab, which is hidden before the page is opened if asked."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        quiet = subprocess.DEVNULL
        browser = subprocess.Popen(command, start_new_session=True, stdout=quiet, stderr=quiet)
        try:
            asyncio.run(_opened(Path(profile), url, hidden=hidden))
            yield
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


async def _opened(profile, url, *, hidden):
    port = await _port(profile)
    async with aiohttp.ClientSession() as client:
        target = await _target(client, port)
        if hidden:
            async with client.put(f"http://127.0.0.1:{port}/json/new?about:blank"):
                pass
        async with client.ws_connect(target["webSocketDebuggerUrl"]) as tools:
            wanted = "hidden" if hidden else "visible"
            seen = {"expression": "document.visibilityState"}
            until = time.monotonic() + PATIENCE
            while (await _asked(tools, "Runtime.evaluate", seen))["result"]["value"] != wanted:
                assert time.monotonic() < until, f"the tab is not {wanted}"
                await asyncio.sleep(0.05)
            await _asked(tools, "Page.navigate", {"url": url})
            assert (await _asked(tools, "Runtime.evaluate", seen))["result"]["value"] == wanted


async def _port(profile):
    """Where the browser listens, once it does."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        lines = profile / "DevToolsActivePort"
        if lines.exists() and (text := lines.read_text().split()):
            return int(text[0])
        await asyncio.sleep(0.05)
    raise AssertionError("the browser did not start")


async def _target(client, port):
    """Its first tab, once there is one."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        async with client.get(f"http://127.0.0.1:{port}/json") as answer:
            pages = [each for each in await answer.json() if each["type"] == "page"]
        if pages:
            return pages[0]
        await asyncio.sleep(0.05)
    raise AssertionError("the browser has no tab")


async def _asked(tools, method, parameters):
    await tools.send_json({"id": 1, "method": method, "params": parameters})
    while True:
        answer = await tools.receive_json()
        if answer.get("id") == 1:
            return answer["result"]
