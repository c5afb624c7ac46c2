"""Who may ask the page's server for anything.

Three things are checked on every request, the WebSocket's handshake among them:

- `Host` is exactly one of the server's own names, so that no other name can be pointed at it;
- `Origin`, where a browser sends one, is exactly that of this host, so that pages of other
  servers, other ports among them, are refused. A WebSocket without it comes from no browser;
  it must bring the token itself, not as a cookie;
- the token, as `?token=`, as `Authorization: Bearer`, or as the cookie that the page was given
  when it was opened with the token. A cookie counts only for what the page itself asks for.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from heliograph.errors import InvalidValueError, shown
from heliograph.requires import Requires

with Requires("aiohttp"):
    from aiohttp import web

_TOKEN = re.compile(r"[A-Za-z0-9_~.-]{1,256}")
_SHORTEST: Final = 16
_HIDDEN = re.compile(r"%2f|%5c|%00|%2e", re.IGNORECASE)
_OWN_SITE = ("same-origin", "none")
_DEFAULT_PORTS = {"http": 80, "https": 443}

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self' blob: 'wasm-unsafe-eval'; worker-src 'self' "
            "blob:; style-src 'self'; img-src 'self' blob: data:; connect-src 'self' blob: data:; "
            "font-src 'self'; base-uri 'none'; form-action 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
)
"""What every answer says."""

SANDBOX: Mapping[str, str] = MappingProxyType(
    {"Content-Security-Policy": "sandbox; default-src 'none'"}
)
"""What answers with the user's own files say, so that none of them is a page of this server."""


class Refusal(NamedTuple):
    """Why a request is refused."""

    status: int
    text: str


class Access:
    """Decides which requests are answered.

    Args:
        host: that the server binds.
        token: what a request must bring; None makes one up.
        insecure: whether no token is needed, on loopback alone.
        origins: further origins that it is reached by, as behind a reverse proxy.
        secure: whether it speaks TLS itself.

    Attributes:
        token: what a request must bring; None where none is needed.

    Raises:
        InvalidValueError: no token where others can reach it, or one that is none.
    """

    def __init__(
        self,
        host: str,
        token: str | None,
        *,
        insecure: bool,
        origins: Sequence[str],
        secure: bool,
    ) -> None:
        self.token = None if insecure else _checked_token(host, token)
        if insecure and not is_loopback(host):
            raise InvalidValueError(
                f"insecure: everybody who reaches {host} could use this server; leave insecure out "
                "(a token is made and printed with the address), or bind 127.0.0.1"
            )
        self._host = host
        self._scheme = "https" if secure else "http"
        self._origins = {_host_of(origin): origin for origin in origins}
        self._port = 0

    def bound(self, port: int) -> None:
        """Note the port that the server got."""
        self._port = port
        names = ["127.0.0.1", "localhost", "[::1]"] if is_loopback(self._host) else []
        if not _is_any(self._host):
            names.append(_bracketed(self._host))
        else:
            names.append(socket.gethostname().lower())
        for name in names:
            self._allow(name)
        self.name = names[-1] if _is_any(self._host) else _bracketed(self._host)

    @property
    def origin(self) -> str:
        """The server's own address."""
        return f"{self._scheme}://{self.name}:{self._port}"

    @property
    def cookie(self) -> str:
        """The cookie's name; cookies do not tell ports apart."""
        return f"heliograph-{self._port}"

    def refusal(self, request: web.BaseRequest) -> Refusal | None:
        """Why a request is refused; None if it is not."""
        origin = self._origin_of(request)
        if origin is None:
            return Refusal(403, "This is not a name of this server.\n")
        said = request.headers.getall("Origin", [])
        if said not in ([], [origin]):
            return Refusal(403, "Pages of other servers may not use this one.\n")
        path = request.raw_path.partition("?")[0]
        if not path.startswith("/") or _HIDDEN.search(path):
            return Refusal(404, "No such file.\n")
        if self.token is None or self.brings_token(request):
            return None
        is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        if self._has_cookie(request) and (said or not is_socket):
            return None
        return Refusal(
            401, "Open the whole address that the program printed, with its ?token=...\n"
        )

    def brings_token(self, request: web.BaseRequest) -> bool:
        """Whether a request says the token itself, not in a cookie."""
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        said = [bearer.strip()] if scheme.lower() == "bearer" else []
        return any(map(self._is_token, said + request.query.getall("token", [])))

    def _has_cookie(self, request: web.BaseRequest) -> bool:
        site = request.headers.get("Sec-Fetch-Site", "none")
        return site in _OWN_SITE and self._is_token(request.cookies.get(self.cookie, ""))

    def _is_token(self, said: str) -> bool:
        return self.token is not None and hmac.compare_digest(
            said.encode(errors="replace"), self.token.encode()
        )

    def _origin_of(self, request: web.BaseRequest) -> str | None:
        """The origin that the request's host is; None where it is no name of this server."""
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1:
            return None
        if hosts[0] not in self._origins and _is_any(self._host):
            address = request.get_extra_info("sockname") if request.transport else None
            if address and hosts[0] == f"{_bracketed(address[0])}:{self._port}":
                self._allow(_bracketed(address[0]))
        return self._origins.get(hosts[0])

    def _allow(self, name: str) -> None:
        self._origins[f"{name}:{self._port}"] = f"{self._scheme}://{name}:{self._port}"
        if self._port == _DEFAULT_PORTS[self._scheme]:
            self._origins[name] = f"{self._scheme}://{name}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_any(host: str) -> bool:
    return host in ("0.0.0.0", "::")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _checked_token(host: str, token: str | None) -> str:
    if token is None:
        return secrets.token_urlsafe(32)
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise InvalidValueError("token: expected letters, digits, '-', '_', '.' and '~'")
    if len(token) < _SHORTEST and not is_loopback(host):
        raise InvalidValueError(
            f"token: expected at least {_SHORTEST} characters where others reach the server, got "
            f"{len(token)}; leave it out, and one is made"
        )
    return token


def _host_of(origin: str) -> str:
    parts = urlsplit(origin)
    if origin != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in _DEFAULT_PORTS:
        raise InvalidValueError(
            f"origins: expected such as 'https://robots.example.org', got {shown(origin)}"
        )
    return parts.netloc
