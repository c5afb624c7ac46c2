"""What tests of serving share: a server in a thread, and as a process of its own."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

import heliograph as hg
from heliograph.engine import Renderer
from heliograph.serve.server import RenderServer

PATIENCE = 60.0


@contextmanager
def serving(renderer: Renderer, **options: Any) -> Iterator[RenderServer]:
    """A server over a renderer, in a loop of its own thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="test-server")
    thread.start()
    server = RenderServer(renderer, **options)
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(PATIENCE)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


@contextmanager
def process(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`heliograph serve` with further words, and the address that it prints."""
    command = [sys.executable, "-m", "heliograph", "serve", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as began:
        assert began.stdout is not None
        try:
            url = began.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/(\?token=[\w~.-]+)?", url)
            yield began, url
        finally:
            began.kill()


def parts(url: str) -> tuple[int, str]:
    """Port and token of a server's address."""
    said = urlsplit(url)
    assert said.port is not None
    return said.port, parse_qs(said.query).get("token", [""])[0]


def eventually(true: Callable[[], object]) -> None:
    """Wait until something is so; the time limit of the test ends it."""
    pause = threading.Event()
    while not true():
        pause.wait(0.01)


def assert_same(one: hg.Sample, other: hg.Sample, *, but: tuple[str, ...] = ()) -> None:
    """All that two samples say is the same, bit for bit; passes in `but` are not looked at."""
    assert [frame.camera for frame in one] == [frame.camera for frame in other]
    for here, there in zip(one, other, strict=True):
        assert list(here.passes) == list(there.passes)
        for name in here.passes:
            assert here[name].dtype == there[name].dtype
            if name not in but:
                np.testing.assert_array_equal(here[name], there[name])
        assert here.labels == there.labels
    assert one.labels == other.labels
    assert one.state.keys() == other.state.keys()
    for key, value in one.state.items():
        np.testing.assert_array_equal(value, other.state[key])
    assert (one.seed, one.index) == (other.seed, other.index)
    assert one.randomization == other.randomization
    assert one.annotations == other.annotations
    made, came = one.provenance, other.provenance
    facts = ("engine", "device", "scene_version")
    assert [getattr(made, each) for each in facts] == [getattr(came, each) for each in facts]
