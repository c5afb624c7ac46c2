"""A started renderer: batches in, results out, several at once, each to its own caller.

    render_batch(batch) -> Session.submit -> one view for each entry -> workers (`OrrbEngine`)
                                                                            |
    batch, its arrays added <- deliver <- Pending, when the last is there <-+

Nobody waits here: whatever thread brings the last sample of a batch delivers it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from heliograph.compat.orrb.config import RemoteRendererConfig
from heliograph.compat.orrb.engine import COMPONENTS
from heliograph.compat.orrb.mapping import identity, read_mapping
from heliograph.compat.orrb.problems import RendererError, as_renderer_error
from heliograph.compat.orrb.repair import load_repaired
from heliograph.compat.orrb.request import Request
from heliograph.compat.orrb.servers import Servers
from heliograph.delivery.samples import side_by_side
from heliograph.frame import Sample
from heliograph.passes import select_passes
from heliograph.randomize import Facts, Randomization
from heliograph.view import View

Batch = MutableMapping[str, Any]
Outcome = Batch | RendererError
Deliver = Callable[[Outcome], None]


class Session:
    """Worker processes from start to shutdown.

    Args:
        config: what is asked for, checked.
        servers: (gpu, port) of each.
        randomization: the components at the start, to be checked.

    Raises:
        HeliographError: the model, the mapping, a camera or a component cannot be used.
    """

    def __init__(
        self,
        config: RemoteRendererConfig,
        servers: Sequence[tuple[int, int]],
        randomization: Randomization,
    ) -> None:
        from heliograph.engines.mujoco.model import load

        source, _ = load_repaired(Path(str(config.model_xml_path)), load)
        self._config = config
        self.servers = Servers(source, servers, config.engine_options, config.deadline)
        try:
            space, mapping = self.servers.first.scene.space, config.model_mapping_path
            self._initial: NDArray[np.float64] = np.asarray(space.rest["qpos"], float)
            self._mapping = (
                identity(space.joints, self._initial)
                if mapping is None
                else read_mapping(Path(mapping), space.joints, self._initial)
            )
            self.check(randomization)
        except BaseException:
            self.servers.close()
            raise

    def check(self, randomization: Randomization) -> None:
        """Draw one entry, so that what is wrong with cameras and components shows now.

        Raises:
            HeliographError: something is.
        """
        pool = self.servers.first
        known = Facts.of(pool)
        for name in self._config.camera_names:
            known.camera(name)
        randomization.check(known)  # workers would warn of prefixes where nobody reads it
        pool.submit(self._views([self._initial], [0], randomization)[0]).result()

    def submit(self, batch: Batch, randomization: Randomization, deliver: Deliver) -> None:
        """Take a batch as it is now; its outcome, which may be an error, is delivered."""
        try:
            request = Request.of(batch, self._mapping)
            views = self._views(request.qpos, request.seeds, randomization)
            futures = self.servers.submit(views)
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to who asked
            deliver(as_renderer_error(error))
        else:
            Pending(batch, futures, self._stacked, deliver).wait()

    def close(self) -> None:
        """End everything; batches that are not finished fail."""
        self.servers.close()

    def _views(
        self, rows: Sequence[Any] | NDArray[Any], seeds: Sequence[int], components: Randomization
    ) -> list[View]:
        text = np.frombuffer(msgspec.json.encode(components.config()), np.uint8)
        cameras = self._config.camera_names
        passes = select_passes(list(self._config.passes), self.servers.first.passes)
        return [
            View(cameras, passes, {"qpos": qpos, COMPONENTS: text}, seed=seed)
            for qpos, seed in zip(rows, seeds, strict=True)
        ]

    def _stacked(self, samples: Sequence[Sample]) -> dict[str, NDArray[Any]]:
        """The arrays of a response; rows that lie side by side are not copied."""
        height, width = self._config.image_height, self._config.image_width
        specs, arrays = self.servers.first.passes, {}
        for camera in self._config.camera_names:
            for name, ending in self._config.passes.items():
                rows = [sample[camera][name] for sample in samples]
                whole = side_by_side(rows) if rows else None
                if whole is None:  # of several pools, or there was no room
                    shape = (len(rows), *specs[name].shape_of(height, width))
                    whole = np.empty(shape, specs[name].dtype)
                    for row, picture in zip(whole, rows, strict=True):
                        row[...] = picture
                arrays[camera + ending] = whole
        streams = dict.fromkeys(name for sample in samples for name in sample.annotations)
        told = {name: np.array([each.annotations[name] for each in samples]) for name in streams}
        return {**arrays, **told}


class Pending:
    """A batch on its way.

    Args:
        batch: the caller's, which gets the arrays.
        futures: of its entries.
        stack: makes arrays of samples.
        deliver: gets the outcome, once.
    """

    def __init__(
        self,
        batch: Batch,
        futures: Sequence[Future[Sample]],
        stack: Callable[[Sequence[Sample]], Mapping[str, NDArray[Any]]],
        deliver: Deliver,
    ) -> None:
        self._batch = batch
        self._futures = futures
        self._stack = stack
        self._deliver = deliver
        self._left = len(futures)
        self._failed = False
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Deliver when all entries are there, or one has failed."""
        if not self._futures:
            self._finish()
        for number, future in enumerate(self._futures):
            future.add_done_callback(partial(self._done, number))

    def _done(self, number: int, future: Future[Sample]) -> None:
        error = RendererError("cancelled") if future.cancelled() else future.exception()
        with self._lock:
            first = error is not None and not self._failed
            self._failed = self._failed or first
            self._left -= 1
            last = self._left == 0 and not self._failed
        if first and error is not None:
            self._fail(number, as_renderer_error(error))
        elif last:
            self._finish()

    def _fail(self, number: int, error: RendererError) -> None:
        message = f"entry {number}: {error.message}"
        self._deliver(RendererError(message, seed=error.seed, repro=error.repro))
        for future in self._futures:
            future.cancel()

    def _finish(self) -> None:
        try:
            self._batch.update(self._stack([future.result() for future in self._futures]))
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to who asked
            self._deliver(as_renderer_error(error))
        else:
            self._deliver(self._batch)
