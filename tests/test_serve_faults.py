"""Servers and clients that die, hang, lie or ask for too much; and lost connections."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import aiohttp
import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import heliograph as hg
from heliograph.engines.fake import FakeEngine, Paint
from heliograph.errors import ClosedError, InvalidValueError, WorkerError
from heliograph.pool import Pool
from heliograph.serve import clients, messages, remote
from heliograph.serve.messages import FROM_CLIENT, FROM_SERVER, Draw, Hello, pack, unpack
from heliograph.serve.server import RenderServer
from heliograph.transport.messages import ViewWire
from heliograph.transport.views import pack_view
from serving import assert_same, eventually, parts, process, serving

EYE = hg.Camera.look_at(eye=(2, -1, 1), target=(0, 0, 0), fov_y=0.9, width=96, height=64)
HELLO = pack(Hello(messages.PROTOCOL, "test"))
SLOW = {"sleep": np.array(1.0)}


def view(**further: Any) -> hg.View:
    return hg.View(**{"cameras": (EYE,), "passes": ("rgb", "depth"), **further})


class Counting(FakeEngine):
    """Counts what it draws, as soon as the test lets it."""

    def __init__(self) -> None:
        super().__init__("fake")
        self.go = threading.Event()
        self.begun = 0

    def render(self, view: hg.View, out: Any = None) -> hg.Sample:
        self.begun += 1
        assert self.go.wait(60)
        return super().render(view, out)


@pytest.fixture
def served() -> Iterator[tuple[hg.LocalRenderer, RenderServer]]:
    with hg.open("fake", engine="fake") as renderer, serving(renderer) as server:
        yield renderer, server


def speak(server: RenderServer, *frames: bytes | str, hello: bytes = HELLO) -> list[bytes]:
    """Say these to a server, and hear all that it answers until one of the two ends."""

    async def spoken() -> list[bytes]:
        heard = []
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(server.url.replace("/?", "/render?"), max_msg_size=0) as link,
        ):
            await link.send_bytes(hello)
            with suppress(ConnectionError, aiohttp.ClientError):
                for frame in frames:
                    if isinstance(frame, str):
                        await link.send_str(frame)
                    else:
                        await link.send_bytes(frame)
            with suppress(TimeoutError):
                while (got := await link.receive(0.3)).type is aiohttp.WSMsgType.BINARY:
                    heard.append(got.data)
        return heard

    return asyncio.run(spoken())


def still_serves(renderer: hg.LocalRenderer, server: RenderServer) -> None:
    with hg.connect(server.url) as good:
        assert_same(renderer.render(view()), good.render(view()))


# Lost servers and connections.


def test_a_server_that_is_killed_and_started_again() -> None:
    token = "a-token-that-stays"
    words = ("fake", "--engine", "fake", "--size", "40x30", "--token", token)
    with process(*words, "--port", "0") as (first, url):
        port = str(parts(url)[0])
        link = hg.connect(url)
        came: list[tuple[int, int]] = []
        with link, link.queue(levels=(0.1, 1.0)) as queue:
            queue.on_image(lambda image: came.append((image.update_id, image.level)))
            queue.update(EYE)
            queue.wait(timeout=30)
            pending = link.submit(view(state=SLOW))
            levels = link.refine(view(state=SLOW), levels=(1e-3, 1.0))
            coarse = next(levels)
            first.kill()
            first.wait()
            queue.update(EYE)
            with process(*words, "--port", port), hg.open("fake", engine="fake") as local:
                assert_same(local.render(view(state=SLOW)), pending.result(60))
                fine = list(levels)
                assert [coarse["camera"].camera.width, len(fine)] == [3, 1]
                assert_same(local.render(view(state=SLOW)), fine[0])
                last = queue.update(EYE)
                while queue.wait(final=True, timeout=60).update_id < last:
                    continue
    assert came == sorted(set(came))


def test_a_worker_that_is_killed_while_it_draws_costs_nobody_a_picture() -> None:
    with (
        hg.open("fake", engine="fake", size=(40, 30), workers=2) as pool,
        hg.open("fake", engine="fake", size=(40, 30)) as local,
        serving(pool) as server,
        hg.connect(server.url) as remote,
    ):
        assert isinstance(pool, Pool)
        before = pool.pids
        pending = [remote.submit(view(state=SLOW, index=i)) for i in range(4)]
        levels = remote.refine(view(state=SLOW), levels=(1e-3, 1.0))
        next(levels)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        for index, future in enumerate(pending):
            assert_same(local.render(view(state=SLOW, index=index)), future.result(60))
        assert_same(local.render(view(state=SLOW)), next(levels))
        assert not set(before) & set(pool.pids)


class Proxy:
    """Passes bytes on between a client and a server, until they are cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._pairs: list[socket.socket] = []
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
                self._pairs += [here, there]
                self.accepted += 1
                for one, two in ((here, there), (there, here)):
                    threading.Thread(target=self._pass_on, args=(one, two), daemon=True).start()

    @staticmethod
    def _pass_on(one: socket.socket, two: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                two.sendall(data)

    def cut(self) -> None:
        for each in self._pairs:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._pairs.clear()

    def close(self) -> None:
        self._listening.close()
        self.cut()


@contextmanager
def proxied(renderer: hg.LocalRenderer) -> Iterator[tuple[RenderServer, Proxy, str]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    proxy = Proxy(port)
    with serving(renderer, port=port, origins=(f"http://127.0.0.1:{proxy.port}",)) as server:
        try:
            yield server, proxy, server.url.replace(str(port), str(proxy.port))
        finally:
            proxy.close()


def test_a_connection_that_is_cut_costs_nothing() -> None:
    with (
        hg.open("fake", engine="fake") as renderer,
        proxied(renderer) as (server, proxy, url),
        hg.connect(url) as link,
    ):
        futures = [link.submit(view(index=i, state={"sleep": np.array(0.02)})) for i in range(30)]
        for index in (3, 12, 20):
            futures[index].result(30)
            proxy.cut()
        for i, future in enumerate(futures):
            got = future.result(30)
            assert got.index == i
            np.testing.assert_array_equal(
                got["camera"].depth, renderer.render(view())["camera"].depth
            )
        assert proxy.accepted >= 2
        assert server.metrics["dropped"] > 0


def test_a_change_whose_answer_is_lost_says_so() -> None:
    blocked, begun = threading.Event(), threading.Event()

    class Slow(FakeEngine):
        def advance(self, changes: Any) -> int:
            begun.set()
            assert blocked.wait(60)
            return super().advance(changes)

    with (
        hg.LocalRenderer(Slow()) as renderer,
        proxied(renderer) as (_, proxy, url),
        hg.connect(url) as link,
    ):

        def cut() -> None:
            assert begun.wait(60)
            proxy.cut()

        cutter = threading.Thread(target=cut)
        cutter.start()
        with pytest.raises(WorkerError, match="whether the scene was changed is not known"):
            link.advance(Paint("ball", (0, 0, 1)))
        cutter.join()
        blocked.set()
        link.render(view())
        assert link.scene.version == 1


def test_deadlines() -> None:
    engine = Counting()
    with (
        hg.LocalRenderer(engine) as renderer,
        serving(renderer) as server,
        hg.connect(server.url, deadline=0.2) as link,
    ):
        futures = [link.submit(view(index=i)) for i in range(3)]
        for future in futures:
            with pytest.raises(WorkerError, match=r"within 0\.2 s"):
                future.result(30)
        engine.go.set()
        eventually(lambda: server.waiting == 0)
        link.render(view())
    assert engine.begun <= 2


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(WorkerError, match="heliograph serve"):
        hg.connect(f"http://127.0.0.1:{port}", timeout=0.3)


# Clients that do not read, or say what is no message.


def test_a_client_that_stops_reading_is_dropped_and_costs_little(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer, server = served
    monkeypatch.setattr(clients, "MOST_SILENT", 1.0)
    big = hg.Camera.look_at(eye=(2, 0, 1), target=(0, 0, 0), fov_y=0.9, width=1000, height=700)
    wire, _ = clients_view(hg.View((big,), ("rgb",)))
    port, token = parts(server.url)
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.sendall(
            f"GET /render?token={token} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        raw.sendall(masked(HELLO))
        for number in range(500):
            raw.sendall(masked(pack(Draw(number, wire))))
        eventually(lambda: server.waiting > 400)
        still_serves(renderer, server)
        eventually(lambda: server.metrics["dropped"] >= 400)
        assert server.waiting == 0
        assert server.metrics["rendered"] < 20  # 2 MB each: what was held for it is bounded
    still_serves(renderer, server)


def clients_view(asked: hg.View) -> tuple[ViewWire, Any]:
    return pack_view(asked, {}, inline=True)


def masked(data: bytes) -> bytes:
    """A binary WebSocket frame of a client, masked with zeros."""
    return b"\x82\xfe" + len(data).to_bytes(2, "big") + bytes(4) + data


def test_garbage_text_and_more_than_may_be(served: Any) -> None:
    renderer, server = served
    assert len(speak(server, "text", b"", b"garbage", HELLO)) == 1  # the Welcome
    assert server.metrics["refused"] == 3
    speak(server, *[b"garbage"] * 100)
    speak(server, b"x" * ((1 << 26) + 1))
    still_serves(renderer, server)


def test_who_does_not_say_hello(served: Any) -> None:
    renderer, server = served
    for hello in (b"", b"garbage", pack(messages.Cancel(1))):
        (answer,) = speak(server, hello=hello)
        refused, _ = unpack(answer, FROM_SERVER)
        assert "expected a Hello first" in refused.reason
    still_serves(renderer, server)


def test_another_protocol_names_both_versions(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, server = served
    (answer,) = speak(server, hello=pack(Hello(99, "9.9.9")))
    reason = unpack(answer, FROM_SERVER)[0].reason
    assert hg.__version__ in reason
    assert "9.9.9" in reason
    monkeypatch.setattr(remote, "PROTOCOL", 98)
    with pytest.raises(InvalidValueError, match=r"got 98 .*install the same version"):
        hg.connect(server.url)


def test_pictures_too_large_are_refused_before_anything_is_drawn() -> None:
    engine = Counting()
    engine.go.set()
    huge = hg.Camera.look_at(eye=(2, 0, 1), target=(0, 0, 0), fov_y=1, width=8000, height=8000)
    with (
        hg.LocalRenderer(engine) as renderer,
        serving(renderer, most_bytes=1 << 20) as server,
        hg.connect(server.url) as link,
    ):
        for asked in (hg.View((huge,), ("rgb",)), hg.View((huge,), ("rgb", "depth"))):
            with pytest.raises(InvalidValueError, match="at most 1 MiB"):
                link.render(asked)
        assert engine.begun == 0
        link.render(view())


@given(st.binary(max_size=200))
@example(b"\x00\x00\x00\x00")
@example(b"\x90" * 60 + b"\x3c\x00\x00\x00")
@settings(max_examples=2000, deadline=None)
def test_bytes_that_are_no_message_are_said_to_be_none(data: bytes) -> None:
    for decoder in (FROM_CLIENT, FROM_SERVER):
        for frame in (data, data + len(data).to_bytes(4, "little")):
            with suppress(InvalidValueError):
                unpack(frame, decoder)


WORDS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


TAGS = st.sampled_from(["Draw", "Advance", "Cancel", "Hello", "Welcome", "?"])
ORDERS = st.lists(st.one_of(st.integers(0, 5), WORDS), max_size=7)
VIEWS = st.lists(WORDS | st.lists(st.sampled_from(["front", "rgb", ""])), max_size=7)


def said(tag: str, number: int, view: list[Any], rest: list[Any]) -> bytes:
    """A message that is framed as it should be."""
    try:
        header = msgspec.msgpack.encode([tag, number, view, *rest])
    except OverflowError:
        header = b"\x90"
    return header + len(header).to_bytes(4, "little")


def test_nothing_that_is_said_breaks_the_server(served: Any) -> None:
    renderer, server = served
    frames: list[bytes] = []

    @settings(max_examples=2000, deadline=None, database=None)
    @given(st.builds(said, TAGS, st.integers(-3, 3), VIEWS, ORDERS) | st.binary(max_size=60))
    def collect(frame: bytes) -> None:
        frames.append(frame)

    collect()
    assert len(frames) >= 2000

    async def say_all() -> None:
        url = server.url.replace("/?", "/render?")
        async with aiohttp.ClientSession() as session:
            for begin in range(0, len(frames), 15):
                async with session.ws_connect(url) as link:
                    await link.send_bytes(HELLO)
                    for frame in frames[begin : begin + 15]:
                        await link.send_bytes(frame)
                    await link.send_bytes(pack(Draw(1 << 40, clients_view(view())[0])))
                    while True:
                        got = await link.receive()
                        assert got.type is aiohttp.WSMsgType.BINARY, got
                        answer, _ = unpack(got.data, FROM_SERVER)
                        if getattr(answer, "order", None) == 1 << 40:
                            break

    asyncio.run(say_all())
    still_serves(renderer, server)


# Ends.


def names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_closed_ends_leave_no_thread_and_no_renderer() -> None:
    def use() -> Callable[[], Any]:
        engine = FakeEngine("fake")
        with (
            hg.LocalRenderer(engine) as renderer,
            serving(renderer) as server,
            hg.connect(server.url) as link,
            link.queue() as queue,
        ):
            queue.update(EYE)
            queue.wait(final=True, timeout=30)
            list(link.refine(view()))
            assert {"heliograph-remote", "heliograph-serve-0"} <= names()
        return weakref.ref(engine)

    before = names()
    ref = use()
    assert not {each for each in names() - before if each.startswith("heliograph-")}
    gc.collect()
    assert ref() is None


def test_a_server_that_closes_fails_nobody_who_waits_for_another() -> None:
    engine = Counting()
    with hg.LocalRenderer(engine) as renderer:
        with serving(renderer) as server:
            url, (port, token) = server.url, parts(server.url)
            link = hg.connect(url)
            future = link.submit(view())
            eventually(lambda: engine.begun == 1)
            engine.go.set()
        with serving(renderer, port=port, token=token), link:
            assert_same(renderer.render(view()), future.result(30))


def test_a_client_that_closes_in_its_own_callback(served: Any) -> None:
    _, server = served
    link = hg.connect(server.url)
    closed = threading.Event()
    future = link.submit(view())

    def close(_: object) -> None:
        link.close()
        closed.set()

    future.add_done_callback(close)
    future.result(30)
    assert closed.wait(30)
    eventually(lambda: "heliograph-remote" not in names())
    with pytest.raises(ClosedError):
        link.submit(view())


def more_than_three(futures: list[Any]) -> bool:
    return len(futures) > 3


def test_what_is_put_while_it_closes_is_answered(served: Any) -> None:
    _, server = served
    for _ in range(20):
        link = hg.connect(server.url)
        futures: list[Any] = []

        def flood(link: hg.RemoteRenderer = link, futures: list[Any] = futures) -> None:
            with suppress(ClosedError):
                while True:
                    futures.append(link.submit(view(passes=("depth",))))

        thread = threading.Thread(target=flood)
        thread.start()
        eventually(partial(more_than_three, futures))
        link.close()
        thread.join()
        for future in futures:
            assert isinstance(future.exception(30), ClosedError | InvalidValueError | None)


def test_another_token_after_a_restart_ends_the_wait() -> None:
    engine = Counting()
    with hg.LocalRenderer(engine) as renderer:
        with serving(renderer) as server:
            port, _ = parts(server.url)
            link = hg.connect(server.url)
            future = link.submit(view())
            eventually(lambda: engine.begun == 1)

            def let_go(server: RenderServer = server) -> None:
                eventually(lambda: server.metrics["dropped"] == 1)
                engine.go.set()

            threading.Thread(target=let_go).start()
        with serving(renderer, port=port), link:
            with pytest.raises(ClosedError, match="401"):
                future.result(30)
            with pytest.raises(ClosedError, match="401"):
                link.render(view())
