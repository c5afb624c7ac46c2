"""Opening a scene, and calling an engine in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import islice, repeat
from typing import Any, Literal, Unpack, overload

import numpy as np

from heliograph.batch import Batch, Stacked, stack
from heliograph.camera import MAX_SIZE, Camera
from heliograph.checks import check_integer, is_integer
from heliograph.delivery.options import OpenOptions
from heliograph.delivery.pooled import PooledEngine
from heliograph.engine import CancelToken, Capability, Engine, Outcome, Outs, Renderer
from heliograph.engines.registry import (
    engine_names,
    engine_of,
    interpreter_of,
    load_engine,
    make_engine,
    resolve_source,
)
from heliograph.errors import (
    ClosedError,
    EngineError,
    HeliographError,
    InvalidValueError,
    UnknownNameError,
    shown,
)
from heliograph.frame import Array, Labels, Provenance, Sample, varied
from heliograph.passes import PassSpecs
from heliograph.pool import Pool
from heliograph.pool.options import PoolSettings, split_options
from heliograph.randomize.config import describe
from heliograph.scene import Description, Edit
from heliograph.view import View, check_edits
from heliograph.worker.opening import describe_opening, with_randomization
from heliograph.wrappers import RandomizedEngine

__all__ = ["LocalRenderer", "engine_names", "load_engine", "open"]

_TURN = 64
"""How many views of a batch are drawn before another thread has its turn."""


@overload
def open(  # noqa: A001
    source: object,
    *,
    size: tuple[int, int] | None = ...,
    engine: str | None = ...,
    workers: Literal[0] = ...,
    seed: int = ...,
    **options: Unpack[OpenOptions],
) -> LocalRenderer: ...


@overload
def open(  # noqa: A001
    source: object,
    *,
    size: tuple[int, int] | None = ...,
    engine: str | None = ...,
    workers: int,
    seed: int = ...,
    **options: Unpack[OpenOptions],
) -> LocalRenderer | Pool: ...


def open(  # noqa: A001
    source: object,
    *,
    size: tuple[int, int] | None = None,
    engine: str | None = None,
    workers: int = 0,
    seed: int = 0,
    **options: Unpack[OpenOptions],
) -> LocalRenderer | Pool:
    """Open a scene, in this process or in worker processes; both have the same face.

    Each keyword below names its default in parentheses.

    Args:
        source: a path, `package:path/inside/it`, MJCF text, or an object that an engine takes.
        size: (width, height) in pixels of cameras that the scene names without one, 320 x 240 by
            default; of all of a Blender scene's, which else have the scene's resolution.
        engine: which engine, by name; without it the source decides.
        workers: how many processes draw; 0 draws in this one (Blender in one beside it).
        seed: of the run; samples and datasets over the renderer take it unless told otherwise.
        **options: see below.

    Any engine:
        randomize: (None) a config, its path or a `Randomization`: views that have a seed are
            randomized, see docs/randomization.md.
        engine_options: (None) further keywords of an engine that another package brings.

    Engines that rasterize, see `heliograph.RasterOptions`:
        msaa: (0) samples per pixel for rgb and alpha, 0 or 4.
        shadows: (True) whether lights that cast shadows get shadow maps.
        shadow_size: (4096) upper limit of a shadow map's side, in texels.
        lod: ('auto') simplify surfaces below a quarter of a pixel, or 'off' (Blender's default).
        backend: ('auto') 'cpu' draws natively, 'gl' through OpenGL; 'auto' takes a GPU where there
            is one, else the CPU.
        device: (None) index of the EGL device; None for the driver's default.
        threads: (None) how many draw a view natively, in each worker where there are some, which
            changes no byte; None: its cameras share the cores, each picture drawn by one.
        lighting: ('auto') compute light per 'vertex' or per 'pixel'.
        shading: ('auto') add light in sRGB, 'classic', or in linear space, 'standard'.
        tone_mapping: ('auto') how linear light becomes colours: 'none', 'neutral', 'aces'.
        exposure: (1.0) multiplies linear light.
        readback: ('auto') fetch each picture at once, 'direct', or many together, 'deferred'.

    The MuJoCo engine:
        style: ('raster') our rasterizer, or 'classic' for `mujoco.Renderer`.
        visual: (None) a `mujoco.MjvOption`: which geom groups and elements are shown.
        segment_by: ('object') what one segmentation id stands for: 'object', 'body', 'category'.

    The Blender engine, which draws in a process of its own, also with `workers=0`:
        style: ('fast') our rasterizer; 'cycles' or 'eevee'.
        samples: (16) of each pixel, with Cycles and EEVEE.
        denoise: (False) whether Cycles takes its noise out.
        segment_by: ('object') as above, or 'material', 'collection'.
        trust: (False) whether scripts inside a .blend file may run.
        allow_missing: (False) open a .blend file whose textures or libraries are not there.

    With workers, see `heliograph.pool.PoolOptions`:
        deadline: (120.0) seconds that a view may take; None for as long as it wants.
        max_kills: (3) how many workers a view may kill before it is given up.
        recycle_after: (None) views after which a worker is replaced by a fresh one.
        memory_limit: (None) resident bytes above which a worker is replaced.
        depth: (2) orders that a worker holds at once.
        cores: (None) how many each worker's GL and numerics keep busy; None shares them out.
        python: (this interpreter) the workers' interpreter.
        launcher: (None) a `heliograph.pool.Launcher`: their command, environment and directory.
        start_timeout: (300.0) seconds that a worker may take to open the scene.

    Raises:
        SceneError: no such file, nothing opens it, or the engine refuses it.
        UnknownNameError: no such engine, or it has no such option.
        ContextError: GL is to draw, and there is no usable one here.
        WorkerError: a worker could not be started.
    """
    here = isinstance(workers, int) and not workers
    _check_keywords(options, here=here)
    source = resolve_source(source)
    name = engine or engine_of(source)
    seed = check_integer("seed", seed)
    further = options.pop("engine_options", None)
    sized = {} if size is None else {"size": _check_size(size)}
    given = with_randomization({**sized, **options})
    if here:
        arguments = _with_further(given, further)
        opened = describe_opening(name, arguments)
        return LocalRenderer(_engine(name, source, arguments), opened, seed=seed)
    settings, rest = split_options(given)
    return Pool(name, source, workers, _with_further(rest, further), seed=seed, **settings)


def _engine(name: str, source: object, arguments: Mapping[str, Any]) -> Engine:
    """An engine in this process, or in one under the interpreter that it needs."""
    if interpreter_of(name) is None:
        return make_engine(name, source, arguments)
    return PooledEngine(Pool(name, source, 1, arguments, deadline=None))  # as in this process


def _check_keywords(options: Mapping[str, Any], *, here: bool) -> None:
    """Refuse what nothing takes, before anything is started."""
    for name in options:
        if name not in OpenOptions.__optional_keys__:
            known = ("size", "engine", "workers", "seed", *sorted(OpenOptions.__optional_keys__))
            message = UnknownNameError.of("option of heliograph.open", name, known).message
            raise UnknownNameError(f"{message}; those of an engine alone go into engine_options")
        if here and name in PoolSettings.__optional_keys__:
            raise InvalidValueError(
                f"{name}: is about worker processes, and there are none; give workers= as well"
            )


def _with_further(given: Mapping[str, Any], further: object) -> dict[str, Any]:
    """Keywords and `engine_options` as one."""
    if further is None:
        return dict(given)
    if not isinstance(further, Mapping) or not all(isinstance(key, str) for key in further):
        raise InvalidValueError(
            f"engine_options: expected a mapping of names to values, got {further!r}"
        )
    twice = sorted(given.keys() & further.keys())
    if twice:
        raise InvalidValueError(
            f"engine_options: expected none of open's own keywords (a command's own flags), got "
            f"{', '.join(twice)}; give it as that alone"
        )
    return {**given, **further}


class LocalRenderer(Renderer):
    """A renderer over an engine in this process; threads take turns.

    Args:
        engine: the engine; closed with the renderer.
        opened: what decides its pictures besides the scene, in terms of JSON, as
            `heliograph.worker.opening.describe_opening` tells it; without it, what the engine
            draws at random.
        seed: of the run; samples and datasets over the renderer take it unless told otherwise.

    Attributes:
        engine: the engine.
    """

    def __init__(
        self, engine: Engine, opened: Mapping[str, Any] | None = None, *, seed: int = 0
    ) -> None:
        self.engine = engine
        self._opened = _told_by(engine) if opened is None else opened
        self._seed = seed
        self._turns = _Turns(engine)

    @property
    def scene(self) -> Description:
        """What the scene holds."""
        return self.engine.scene

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The scene's cameras by name."""
        return self.engine.cameras

    @property
    def passes(self) -> PassSpecs:
        """The passes it can yield, by name."""
        return self.engine.passes

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The engine's."""
        return self.engine.capabilities

    @property
    def provenance(self) -> Provenance:
        """Engine, device and newest version of the scene."""
        return self.engine.provenance

    @property
    def seed(self) -> int:
        """Seed of the run; samples and datasets over the renderer take it unless told otherwise."""
        return self._seed

    @property
    def opened(self) -> Mapping[str, Any]:
        """What decides its pictures besides the scene, in terms of JSON."""
        return self._opened

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category)."""
        return self.engine.labels

    def render(self, view: View, *, priority: int = 0) -> Sample:
        """Draw one view and wait for it; its priority is of no use here.

        Raises:
            HeliographError: the view cannot be drawn; it names the sample if the view has a seed.
        """
        del priority
        _check_view(view)
        ordered = time.time()
        with self._turns, _Naming(view):
            return _ordered(self.engine.render(view), ordered)

    def refine(
        self,
        view: View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
        *,
        priority: int = 0,
    ) -> Iterator[Sample]:
        """Draw one view coarsely first, then better and better; see `heliograph.engine.Engine`.

        Threads take turns sample by sample, and between two samples anything else may be drawn.

        Raises:
            HeliographError: the view cannot be drawn.
            ClosedError: the renderer was closed before the next sample was asked for.
        """
        del priority
        return self._each(lambda: self.engine.refine(view, cancel, levels), view)

    def _each(self, begin: Callable[[], Iterable[Sample]], view: View) -> Iterator[Sample]:
        ordered = time.time()
        samples: Iterator[Sample] | None = None
        while True:
            with self._turns, _Naming(view):  # and not across the `yield`, which may never return
                if self._turns.closed:
                    raise ClosedError("this renderer is closed")
                if samples is None:
                    samples = iter(begin())
                sample = next(samples, None)
            if sample is None:
                return
            yield _ordered(sample, ordered)

    def published(self, *, ahead: int = 1, priority: int = 0) -> Iterator[Sample]:
        """What the engine shows by itself, each sample when it is asked for; see `Engine.publish`.

        Raises:
            InvalidValueError: the engine publishes nothing.
            ClosedError: the renderer was closed before the next sample was asked for.
        """
        del priority
        check_integer("ahead", ahead, 1)
        return self._each(self.engine.publish, View())

    def advance(self, changes: Edit | Sequence[Edit]) -> int:
        """Change the scene for good, by one edit or several; see `heliograph.engine.Described`."""
        with self._turns:
            return self.engine.advance(check_edits(changes, "advance"))

    def random_state(self, rng: np.random.Generator) -> Mapping[str, Array]:
        """A random state that suits the scene."""
        return self.engine.random_state(rng)

    def submit(self, view: View, *, priority: int = 0) -> Future[Sample]:
        """Draw one view now; the future that comes back is finished, whatever its priority."""
        del priority
        future: Future[Sample] = Future()
        try:
            future.set_result(self.render(view))
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to the future
            future.set_exception(error)
        return future

    def _stacked(self, batch: Batch) -> Stacked:
        return stack(batch, self._drawn, self.cameras, self.passes)

    def _drawn_all(self, views: Sequence[View]) -> list[Sample]:
        ordered = time.time()
        for view in views:
            _check_view(view)
        outcomes = [*self._drawn(iter(views), repeat(None))]
        for view, outcome in zip(views, outcomes, strict=True):
            if isinstance(outcome, HeliographError):
                with _Naming(view):
                    raise outcome
        return [_ordered(each, ordered) for each in outcomes if isinstance(each, Sample)]

    def _drawn(self, views: Iterator[View], outs: Iterator[Outs]) -> Iterator[Outcome]:
        """What comes of views; threads take turns every few."""
        while group := [*islice(views, _TURN)]:
            with self._turns:
                outcomes = self.engine.render_many(group, outs)
            yield from outcomes

    def close(self) -> None:
        """Close the engine; may be called twice.

        A signal handler that closes it while a view is drawn closes it once that is done.
        """
        self._turns.close()


class _Turns:
    """Whose turn it is to use an engine: one thread's at a time, and once in each."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._inside = False
        self.closed = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._inside:  # of this very thread, so a signal handler asks
            self._lock.release()
            raise EngineError(
                "a view is being drawn: expected that to end before another one is drawn; do not "
                "draw in signal handlers"
            )
        self._inside = True

    def __exit__(self, *_: object) -> None:
        self._inside = False
        try:
            if self.closed:
                self._engine.close()
        finally:
            self._lock.release()

    def close(self) -> None:
        with self._lock:
            self.closed = True
            if not self._inside:
                self._engine.close()


def _told_by(engine: Engine) -> Mapping[str, Any]:
    if not isinstance(engine, RandomizedEngine):
        return {}
    return {"randomize": describe(engine.randomization)}


class _Naming:
    """An error names the sample, where the view has a seed."""

    def __init__(self, view: View) -> None:
        self._view = view

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        view = self._view
        if isinstance(error, HeliographError) and view.seed is not None and error.seed is None:
            error.index, error.seed = view.index, view.seed


def _check_view(view: object) -> None:
    if not isinstance(view, View):
        raise InvalidValueError(f"expected a heliograph.View, got {type(view).__name__}")


def _ordered(sample: Sample, when: float) -> Sample:
    return varied(sample, provenance=varied(sample.provenance, ordered=when))


def _check_size(size: object) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, (tuple, list)) else ()
    if len(sides) != 2 or not all(is_integer(side, 1, MAX_SIZE) for side in sides):
        raise InvalidValueError(
            f"size: expected (width, height) in pixels, each from 1 to {MAX_SIZE}, got "
            f"{shown(size)}"
        )
    return int(sides[0]), int(sides[1])
