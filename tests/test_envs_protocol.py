"""The messages of remote environments, and what a link makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from heliograph.envs import protocol
from heliograph.envs.link import Link
from heliograph.envs.protocol import Failed, Step, Stepped, WasReset, message_of, reply_of
from heliograph.envs.spaces import fitted, plain, space_of
from heliograph.errors import EngineError, InvalidValueError, UnknownNameError, WorkerError

REQUESTS: list[protocol.Request] = [
    protocol.Describe(),
    protocol.Reset(3, {"hard": True}),
    protocol.Step([0.5]),
    protocol.Render("rgb_array"),
    protocol.Close(),
]
REPLIES: list[protocol.Reply] = [
    protocol.Described(protocol.discrete(3), None, ["rgb_array"], 24.0),
    protocol.WasReset([1.0], {"a": 1}),
    protocol.Stepped([1.0], 0.5, True, False, {"b": 2}),
    protocol.Rendered(None),
    protocol.Closed(),
    protocol.Failed("Traceback ..."),
]


class Answering:
    """A channel to a process that answers each request by what a function says."""

    def __init__(self, says: Callable[[int], list[dict[str, Any]]]) -> None:
        self.says = says
        self.waiting: list[dict[str, Any]] = []
        self.closed = False

    def send(self, **fields: Any) -> None:
        self.waiting += self.says(fields["ticket"])

    def recv(self, timeout: float | None = None) -> dict[str, Any] | None:
        return self.waiting.pop(0) if self.waiting else None

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_is_read_as_it_was_written(request_: protocol.Request) -> None:
    assert protocol.request_of({**message_of(request_, 5), "btid": 1}) == (5, request_)


@pytest.mark.parametrize("reply", REPLIES)
def test_a_reply_is_read_as_it_was_written(reply: protocol.Reply) -> None:
    assert reply_of({**message_of(reply, 5), "btid": 1}) == (5, reply)


def test_messages_of_something_else_are_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"'kind' .text. and a 'ticket'"):
        reply_of({"image": 3})
    with pytest.raises(UnknownNameError, match="did you mean 'Stepped'"):
        reply_of({"kind": "Steped", "ticket": 1})
    with pytest.raises(InvalidValueError, match=r"Step lacks a field: .*action"):
        protocol.request_of({"kind": "Step", "ticket": 1})


def test_an_answer_to_a_request_that_was_given_up_is_passed_over() -> None:
    def says(ticket: int) -> list[dict[str, Any]]:
        return [message_of(Stepped([float(n)]), n) for n in range(ticket + 1)]

    link = Link(Answering(says), "here", 5)
    assert [link.request(Step(0), Stepped).obs for _ in range(3)] == [[1.0], [2.0], [3.0]]


def test_what_the_environment_raised_is_told() -> None:
    link = Link(Answering(lambda ticket: [message_of(Failed("ValueError: 7"), ticket)]), "here", 5)
    with pytest.raises(EngineError, match="environment at here raised:\nValueError: 7"):
        link.request(Step(0), Stepped)


def test_a_silent_process_and_one_that_answers_something_else_are_told() -> None:
    with pytest.raises(WorkerError, match=r"here has not answered for 0\.01 s"):
        Link(Answering(lambda _: []), "here", 0.01).request(Step(0), Stepped)
    with pytest.raises(WorkerError, match="answered Stepped, but answered WasReset"):
        Link(Answering(lambda ticket: [message_of(WasReset(0), ticket)]), "here", 5).request(
            Step(0), Stepped
        )


def test_spaces_are_those_described() -> None:
    described = protocol.dict_of(
        place=protocol.box([0, -1], [1, 2]),
        level=protocol.box(0, 255, (4, 3), "uint8"),
        choice=protocol.discrete(3, start=1),
    )
    space = space_of(None, described, "observation")
    assert space == spaces.Dict(
        place=spaces.Box(np.array([0, -1], np.float32), np.array([1, 2], np.float32)),
        level=spaces.Box(0, 255, (4, 3), np.uint8),
        choice=spaces.Discrete(3, start=1),
    )
    value = fitted(space, {"place": [0.5, 0], "level": np.zeros((4, 3)), "choice": 2, "more": 1})
    assert space.contains(value)
    given = spaces.Discrete(2)
    assert space_of(given, described, "action") is given


def test_spaces_that_are_not_there_or_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="does not say what its actions are"):
        space_of(None, None, "action")
    with pytest.raises(UnknownNameError, match="unknown kind of space 'boks'"):
        space_of(None, {"kind": "boks"}, "action")
    with pytest.raises(InvalidValueError, match=r"shape \(2,\), but sent one of \(3,\)"):
        fitted(spaces.Box(0, 1, (2,)), [1, 2, 3])
    with pytest.raises(InvalidValueError, match=r"keys \['a'\], but \['b'\] came"):
        fitted(spaces.Dict(a=given_box()), {"b": 1})


def given_box() -> spaces.Box:
    return spaces.Box(0, 1)


def test_actions_are_sent_as_plain_values() -> None:
    sent = plain({"a": np.int64(2), "b": (np.float32(0.5), 1)})
    assert sent == {"a": 2, "b": [0.5, 1]}
    assert type(sent["a"]) is int
