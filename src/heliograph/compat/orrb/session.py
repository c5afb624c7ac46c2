"""A started renderer: batches in, results out, several at once, each to its own caller.

    render_batch(batch) -> Session.submit -> a batch of the pool's -> workers (`OrrbEngine`)
                                                                          |
    batch, its arrays added <- Ordered.arrays <- futures of the pool's <--+

Nothing is drawn or encoded here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from heliograph.batch import Stacked
from heliograph.compat.orrb import engine
from heliograph.compat.orrb.config import RemoteRendererConfig
from heliograph.compat.orrb.mapping import identity, read_mapping
from heliograph.compat.orrb.places import Places
from heliograph.compat.orrb.reading import OrrbRandomization
from heliograph.compat.orrb.repair import load_repaired
from heliograph.compat.orrb.request import read_request
from heliograph.compat.orrb.servers import open_pools, submit

Batch = MutableMapping[str, Any]


class Ordered:
    """A batch on its way.

    Args:
        config: what is asked for.
        parts: of the batch, one of each pool.
        streams: the streams that it brings -> how many numbers each is.
    """

    def __init__(
        self,
        config: RemoteRendererConfig,
        parts: Sequence[Future[Stacked]],
        streams: Mapping[str, int],
    ) -> None:
        self._config = config
        self._parts = list(parts)
        self._streams = streams

    def when_done(self, call: Callable[[], object]) -> None:
        """Have something called once it is drawn, or failed; by whoever sees that first."""
        left = itertools.count(len(self._parts) - 1, -1)
        for part in tuple(self._parts):
            part.add_done_callback(lambda _: None if next(left) else call())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Wait for the arrays of the response, once; the memory that workers wrote to, if they can.

        Raises:
            HeliographError: it could not be drawn.
        """
        parts = [part.result() for part in self._parts]
        self._parts.clear()  # or futures and this would keep each other, and the arrays, alive
        whole = {
            key: array if len(parts) == 1 else np.concatenate([part[key] for part in parts])
            for key, array in parts[0].items()
        }
        arrays = {
            camera + ending: whole[f"{camera}_{name}"]
            for camera in self._config.camera_names
            for name, ending in self._config.passes.items()
        }
        if self._streams:
            widths = list(self._streams.values())
            numbers = engine.read_streams(whole[f"{engine.STREAMS}_orrb_rgb"], sum(widths))
            split = np.split(numbers, np.cumsum(widths)[:-1], axis=1)
            arrays |= zip(self._streams, split, strict=True)
        return arrays


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
        randomization: OrrbRandomization,
    ) -> None:
        from heliograph.engines.mujoco.model import load

        source, model = load_repaired(Path(str(config.model_xml_path)), load)
        self._config = config
        self._pools = open_pools(source, servers, config.engine_options, config.deadline)
        try:
            drawn, path = self._pools[0], config.model_mapping_path
            self._places = Places(model, drawn, config.engine_options["size"])
            joints, initial = drawn.scene.space.joints, np.array(model.qpos0, float)
            if path is None:
                self._mapping = identity(joints, initial)
            else:
                self._mapping = read_mapping(Path(path), joints, initial)
            self.check(randomization)
        except BaseException:
            self.close()
            raise

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers there are right now."""
        return [pid for pool in self._pools for pid in pool.pids]

    def check(self, randomization: OrrbRandomization) -> None:
        """Draw one entry's numbers: what is wrong with cameras and components shows now, and here.

        Raises:
            HeliographError: something is.
        """
        known = self._places.facts(None, self._config.camera_names)
        for name in self._config.camera_names:
            known.camera(name)
        randomization.run(0, 0, known)

    def submit(self, batch: Batch, randomization: OrrbRandomization) -> Ordered:
        """Take a batch as it is now.

        Raises:
            HeliographError: something is wrong with it, or this is closed.
        """
        columns, streams = self._columns(*read_request(batch, self._mapping), randomization)
        return Ordered(self._config, submit(self._pools, columns), streams)

    def close(self) -> None:
        """End everything; batches that are not finished fail."""
        for pool in self._pools:
            pool.close()

    def _columns(
        self, qpos: NDArray[np.float64], seeds: NDArray[np.int64], randomization: OrrbRandomization
    ) -> tuple[dict[str, Any], dict[str, int]]:
        """A batch of the pool's, and the streams that it brings with how many numbers they are."""
        text = np.frombuffer(msgspec.json.encode(randomization.config()), np.uint8)
        streams = engine.stream_widths(randomization)
        columns = {
            "qpos": qpos,
            "seeds": seeds,
            engine.COMPONENTS: np.broadcast_to(text, (len(qpos), len(text))),
            "cameras": [*self._config.camera_names, *engine.stream_camera(sum(streams.values()))],
            "passes": list(self._config.passes),
        }
        return columns, streams
