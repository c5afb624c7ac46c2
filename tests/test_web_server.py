"""The page's server: who may ask it for what, and what it says to the rest."""

import asyncio
import importlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from heliograph.engines.web import link as web_link
from heliograph.engines.web import server as web_server
from heliograph.engines.web.link import PageLink
from heliograph.engines.web.messages import Applied, Close, Configure, Event, Hello
from heliograph.engines.web.server import PageServer
from heliograph.engines.web.wire import pack, unpack_to_page
from heliograph.errors import ClosedError, InvalidValueError
from page_client import HELLO, Links, connected, serving, socket_url, transport_of, until

TOKEN = "a-token-of-this-test"


@pytest.fixture(autouse=True)
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    (folder / "page.js").write_text("export {};")
    monkeypatch.setattr(web_server, "BUNDLE", folder)
    return folder


def run(work: Any, **options: Any) -> Any:
    async def main() -> Any:
        async with serving(token=TOKEN, **options) as (server, links):
            return await asyncio.wait_for(work(server, links), 60)

    return asyncio.run(main())


def port_of(server: PageServer) -> Any:
    return int(server.url.partition("://")[2].partition("/")[0].rpartition(":")[2])


async def fetch(server: PageServer, path: str, headers: Any = None, method: str = "GET") -> Any:
    """Status, headers and text of an answer; the path goes out as it is."""
    lines = {"Host": f"127.0.0.1:{port_of(server)}", "Connection": "close", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return await talk(server, f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())


async def talk(server: PageServer, request: Any) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = head.decode().split("\r\n")
    named = [line.split(": ", 1) for line in lines]
    return int(status.split()[1]), {name.lower(): value for name, value in named}, body.decode()


# The bundle.


def test_the_page_comes_with_a_cookie_for_who_has_the_token() -> None:
    async def work(server: PageServer, _: Any) -> None:
        status, headers, text = await fetch(server, f"/?token={TOKEN}")
        assert (status, text) == (200, "<!doctype html><title>page</title>")
        cookie = headers["set-cookie"]
        name = f"heliograph-{port_of(server)}"
        assert cookie.startswith(f"{name}={TOKEN};")
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        status, headers, text = await fetch(server, "/page.js", {"Cookie": f"{name}={TOKEN}"})
        assert (status, text) == (200, "export {};")
        assert headers["content-type"] == "text/javascript; charset=utf-8"
        assert headers["cache-control"] == "no-cache"
        again = {"Cookie": f"{name}={TOKEN}", "If-None-Match": headers["etag"]}
        status, headers, text = await fetch(server, "/page.js", again)
        assert (status, text) == (304, "")
        status, _, _ = await fetch(server, "/", {"Authorization": f"Bearer {TOKEN}"})
        assert status == 200
        status, _, text = await fetch(server, f"/none.js?token={TOKEN}")
        assert status == 404

    run(work)


def test_a_page_that_changed_is_sent_again(bundle: Path) -> None:
    async def work(server: PageServer, _: Any) -> None:
        _, headers, _ = await fetch(server, f"/page.js?token={TOKEN}")
        (bundle / "page.js").write_text("export const a = 1;")
        again = {"If-None-Match": headers["etag"]}
        status, _, text = await fetch(server, f"/page.js?token={TOKEN}", again)
        assert (status, text) == (200, "export const a = 1;")

    run(work)


def test_what_draws_splats_comes_from_a_package_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Served as the rest of the bundle is; who installs it later finds it without a new server."""
    monkeypatch.setattr(web_server, "SPARK", "spark_of_a_test")
    monkeypatch.syspath_prepend(tmp_path)
    path = f"/spark.module.js?token={TOKEN}"

    async def work(server: PageServer, _: Any) -> None:
        status, _, text = await fetch(server, path)
        assert status == 404
        assert len(text.splitlines()) == 1
        assert "pip install heliograph-spark" in text
        assert "scripts/setup" in text
        static = tmp_path / "spark_of_a_test" / "static"
        static.mkdir(parents=True)
        (static.parent / "__init__.py").write_text("raise RuntimeError('is not imported')")
        (static / "spark.module.js").write_text("export const a = 1;")
        importlib.invalidate_caches()
        status, headers, text = await fetch(server, path)
        _, others, _ = await fetch(server, f"/page.js?token={TOKEN}")
        assert (status, text) == (200, "export const a = 1;")
        assert headers.keys() == others.keys()
        same = headers.keys() - {"etag", "date", "content-length"}
        assert {name: headers[name] for name in same} == {name: others[name] for name in same}
        status, _, _ = await fetch(server, path, {"If-None-Match": headers["etag"]})
        assert status == 304
        status, _, _ = await fetch(server, "/spark.module.js")
        assert status == 401

    run(work)


def test_every_answer_says_what_a_page_may_load() -> None:
    async def work(server: PageServer, _: Any) -> None:
        for path in (f"/?token={TOKEN}", "/", f"/none?token={TOKEN}"):
            _, headers, _ = await fetch(server, path)
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe-inline" not in policy
            assert "http" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-resource-policy"] == "same-origin"

    run(work)


def test_a_missing_bundle_says_how_to_build_it(bundle: Path) -> None:
    async def work(server: PageServer, _: Any) -> None:
        (bundle / "index.html").unlink()
        status, _, text = await fetch(server, f"/?token={TOKEN}")
        assert status == 503
        assert "npm ci && npm run build" in text

    run(work)


# Who may ask.


@pytest.mark.parametrize(
    "path", ["/", "/page.js", "/ws", "/assets/0/a", "/static/a", "/mine", "/x/y"]
)
def test_every_route_wants_the_token(path: str) -> None:
    async def work(server: PageServer, _: Any) -> None:
        name = f"heliograph-{port_of(server)}"
        for query, headers in (
            ("", {}),
            ("?token=", {}),
            (f"?token={TOKEN}x", {}),
            (f"?token={TOKEN[:-1]}", {}),
            (f"?Token={TOKEN}", {}),
            ("?token=%ff", {}),
            ("", {"Authorization": f"Basic {TOKEN}"}),
            ("", {"Authorization": "Bearer wrong"}),
            ("", {"Cookie": f"{name}=wrong"}),
            ("", {"Cookie": f"heliograph={TOKEN}"}),
            ("", {"Cookie": f"{name}={TOKEN}", "Sec-Fetch-Site": "same-site"}),
            ("", {"Cookie": f"{name}={TOKEN}", "Sec-Fetch-Site": "cross-site"}),
        ):
            status, _, text = await fetch(server, path + query, headers)
            assert status == 401, (query, headers)
            assert "?token=" in text
            assert TOKEN not in text

    async def with_route() -> None:
        async def mine(_: Any) -> Any:
            return web.Response(text="mine")

        server = PageServer(links_of_nobody, token=TOKEN)
        server.add_route("/mine", mine)
        await server.start()
        try:
            await work(server, None)
            status, _, text = await fetch(server, f"/mine?token={TOKEN}", method="POST")
            assert (status, text) == (200, "mine")
        finally:
            await server.close()

    asyncio.run(with_route())


async def links_of_nobody(link: PageLink) -> None:
    await link.wait_closed()


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "127.0.0.1",
        "127.0.0.1:{other}",
        "127.0.0.1:{port}.evil.example",
        "127.0.0.1.evil.example:{port}",
        "evil.example:{port}",
        "evil.example",
        "localhost",
        "localhost.:{port}",
        "LOCALHOST:{port}@evil",
        "0.0.0.0:{port}",
        "[::1]",
        "127.1:{port}",
        "2130706433:{port}",
        "user@127.0.0.1:{port}",
    ],
)
def test_another_host_is_refused(host: str) -> None:
    async def work(server: PageServer, _: Any) -> None:
        port = port_of(server)
        named = host and host.format(port=port, other=port + 1)
        status, _, _ = await fetch(server, f"/?token={TOKEN}", {"Host": named})
        assert status in (400, 403)

    run(work)


def test_two_hosts_are_refused_and_all_names_of_loopback_are_good() -> None:
    async def work(server: PageServer, _: Any) -> None:
        port = port_of(server)
        good = f"Host: 127.0.0.1:{port}\r\n"
        for others in (good, "Host: evil.example\r\n"):
            head = f"GET /?token={TOKEN} HTTP/1.1\r\n{good}{others}Connection: close\r\n\r\n"
            status, _, _ = await talk(server, head.encode())
            assert status in (400, 403)
        old = f"GET /?token={TOKEN} HTTP/1.0\r\n\r\n"  # needs no host
        assert (await talk(server, old.encode()))[0] == 403
        for name in ("127.0.0.1", "localhost", "[::1]"):
            status, _, _ = await fetch(server, f"/?token={TOKEN}", {"Host": f"{name}:{port}"})
            assert status == 200

    run(work)


ORIGINS = [
    "null",
    "",
    "http://127.0.0.1",
    "http://127.0.0.1:{other}",
    "http://127.0.0.1:{port}.evil.example",
    "http://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}",
    "http://localhost:{port}",
    "http://evil.example",
    "http://evil.example#http://127.0.0.1:{port}",
    "HTTP://127.0.0.1:{port}",
    "file://",
]


@pytest.mark.parametrize("origin", ORIGINS)
def test_another_origin_is_refused_everywhere(origin: str) -> None:
    async def work(server: PageServer, _: Any) -> None:
        port = port_of(server)
        named = origin.format(port=port, other=port + 1)
        for path in ("/", "/ws", "/page.js"):
            status, _, _ = await fetch(server, f"{path}?token={TOKEN}", {"Origin": named})
            assert status == 403
        async with aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(socket_url(server), headers={"Origin": named})
            assert refused.value.status == 403

    run(work)


def test_a_socket_wants_the_token_and_an_origin_with_the_cookie() -> None:
    async def work(server: PageServer, links: Links) -> None:
        port = port_of(server)
        cookie = {"Cookie": f"heliograph-{port}={TOKEN}"}
        own = {"Origin": f"http://127.0.0.1:{port}"}
        address = f"http://127.0.0.1:{port}/ws"
        async with aiohttp.ClientSession() as client:
            for url, headers in (
                (address, {}),
                (address, own),
                (address, cookie),  # no browser; it must say the token itself
                (f"{address}?token=wrong", own),
            ):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await client.ws_connect(url, headers=headers)
                assert refused.value.status == 401
            for url, headers in (
                (address, {**own, **cookie}),
                (f"{address}?token={TOKEN}", own),
                (f"{address}?token={TOKEN}", {}),
                (address, {"Authorization": f"Bearer {TOKEN}"}),
            ):
                async with client.ws_connect(url, headers=headers) as page:
                    await page.send_bytes(pack(HELLO))
                    assert (await links.get()).hello == HELLO

    run(work)


def test_without_a_token_host_and_origin_still_count() -> None:
    async def main() -> None:
        async with serving(insecure=True) as (server, links):
            assert "token" not in server.url
            port = port_of(server)
            assert (await fetch(server, "/"))[0] == 200
            assert "set-cookie" not in (await fetch(server, "/"))[1]
            assert (await fetch(server, "/", {"Host": f"evil.example:{port}"}))[0] == 403
            async with aiohttp.ClientSession() as client:
                with pytest.raises(aiohttp.WSServerHandshakeError):
                    await client.ws_connect(
                        f"{server.url}ws", headers={"Origin": f"http://127.0.0.1:{port + 1}"}
                    )
                async with client.ws_connect(f"{server.url}ws") as page:
                    await page.send_bytes(pack(HELLO))
                    await links.get()

    asyncio.run(main())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", "127.evil.example"])
def test_who_is_reached_by_others_needs_a_token(host: str) -> None:
    with pytest.raises(InvalidValueError, match=r"insecure: .*bind 127\.0\.0\.1"):
        PageServer(links_of_nobody, host=host, insecure=True)
    with pytest.raises(InvalidValueError, match="at least 16 characters"):
        PageServer(links_of_nobody, host=host, token="short")


@pytest.mark.parametrize("token", ["", "a b", "ä", "a;b", "a" * 300, 5])
def test_what_is_no_token(token: Any) -> None:
    with pytest.raises(InvalidValueError, match="token: expected letters"):
        PageServer(links_of_nobody, token=token)


def test_a_server_for_all_interfaces_is_reached_by_its_addresses_and_name() -> None:
    async def main() -> None:
        async with serving(host="0.0.0.0") as (server, _):
            port, token = port_of(server), server.url.partition("token=")[2]
            assert len(token) >= 32
            name = socket.gethostname().lower()
            assert server.url.startswith(f"http://{name}:{port}/?")
            for host in (name, "127.0.0.1"):
                status, _, _ = await fetch(server, f"/?token={token}", {"Host": f"{host}:{port}"})
                assert status == 200
            for host in ("evil.example", "192.0.2.1", "0.0.0.0"):
                status, _, _ = await fetch(server, f"/?token={token}", {"Host": f"{host}:{port}"})
                assert status == 403

    asyncio.run(main())


def test_a_reverse_proxy_passes_its_own_host_and_origin_on() -> None:
    async def work(server: PageServer, _: Any) -> None:
        origin = "https://robots.example.org"
        headers = {"Host": "robots.example.org", "Origin": origin}
        assert (await fetch(server, f"/?token={TOKEN}", headers))[0] == 200
        headers["Origin"] = "http://robots.example.org"
        assert (await fetch(server, f"/?token={TOKEN}", headers))[0] == 403

    run(work, origins=["https://robots.example.org"])
    for origin in ("robots.example.org", "https://robots.example.org/", "ftp://a", ""):
        with pytest.raises(InvalidValueError, match="origins: expected"):
            PageServer(links_of_nobody, origins=[origin])


def test_tls(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *[
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ],
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def work(server: PageServer, links: Links) -> None:
        assert server.url.startswith("https://127.0.0.1:")
        async with (
            aiohttp.ClientSession() as client,
            client.get(server.url, ssl=trusting) as answer,
        ):
            assert answer.status == 200
            assert "Secure" in answer.headers["Set-Cookie"]
        async with connected(server, ssl=trusting) as page:
            link = await links.get()
            link.configure(Configure("secure"))
            await until(lambda: page.told)

    run(work, ssl=context)


# Files.


def test_assets_and_static_files(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a b.txt").write_text("text")
    (root / "page.html").write_text("<script>alert(1)</script>")
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "big.glb").write_bytes(bytes(range(256)) * 20_000)

    async def work(server: PageServer, _: Any) -> None:
        ref = server.assets.register(tmp_path / "big.glb")
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            base = server.url.partition("?")[0]
            async with client.get(base + ref.url) as answer:
                assert await answer.read() == (tmp_path / "big.glb").read_bytes()
                assert answer.headers["Content-Type"] == "model/gltf-binary"
                etag = answer.headers["ETag"]
            async with client.get(base + ref.url, headers={"If-None-Match": etag}) as answer:
                assert answer.status == 304
            async with client.head(base + ref.url) as answer:
                assert (answer.status, answer.content_length) == (200, 5_120_000)
        status, headers, text = await fetch(server, f"/static/a%20b.txt?token={TOKEN}")
        assert (status, text) == (200, "text")
        status, headers, text = await fetch(server, f"/static/page.html?token={TOKEN}")
        assert "sandbox" in headers["content-security-policy"]
        (tmp_path / "big.glb").write_bytes(b"changed")
        assert (await fetch(server, f"/{ref.url}?token={TOKEN}"))[0] == 404

    run(work, static_root=root)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../secret",
        "/static/%2e%2e/secret",
        "/static/%2E%2e%2Fsecret",
        "/static/..%2fsecret",
        "/static/..%5csecret",
        "/static/sub%2fa.txt",
        "/static/sub/..%2f..%2fsecret",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/link",
        "/static/out/secret",
        "/static/a.txt%00",
        "/static/a.txt%00.png",
        "/static/%252e%252e/secret",
        "/static/",
        "/static",
        "/static/sub",
        "/static/pipe",
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "//etc/passwd",
        "/index.html/../../secret",
        "/assets/../secret",
        "/assets/{asset}/../../secret",
        "/assets/{asset}/..%2f..%2fsecret",
        "/assets/{asset}/%2e%2e/secret",
        "/assets/{asset}/other.txt",
        "/assets/{asset}/",
        "/assets/{asset}",
        "/assets//model.glb",
        "http://evil.example/static/a.txt",
    ],
)
def test_no_path_leads_out(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "other.txt").write_text("secret")
    (tmp_path / "model.glb").write_bytes(b"model")
    for name in ("a.txt", "sub/a.txt"):
        (root / name).write_text("text")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "out").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")

    async def work(server: PageServer, _: Any) -> None:
        ref = server.assets.register(tmp_path / "model.glb")
        asked = path.format(asset=ref.asset) + f"?token={TOKEN}"
        status, _, text = await fetch(server, asked)
        assert status in (400, 403, 404)
        assert "secret" not in text
        assert "root" not in text

    run(work, static_root=root)


# The socket's life.


def test_a_page_is_configured_and_heard(caplog: pytest.LogCaptureFixture) -> None:
    async def work(server: PageServer, links: Links) -> None:
        async with connected(server) as page:
            link = await links.get()
            assert link.connected
            assert link.hello == HELLO
            heard = []
            link.on_message = lambda message, body: heard.append((message, bytes(body)))
            link.configure(Configure("first"))
            link.configure(Configure("second"))
            await until(lambda: page.told)
            assert [each.session for each in page.of(Configure)] == ["second"]
            await page.send(Event("CLICK", "box", 1))
            await until(lambda: heard)
            assert heard == [(Event("CLICK", "box", 1), b"")]
        await link.wait_closed()
        assert not link.connected

    run(work)
    assert not caplog.records


def test_what_a_page_says_before_anybody_listens_is_kept() -> None:
    async def work(server: PageServer, links: Links) -> None:
        async with connected(server) as page:
            for number in range(web_link.MOST_EARLY + 4):
                await page.send(Event("CLICK", "", number))
            await page.send(Applied(1))  # counted when all before it has come
            link = await links.get()
            await until(lambda: link.malformed)
            heard = []
            link.on_message = lambda message, _: heard.append(getattr(message, "value", None))
            assert heard == [*range(4, 4 + web_link.MOST_EARLY)]
            await page.send(Event("CLICK", "", -1))
            await until(lambda: len(heard) > web_link.MOST_EARLY)
            assert heard[-1] == -1

    run(work)


def test_a_listener_that_fails_does_not_end_its_page(caplog: pytest.LogCaptureFixture) -> None:
    async def work(server: PageServer, links: Links) -> None:
        async with connected(server) as page:
            link = await links.get()
            heard = []

            def fails(message: Any, _: Any) -> None:
                heard.append(message)
                raise ZeroDivisionError("of the listener")

            link.on_message = fails
            for number in range(2):
                await page.send(Event("CLICK", "", number))
            await until(lambda: len(heard) == 2)
            assert link.connected

    run(work)
    assert "of the listener" in caplog.text


def test_messages_before_the_handshake_is_over_end_the_connection() -> None:
    hello = pack(HELLO)
    assert len(hello) < 126
    early = b"\x82" + bytes([0x80 | len(hello)]) + bytes(4) + hello

    async def work(server: PageServer, links: Links) -> None:
        port = port_of(server)
        head = (
            f"GET /ws?token={TOKEN} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + early)
        answer = await asyncio.wait_for(reader.readuntil(b"\x88"), 5)
        assert answer.startswith(b"HTTP/1.1 101")
        assert b"before the handshake" in await reader.read(100)
        writer.close()
        assert links.empty()

    run(work)


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (pack(Hello(99, "gl", {})), r"expected protocol 2, got 99: .*reload"),
        (pack(Event("CLICK", "", 0)), "expected a Hello first, got Event"),
        (b"nonsense", "expected a Hello first"),
        ("text", "expected a Hello first"),
    ],
    ids=["protocol", "event", "nonsense", "text"],
)
def test_a_page_that_does_not_begin_with_hello_is_told_why(first: Any, reason: str) -> None:
    async def work(server: PageServer, links: Links) -> Any:
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(socket_url(server)) as page,
        ):
            await (page.send_str(first) if isinstance(first, str) else page.send_bytes(first))
            message, _ = unpack_to_page((await page.receive()).data)
            assert isinstance(message, Close)
            assert not message.again
            end = await page.receive()
            assert end.type is aiohttp.WSMsgType.CLOSE
            assert end.data == 1008
        assert links.empty()
        return message.reason

    assert re.search(reason, run(work))


def test_a_page_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "HELLO_WITHIN", 0.05)

    async def work(server: PageServer, _: Any) -> None:
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(socket_url(server)) as page,
        ):
            message, _ = unpack_to_page((await page.receive()).data)
            assert isinstance(message, Close)
            assert "within 0.05 s" in message.reason

    run(work)


def test_malformed_messages_are_counted_and_the_next_good_one_is_read() -> None:
    async def work(server: PageServer, links: Links) -> None:
        async with connected(server) as page:
            link = await links.get()
            heard = []
            link.on_message = lambda message, _: heard.append(message)
            for frame in (
                b"",
                b"nonsense",
                bytes(1000),
                pack(Close("no", again=False)),
                pack(HELLO),
            ):
                await page.socket.send_bytes(frame)
            await page.socket.send_str("text")
            await page.send(Event("CLICK", "", 0))
            await until(lambda: heard)
            assert link.malformed == 6
            for _ in range(94):
                await page.socket.send_bytes(b"nonsense")
            await until(lambda: page.closed)
            assert "100 messages that are none" in page.closed.reason
            await link.wait_closed()

    run(work)


@pytest.mark.parametrize("parts", [1, 3])
def test_a_message_that_is_too_large_ends_the_connection_before_it_is_there(parts: int) -> None:
    async def work(server: PageServer, links: Links) -> None:
        async with connected(server) as page:
            link = await links.get()
            link.on_message = lambda message, body: None
            fits = pack(Event("DATA", "", bytes((1 << 20) - 100)))
            await page.socket.send_bytes(fits)
            await page.send(Event("CLICK", "", 0))
            assert link.malformed == 0
            transport = page.socket._writer.transport
            size = (1 << 20) // parts + 1
            length = size.to_bytes(8, "big")
            for part in range(parts):  # heads with masks of zeros, and what they announce
                head = bytes([(2 if part == 0 else 0) | (0x80 if part == parts - 1 else 0), 0xFF])
                transport.write(head + length + bytes(4))
                if part < parts - 1:
                    transport.write(bytes(size))
            await link.wait_closed()
            assert not link.connected
        async with connected(server):
            await links.get()

    run(work)


def test_fragments_of_a_message_and_pings_between_them_are_read() -> None:
    async def work(server: PageServer, links: Links) -> None:
        async with connected(server) as page:
            link = await links.get()
            heard = []
            link.on_message = lambda message, _: heard.append(message)
            frame = pack(Event("CLICK", "box", "x" * 70_000))
            transport = page.socket._writer.transport
            wire = bytearray()
            for start in range(0, len(frame), 30_000):
                part = frame[start : start + 30_000]
                last = start + 30_000 >= len(frame)
                first_byte = (2 if start == 0 else 0) | (0x80 if last else 0)
                wire += bytes([first_byte, 0x80 | 126]) + len(part).to_bytes(2, "big") + bytes(4)
                wire += part
                wire += bytes([0x89, 0x80]) + bytes(4)  # a ping
            for byte in wire[:5000]:
                transport.write(bytes([byte]))
                await asyncio.sleep(0)
            transport.write(bytes(wire[5000:]))
            await until(lambda: heard)
            assert heard == [Event("CLICK", "box", "x" * 70_000)]

    run(work)


def test_a_program_that_fails_closes_its_page(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(link: PageLink) -> None:
        raise ZeroDivisionError("of the program")

    async def main() -> Any:
        server = PageServer(fails)
        await server.start()
        async with connected(server) as page:
            await until(lambda: page.closed)
        await server.close()
        return page.closed

    assert "of the program" in asyncio.run(main()).reason
    assert "on_page failed" in caplog.text


def test_a_program_is_cancelled_when_its_page_is_gone() -> None:
    begun, ended = [], []

    async def forever(link: PageLink) -> None:
        begun.append(link)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(link)

    async def main() -> None:
        server = PageServer(forever)
        await server.start()
        async with connected(server):
            await until(lambda: begun)
            assert not ended
        await until(lambda: ended)
        await server.close()

    asyncio.run(main())


def test_pages_connect_again_after_a_server_that_closed() -> None:
    async def main() -> None:
        async with serving(token=TOKEN) as (server, links):
            port = port_of(server)
            async with connected(server) as page:
                await links.get()
                await server.close()
                assert page.closed.again
        async with serving(token=TOKEN, port=port) as (server, links), connected(server):
            await links.get()

    asyncio.run(main())


def test_closing_does_not_wait_for_a_page_that_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        server = PageServer(links_of_nobody)
        await server.start()
        async with aiohttp.ClientSession() as client:
            page = await client.ws_connect(socket_url(server))
            await page.send_bytes(pack(HELLO))
            transport_of(page).pause_reading()
            await until(lambda: server._links)
            await asyncio.wait_for(server.close(), 20)
            transport_of(page).abort()
            await page.close()

    asyncio.run(main())


# Addresses.


def test_a_taken_port_says_so_and_several_are_tried() -> None:
    async def main() -> None:
        async with serving() as (first, _):
            port = port_of(first)
            with pytest.raises(InvalidValueError, match=rf"port {port} of .*port=0 picks a free"):
                async with serving(port=port):
                    pass
            async with serving(port=[port, 0]) as (second, _):
                assert port_of(second) not in (0, port)

    asyncio.run(main())


def test_a_host_that_is_none() -> None:
    async def main() -> None:
        with pytest.raises(InvalidValueError, match="host: 'no such host' is no address"):
            async with serving(host="no such host", token="t" * 20):
                pass

    asyncio.run(main())


def test_a_server_has_an_address_while_it_serves() -> None:
    async def main() -> None:
        server = PageServer(links_of_nobody)
        with pytest.raises(ClosedError, match="start"):
            server.url  # noqa: B018
        await server.start()
        assert server.url.startswith("http://127.0.0.1:")
        await server.close()
        await server.close()
        with pytest.raises(ClosedError):
            server.url  # noqa: B018

    asyncio.run(main())


def test_aiohttp_is_imported_by_the_server_alone() -> None:
    code = (
        "import sys, heliograph, heliograph.engines.web, heliograph.engines.web.link;"
        "assert 'aiohttp' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "try: import heliograph.engines.web.server\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "heliograph[web]" in done.stdout


def test_the_server_ends_with_its_process() -> None:
    code = (
        "import asyncio\n"
        "from heliograph.engines.web.server import PageServer\n"
        "async def main():\n"
        "    async def nothing(link): pass\n"
        "    server = PageServer(nothing)\n"
        "    await server.start()\n"
        "    print(server.url, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in errors
    assert "never awaited" not in errors
