"""Recorded streams: whatever kills the writer, all messages before are readable."""

import os
import pickle
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heliograph.cli.stream import stream
from heliograph.errors import ClosedError, InvalidValueError, RecordError
from heliograph.publish.btr import convert_btr
from heliograph.publish.framing import Message
from heliograph.publish.recording import MAGIC, StreamReader, StreamWriter


def _message(number: int) -> Message:
    values = {
        "number": number,
        "image": np.full((40, 40, 3), number % 256, np.uint8),
        "xy": np.full((number % 3, 2), float(number)),
    }
    return Message(values, instance=2, number=number, seed=7, index=number * 4)


def _write(path: Path, count: int, start: int = 0, **options: Any) -> None:
    with StreamWriter(path, **options) as writer:
        for number in range(start, start + count):
            writer.write(_message(number))


def _numbers(path: Path) -> list[int]:
    with StreamReader(path) as reader:
        for number, message in enumerate(reader):
            assert message["image"].tobytes() == _message(number)["image"].tobytes()
            assert (message.instance, message.seed, message.index) == (2, 7, number * 4)
        return [message["number"] for message in reader]


def test_messages_are_read_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.stream"
    _write(path, 20)
    with StreamReader(path) as reader:
        assert len(reader) == 20
        for place in (7, 0, 19, 3):
            assert reader[place]["number"] == place
        assert reader[-1]["number"] == 19
        assert [each["number"] for each in reader[2:9:3]] == [2, 5, 8]
        assert reader[4]["xy"].shape == (1, 2)
        reader[4]["image"][:] = 0
        assert reader[4]["image"].all()
        with pytest.raises(IndexError):
            reader[20]
        copied = pickle.loads(pickle.dumps(reader))
        assert copied[5]["number"] == 5
        copied.close()
    with pytest.raises(ClosedError):
        reader[0]


def test_every_length_of_a_cut_file_keeps_the_messages_before(tmp_path: Path) -> None:
    path, cut = tmp_path / "a", tmp_path / "b"
    ends = [len(MAGIC)]
    with StreamWriter(path) as writer:
        for number in range(3):
            writer.write(Message({"number": number, "text": "x" * 20}))
            ends.append(path.stat().st_size)
    data = path.read_bytes()
    for length in range(len(MAGIC), len(data) + 1):
        cut.write_bytes(data[:length])
        whole = sum(end <= length for end in ends) - 1
        with StreamReader(cut) as reader:
            assert [each["number"] for each in reader] == list(range(whole))
            assert reader.cut == length - ends[whole]
        with StreamWriter(cut, append=True) as writer:
            assert len(writer) == whole
            assert writer.cut == length - ends[whole]
            writer.write(Message({"number": 9}))
        with StreamReader(cut) as reader:
            assert [each["number"] for each in reader] == [*range(whole), 9]
            assert reader.cut == 0
        cut.unlink()


def test_a_beginning_that_was_cut_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for length in range(len(MAGIC)):
        path.write_bytes(MAGIC[:length])
        _write(path, 2, append=True)
        assert _numbers(path) == [0, 1]


def test_kill_9(tmp_path: Path) -> None:
    program = (
        "import sys, numpy\n"
        "from heliograph.publish.recording import StreamWriter\n"
        "from heliograph.publish.framing import Message\n"
        "writer = StreamWriter(sys.argv[1], append=True)\n"
        "number = len(writer)\n"
        "while True:\n"
        "    image = numpy.full((40, 40, 3), number % 256, numpy.uint8)\n"
        "    values = {'number': number, 'image': image}\n"
        "    writer.write(Message(values, 2, number, 7, number * 4))\n"
        "    number += 1; print(number, flush=True)\n"
    )
    path, told = tmp_path / "a", 0
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(random.randint(20, 60)):
                told = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
        numbers = _numbers(path)
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= told


def test_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a"
    _write(path, 3)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    with StreamReader(path) as reader:
        assert len(reader) == 3
        with pytest.raises(RecordError, match=r"a damaged message at 20 .*CRC-32"):
            reader[0]
        assert reader[1]["number"] == 1
    data[-1] ^= 1
    path.write_bytes(data)
    with StreamReader(path) as reader:
        assert len(reader) == 2


@pytest.mark.parametrize("place", [0, 10, 18])
def test_whole_messages_behind_damage_are_not_removed(tmp_path: Path, place: int) -> None:
    path = tmp_path / "a"
    starts = []
    with StreamWriter(path) as writer:
        for number in range(20):
            starts.append(path.stat().st_size)
            writer.write(Message({"number": number, "x": b"HGm1" * number, "y": b"x" * 300_000}))
    data = bytearray(path.read_bytes())
    data[starts[place] + 5] ^= 1
    path.write_bytes(data)
    says = f"damaged at {starts[place]}, and whole messages follow at {starts[place + 1]}"
    with pytest.raises(RecordError, match=says):
        StreamWriter(path, append=True)
    assert path.read_bytes() == data
    with StreamReader(path) as reader:
        assert len(reader) == place


def test_a_stream_inside_of_an_unfinished_message_is_none_of_its_messages(tmp_path: Path) -> None:
    _write(tmp_path / "inner", 3)
    path = tmp_path / "a"
    _write(path, 2)
    with StreamWriter(path, append=True) as writer:
        writer.write(Message({"file": (tmp_path / "inner").read_bytes()}))
    os.truncate(path, path.stat().st_size - 1)
    _write(path, 1, 2, append=True)
    assert _numbers(path) == [0, 1, 2]


def test_what_is_no_stream(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(RecordError, match="no such file"):
        StreamReader(path)
    path.write_bytes(b"something else, and longer than a beginning")
    for make in (StreamReader, lambda each: StreamWriter(each, append=True)):
        with pytest.raises(RecordError, match="expected a stream as StreamWriter writes it"):
            make(path)
    with pytest.raises(RecordError, match="expected no such file, it holds 43 bytes"):
        StreamWriter(path)
    assert path.read_bytes().startswith(b"something else")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(RecordError, match="FIFO"):
        StreamReader(tmp_path / "fifo")


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with (
        StreamWriter(tmp_path / "a"),
        pytest.raises(RecordError, match="another writer has it"),
    ):
        StreamWriter(tmp_path / "a", append=True)


def test_what_cannot_be_kept_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    with StreamWriter(tmp_path / "a") as writer:
        writer.write(_message(0))
        with pytest.raises(InvalidValueError, match=r"\['x'\]"):
            writer.write(Message({"x": object()}))
        writer.write(_message(1))
    assert _numbers(tmp_path / "a") == [0, 1]


def test_it_needs_neither_zmq_nor_torch(tmp_path: Path) -> None:
    _write(tmp_path / "a", 2)
    program = (
        "import sys\n"
        "for name in ('zmq', 'torch', 'bpy'): sys.modules[name] = None\n"
        "from heliograph.publish import StreamReader\n"
        "print(len(StreamReader(sys.argv[1])), StreamReader(sys.argv[1])[1]['number'])"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "a")]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"2 1\n"


class Evil:
    """What a pickle can do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def _btr(path: Path, messages: list[Any], *, closed: bool = True, raw: bool = False) -> None:
    """A file laid out as blendtorch's recorder does."""
    with path.open("wb") as file:
        pickler = pickle.Pickler(file, protocol=3)
        offsets = np.full(100, -1, np.int64)
        pickler.dump(offsets)
        for number, each in enumerate(messages):
            offsets[number] = file.tell()
            if raw:
                file.write(pickle.dumps(each))
            else:
                pickler.dump(each)
        if closed:
            file.seek(0)
            pickle.Pickler(file, protocol=3).dump(offsets)


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("raw", [True, False])
def test_recordings_of_blendtorch(tmp_path: Path, closed: bool, raw: bool) -> None:
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    told = [{"btid": each, "image": image + each, "xy": [(1.5, each)]} for each in range(5)]
    _btr(tmp_path / "a.btr", told, closed=closed, raw=raw)
    assert convert_btr(tmp_path / "a.btr", tmp_path / "out", trust=True) == 5
    with StreamReader(tmp_path / "out") as reader:
        for place, message in enumerate(reader):
            assert (message.instance, message.number, message["btid"]) == (place, place, place)
            np.testing.assert_array_equal(message["image"], image + place)
            assert message["xy"] == [(1.5, place)]


def test_a_pickle_is_not_read_unless_it_is_trusted(tmp_path: Path) -> None:
    _btr(tmp_path / "a.btr", [Evil(tmp_path / "harm")])
    with pytest.raises(InvalidValueError, match=r"can run any code.*--trust"):
        convert_btr(tmp_path / "a.btr", tmp_path / "out")
    assert not (tmp_path / "harm").exists()
    assert not (tmp_path / "out").exists()


def test_what_is_no_btr(tmp_path: Path) -> None:
    path = tmp_path / "a.btr"
    for number, data in enumerate((b"", b"garbage", pickle.dumps({"a": 1}), pickle.dumps([1.5]))):
        path.write_bytes(data)
        with pytest.raises(RecordError, match=r"expected a \.btr file"):
            convert_btr(path, tmp_path / f"out{number}", trust=True)
    _btr(path, [{"x": object()}])
    with pytest.raises(InvalidValueError, match=r"a\.btr, message 0: \['x'\]"):
        convert_btr(path, tmp_path / "out", trust=True)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _btr(tmp_path / "a.btr", [{"image": np.zeros((4, 4, 3), np.uint8), "n": 1}] * 2)
    with pytest.raises(InvalidValueError, match="--trust"):
        stream("convert", tmp_path / "a.btr", tmp_path / "out")
    assert stream("convert", tmp_path / "a.btr", tmp_path / "out", trust=True) == 0
    assert stream("show", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert f"{tmp_path}/out: 2 messages" in said
    assert "image: uint8 (4, 4, 3)" in said
    with pytest.raises(InvalidValueError, match="expected the file to write"):
        stream("convert", tmp_path / "a.btr")
