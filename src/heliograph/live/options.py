"""How an app is served, and how its pages look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from ssl import SSLContext
from typing import Any, Literal, TypeAlias, TypedDict

from heliograph.errors import UnknownNameError

Tone: TypeAlias = Literal["none", "neutral", "aces"]


class AppOptions(TypedDict, total=False):
    """What `App` takes besides its scene and who draws; `AppSettings` says what each means."""

    host: str
    port: int | None
    token: str | None
    insecure: bool
    shared: bool
    static_root: str | Path | None
    origins: Sequence[str]
    ssl: SSLContext | None
    title: str
    queries: Mapping[str, Any]
    up: Sequence[float]
    tone_mapping: Tone | None
    size: tuple[int, int]
    msaa: Literal[0, 4]
    patience: float


@dataclass(frozen=True)
class AppSettings:
    """The options of an app with their defaults.

    Attributes:
        host: where it is served; only this machine reaches the default.
        port: 0 for any; None for 8012 or, where that is taken, the next free one.
        token: what a page must know, in its URL; drawn at random where it is not given.
        insecure: serve without a token, on this machine alone.
        shared: whether all pages show one scene; else each page has a session of its own.
        static_root: a folder whose files pages may fetch.
        origins: further origins that pages are reached by, of a reverse proxy that ends TLS, say.
        ssl: how it speaks TLS itself.
        title: of the page.
        queries: how the page looks, such as `{"grid": False}`.
        up: what is up for somebody who looks around.
        tone_mapping: of the viewport alone; None for the scene's own.
        size: (width, height) in pixels of the camera `fit`.
        msaa: samples per pixel for rgb and alpha of cameras' pictures, 0 or 4.
        patience: seconds to wait for a page before a session runs without one, where they are not
            shared.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    token: str | None = None
    insecure: bool = False
    shared: bool = True
    static_root: str | Path | None = None
    origins: Sequence[str] = ()
    ssl: SSLContext | None = None
    title: str = "Heliograph"
    queries: Mapping[str, Any] = field(default_factory=dict)
    up: Sequence[float] = (0.0, 0.0, 1.0)
    tone_mapping: Tone | None = None
    size: tuple[int, int] = (320, 240)
    msaa: Literal[0, 4] = 0
    patience: float = 1.0

    @classmethod
    def of(cls, options: AppOptions) -> AppSettings:
        """The settings of options.

        Raises:
            UnknownNameError: no such option.
        """
        known = [each.name for each in fields(cls)]
        for name in options:
            if name not in known:
                raise UnknownNameError.of("option of App", name, ["scene", "renderer", *known])
        return cls(**options)
