# mypy: allow-untyped-defs, allow-untyped-calls
"""A page in a real browser, and the server that it speaks to, held by a test's thread."""

import asyncio
import shutil
import threading
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import numpy as np
from playwright.sync_api import sync_playwright

from heliograph.engines.web.messages import Configure, Event, Moved, Viewport
from heliograph.engines.web.server import PageServer
from heliograph.live.scene import LiveScene

CHROMIUM = shutil.which("chromium") or "chromium"
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"]
PATIENCE = 20.0
TOKEN = "a-token-that-tests-know-0123456789"


@contextmanager
def browser():
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


class Stage:
    """Serves a scene to pages and keeps what they say.

    Attributes:
        heard: messages of pages, oldest first.
        bodies: what stood before each of them.
        answers: by the question of an `Ask`, a function to what is sent.
    """

    def __init__(self, scene, port=0, token=TOKEN, **configure):
        self.scene = LiveScene(scene)
        self.heard, self.bodies, self.links = [], [], []
        self.answers = {}
        self._configure = Configure(session="session", **configure)
        self._news = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.server = self.do(self._start(port, token))

    @property
    def url(self):
        return self.server.url

    @property
    def port(self):
        return urlsplit(self.url).port

    def do(self, work):
        """Run a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def call(self, function, *arguments, **options):
        """Call a function in the server's loop."""

        async def work():
            return function(*arguments, **options)

        return self.do(work())

    @property
    def link(self):
        """The page that connected last."""
        self.until(lambda: self.links)
        return self.links[-1]

    def send(self, message, buffers=None):
        self.call(self.link.send, message, buffers)

    def apply(self, *edits):
        """Change the scene, and show it."""

        def work():
            changed = self.scene.apply(edits)
            for link in self.links:
                if link.connected:
                    link.show(self.scene.rows, changed.keys)

        self.call(work)

    def of(self, kind):
        with self._news:
            return [each for each in self.heard if isinstance(each, kind)]

    def events(self, etype):
        return [each for each in self.of(Event) if each.etype == etype]

    def moves(self):
        return self.of(Moved)

    def viewports(self):
        return self.of(Viewport)

    def forget(self):
        with self._news:
            self.heard.clear()

    def until(self, condition):
        """Wait for something that pages say."""
        with self._news:
            found = self._news.wait_for(condition, PATIENCE)
        assert found, f"heard: {[type(each).__name__ for each in self.heard]}"
        return found

    def close(self):
        self.do(self.server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self, port, token):
        server = PageServer(self._on_page, port=port, token=token)
        await server.start()
        return server

    async def _on_page(self, link):
        link.on_message = self._hear
        link.configure(self._configure)
        link.show(self.scene.rows)
        with self._news:
            self.links.append(link)
            self._news.notify_all()
        await link.wait_closed()

    def _hear(self, message, body):
        answer = self.answers.get(getattr(message, "what", None))
        with self._news:
            self.heard.append(message)
            self.bodies.append(bytes(body))
            self._news.notify_all()
        if answer is not None:
            self.links[-1].send(*answer(message))


def pose_hash(eye, target, fov=50.0, up=(0, 0, 1)):
    """The part of a link that says where the viewport's camera stands."""
    back = np.subtract(eye, target) / np.linalg.norm(np.subtract(eye, target))
    right = np.cross(up, back)
    right /= np.linalg.norm(right)
    columns = np.concatenate([right, np.cross(back, right), back, eye])
    numbers = ",".join(repr(float(each)) for each in columns)
    at = ",".join(repr(float(each)) for each in target)
    return f"#pose={numbers}&target={at}&fov={fov}"


def hash_of(page):
    """What the page's address says of the view."""
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).fragment).items()}


def pose_of(page):
    """The viewport's pose (4, 4) by the address."""
    columns = np.array([float(each) for each in hash_of(page)["pose"].split(",")])
    pose = np.eye(4)
    pose[:3] = columns.reshape(4, 3).T
    return pose
