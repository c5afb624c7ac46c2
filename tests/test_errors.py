"""Errors say what came and what to do, and survive being copied and made again."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph import errors
from heliograph.errors import (
    ClosedError,
    ContextError,
    EngineError,
    HeliographError,
    InvalidValueError,
    MissingDependencyError,
    RecordError,
    SceneError,
    UnknownNameError,
    WorkerError,
)

EVERY = [
    HeliographError,
    InvalidValueError,
    UnknownNameError,
    SceneError,
    MissingDependencyError,
    ContextError,
    EngineError,
    WorkerError,
    ClosedError,
    RecordError,
]


def test_the_list_is_complete_and_short() -> None:
    found = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, Exception)
    ]
    assert set(found) == set(EVERY)
    assert len(found) <= 10


@pytest.mark.parametrize("kind", EVERY)
def test_all_are_heliograph_errors_without_a_sample(kind: type[HeliographError]) -> None:
    error = kind("expected 1, got 2")
    assert isinstance(error, HeliographError)
    assert str(error) == error.message == "expected 1, got 2"
    assert (error.index, error.seed, error.repro) == (None, None, None)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (InvalidValueError, ValueError),
        (UnknownNameError, LookupError),
        (MissingDependencyError, ImportError),
    ],
)
def test_builtin_bases(kind: type[HeliographError], builtin: type[Exception]) -> None:
    assert issubclass(kind, builtin)


def test_an_error_without_text() -> None:
    assert str(HeliographError()) == ""


@pytest.mark.parametrize("kind", EVERY)
def test_the_sample_is_shown(kind: type[HeliographError]) -> None:
    error = kind("it failed", index=0, seed=7, repro="heliograph render hand.xml --index 0")
    assert str(error) == (
        "it failed\n  sample: index 0, seed 7\n  reproduce: heliograph render hand.xml --index 0"
    )
    assert error.message == "it failed"


def test_a_sample_may_be_added_later() -> None:
    error = InvalidValueError("qpos: expected 3, got 4")
    error.index = 3
    assert str(error) == "qpos: expected 3, got 4\n  sample: index 3"


@pytest.mark.parametrize("kind", EVERY)
@given(
    text=st.text(),
    index=st.none() | st.integers(0),
    seed=st.none() | st.integers(0),
    repro=st.none() | st.text(min_size=1),
)
def test_copies_and_recreation_keep_everything(
    kind: type[HeliographError], text: str, index: int | None, seed: int | None, repro: str | None
) -> None:
    error = kind(text, index=index, seed=seed, repro=repro)
    for twin in (
        copy.copy(error),
        copy.deepcopy(error),
        kind(error.message, index=error.index, seed=error.seed, repro=error.repro),
    ):
        assert type(twin) is kind
        assert str(twin) == str(error)
        assert (twin.message, twin.index, twin.seed, twin.repro) == (text, index, seed, repro)
    assert str(type(error)(str(error))) == str(error)


def test_unknown_name_says_kind_name_nearest_and_known() -> None:
    error = UnknownNameError.of("camera", "tpo", ["top", "side"])
    assert str(error) == "unknown camera 'tpo'; did you mean 'top'? (known: 'top', 'side')"
    assert type(error) is UnknownNameError


def test_unknown_name_ignores_case_when_it_guesses() -> None:
    assert "did you mean 'Depth'" in str(UnknownNameError.of("pass", "DEPTH", iter(["Depth"])))


def test_unknown_name_without_anything_near() -> None:
    assert str(UnknownNameError.of("pass", "zzz", ["rgb"])) == "unknown pass 'zzz' (known: 'rgb')"


def test_unknown_name_when_there_are_none() -> None:
    assert str(UnknownNameError.of("pass", "rgb", ())) == "unknown pass 'rgb' (known: none)"


def test_unknown_name_lists_twenty_at_most() -> None:
    text = str(UnknownNameError.of("body", "nothing", [f"b{i}" for i in range(1000)]))
    assert "'b19', ... and 980 more" in text
    assert "'b20'" not in text
    exact = str(UnknownNameError.of("body", "nothing", [f"b{i}" for i in range(20)]))
    assert exact.endswith("'b19')")


def test_unknown_name_stays_short_whatever_came() -> None:
    assert len(str(UnknownNameError.of("body", "x" * 1_000_000, ["y" * 1_000_000] * 30))) < 4000


@given(name=st.text(), known=st.lists(st.text(), max_size=30))
def test_unknown_name_never_fails_and_survives(name: str, known: list[str]) -> None:
    error = UnknownNameError.of("camera", name, known)
    assert str(copy.copy(error)) == str(UnknownNameError(str(error))) == str(error)


def test_missing_dependency_names_what_to_install() -> None:
    error = MissingDependencyError.of("moderngl", extra="raster")
    assert str(error) == (
        "moderngl is needed here and cannot be loaded; install it: pip install 'heliograph[raster]'"
    )
    assert error.name == copy.copy(error).name == "moderngl"


def test_missing_dependency_names_the_apt_package() -> None:
    text = str(MissingDependencyError.of("libEGL.so.1", apt="libegl1"))
    assert text.endswith("install it: apt-get install libegl1")


def test_missing_dependency_names_both_or_neither() -> None:
    both = str(MissingDependencyError.of("ffmpeg", extra="video", apt="ffmpeg"))
    assert both.endswith("pip install 'heliograph[video]' or apt-get install ffmpeg")
    assert str(MissingDependencyError.of("x")) == "x is needed here and cannot be loaded"
