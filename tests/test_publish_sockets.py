"""Publishers, subscribers and channels over real sockets, with processes that die."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pytest
import zmq

from heliograph.errors import ClosedError, InvalidValueError, WorkerError
from heliograph.publish.duplex import Duplex
from heliograph.publish.framing import Message, pack
from heliograph.publish.keys import VARIABLE, make_key
from heliograph.publish.sockets import Publisher, Subscriber

FREE = "tcp://127.0.0.1:0"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def _pair(stack: ExitStack, **options: object) -> tuple[Publisher, Subscriber]:
    publisher = Publisher(FREE, timeout=5, **options)  # type: ignore[arg-type]
    stack.callback(publisher.close, 0)
    key = options.get("key")
    return publisher, stack.enter_context(Subscriber(publisher.address, key=key))  # type: ignore[arg-type]


def _program(
    stack: ExitStack, text: str, *arguments: str, stderr: int | None = None
) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", text, *arguments]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    stack.enter_context(program)
    stack.callback(program.kill)
    return program


def _until_error(subscriber: Subscriber, got: list[int], timeout: float) -> None:
    while True:
        got.append(subscriber.recv(timeout)["number"])


def _publish_all(publisher: Publisher, count: int) -> None:
    big = np.zeros(4 << 20, np.uint8)
    for number in range(count):
        publisher.publish(big=big, number=number)


ENDLESS = str(1 << 60)
PUBLISH = """
import sys, numpy
from heliograph.publish.sockets import Publisher
publisher = Publisher(sys.argv[1], instance=int(sys.argv[2]))
print(publisher.address, flush=True)
for number in range(int(sys.argv[3])):
    publisher.publish(number=number, image=numpy.full((40, 40, 3), number % 256, numpy.uint8))
publisher.close(float(sys.argv[4]))
"""


def test_values_arrive_in_order_with_what_is_told_of_them(stack: ExitStack) -> None:
    publisher, subscriber = _pair(stack, instance=3, seed=7)
    image = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
    publisher.publish(image=image, pose={"xy": [1.5, (2, "a", None)]}, index=12)
    image[:] = 0  # it was copied
    publisher.send({"any name": b"x"})
    first, second = subscriber.recv(), subscriber.recv()
    assert first["image"].sum() > 0
    assert first["image"].flags.writeable
    assert first["pose"] == {"xy": [1.5, (2, "a", None)]}
    assert (first.instance, first.number, first.seed, first.index) == (3, 0, 7, 12)
    assert (second.number, second.index, second["any name"]) == (1, None, b"x")


def test_a_stream_ends_when_all_publishers_have(stack: ExitStack) -> None:
    programs = [_program(stack, PUBLISH, FREE, str(each), "30", "20") for each in range(3)]
    addresses = [str(each.stdout.readline()).strip() for each in programs if each.stdout]
    got = list(stack.enter_context(Subscriber(addresses)))
    assert sorted((each.instance, each["number"]) for each in got) == [
        (instance, number) for instance in range(3) for number in range(30)
    ]
    for each in range(3):
        mine = [message["number"] for message in got if message.instance == each]
        assert mine == list(range(30))
    assert [each.wait(10) for each in programs] == [0, 0, 0]


def test_publishers_are_served_in_turn(stack: ExitStack) -> None:
    pairs = [Publisher(FREE, instance=each, timeout=5) for each in range(4)]
    for each in pairs:
        stack.callback(each.close, 0)
    subscriber = stack.enter_context(Subscriber([each.address for each in pairs]))
    for publisher in pairs:
        for number in range(8):
            publisher.publish(number=number)
    time.sleep(0.2)
    order = [subscriber.recv().instance for _ in range(32)]
    for start in range(0, 32, 4):
        assert sorted(order[start : start + 4]) == [0, 1, 2, 3]


def test_subscribers_share_a_stream(stack: ExitStack) -> None:
    publisher = Publisher(FREE, timeout=5)
    subscribers = [stack.enter_context(Subscriber(publisher.address)) for _ in range(2)]
    got: list[list[int]] = [[], []]

    def read(mine: int) -> None:
        got[mine].extend(message["number"] for message in subscribers[mine])

    threads = [threading.Thread(target=read, args=(each,)) for each in range(2)]
    for each in threads:
        each.start()
    count = 0
    while count < 100 or not all(got):
        publisher.publish(number=count)
        count += 1
    publisher.close()
    for each in threads:
        each.join(10)
    assert sorted(got[0] + got[1]) == list(range(count))


def test_a_slow_consumer_holds_up_the_publisher(stack: ExitStack) -> None:
    publisher = Publisher(FREE, queue=2, timeout=1)
    stack.callback(publisher.close, 0)
    with pytest.raises(TimeoutError, match="no subscriber is connected"):
        publisher.publish(x=1)
    subscriber = stack.enter_context(Subscriber(publisher.address, queue=2))
    with pytest.raises(TimeoutError, match="queues of all 1 subscribers are full"):
        _publish_all(publisher, 100)
    got: list[int] = []
    with pytest.raises(TimeoutError):
        _until_error(subscriber, got, 1)
    assert got == list(range(len(got)))
    assert 4 <= len(got) < 12
    publisher.publish(number=-1)
    assert subscriber.recv()["number"] == -1


def test_a_timeout_says_who_is_missing(stack: ExitStack) -> None:
    publisher = Publisher(FREE, timeout=5)
    stack.callback(publisher.close, 0)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
    subscriber = stack.enter_context(Subscriber([publisher.address, nobody], timeout=0.5))
    publisher.publish(x=1)
    subscriber.recv(20)
    with pytest.raises(TimeoutError) as error:
        subscriber.recv()
    assert f"{publisher.address}: nothing came for " in str(error.value)
    assert f"{nobody}: nothing ever came, nobody is there" in str(error.value)


def test_a_killed_publisher_is_told_while_others_deliver(stack: ExitStack) -> None:
    killed, other = (_program(stack, PUBLISH, FREE, each, ENDLESS, "0") for each in "10")
    addresses = [str(each.stdout.readline()).strip() for each in (other, killed) if each.stdout]
    subscriber = stack.enter_context(Subscriber(addresses, timeout=20))
    while subscriber.recv().instance != 1:
        pass
    os.kill(killed.pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match=f"{addresses[1]}: its publisher has died"):
        _until_error(subscriber, [], 20)
    assert other.poll() is None
    assert killed.wait() == -signal.SIGKILL


def test_a_publisher_that_dies_before_it_said_who_it_is_is_told(stack: ExitStack) -> None:
    other = _program(stack, PUBLISH, FREE, "0", ENDLESS, "0")
    assert other.stdout is not None
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        addresses = [other.stdout.readline().strip(), address]
        subscriber = stack.enter_context(Subscriber(addresses, timeout=1))
        end, _ = server.accept()
    subscriber.recv(20)
    end.close()
    with pytest.raises(WorkerError, match=f"{address}: its publisher has died"):
        _until_error(subscriber, [], 20)


def test_a_killed_subscriber_leaves_the_rest_to_the_others(stack: ExitStack) -> None:
    publisher = Publisher(FREE, timeout=60)
    stack.callback(publisher.close, 0)
    program = _program(
        stack,
        "import sys; from heliograph.publish.sockets import Subscriber\n"
        "for each in Subscriber(sys.argv[1]): print(each['number'], flush=True)",
        publisher.address,
    )
    publisher.publish(number=0)
    assert program.stdout is not None
    assert program.stdout.readline() == "0\n"
    program.kill()
    program.wait()
    while publisher._link.peers():
        time.sleep(0.01)
    subscriber = stack.enter_context(Subscriber(publisher.address))
    time.sleep(0.2)
    for number in range(5):
        publisher.publish(number=number)
    assert [subscriber.recv()["number"] for _ in range(5)] == list(range(5))


def test_a_publisher_may_come_back_at_its_address(stack: ExitStack) -> None:
    publisher = Publisher(FREE, timeout=5)
    subscriber = stack.enter_context(Subscriber(publisher.address))
    publisher.publish(x=1)
    assert subscriber.recv()["x"] == 1
    publisher.close(0)
    publisher = Publisher(publisher.address, timeout=5)
    stack.callback(publisher.close, 0)
    publisher.publish(x=2)
    assert subscriber.recv()["x"] == 2


def test_ctrl_c_ends_the_wait(stack: ExitStack) -> None:
    program = _program(stack, PUBLISH, FREE, "0", "5", "0", stderr=subprocess.PIPE)
    assert program.stdout is not None
    program.stdout.readline()
    time.sleep(0.2)
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=60)
    assert "KeyboardInterrupt" in said


@pytest.mark.parametrize(
    "frames", [[b"garbage"], [b""], [b"\x80\x04\x95", b"pickle"], [b"x"] * 100, [b"\x91" * 100_000]]
)
def test_a_publisher_of_something_else_is_named(stack: ExitStack, frames: list[bytes]) -> None:
    context = zmq.Context()
    stack.callback(context.destroy, 0)
    other = stack.enter_context(context.socket(zmq.PUSH))
    other.bind("tcp://127.0.0.1:*")
    address = other.getsockopt_string(zmq.LAST_ENDPOINT)
    subscriber = stack.enter_context(Subscriber(address))
    other.send_multipart(frames)
    with pytest.raises(WorkerError, match=f"{address}: .*message"):
        subscriber.recv()


def test_what_is_no_publisher_is_named(stack: ExitStack) -> None:
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    subscriber = stack.enter_context(Subscriber(address))

    def serve() -> None:
        end, _ = server.accept()
        with end:
            end.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
            end.recv(1000)

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises((WorkerError, TimeoutError), match=address):
        subscriber.recv(3)
    thread.join()


def _stranger(stack: ExitStack, address: str, says: bytes) -> socket.socket:
    """One that connects and is no subscriber."""
    port = int(address.rpartition(":")[2])
    stranger = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    stranger.sendall(says)
    return stranger


_REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b" " * 60


def test_a_browser_gets_no_messages(stack: ExitStack) -> None:
    publisher = Publisher(FREE, timeout=5)
    stack.callback(publisher.close, 0)
    stranger = _stranger(stack, publisher.address, _REQUEST)
    stranger.settimeout(5)
    with suppress(ConnectionResetError):
        while stranger.recv(1000):  # until it is hung up on
            pass
    subscriber = stack.enter_context(Subscriber(publisher.address))
    for number in range(6):
        publisher.publish(number=number)
    assert [subscriber.recv()["number"] for _ in range(6)] == list(range(6))


def test_a_browser_does_not_take_a_channel(stack: ExitStack) -> None:
    one = stack.enter_context(Duplex(FREE, bind=True, timeout=5))
    _stranger(stack, one.address, _REQUEST)
    time.sleep(0.2)
    two = stack.enter_context(Duplex(one.address, bind=False, timeout=5))
    two.send(x=1)
    assert one.recv() == {"x": 1}
    one.send(x=2)
    assert two.recv() == {"x": 2}


@pytest.mark.parametrize("keyed", [False, True])
def test_one_that_says_nothing_does_not_hold_up_the_end(stack: ExitStack, keyed: bool) -> None:
    publisher = Publisher(FREE, key=make_key() if keyed else None, timeout=0.5)
    stranger = _stranger(stack, publisher.address, b"")
    stranger.settimeout(10)
    with suppress(ConnectionResetError):
        while stranger.recv(1000):  # ZeroMQ's greeting
            pass
    with pytest.raises(TimeoutError, match="no subscriber is connected"):
        publisher.publish(x=1)
    publisher.close()


@pytest.mark.parametrize("how", ["handler", "thread"])
@pytest.mark.parametrize("what", ["publish", "subscriber", "send", "recv"])
def test_what_is_closed_while_one_waits_says_so(stack: ExitStack, what: str, how: str) -> None:
    wait: Callable[[], object]
    close: Callable[[], object]
    if what == "publish":
        publisher = Publisher(FREE)
        wait, close = publisher.publish, lambda: publisher.close(0)
    elif what == "subscriber":
        subscriber = Subscriber(["tcp://127.0.0.1:9", "tcp://127.0.0.1:10"])
        wait, close = subscriber.recv, subscriber.close
    else:
        channel = Duplex(FREE, bind=True)
        wait, close = getattr(channel, what), channel.close
    stack.callback(close)
    stack.callback(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))
    signal.signal(signal.SIGUSR1, lambda *_: close())
    main = threading.get_ident()
    tell = close if how == "thread" else lambda: signal.pthread_kill(main, signal.SIGUSR1)
    thread = threading.Timer(0.25, tell)
    thread.start()
    stack.callback(thread.join)
    with pytest.raises(ClosedError):
        wait()


def test_a_key_lets_in_and_nothing_else_does(stack: ExitStack) -> None:
    key = make_key()
    publisher, subscriber = _pair(stack, key=key)
    publisher.publish(x=1)
    assert subscriber.recv()["x"] == 1
    for other in (None, make_key()):
        stranger = stack.enter_context(Subscriber(publisher.address, key=other))
        with pytest.raises(WorkerError, match="it needs a key, or another one"):
            stranger.recv()
    for number in range(5):
        publisher.publish(x=number)
        assert subscriber.recv()["x"] == number


def test_who_knows_only_the_public_key_is_not_let_in(stack: ExitStack) -> None:
    from heliograph.publish import zeromq
    from heliograph.publish.keys import secret_of

    key = make_key()
    publisher = Publisher(FREE, key=key, timeout=2)
    stack.callback(publisher.close, 0)
    context = zmq.Context()
    stack.callback(context.destroy, 0)
    stranger = stack.enter_context(context.socket(zmq.PULL))
    stranger.curve_serverkey = zeromq._pair(secret_of(key, "server"))[0]
    stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
    stranger.connect(publisher.address)
    with pytest.raises(TimeoutError, match="no subscriber is connected, one came with another key"):
        publisher.publish(x=1)


@pytest.mark.parametrize("address", ["tcp://primaryip:0", "tcp://*:0", "tcp://0.0.0.0:0"])
def test_other_machines_need_a_key(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heliograph.publish.addresses.primary_ip", lambda: "192.0.2.7")
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(InvalidValueError, match="so it needs a key"):
        Publisher(address)
    with pytest.raises(InvalidValueError, match="so it needs a key"):
        Subscriber("tcp://192.0.2.7:5555")
    monkeypatch.setenv(VARIABLE, "nonsense")
    with pytest.raises(InvalidValueError, match="key: expected a text heliograph-key:"):
        Publisher(address)


def test_a_key_comes_from_the_environment(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key()
    monkeypatch.setenv(VARIABLE, key)
    publisher = Publisher("tcp://0.0.0.0:0", timeout=5)
    stack.callback(publisher.close, 0)
    here = publisher.address.replace("0.0.0.0", "127.0.0.1")
    subscriber = stack.enter_context(Subscriber(here, key=key))
    publisher.publish(x=1)
    assert subscriber.recv()["x"] == 1


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:5", "tcp://127.0.0.1", "tcp://h:65536", "udp://h:1", "ipc://", 5]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidValueError, match="address: expected tcp://host:port"):
        Publisher(address)


def test_an_address_in_use_is_named(stack: ExitStack, tmp_path: Path) -> None:
    for address in (FREE, f"ipc://{tmp_path}/socket"):
        publisher = Publisher(address)
        stack.callback(publisher.close, 0)
        with pytest.raises(InvalidValueError, match=f"{publisher.address}: .*another process"):
            Publisher(publisher.address)


def test_ipc(stack: ExitStack, tmp_path: Path) -> None:
    publisher = Publisher(f"ipc://{tmp_path}/socket", timeout=5)
    subscriber = stack.enter_context(Subscriber(publisher.address))
    publisher.publish(x=1)
    assert subscriber.recv()["x"] == 1
    publisher.close(0)
    with pytest.raises(InvalidValueError, match="at most 107 bytes"):
        Publisher(f"ipc:///{'x' * 200}")


def test_closed_ones_say_so(stack: ExitStack) -> None:
    publisher, subscriber = _pair(stack)
    publisher.close(0)
    subscriber.close()
    with pytest.raises(ClosedError, match="the publisher at tcp"):
        publisher.publish(x=1)
    with pytest.raises(ClosedError):
        subscriber.recv()
    assert list(subscriber) == []


def test_a_channel_goes_both_ways(stack: ExitStack) -> None:
    one = stack.enter_context(Duplex(FREE, bind=True, instance=4))
    two = stack.enter_context(Duplex(one.address, bind=False))
    assert [two.send(shape=np.array([1.0, 2.0])), two.send(more="x")] == [0, 1]
    received = one.receive()
    assert received is not None
    assert received["shape"].tolist() == [1, 2]
    assert one.recv() == {"more": "x"}
    assert one.send(answer=1) == 0
    answer = two.receive()
    assert answer is not None
    assert (answer.values, answer.instance, answer.number) == ({"answer": 1}, 4, 0)
    assert one.recv(0.05) is None
    assert two.recv(0) is None


def test_a_channel_without_another_end_says_so(stack: ExitStack) -> None:
    one = stack.enter_context(Duplex(FREE, bind=True, timeout=0.2))
    with pytest.raises(TimeoutError, match="the other end is not connected"):
        one.send(x=1)
    assert one.recv() is None
    one.close()
    with pytest.raises(ClosedError):
        one.send(x=1)


def test_what_was_sent_last_arrives(stack: ExitStack) -> None:
    one = Duplex(FREE, bind=True)
    two = stack.enter_context(Duplex(one.address, bind=False))
    one.send(big=np.zeros(1 << 20, np.uint8))
    one.close()
    got = two.recv()
    assert got is not None
    assert got["big"].size == 1 << 20


def test_who_had_room_may_be_gone_when_a_message_is_sent(stack: ExitStack) -> None:
    publisher = Publisher(FREE, timeout=20)
    stack.callback(publisher.close, 0)
    assert not publisher._link.send(pack(Message({"number": 1})))
    subscriber = stack.enter_context(Subscriber(publisher.address))
    publisher.publish(number=2)
    assert subscriber.recv(20)["number"] == 2
