"""The renderer of ORRB's interface."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Queue
from typing import Any, Self

from heliograph.compat.orrb.config import RemoteRendererConfig, checked
from heliograph.compat.orrb.message import HasComponents, RendererConfig, as_json
from heliograph.compat.orrb.problems import RendererError, as_renderer_error, renderer_errors
from heliograph.compat.orrb.reading import read_components
from heliograph.compat.orrb.servers import check_servers
from heliograph.compat.orrb.session import Batch, Ordered, Session
from heliograph.errors import shown
from heliograph.queues import QueueWriter
from heliograph.randomize.source import read


class RemoteRenderer:
    """Draws batches with worker processes; safe for threads and in signal handlers.

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
        self._config = RendererConfig.of({**components, **self._randomization.config()})
        self._session: Session | None = None
        self._queues = QueueWriter()
        self._shut_down: object = None
        # Signal handlers may come in again, and who holds it waits for nobody who may be here.
        self._lock = threading.RLock()

    def start(self) -> None:
        """Start the workers and wait until they are ready; nothing happens if they are.

        Raises:
            RendererError: the model, mapping, a camera or component cannot be used, or it was shut
                down meanwhile.
        """
        with renderer_errors(self.name), self._lock:
            if self._session is None:
                self._start()

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
        with renderer_errors():
            arrays = self._ordered(batch).arrays()
            batch.update(arrays)
        return batch

    def render_batch_async(self, batch: Batch, queue: Queue[Any]) -> None:
        """Draw a batch and put it, with its arrays, into a queue or whatever has its `put`.

        In its place the queue gets the `RendererError` if anything is wrong with the batch.

        Raises:
            RendererError: the queue has no `put`.
        """
        if not callable(getattr(queue, "put", None)):
            raise RendererError(f"queue: expected a queue.Queue or the like, got {shown(queue)}")
        outcome: Future[Any] = Future()
        outcome.add_done_callback(self._queues.expect(queue))
        try:
            ordered = self._ordered(batch)
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to who asked
            outcome.set_result(as_renderer_error(error))
        else:
            ordered.when_done(lambda: outcome.set_result(_outcome(batch, ordered)))

    def update(self, renderer_config: HasComponents | Mapping[str, Any] | str | Path) -> None:
        """Change components by name, for all batches that are queued from now on.

        Args:
            renderer_config: what `mutable_renderer_config` returned, a protobuf message or whatever
                has its fields, or JSON, or its file; properties and components that are left out
                stay as they are.

        Raises:
            RendererError: it cannot be used; everything stays as it was.
        """
        given: Any = renderer_config
        with renderer_errors(self.name), self._lock:
            config, where = read(as_json(given) if isinstance(given, HasComponents) else given)
            before = None
            while before is not self._randomization:  # maybe a signal handler updates it as well
                before = self._randomization
                changed = read_components(config, where, before)
                if self._session is not None:
                    self._session.check(changed)
            self._config = RendererConfig.of(changed.config())
            self._randomization = changed

    def mutable_renderer_config(self) -> RendererConfig:
        """The components as an object to be changed and given to `update`.

        It holds all properties of all components.
        """
        return self._config

    def shutdown(self) -> None:
        """End the workers and wait until they are gone; batches on their way fail."""
        self._shut_down = object()
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers there are right now."""
        session = self._session
        return [] if session is None else session.pids

    def _start(self) -> None:
        before = self._shut_down
        session = Session(self._settings, self._servers, self._randomization)
        if self._session is not None:  # a signal handler started it
            session.close()
            return
        self._session = session
        if self._shut_down is not before:
            self._session = None
            session.close()
            raise RendererError("it was shut down while it started")

    def _ordered(self, batch: Batch) -> Ordered:
        session = self._session
        if session is None:
            raise RendererError(f"{self.name}: not started; call start() first")
        if not isinstance(batch, dict):
            raise RendererError(f"batch: expected a dict, got {type(batch).__name__}")
        return session.submit(batch, self._randomization)


def _outcome(batch: Batch, ordered: Ordered) -> Batch | RendererError:
    """A batch that was drawn, or what went wrong."""
    try:
        batch.update(ordered.arrays())
    except Exception as error:  # noqa: BLE001 -- whatever it is belongs to who asked
        return as_renderer_error(error)
    return batch
