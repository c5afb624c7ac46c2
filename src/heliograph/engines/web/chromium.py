"""A headless Chromium of our own, of which nothing outlives us.

    this process --- pipe ---> watchdog (sh) : waits until its end of the pipe closes
         |                                     then kills the browser's group, removes its profile
         '------ "go" -------> gate (sh)     : leads a process group, becomes the browser

The kernel closes the pipe however this process ends, so a SIGKILL of it ends the browser as well.
The gate waits until the watchdog knows the group, so there is no moment when a browser would stay.
A forked child closes its copy of the pipe, which would keep the browser for as long as it lives.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

from heliograph.errors import EngineError, MissingDependencyError

ENV: Final = "HELIOGRAPH_CHROMIUM"
"""Name of the environment variable that says which browser to use."""

_NAMES: Final = (
    *("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"),
    "chrome-headless-shell",
)
_PLACES: Final = (
    "/usr/lib/chromium/chromium",
    "/opt/google/chrome/chrome",
    "/snap/bin/chromium",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "~/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_SOFTWARE: Final = ("llvmpipe", "swiftshader", "softpipe", "software")
_FLAGS: Final = (
    *("--headless", "--no-first-run", "--no-default-browser-check", "--hide-scrollbars"),
    *("--mute-audio", "--use-mock-keychain", "--password-store=basic", "--disable-extensions"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-client-side-phishing-detection", "--disable-default-apps", "--no-pings"),
    *("--disable-domain-reliability", "--metrics-recording-only", "--disable-breakpad"),
    *("--disable-background-timer-throttling", "--disable-renderer-backgrounding"),
    *("--disable-backgrounding-occluded-windows", "--disable-hang-monitor"),
    "--disable-crash-reporter",
    "--log-level=3",
    "--no-proxy-server",
    "--in-process-gpu",
    # Memory that Mesa's llvmpipe frees after each picture stays for the next one; page faults of
    # new memory took a fifth of a picture's time.
    "--enable-features=PartitionAllocLargeEmptySlotSpanRing",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,"
    "CertificateTransparencyComponentUpdater,AutofillServerCommunication,InterestFeedContentSuggestions",
)
_ROOMY: Final = 256 << 20  # bytes free in /dev/shm; containers often have 64 MB
_TAIL: Final = 2000  # bytes of the browser's last words in an error
_PATIENCE: Final = 10.0  # seconds
_GATE: Final = 'read -r go && [ "$go" = go ] && exec "$@" </dev/null'
_WATCHDOG: Final = """
trap '' INT TERM HUP
read -r group || exit 0
read -r _
kill -KILL "-$group" 2>/dev/null
n=0
while [ -e "$1" ] && [ $n -lt 100 ]; do rm -rf -- "$1" 2>/dev/null || sleep 0.05; n=$((n + 1)); done
"""


class GlChoice(NamedTuple):
    """A way to draw.

    Attributes:
        name: for people and for the file that remembers it.
        flags: of the browser.
    """

    name: str
    flags: tuple[str, ...]


NATIVE = GlChoice("gl-egl", ("--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"))
"""The system's own GL: a GPU's driver, or Mesa's llvmpipe, which is up to 3 times as fast as the
browser's own SwiftShader."""
METAL = GlChoice("metal", ("--use-gl=angle", "--use-angle=metal", "--ignore-gpu-blocklist"))
VULKAN = GlChoice(
    "vulkan",
    ("--use-gl=angle", "--use-angle=vulkan", "--enable-features=Vulkan", "--ignore-gpu-blocklist"),
)
SWIFTSHADER = GlChoice(
    "swiftshader", ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
)


def find_chromium() -> Path:
    """The browser: what the environment names, else what is installed.

    Raises:
        MissingDependencyError: there is none; says how to install one.
    """
    named = os.environ.get(ENV)
    if named:
        found = shutil.which(named)
        if found is None:
            raise MissingDependencyError(f"{ENV}: expected the path of a browser, got {named!r}")
        return Path(found)
    for name in (*_NAMES, *(str(Path(place).expanduser()) for place in _PLACES)):
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    raise MissingDependencyError(
        "the web engine needs Chromium or Chrome, and none is installed; install it: apt-get "
        "install chromium, brew install --cask chromium, or https://www.chromium.org; or give the "
        f"path of one in {ENV}"
    )


def suffices(choice: GlChoice, renderer: str) -> bool:
    """Whether nothing better is to be expected of other ways to draw.

    Args:
        choice: one that works.
        renderer: name of the GL renderer that it gives.
    """
    software = any(name in renderer.lower() for name in _SOFTWARE)
    return not (software and _has_gpu()) or _remembered().get(_machine()) == choice.name


def gl_choices() -> list[GlChoice]:
    """The ways to draw in the order to try them: the one that worked last, then the fastest."""
    if sys.platform == "darwin":
        found = [METAL, SWIFTSHADER]
    else:
        found = [NATIVE, *([VULKAN] if _has_gpu() else []), SWIFTSHADER]
    known = _remembered().get(_machine())
    return sorted(found, key=lambda choice: choice.name != known)


def remember(choice: GlChoice) -> None:
    """Have a choice tried first from now on, in other processes too."""
    path, known = _memory(), _remembered()
    if known.get(_machine()) == choice.name:
        return
    with suppress(OSError):  # a home that cannot be written to
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        part.write_text(json.dumps({**known, _machine(): choice.name}))
        part.replace(path)


def _has_gpu() -> bool:
    return Path("/dev/dri").exists() or Path("/dev/nvidiactl").exists()


def _machine() -> str:
    """What a choice depends on: the browser, and whether there is a GPU."""
    path = find_chromium().resolve()
    return f"{path} {path.stat().st_mtime_ns} {_has_gpu()}"


def _memory() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(home) / "heliograph" / "browser-gl.json"


def _remembered() -> dict[str, str]:
    try:
        found = json.loads(_memory().read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Chromium:
    """A browser that shows one page, without a window.

    Args:
        url: of the page.
        choice: how it draws.

    Attributes:
        profile: its folder, which goes with it.

    Raises:
        MissingDependencyError: no browser is installed.
        EngineError: it cannot be started.
    """

    def __init__(self, url: str, choice: GlChoice) -> None:
        program, shm = find_chromium(), _roomy_shm()
        self._closing = threading.Lock()
        try:
            with ExitStack() as undo:
                self.profile = Path(tempfile.mkdtemp(prefix="heliograph-chromium-", dir=shm))
                undo.callback(_remove_new, self.profile)
                self._watchdog = _shell(_WATCHDOG, str(self.profile))
                undo.callback(_end, self._watchdog)
                with (self.profile / "log").open("wb") as log:
                    words = [str(program), *self._flags(choice, shm), url]
                    self._browser = _shell(_GATE, *words, log=log.fileno())
                undo.callback(_end, self._browser)
                _RUNNING.add(self)
                _tell(self._watchdog, f"{self._browser.pid}\n")
                _tell(self._browser, "go\n", last=True)
                undo.pop_all()
        except OSError as error:
            raise EngineError(f"{program}: cannot be started: {error}") from error

    def _flags(self, choice: GlChoice, shm: str | None) -> list[str]:
        flags = [*_FLAGS, *choice.flags, f"--user-data-dir={self.profile}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # the sandbox refuses to run as root
        if shm is None:
            flags.append("--disable-dev-shm-usage")
        return flags

    @property
    def pid(self) -> int:
        """Its process, which leads a group of its own."""
        return self._browser.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._browser.poll() is None

    def last_words(self) -> str:
        """Whether it runs; of one that has ended how it did, and what it said at last."""
        status = self._browser.poll()
        if status is None:
            return "the browser is running"
        said = b""
        with suppress(OSError):
            said = (self.profile / "log").read_bytes()[-_TAIL:]
        text = said.decode(errors="replace").strip()
        return f"the browser ended with status {status}" + (f" and said: {text}" if text else "")

    def close(self) -> None:
        """End it, with all its processes and its profile; may be called twice."""
        with self._closing:
            self.let_go()
            with suppress(subprocess.TimeoutExpired):
                self._watchdog.wait(_PATIENCE)
            if self._watchdog.returncode != 0:  # it was killed, or somebody else has its pipe
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
                _end(self._watchdog)
                self._browser.wait()
                shutil.rmtree(self.profile, ignore_errors=True)
            self._browser.wait()

    def let_go(self) -> None:
        """Close this process's ends of the pipes."""
        for process in (self._watchdog, self._browser):
            if process.stdin is not None:
                process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_RUNNING: Final[weakref.WeakSet[Chromium]] = weakref.WeakSet()


def _let_go_of_all() -> None:
    for browser in list(_RUNNING):
        browser.let_go()


os.register_at_fork(after_in_child=_let_go_of_all)


def _remove_new(profile: Path) -> None:
    """Remove a profile that no browser has used; needs no file descriptor."""
    (profile / "log").unlink(missing_ok=True)
    profile.rmdir()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _roomy_shm() -> str | None:
    """Memory that is a file system, if it has room for a browser."""
    with suppress(OSError):
        if shutil.disk_usage("/dev/shm").free >= _ROOMY and os.access("/dev/shm", os.W_OK):
            return "/dev/shm"
    return None


def _shell(script: str, *args: str, log: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """A shell that leads a session, so that nobody's Ctrl-C reaches it, and waits for its stdin."""
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "heliograph", *args],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,
        bufsize=0,
    )


def _tell(process: subprocess.Popen[bytes], line: str, *, last: bool = False) -> None:
    if process.stdin is not None:
        process.stdin.write(line.encode())
        if last:
            process.stdin.close()
