"""Pictures from another machine are those that are drawn here, bit for bit, and fairly shared."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

import heliograph as hg
from heliograph.engine import CancelToken, Capability
from heliograph.engines.fake import FakeEngine, Paint
from heliograph.errors import (
    ClosedError,
    EngineError,
    HeliographError,
    InvalidValueError,
    UnknownNameError,
    WorkerError,
)
from heliograph.passes import PassName
from heliograph.serve import messages
from heliograph.serve.server import RenderServer
from serving import assert_same, eventually, parts, process, serving

ALL: tuple[PassName, ...] = ("rgb", "depth", "normals", "segmentation")
EYE = hg.Camera.look_at(eye=(2, -1, 1), target=(0, 0, 0), fov_y=0.9, width=96, height=64)
SCENE = hg.Scene(
    hg.Sphere(key="ball", args=[0.5], position=(0.3, 0, 0)),
    hg.Box(key="box", args=[0.5, 0.4, 0.3], position=(-0.5, 0, 0)),
    hg.AmbientLight(intensity=0.4),
    hg.DirectionalLight(position=(1, -1, 2)),
)


def view(**further: Any) -> hg.View:
    return hg.View(**{"cameras": (EYE,), "passes": ALL, **further})


@pytest.fixture
def served() -> Iterator[tuple[hg.LocalRenderer, RenderServer, hg.RemoteRenderer]]:
    with (
        hg.open("fake", engine="fake") as renderer,
        serving(renderer) as server,
        hg.connect(server.url) as remote,
    ):
        yield renderer, server, remote


# Fidelity.


@pytest.mark.parametrize("source", ["fake", SCENE])
def test_all_passes_arrive_bit_for_bit(source: Any) -> None:
    with hg.open(source) as local, serving(local) as server, hg.connect(server.url) as remote:
        for asked in (view(), view(passes=("depth",)), view(seed=7, index=3)):
            assert_same(local.render(asked), remote.render(asked))
        assert remote.cameras == local.cameras
        assert remote.labels == local.labels
        assert remote.passes.keys() == local.passes.keys()
        assert remote.provenance == local.provenance
        assert remote.scene.version == local.scene.version


def test_arrays_are_the_callers_own(served: Any) -> None:
    _, _, remote = served
    one = remote.render(view())
    kept = one["camera"].depth.copy()
    one["camera"].rgb[...] = 0
    two = remote.render(view())
    assert two["camera"].rgb.any()
    np.testing.assert_array_equal(two["camera"].depth, kept)


def test_several_cameras_named_ones_state_and_edits(served: Any) -> None:
    local, _, remote = served
    asked = hg.View(
        ("front", "plan", EYE),
        ALL,
        state={"ball": np.array([0.1, 0.2, 0.9])},
        edits=(Paint("globe", (0.1, 0.9, 0.2)),),
    )
    assert_same(local.render(asked), remote.render(asked))


def test_what_was_drawn_at_random_arrives() -> None:
    class Random(FakeEngine):
        def render(self, view: hg.View, out: Any = None) -> hg.Sample:
            made = super().render(view, out)
            rng = np.random.default_rng((view.seed or 0, view.index))
            return replace(
                made,
                state={"ball": rng.normal(size=3)},
                randomization={"light": {"position": rng.normal(size=3).tolist(), "on": True}},
                annotations={"boxes": [[1, 2, 3, 4]], "caption": "a ball"},
            )

    with (
        hg.LocalRenderer(Random()) as local,
        serving(local) as server,
        hg.connect(server.url) as remote,
    ):
        for index in (0, 1, 0):
            asked = view(seed=5, index=index)
            assert_same(local.render(asked), remote.render(asked))


def test_labels_that_differ_from_the_scenes_arrive() -> None:
    tables = [{0: hg.Label("nothing", "none"), 17: hg.Label(f"ball {i}", "ball")} for i in range(3)]

    class Labelled(FakeEngine):
        def render(self, view: hg.View, out: Any = None) -> hg.Sample:
            return replace(super().render(view, out), labels=tables[view.index % 3])

    with (
        hg.LocalRenderer(Labelled()) as local,
        serving(local) as server,
        hg.connect(server.url) as remote,
    ):
        got = [remote.render(view(index=i)).labels for i in (0, 1, 2, 1, 0)]
        assert got == [tables[i] for i in (0, 1, 2, 1, 0)]


@pytest.mark.parametrize("codec", ["png", "jpeg", "webp"])
def test_a_codec_changes_nothing_but_rgb(codec: messages.Codec) -> None:
    with (
        hg.open(SCENE) as local,
        serving(local) as server,
        hg.connect(server.url, codec=codec, quality=95) as remote,
    ):
        here, there = local.render(view()), remote.render(view())
        assert_same(here, there, but=() if codec == "png" else ("rgb",))
        one, two = here["camera"].rgb.astype(float), there["camera"].rgb.astype(float)
        mean_square = np.mean((one - two) ** 2)
        assert 10 * np.log10(255**2 / max(mean_square, 1e-9)) > 35
        assert not np.array_equal(two, two[::-1])


def test_a_pool_is_served_too() -> None:
    with (
        hg.open("fake", engine="fake", workers=2) as pool,
        hg.open("fake", engine="fake") as local,
        serving(pool) as server,
        hg.connect(server.url) as remote,
    ):
        asked = [view(seed=1, index=i) for i in range(20)]
        for one, future in zip(asked, [remote.submit(each) for each in asked], strict=True):
            assert_same(local.render(one), future.result(30))


# Levels.


def test_refine_gives_each_level(served: Any) -> None:
    local, _, remote = served
    levels = (0.1, 0.5, 1.0)
    here = list(local.refine(view(), levels=levels))
    there = list(remote.refine(view(), levels=levels))
    assert len(here) == len(there) == 3
    for one, two in zip(here, there, strict=True):
        assert_same(one, two)
    assert_same(there[-1], local.render(view()))


def test_refine_ends_when_it_is_cancelled(served: Any) -> None:
    _, server, remote = served
    cancel = CancelToken()
    asked = view(state={"sleep": np.array(1e6)})
    samples = remote.refine(asked, cancel, (1e-9, 1.0))
    next(samples)
    cancel.cancel()
    assert next(samples, None) is None
    eventually(lambda: server.metrics["cancelled"] == 1)
    remote.render(view())  # the thread that drew it is free again


def test_a_queue_over_it_never_goes_back(served: Any) -> None:
    _, _, remote = served
    with remote.queue(levels=(0.1, 0.5, 1.0)) as queue:
        came: list[tuple[int, int]] = []
        queue.on_image(lambda image: came.append((image.update_id, image.level)))
        for number in range(30):
            last = queue.update(EYE.moved(np.eye(4)))
            if number % 3 == 0:
                queue.wait(timeout=30)
        assert queue.wait(final=True, timeout=30).update_id == last
    assert came == sorted(set(came))
    assert came[-1] == (last, 2)


# Fairness, and changes that all see.


class Gated(FakeEngine):
    """Draws when the test lets it, and notes what."""

    def __init__(self) -> None:
        super().__init__("fake")
        self.go = threading.Semaphore(0)
        self.drawn: list[int] = []

    def render(self, view: hg.View, out: Any = None) -> hg.Sample:
        assert self.go.acquire(timeout=60)
        self.drawn.append(view.index)
        return super().render(view, out)


def test_who_floods_keeps_nobody_waiting() -> None:
    engine = Gated()
    with (
        hg.LocalRenderer(engine) as local,
        serving(local) as server,
        hg.connect(server.url) as many,
        hg.connect(server.url) as one,
    ):
        flood = [many.submit(view(index=i)) for i in range(200)]
        eventually(lambda: server.waiting >= 199)
        single = one.submit(view(index=1000))
        eventually(lambda: server.waiting >= 200)
        engine.go.release(1000)
        single.result(30)
        for future in flood:
            future.result(60)
    assert engine.drawn.index(1000) <= 2
    assert [each for each in engine.drawn if each != 1000] == list(range(200))


def test_the_more_urgent_of_ones_own_goes_first() -> None:
    engine = Gated()
    with (
        hg.LocalRenderer(engine) as local,
        serving(local) as server,
        hg.connect(server.url) as remote,
    ):
        futures = [remote.submit(view(index=i)) for i in range(5)]
        futures.append(remote.submit(view(index=9), priority=1))
        eventually(lambda: server.waiting >= 5)
        engine.go.release(100)
        for future in futures:
            future.result(30)
    assert engine.drawn.index(9) <= 1


def test_a_change_of_the_scene_is_seen_by_all() -> None:
    with (
        hg.open("fake", engine="fake") as local,
        serving(local) as server,
        hg.connect(server.url) as one,
        hg.connect(server.url) as two,
    ):
        before = two.render(view())
        assert one.advance(Paint("ball", (0, 0, 1))) == 1
        eventually(lambda: two.scene.version == 1)
        after = two.render(view())
        assert after.provenance.scene_version == 1
        assert not np.array_equal(before["camera"].rgb, after["camera"].rgb)
        assert_same(after, local.render(view()))
        assert_same(before, two.render(view(scene_version=0)))


# Errors come through.


def test_errors_are_those_of_the_renderer(served: Any) -> None:
    _, server, remote = served
    with pytest.raises(EngineError, match="crash") as caught:
        remote.render(view(state={"crash": np.array(3)}, seed=4, index=2))
    assert (caught.value.seed, caught.value.index) == (4, 2)
    with pytest.raises(UnknownNameError):
        remote.render(view(passes=("rgb", "smell")))
    with pytest.raises(UnknownNameError):
        remote.render(view(cameras=("nowhere",)))
    with pytest.raises(InvalidValueError, match="View"):
        remote.submit("front")
    assert server.metrics["failed"] == 1


def test_a_codec_there_is_not_and_an_address_that_is_none() -> None:
    with pytest.raises(InvalidValueError, match="raw, png, jpeg, webp"):
        hg.connect("http://127.0.0.1:1", codec="gif")  # type: ignore[arg-type]
    for url in ("127.0.0.1:7007", "ftp://x", "", 5):
        with pytest.raises(InvalidValueError, match="url"):
            hg.connect(url)  # type: ignore[arg-type]


def test_it_passes_on_what_it_can(served: Any) -> None:
    _, _, remote = served
    assert remote.capabilities == {Capability.REFINE, Capability.ADVANCE}


def test_after_close_nothing_is_drawn(served: Any) -> None:
    _, _, remote = served
    pending: list[Future[hg.Sample]] = [
        remote.submit(view(state={"sleep": np.array(0.2)})) for _ in range(3)
    ]
    remote.close()
    remote.close()
    assert all(isinstance(future.exception(30), ClosedError | None) for future in pending)
    assert isinstance(pending[-1].exception(), ClosedError)
    with pytest.raises(ClosedError):
        remote.render(view())


# Over HTTP.


def got(url: str, **headers: str) -> tuple[int, str]:
    asked = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(asked) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_health_and_metrics(served: Any) -> None:
    _, server, remote = served
    port, token = parts(server.url)
    base, bearer = f"http://127.0.0.1:{port}", f"Bearer {token}"
    for _ in range(3):
        remote.render(view())
    with pytest.raises(EngineError):
        remote.render(view(state={"crash": np.array(3)}))
    status, text = got(f"{base}/health", Authorization=bearer)
    said = json.loads(text)
    assert status == 200
    assert said["status"] == "ok"
    assert said["engine"] == "fake"
    assert (said["clients"], said["waiting"], said["workers"]) == (1, 0, 0)
    assert said["version"] == hg.__version__
    status, text = got(f"{base}/metrics?token={token}")
    lines = text.splitlines()
    assert status == 200
    for line in (
        "heliograph_rendered_total 3",
        "heliograph_failed_total 1",
        "heliograph_cancelled_total 0",
        "heliograph_clients 1",
        "heliograph_drawing_seconds_count 3",
        'heliograph_drawing_seconds_bucket{le="+Inf"} 3',
    ):
        assert line in lines
    (memory,) = (each for each in lines if each.startswith("process_resident_memory_bytes "))
    assert float(memory.split()[1]) > 1e6
    for path in ("/health", "/metrics"):
        assert got(base + path)[0] == 401
    (refused,) = (each for each in server_lines(base, token) if "refused_total " in each)
    assert refused == "heliograph_refused_total 2"


def server_lines(base: str, token: str) -> list[str]:
    lines = got(f"{base}/metrics?token={token}")[1].splitlines()
    return [line for line in lines if not line.startswith("#")]


# The command.


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_serves_and_ends(way: signal.Signals, workers: int) -> None:
    words = ("fake", "--engine", "fake", "--size", "40x30", "--workers", str(workers))
    option = "cost=0.001"
    with process(*words, "--port", "0", "--option", option) as (began, url):
        with hg.connect(url) as remote, hg.open("fake", engine="fake", size=(40, 30)) as local:
            assert_same(local.render(hg.View(passes=ALL)), remote.render(hg.View(passes=ALL)))
        began.send_signal(way)
        assert began.wait(60) == 0


def test_the_command_takes_the_next_port_that_is_free() -> None:
    words = ("blank", "--engine", "fake")
    with process(*words) as (_, one), process(*words) as (_, two):
        assert parts(one)[0] != parts(two)[0]
        assert all(7007 <= parts(each)[0] < 7027 for each in (one, two))


async def _socket_of(url: str, headers: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(url, headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status


def test_who_may_not_is_refused(served: Any) -> None:
    _, server, remote = served
    port, token = parts(server.url)
    url, bearer = f"http://127.0.0.1:{port}/render", {"Authorization": f"Bearer {token}"}
    cookie = {"Cookie": f"heliograph-{port}={token}"}
    for headers, status in (
        (bearer, 101),
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        (cookie, 401),
        ({**bearer, "Origin": "http://evil.example"}, 403),
        ({**bearer, "Origin": f"http://127.0.0.1:{port + 1}"}, 403),
        ({**bearer, "Host": "evil.example"}, 403),
        ({**bearer, "Host": f"evil.example:{port}"}, 403),
    ):
        assert asyncio.run(_socket_of(url, headers)) == status
    with pytest.raises(WorkerError, match="401"):
        hg.connect(f"http://127.0.0.1:{port}", "wrong")
    remote.render(view())
    with pytest.raises(InvalidValueError, match="insecure"):
        RenderServer(remote, host="0.0.0.0", insecure=True)


def test_clients_name_no_files_of_the_server_unless_they_may(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    shown = hg.Box(key="shown", material={"map": str(secret)})
    changes = [hg.Add(shown), hg.Upsert(hg.Group(shown, key="group")), hg.Set(hg.Scene(shown))]
    with hg.open(hg.Scene(hg.Box(key="box"))) as local:
        with serving(local) as server, hg.connect(server.url) as remote:
            for change in changes:
                with pytest.raises(InvalidValueError, match=r"box 'shown': .*allow_files"):
                    remote.advance(change)
                with pytest.raises(InvalidValueError, match=r"box 'shown': .*allow_files"):
                    remote.render(hg.View(edits=[change]))
            assert remote.render(hg.View()).labels.keys() == {0, 1}
        with (
            serving(local, allow_files=True) as server,
            hg.connect(server.url) as remote,
            pytest.raises(HeliographError, match=r"secret\.png"),
        ):
            remote.advance(changes[0])
