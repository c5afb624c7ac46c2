"""What wraps an engine passes on all that an engine has; needs numpy and msgspec alone."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import pytest

from heliograph.camera import Camera
from heliograph.engine import LEVELS, CancelToken, Capability, Described, Engine, Opener, Renderer
from heliograph.engines.fake import FakeEngine, Paint
from heliograph.errors import HeliographError
from heliograph.frame import Labels, Provenance, Sample
from heliograph.passes import PASSES, PassSpecs
from heliograph.randomize import Randomization
from heliograph.scene import Description, EditImage
from heliograph.view import View
from heliograph.wrappers import PostProcessingEngine, RandomizedEngine, Wrapper

DARKER = EditImage((("brightness", {"amount": -0.5}),))


def members(protocol: type) -> list[str]:
    """The public methods and properties of a protocol and of those it extends."""
    kinds = [each for each in protocol.__mro__ if each.__module__ == "heliograph.engine"]
    return sorted({name for kind in kinds for name in vars(kind) if not name.startswith("_")})


def randomized(engine: Engine) -> Engine:
    return RandomizedEngine(engine, Randomization([]))


WRAPPERS = [Wrapper, PostProcessingEngine, randomized]


class Recorder:
    """Stands for an engine, and knows what it was asked for."""

    def __init__(self) -> None:
        self.good = FakeEngine(size=(8, 6))
        self.asked: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in ("good", "asked"):
            return object.__getattribute__(self, name)
        self.asked.append(name)
        return getattr(self.good, name)


def ask(engine: Any, name: str) -> object:
    """Use one member of an engine."""
    arguments: dict[str, tuple[object, ...]] = {
        "advance": ((Paint("ball", (0, 1, 0)),),),
        "random_state": (np.random.default_rng(0),),
        "render": (View(),),
        "render_many": ([View()],),
        "refine": (View(),),
        "close": (),
    }
    found = getattr(engine, name)
    if name == "publish":  # which has no end
        return next(found())
    used = found(*arguments[name]) if name in arguments else found
    return list(used) if isinstance(used, Iterator) else used


def test_the_members_are_those_we_know() -> None:
    assert {"render", "render_many", "refine", "advance", "random_state", "scene"} <= set(
        members(Engine)
    )
    assert set(members(Described)) < set(members(Engine))
    assert {"submit", "side_by_side", "opened", "seed"} <= set(members(Renderer))


@pytest.mark.parametrize("name", sorted(set(members(Engine)) - set(members(Opener))))
def test_wrappers_forward_every_member_explicitly(name: str) -> None:
    assert name in vars(Wrapper), f"Wrapper leaves {name} to the default of the protocol"
    for wrap in WRAPPERS:
        engine = Recorder()
        wrapped = wrap(cast("Engine", engine))
        engine.asked.clear()
        ask(wrapped, name)
        assert engine.asked[0] == name


@pytest.mark.parametrize("kind", [Wrapper, PostProcessingEngine, RandomizedEngine, FakeEngine])
def test_signatures_are_the_protocol_s(kind: type) -> None:
    for name in members(Engine):
        wanted = inspect.getattr_static(Engine, name)
        own = inspect.getattr_static(kind, name)
        assert type(own) is type(wanted), name
        if inspect.isfunction(wanted):
            assert [*inspect.signature(own).parameters] == [*inspect.signature(wanted).parameters]


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_wrapped_engines_are_engines_and_can_what_theirs_can(wrap: Any) -> None:
    plain, wrapped = FakeEngine(size=(8, 6)), wrap(FakeEngine(size=(8, 6)))
    assert isinstance(wrapped, Engine)
    assert wrapped.capabilities == plain.capabilities
    assert wrapped.provenance == plain.provenance
    assert wrapped.advance([Paint("ball", (0, 1, 0))]) == 1
    assert wrapped.scene.version == wrapped.provenance.scene_version == 1
    states = [each.random_state(np.random.default_rng(5)) for each in (plain, wrapped)]
    assert np.array_equal(states[0]["ball"], states[1]["ball"])


def test_what_is_done_to_a_picture_is_done_to_every_refinement() -> None:
    engine = PostProcessingEngine(FakeEngine(size=(32, 24)))
    view = View((), ("rgb",), edits=(DARKER,))
    samples = list(engine.refine(view))
    assert [next(iter(each)).rgb.shape[:2] for each in samples] == [(6, 8), (12, 16), (24, 32)]
    assert np.array_equal(samples[-1]["front"].rgb, engine.render(view)["front"].rgb)
    cancel = CancelToken()
    cancel.cancel()
    assert list(engine.refine(view, cancel)) == []


class Least(Engine):
    """An engine of what must be written, and nothing else."""

    def __init__(self) -> None:
        self._fake = FakeEngine(size=(8, 6))

    @property
    def scene(self) -> Description:
        return self._fake.scene

    @property
    def cameras(self) -> Mapping[str, Camera]:
        return self._fake.cameras

    @property
    def passes(self) -> PassSpecs:
        return self._fake.passes

    @property
    def labels(self) -> Labels:
        return self._fake.labels

    def render(self, view: View, out: Any = None) -> Sample:
        return self._fake.render(view, out)

    def close(self) -> None:
        self._fake.close()


def test_an_engine_of_the_least_has_all_defaults() -> None:
    engine = Least()
    assert isinstance(engine, Engine)
    assert engine.capabilities == frozenset()
    assert engine.provenance == Provenance(engine="Least")
    first, second = engine.render_many([View(), View(("nothing",))])
    assert isinstance(first, Sample)
    assert isinstance(second, HeliographError)
    assert len(list(engine.refine(View(passes=PASSES)))) == len(LEVELS)
    assert engine.random_state(np.random.default_rng(0)).keys() == {"ball"}
    with pytest.raises(HeliographError, match=r"Capability\.ADVANCE"):
        engine.advance([Paint("ball", (0, 1, 0))])


def test_whoever_lacks_a_member_is_no_engine() -> None:
    class Incomplete:
        def render(self, view: View) -> Sample:
            raise NotImplementedError

    assert not isinstance(Incomplete(), Engine)
    assert not isinstance(FakeEngine(size=(8, 6)), Renderer)


def test_capabilities_are_named_by_their_members() -> None:
    assert {each.value for each in Capability} <= set(members(Engine))
