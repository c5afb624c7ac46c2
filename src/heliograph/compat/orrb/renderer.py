"""The renderer of ORRB's interface."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import Full
from types import TracebackType
from typing import Any, Protocol, Self

from heliograph.compat.orrb.config import RemoteRendererConfig, checked
from heliograph.compat.orrb.message import HasComponents, RendererConfig, as_json
from heliograph.compat.orrb.problems import RendererError, renderer_errors
from heliograph.compat.orrb.reading import read_components
from heliograph.compat.orrb.servers import check_servers
from heliograph.compat.orrb.session import Batch, Deliver, Outcome, Session
from heliograph.errors import shown
from heliograph.randomize.source import read


class Destination(Protocol):
    """`queue.Queue` and whatever else has its `put`."""

    def put(self, item: Any) -> object:
        """Take an item, maybe after a while."""


class RemoteRenderer:
    """Draws batches with worker processes; safe for threads.

    Args:
        name: what it is called in messages.
        server_configs: (gpu, port) of each server, as `utils.build_server_configs` makes them;
            each is a worker process, ports are not needed.
        config: what to draw; later changes to it do not show.

    Raises:
        RendererError: the config or a file that it names cannot be used.
    """

    def __init__(
        self, name: str, server_configs: Sequence[Sequence[int]], config: RemoteRendererConfig
    ) -> None:
        self.name = name
        with renderer_errors(name):
            self._servers = check_servers(server_configs)
            self._settings = checked(config)
            components, where = read(Path(str(self._settings.renderer_config_path)))
            self._randomization = read_components(components, where)
        self._config = RendererConfig.of(components)
        self._session: Session | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the workers and wait until they are ready; nothing happens if they are.

        Raises:
            RendererError: the model, mapping, a camera or component cannot be used.
        """
        with renderer_errors(self.name), self._lock:
            if self._session is None:
                self._session = Session(self._settings, self._servers, self._randomization)

    def render_batch(self, batch: Batch) -> Batch:
        """Draw a batch and wait for it.

        Args:
            batch: `qpos` (N, nq), and `seed` (entry i is drawn with seed + i) or `seeds` (N,).

        Returns:
            The same object, with the arrays that docs/orrb.md lists added.

        Raises:
            RendererError: something is wrong with the batch, or it could not be drawn; the batch
                is as it was.
        """
        future: Future[Outcome] = Future()
        self._submit(batch, future.set_result)
        outcome = future.result()
        if isinstance(outcome, RendererError):
            raise outcome
        return outcome

    def render_batch_async(self, batch: Batch, queue: Destination) -> None:
        """Draw a batch and put it, with its arrays, into a queue.

        In its place the queue gets the `RendererError` if anything is wrong with the batch.

        Raises:
            RendererError: the queue has no `put`.
        """
        if not callable(getattr(queue, "put", None)):
            raise RendererError(f"queue: expected a queue.Queue or the like, got {shown(queue)}")
        self._submit(batch, partial(_put, queue))

    def update(self, renderer_config: HasComponents | Mapping[str, Any] | str | Path) -> None:
        """Change components by name, for all batches that are queued from now on.

        Args:
            renderer_config: what `mutable_renderer_config` returned, a protobuf message or whatever
                has its fields, or JSON, or its file; properties and components that are left out
                stay as they are.

        Raises:
            RendererError: it cannot be used; everything stays as it was.
        """
        with renderer_errors(self.name), self._lock:
            given: Any = renderer_config
            has_fields = isinstance(given, HasComponents)
            changed = read_components(
                *read(as_json(given) if has_fields else given), self._randomization
            )
            if self._session is not None:
                self._session.check(changed)
            self._config = RendererConfig.of(changed.config())
            self._randomization = changed

    def mutable_renderer_config(self) -> RendererConfig:
        """The components as an object to be changed and given to `update`.

        It holds what the file held, and after an update all properties of all components.
        """
        return self._config

    def shutdown(self) -> None:
        """End the workers and wait until they are gone; batches on their way fail."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers there are right now."""
        session = self._session
        return [] if session is None else session.servers.pids

    def _submit(self, batch: Batch, deliver: Deliver) -> None:
        with self._lock:
            session, randomization = self._session, self._randomization
        if session is None:
            deliver(RendererError(f"{self.name}: not started; call start() first"))
        elif not isinstance(batch, dict):
            deliver(RendererError(f"batch: expected a dict, got {type(batch).__name__}"))
        else:
            session.submit(batch, randomization, deliver)


def _put(queue: Destination, item: Outcome) -> None:
    """Put an item; a queue that is full keeps a thread of its own waiting and nobody else."""
    now = getattr(queue, "put_nowait", None)
    try:
        if now is not None:
            now(item)
            return
    except Full:
        pass
    threading.Thread(target=queue.put, args=(item,), daemon=True).start()
