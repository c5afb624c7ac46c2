"""A picture over loopback: ours, and rpyc classic's in the same run, against drawing it here.

    python benchmarks/serve.py [--size 1280x720] [--repeat 30]

All draw the same scene, in turn; medians, milliseconds. Servers are processes of their own. rpyc is
installed into out/rpyc, an environment of its own that sees this one's packages; its client runs
there as well, and evaluates the drawing at the server, as programs do that send pictures that way.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import heliograph as hg
from heliograph.serve.messages import Codec

ROOT = Path(__file__).parent.parent
PEER = ROOT / "out" / "rpyc"
PINNED = "rpyc==6.0.2"
CODECS: tuple[Codec, ...] = ("raw", "jpeg", "webp", "png")
WARM_UP = 3

SCENE = """
import heliograph as hg
def scene():
    return hg.Scene(hg.Sphere(key="ball", args=[0.5]), hg.AmbientLight())
def view(width, height):
    eye = hg.Camera.look_at(
        eye=(2, 0, 1), target=(0, 0, 0), fov_y=0.9, width=width, height=height
    )
    return hg.View(cameras=[eye], passes=("rgb",))
"""
OURS = """
from heliograph.serve.server import RenderServer
with hg.open(scene()) as renderer:
    RenderServer(renderer).run(lambda url: print(url, flush=True))
"""
PEER_SERVER = """
from rpyc.core import SlaveService
from rpyc.utils.server import OneShotServer
server = OneShotServer(SlaveService, hostname="127.0.0.1", port=0)
print(server.port, flush=True)
server.start()
"""
PEER_CLIENT = """
import sys, time, json, rpyc, numpy as np
from rpyc.utils.classic import obtain
port, width, height = map(int, sys.argv[1:])
link = rpyc.classic.connect("127.0.0.1", port)
link.execute(SCENE)
link.execute(f"renderer = hg.open(scene()); asked = view({width}, {height})")
for line in sys.stdin:
    since = time.perf_counter()
    if line.strip() == "obtain":
        picture = obtain(link.eval("renderer.render(asked)['camera'].rgb"))
    else:
        data = link.eval("renderer.render(asked)['camera'].rgb.tobytes()")
        picture = np.frombuffer(data, np.uint8).reshape(height, width, 3)
    took = time.perf_counter() - since
    assert picture.shape == (height, width, 3) and picture.any()
    print(json.dumps(1e3 * took), flush=True)
"""


def main() -> None:
    """Draw, and print a Markdown table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--repeat", type=int, default=30)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    install_peer()
    made: dict[str, Any] = {}
    exec(SCENE, made)  # the one text that all sides run
    asked, scene = made["view"](width, height), made["scene"]()
    peer = str(PEER / "bin" / "python")
    with (
        program(sys.executable, SCENE + OURS) as (_, url),
        program(peer, PEER_SERVER) as (_, port),
        subprocess.Popen(
            [peer, "-c", f"SCENE = {SCENE!r}\n{PEER_CLIENT}", port, str(width), str(height)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        ) as client,
        hg.open(scene) as local,
    ):
        ways: dict[str, Callable[[], float]] = {"here": lambda: timed(local, asked)}
        remotes = {codec: hg.connect(url, codec=codec) for codec in CODECS}
        for codec, remote in remotes.items():
            ways[f"heliograph, {codec}"] = partial(timed, remote, asked)
        ways["rpyc classic, bytes"] = lambda: told(client, "bytes")
        ways["rpyc classic, array"] = lambda: told(client, "obtain")
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(given.repeat + WARM_UP):
            for name, way in ways.items():
                times[name].append(way())
        for remote in remotes.values():
            remote.close()
        if client.stdin is not None:
            client.stdin.close()
    here = statistics.median(times["here"][WARM_UP:])
    print(f"| one picture, {given.size} rgb | ms | over drawing it here |\n|---|---|---|")
    for name, each in times.items():
        took = statistics.median(each[WARM_UP:])
        print(f"| {name} | {took:.1f} | {took - here:+.1f} |")


def timed(renderer: hg.LocalRenderer | hg.RemoteRenderer, asked: hg.View) -> float:
    """Milliseconds of one picture."""
    since = time.perf_counter()
    renderer.render(asked)
    return 1e3 * (time.perf_counter() - since)


def told(client: subprocess.Popen[str], what: str) -> float:
    """Milliseconds that a client says of one picture."""
    if client.stdin is None or client.stdout is None:
        raise SystemExit("serve: the client of rpyc has no pipes")
    client.stdin.write(what + "\n")
    client.stdin.flush()
    return float(json.loads(client.stdout.readline()))


def install_peer() -> None:
    """Into an environment of its own."""
    stamp = PEER / "installed"
    if stamp.exists() and stamp.read_text() == PINNED:
        return
    venv.create(PEER, with_pip=True, clear=True)
    python = str(PEER / "bin" / "python")
    subprocess.run([python, "-m", "pip", "--quiet", "install", PINNED], check=True)
    stamp.write_text(PINNED)


def environment() -> dict[str, str]:
    """That of this program, and its packages."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@contextmanager
def program(python: str, text: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A program while it runs, and the first line that it prints."""
    command = [python, "-c", text]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            yield process, process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
