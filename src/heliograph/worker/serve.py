"""The worker's loop: open an engine, then draw one order after the other."""

from __future__ import annotations

import ctypes
import os
import platform
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any

from heliograph.errors import HeliographError, WorkerError
from heliograph.transport.channel import Channel
from heliograph.transport.messages import (
    PROTOCOL,
    Drop,
    Failed,
    Hello,
    Map,
    Open,
    Render,
    RenderMany,
    Stop,
    version,
)
from heliograph.transport.problems import pack_error
from heliograph.transport.slots import Region
from heliograph.worker.drawing import RenderExecutor
from heliograph.worker.opening import describe, open_engine

HOLD = 200e-6
"""Answers wait for further ones while orders are at hand, but no longer than this; seconds."""

QUICK = 150e-6
"""Seconds; where the last order came so soon, the next is polled for as long, without sleep."""

_PR_SET_PDEATHSIG = 1


def serve(descriptor: int, parent: int) -> int:
    """Serve the pool at the other end of a socket until it says stop or is gone.

    Args:
        descriptor: of the socket; inherited.
        parent: process id of the pool.

    Returns:
        The exit status.
    """
    os.set_inheritable(descriptor, False)
    _die_with(parent)
    channel = Channel(socket.socket(fileno=descriptor))
    python = f"{sys.executable} ({platform.python_version()})"
    try:
        channel.send([Hello(version(), PROTOCOL, python)])
        return _Server(channel).run()
    except (BrokenPipeError, ConnectionResetError):
        return 0  # the pool is gone


def _die_with(parent: int) -> None:
    """Die with the driver, whatever kills it, even while an engine draws."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before that took hold
        os._exit(0)


class _Server:
    """What a worker knows: its channel, its engine and the shared memory."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._status: Region | None = None
        self._executor: RenderExecutor | None = None
        self._stopped = False

    def run(self) -> int:
        """Take messages until told to stop."""
        quick = False
        try:
            while not self._stopped:
                quick = self._wait(quick)
                messages = self._channel.receive()
                if messages is None:
                    break
                self._take(messages)
        finally:
            if self._executor is not None:
                self._executor.close()
        return 0

    def _wait(self, quick: bool) -> bool:
        """Wait for a message; whether it came soon. While `quick`, poll: waking up takes longer."""
        began = time.perf_counter()
        while quick and not self._poll.poll(0) and time.perf_counter() - began < QUICK:
            os.sched_yield()
        self._poll.poll()
        return time.perf_counter() - began < QUICK

    def _take(self, messages: list[Any]) -> None:
        """Obey messages in order; answers go out together where orders are quick."""
        began = time.perf_counter()
        for message in messages:
            self._obey(message)
            now = time.perf_counter()
            if now - began > HOLD:
                self._channel.flush()
                began = now
        self._channel.flush()

    def _obey(self, message: Any) -> None:
        if isinstance(message, (Render, RenderMany)):
            self._channel.put(self._drawn(message))
        elif isinstance(message, Map):
            self._map(message)
        elif isinstance(message, Drop):
            self._regions.pop(message.region, None)
        elif isinstance(message, Open):
            self._open(message)
        elif isinstance(message, Stop):
            self._stopped = True
        else:
            raise WorkerError(f"a worker does not take {type(message).__name__}")

    def _drawn(self, order: Render | RenderMany) -> Any:
        executor = self._executor
        if executor is None:
            raise WorkerError("an order came before the engine was opened")
        try:
            if isinstance(order, Render):
                return executor.draw(order)
            return executor.draw_many(order)
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to this order
            return Failed(order.ticket, _packed(error))

    def _open(self, order: Open) -> None:
        if self._status is None:
            raise WorkerError("the status word was never mapped")
        try:
            self._executor = RenderExecutor(open_engine(order), self._status)
            self._channel.put(describe(self._executor.engine))
        except Exception as error:  # noqa: BLE001 -- the pool raises it at whoever opened it
            self._channel.put(Failed(0, _packed(error)))

    def _map(self, message: Map) -> None:
        if not self._channel.descriptors:
            raise WorkerError(f"shared memory {message.region} came without its descriptor")
        descriptor = self._channel.descriptors.popleft()
        region = Region.attach(message.region, message.nbytes, descriptor)
        if message.region < 0:
            self._status = region
        else:
            self._regions[message.region] = region

    @property
    def _regions(self) -> dict[int, Region]:
        if self._executor is None:
            raise WorkerError("shared memory came before the engine was opened")
        return self._executor.regions


def _packed(error: Exception) -> Any:
    if not isinstance(error, HeliographError):
        traceback.print_exc()  # a fault of the engine: the driver keeps our last output
    return pack_error(error)
