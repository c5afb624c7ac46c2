"""The worker's loop: open an engine, then draw what it is told, the most urgent first."""

from __future__ import annotations

import ctypes
import heapq
import os
import platform
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque
from typing import Any

from heliograph.errors import HeliographError, WorkerError
from heliograph.transport.channel import Channel
from heliograph.transport.messages import (
    PROTOCOL,
    Advance,
    Blob,
    Cancel,
    Credit,
    Describe,
    Done,
    Drop,
    DropBlobs,
    Failed,
    Hello,
    Map,
    Open,
    Partial,
    Publish,
    Refine,
    Render,
    RenderMany,
    Stop,
    version,
)
from heliograph.transport.patience import Patience
from heliograph.transport.problems import pack_error
from heliograph.transport.slots import Region
from heliograph.transport.status import StatusPage
from heliograph.transport.values import unpack_array
from heliograph.versions import versions
from heliograph.worker.drawing import RenderExecutor, SampleStream
from heliograph.worker.opening import describe, open_engine, random_digest

HOLD = 200e-6
"""Answers wait for further ones while orders are at hand, but no longer than this; seconds."""

QUICK = 150e-6
"""Seconds; where the last order came so soon, the next is polled for as long, without sleep."""

IDLE = 2e-3
"""Seconds; a message that came later than that was not on its way, so no look-out was in vain."""

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
    end = socket.socket(fileno=descriptor)
    _die_with(parent, end)
    channel = Channel(end)
    python = f"{sys.executable} ({platform.python_version()})"
    try:
        told = (version(), python, os.getpid(), random_digest(), versions())
        channel.send([Hello(PROTOCOL, *told)])
        return _Server(channel).run()
    except (BrokenPipeError, ConnectionResetError):
        return 0  # the pool is gone


def _die_with(parent: int, end: socket.socket) -> None:
    """Die with the driver, whatever kills it, even while an engine draws.

    Where a wrapper stands between, the kernel tells of the wrapper's death alone; so a thread waits
    for the other end of the socket to be gone.
    """
    if os.getppid() == parent:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before that took hold
            os._exit(0)
        return

    def wait() -> None:
        gone = select.poll()
        gone.register(end.fileno(), 0)  # that it was hung up is always told
        gone.poll()
        os._exit(0)

    threading.Thread(target=wait, name="heliograph-driver-gone", daemon=True).start()


class _Server:
    """What a worker knows: its channel, its engine, and what there is to do.

    Messages are taken in the order in which they came, but orders wait in a heap, the most urgent
    first; samples of streams are drawn while no order waits that is as urgent.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._page: StatusPage | None = None
        self._executor: RenderExecutor | None = None
        self._messages: deque[Any] = deque()
        self._orders: list[tuple[int, int, Any]] = []
        self._streams: dict[int, SampleStream] = {}
        self._count = 0
        self._stopped = False
        self._gone = False
        self._patience = Patience()

    def run(self) -> int:
        """Do what there is to do until told to stop."""
        try:
            while not self._stopped and not self._gone:
                self._receive()
                self._work()
        finally:
            if self._executor is not None:
                self._executor.close()
        return 0

    def _work(self) -> None:
        """Do all that is at hand; answers go out together where orders are quick."""
        began = time.perf_counter()
        while not self._stopped and (step := self._next()) is not None:
            answer = step()
            self._check_engine()
            self._channel.put(answer)
            now = time.perf_counter()
            if now - began > HOLD:
                self._channel.flush()
                began = now
            if self._streams or self._urgent():
                self._receive(wait=False)
        self._channel.flush()

    def _check_engine(self) -> None:
        """End as one that died, without an answer, where what the engine draws with has died."""
        failure = "" if self._executor is None else self._executor.engine.failure
        if failure:
            self._channel.flush()
            raise WorkerError(failure)

    def _next(self) -> Any:
        """What to do next; None if there is nothing."""
        while self._messages:
            self._obey(self._messages.popleft())
        stream = None
        if self._streams:
            runnable = (each for each in self._streams.values() if each.runnable)
            stream = max(runnable, key=lambda each: each.priority, default=None)
        if self._orders and (stream is None or -self._orders[0][0] >= stream.priority):
            order = heapq.heappop(self._orders)[2]
            return lambda: self._drawn(order)
        if stream is None:
            return None
        self._streams[stream.ticket] = self._streams.pop(stream.ticket)  # they take turns
        return lambda: self._stepped(stream)

    def _receive(self, *, wait: bool = True) -> None:
        """Take in what has come; wait until something has."""
        if wait:
            self._wait()
        elif not self._poll.poll(0):
            return
        messages = self._channel.receive()
        self._gone = messages is None
        self._stopped = self._stopped or self._gone
        self._messages.extend(messages or ())

    def _wait(self) -> None:
        """Wait for a message. Where that has paid, look out first: waking takes longer."""
        began, came = time.perf_counter(), False
        tries = self._patience.tries()
        while tries and not came and time.perf_counter() - began < QUICK:
            came = bool(self._poll.poll(0))
            os.sched_yield()
        self._poll.poll()
        if tries and (came or time.perf_counter() - began < IDLE):
            self._patience.tell(came)

    def _urgent(self) -> bool:
        """Whether the driver says that something more urgent is on its way than what is at hand."""
        if not self._orders or self._page is None:
            return False
        return self._page.urgency > -self._orders[0][0]

    def _more_urgent(self, priority: int) -> bool:
        """Whether anything more urgent can be done; asked while a batch is drawn."""
        self._receive(wait=False)
        at_hand = [-order[0] for order in self._orders]
        at_hand += [stream.priority for stream in self._streams.values() if stream.runnable]
        for message in self._messages:
            if isinstance(message, Credit) and message.ticket in self._streams:
                at_hand.append(self._streams[message.ticket].priority)
            else:
                at_hand.append(getattr(message, "priority", priority))
        return max(at_hand, default=priority) > priority

    def _obey(self, message: Any) -> None:
        if isinstance(message, (Render, RenderMany, Refine, Publish)):
            self._count += 1
            heapq.heappush(self._orders, (-message.priority, self._count, message))
        elif isinstance(message, Map):
            self._map(message)
        elif isinstance(message, (Credit, Cancel)):
            self._adjust(message)
        elif isinstance(message, Open):
            self._open(message)
        elif isinstance(message, Stop):
            self._stopped = True
        else:
            self._obey_engine(message)

    def _obey_engine(self, message: Any) -> None:
        executor = self._drawing()
        if isinstance(message, Drop):
            executor.regions.pop(message.region, None)
        elif isinstance(message, Blob):
            executor.blobs[message.digest] = unpack_array(message.array)
        elif isinstance(message, DropBlobs):
            for digest in message.digests:
                executor.blobs.pop(digest, None)
        elif isinstance(message, (Advance, Describe)):
            self._channel.put(self._drawn(message))
        else:
            raise WorkerError(f"a worker does not take {type(message).__name__}")

    def _adjust(self, message: Credit | Cancel) -> None:
        stream = self._streams.get(message.ticket)
        if isinstance(message, Cancel):
            if self._page is not None:  # also where its place on the page was taken meanwhile
                self._page.cancel(message.ticket)
            if stream is not None:
                stream.token.cancel()
        elif stream is not None:
            stream.credits += message.count

    def _drawn(self, order: Any) -> Any:
        executor = self._drawing()
        try:
            if isinstance(order, Render):
                return executor.draw(order)
            if isinstance(order, RenderMany):
                return executor.draw_many(order)
            if isinstance(order, Advance):
                return executor.advance(order)
            if isinstance(order, Describe):
                return executor.describe(order)
            stream = self._streams[order.ticket] = executor.begin_stream(order)
            return self._stepped(stream)
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to this order
            return Failed(order.ticket, _packed(error))

    def _stepped(self, stream: SampleStream) -> Partial | Done | Failed:
        """The next sample of a stream, or its end."""
        answer: Partial | Done | Failed
        try:
            answer = self._drawing().step(stream)
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to this order
            answer = Failed(stream.ticket, _packed(error))
        if not isinstance(answer, Partial):
            self._streams.pop(stream.ticket, None)
        return answer

    def _open(self, order: Open) -> None:
        if self._page is None:
            raise WorkerError("the status page was never mapped")
        try:
            engine = open_engine(order)
            self._executor = RenderExecutor(engine, self._page, self._more_urgent)
            self._channel.put(describe(engine))
        except Exception as error:  # noqa: BLE001 -- the pool raises it at whoever opened it
            self._channel.put(Failed(0, _packed(error)))

    def _map(self, message: Map) -> None:
        if not self._channel.descriptors:
            raise WorkerError(f"shared memory {message.region} came without its descriptor")
        descriptor = self._channel.descriptors.popleft()
        region = Region.attach(message.region, message.nbytes, descriptor)
        if message.region < 0:
            self._page = StatusPage(region)
        else:
            self._drawing().regions[message.region] = region

    def _drawing(self) -> RenderExecutor:
        if self._executor is None:
            raise WorkerError("an order came before the engine was opened")
        return self._executor


def _packed(error: Exception) -> Any:
    if not isinstance(error, HeliographError):
        traceback.print_exc()  # a fault of the engine: the driver keeps our last output
    return pack_error(error)
