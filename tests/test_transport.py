import gc
import os
import random
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import msgspec
import numpy as np
import pytest

import heliograph as hg
from heliograph.batch import Batch
from heliograph.engines.fake import Paint
from heliograph.errors import HeliographError, WorkerError
from heliograph.frame import allocate
from heliograph.passes import DEPTH, PASSES, RGB, specs
from heliograph.scene import Edit
from heliograph.transport.channel import MAX_MESSAGE, Channel, pair
from heliograph.transport.layout import ALIGNMENT, lay_out
from heliograph.transport.messages import Done, Drop, Map, Problem, Stop, Used
from heliograph.transport.problems import pack_error, unpack_error
from heliograph.transport.slots import Region
from heliograph.transport.status import StatusPage
from heliograph.transport.tables import MOST_TABLES, HeardTables, SentTables
from heliograph.transport.values import (
    ArrayWire,
    Blobs,
    pack,
    pack_array,
    pack_camera,
    register,
    unpack,
    unpack_array,
    unpack_camera,
)
from heliograph.transport.views import pack_view, unpack_view

CAMERA = hg.Camera.look_at(
    eye=(1, 2, 3),
    target=(0, 0, 0),
    fov_y=0.8,
    width=33,
    height=21,
    name="by value",
    near=0.1,
    far=50,
)


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Texture:
    values: object
    colour: Colour


@dataclass(frozen=True)
class Cover(Edit):
    texture: Texture
    where: tuple[str, ...]


@dataclass(frozen=True)
class Unregistered:
    value: int


register(Colour, Texture)


def test_layout_is_aligned_apart_and_complete() -> None:
    cameras = [CAMERA, CAMERA.resized(7, 5).replace(name="small")]
    layout = lay_out(cameras, PASSES)
    ends = 0
    for part in layout.parts:
        assert part.offset % ALIGNMENT == 0
        assert part.offset >= ends
        ends = part.offset + int(np.prod(part.shape)) * part.dtype.itemsize
    assert layout.nbytes >= ends
    arrays = layout.arrays(bytearray(layout.nbytes))
    for camera, made in zip(cameras, arrays, strict=True):
        for name, fresh in allocate(camera, PASSES).items():
            assert made[name].shape == fresh.shape
            assert made[name].dtype == fresh.dtype


def test_layout_of_batches_stacks() -> None:
    (arrays,) = lay_out([CAMERA], specs(RGB, DEPTH), 5).arrays(bytearray(1 << 16))
    assert arrays["rgb"].shape == (5, 21, 33, 3)
    assert arrays["depth"].shape == (5, 21, 33)
    assert lay_out([CAMERA], specs(RGB), 0).nbytes == 0


def test_a_region_smaller_than_said_is_refused() -> None:
    small = Region.create(1, 4096)
    with pytest.raises(WorkerError, match="expected 8192 bytes"):
        Region.attach(1, 8192, os.dup(small.descriptor))
    small.close()


def test_memory_that_nobody_has_is_an_error() -> None:
    with pytest.raises(WorkerError, match="cannot get"):
        Region.create(1, 1 << 62)


def test_the_status_page_says_what_was_begun_what_is_urgent_and_what_nobody_waits_for() -> None:
    region = Region.create(-1, 1)
    theirs = StatusPage(Region.attach(-1, region.nbytes, os.dup(region.descriptor)))
    ours = StatusPage(region)
    assert ours.status().ticket == theirs.urgency == 0
    theirs.begin(7, 3)
    assert ours.status()[:2] == (7, 3)
    ours.urge(-5)
    assert theirs.urgency == -5
    for ticket in range(1, 1000):
        assert not theirs.cancelled(ticket)
        ours.cancel(ticket)
        assert theirs.cancelled(ticket)
    assert [ticket for ticket in range(1, 1000) if theirs.cancelled(ticket)] == list(
        range(504, 1000)
    )
    assert ours.status()[:2] == (7, 3)
    assert theirs.urgency == -5
    region.close()


def test_large_arrays_go_by_the_hash_of_their_content() -> None:
    image = np.arange(3 * 64 * 64, dtype=np.uint8).reshape(64, 64, 3)
    blobs = Blobs()
    cover = Cover(Texture(image, Colour.RED), ())
    data = pack([cover, cover, np.arange(3)], blobs=blobs)
    (digest,) = blobs
    assert len(msgspec.msgpack.encode(data)) < 600
    arrays = {key: unpack_array(wire) for key, wire in blobs.items()}
    back = unpack(data, arrays)
    assert np.array_equal(back[0].texture.values, image)
    assert back[0].texture.values is back[1].texture.values
    with pytest.raises(WorkerError, match="never came"):
        unpack(data)
    image[0, 0, 0] += 1  # an array that may change is hashed each time
    assert digest not in Blobs({Blobs().named(image): pack_array(image)})
    final = image.copy()
    final.flags.writeable = False
    assert Blobs().named(final) == Blobs().named(final) == Blobs().named(image)
    assert Blobs().named(image.astype(np.int8)) != Blobs().named(image)
    assert Blobs().named(image.reshape(-1)) != Blobs().named(image)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2.5,
        "text",
        b"bytes",
        [1, [2]],
        (1, (2,)),
        {"a": 1, 2: (3,)},
        {"array": 1},
        frozenset({1}),
        CAMERA,
        Paint("ball", (1, 0, 0)),
        hg.Box(key="box", size=[1, 2, 3]) if "size" in hg.Box.SPEC else hg.Box(key="box"),
        hg.Scene(hg.Group(hg.Sphere(key="s"), key="g")),
        hg.Remove("box"),
        hg.Set(hg.Scene(hg.Sphere(key="s"))),
        Cover(Texture(1.5, Colour.RED), ("a", "b")),
    ],
)
def test_values_come_back_equal(value: object) -> None:
    data = msgspec.msgpack.decode(msgspec.msgpack.encode(pack(value)))
    back = unpack(data)
    assert back == value
    assert type(back) is type(value)


def test_arrays_come_back_bit_identical() -> None:
    rng = np.random.default_rng(0)
    arrays = (
        rng.normal(size=(3, 4)),
        np.arange(6, dtype=">i2").reshape(2, 3)[:, ::2],
        np.zeros((0, 3), np.uint8),
        np.array(True),
        np.float32(3.5),
    )
    for array in arrays:
        back = unpack_array(pack_array(np.asarray(array)))
        assert np.array_equal(back, array)
        assert not back.flags.writeable
    cover = Cover(Texture(arrays[0], Colour.RED), ())
    assert np.array_equal(unpack(pack(cover)).texture.values, arrays[0])
    assert unpack(pack(np.int64(3))) == 3
    assert unpack(pack(np.array(["a", "b"]))).tolist() == ["a", "b"]


def test_what_cannot_travel_is_named() -> None:
    with pytest.raises(hg.InvalidValueError, match=r"options\['x'\]\.values.*a builtins\.obj"):
        pack({"x": [1, Texture(object(), Colour.RED)]}, "options")
    with pytest.raises(hg.InvalidValueError, match="Unregistered does not travel"):
        pack(Unregistered(1))
    with pytest.raises(hg.InvalidValueError, match=r"dtype|object"):
        pack(np.array([object()]))
    nested: list[object] = []
    for _ in range(500):
        nested = [nested]
    with pytest.raises(hg.InvalidValueError, match="nested"):
        pack(nested)


@pytest.mark.parametrize(
    "data",
    [
        {"object": ["os.system", {"command": "true"}]},
        {"object": ["builtins.eval", {}]},
        {"enum": ["nope", 1]},
        {"nonsense": 1},
        {"a": 1, "b": 2},
        {},
        {"array": ["O", [1], b"12345678"]},
        {"array": ["<f8", [3], b"123"]},
        {"array": 5},
        {"camera": ["x"]},
        {"dict": [[1]]},
        {"component": {"dict": [["tag", "Nothing"]]}},
        {"object": ["heliograph.engines.fake.Paint", {"nope": 1}]},
    ],
)
def test_wrong_data_make_nothing(data: object) -> None:
    with pytest.raises(HeliographError):
        unpack(data)


def test_cameras_come_back_equal() -> None:
    for camera in (CAMERA, hg.Camera.orthographic(extent_y=2, width=3, height=4)):
        assert unpack_camera(pack_camera(camera)) == camera
    assert unpack_camera(pack_camera(CAMERA)).world_from_camera.flags.writeable is False
    odd = msgspec.structs.replace(pack_camera(CAMERA), projection="fish")
    with pytest.raises(WorkerError, match="fish"):
        unpack_camera(odd)


def test_views_come_back() -> None:
    known = {"known": CAMERA.replace(name="known")}
    view = hg.View(
        cameras=("front", CAMERA, known["known"]),
        passes=("depth", "rgb"),
        state={"qpos": [1.0, 2.0], "steps": 3},
        edits=(Paint("ball", (1, 0, 0)), hg.Remove("x")),
        seed=2**63 - 1,
        index=5,
    )
    wire = pack_view(view, known)[0]
    wire = msgspec.msgpack.decode(msgspec.msgpack.encode(wire), type=type(wire))
    back = unpack_view(wire)
    assert back.cameras == ("front", CAMERA, "known")
    assert (back.passes, back.edits, back.seed, back.index) == (
        view.passes,
        view.edits,
        view.seed,
        view.index,
    )
    assert back.state.keys() == view.state.keys()
    assert all(np.array_equal(back.state[key], view.state[key]) for key in view.state)


def test_errors_come_back() -> None:
    error = hg.UnknownNameError("unknown", index=3, seed=4, repro="do")
    back = unpack_error(pack_error(error))
    assert type(back) is hg.UnknownNameError
    assert str(back) == str(error)
    assert type(unpack_error(pack_error(KeyError("x")))) is hg.EngineError
    assert type(unpack_error(Problem("SystemExit", "x"))) is hg.EngineError


def channels() -> tuple[Channel, Channel]:
    one, other = pair()
    one.setblocking(False)
    other.setblocking(False)
    return Channel(one), Channel(other)


def test_messages_and_descriptors_travel_together() -> None:
    here, there = channels()
    region = Region.create(3, 4096)
    region.memory[0] = 9
    here.put(Map(3, 4096), region.descriptor)
    here.put(Drop(4))
    here.put(Done(5, Used([None])))
    assert here.flush()
    messages = there.receive() or []
    assert [type(each).__name__ for each in messages] == ["Map", "Drop", "Done"]
    other = Region.attach(3, 4096, there.descriptors.popleft())
    assert other.memory[0] == 9
    region.close()
    here.close()
    assert there.receive() is None
    there.close()


def test_many_descriptors_all_arrive_with_their_messages() -> None:
    here, there = channels()
    region = Region.create(0, 4096)
    for i in range(300):
        here.put(Map(i, 4096), region.descriptor)
    got: list[object] = []
    while len(got) < 300:
        here.flush()
        got += there.receive() or []
        assert len(there.descriptors) >= len(got)
    region.close()
    here.close()
    there.close()


def test_large_messages_go_piecemeal() -> None:
    here, there = channels()
    data = bytes(5_000_000)
    here.put(Done(1, Used([data])))
    got: list[object] = []
    while not got:
        here.flush()
        got = there.receive() or []
    assert got == [Done(1, Used([data]))]
    here.close()
    there.close()


def refused(channel: Channel) -> None:
    """Nothing but our own error may come of receiving."""
    with suppress(WorkerError):
        channel.receive()


def test_garbage_is_an_error_and_never_a_crash() -> None:
    rng = random.Random(0)
    for _ in range(300):
        ours, theirs = pair()
        ours.setblocking(False)
        channel = Channel(ours)
        size = rng.randrange(1, 40)
        junk = rng.randbytes(size)
        if rng.random() < 0.7:
            junk = size.to_bytes(4, "little") + junk
        theirs.send(junk)
        refused(channel)
        theirs.close()
        channel.close()


def test_messages_with_broken_bytes_are_errors() -> None:
    good = msgspec.msgpack.encode(Done(5, Used([None], table={1: hg.Label("a", "b")})))
    for at in range(len(good)):
        for value in (0, 0x7F, 0xC1, 0xFF, 0x9F):
            bad = good[:at] + bytes([value]) + good[at + 1 :]
            ours, theirs = pair()
            ours.setblocking(False)
            channel = Channel(ours)
            theirs.send(len(bad).to_bytes(4, "little") + bad)
            refused(channel)
            theirs.close()
            channel.close()


def test_oversize_is_refused_before_anything_is_allocated() -> None:
    ours, theirs = pair()
    channel = Channel(ours)
    theirs.send((MAX_MESSAGE + 1).to_bytes(4, "little"))
    with pytest.raises(WorkerError, match="a length of"):
        channel.receive()
    channel.close()
    theirs.close()


def test_what_does_not_travel_leaves_the_channel_as_it_was() -> None:
    here, there = channels()
    with pytest.raises(WorkerError, match="does not travel"):
        here.put(Done(2**70, Used([])))
    here.send([Stop()])
    assert there.receive() == [Stop()]
    here.close()
    there.close()


def test_descriptors_nobody_took_are_closed() -> None:
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    here, there = channels()
    region = Region.create(0, 4096)
    here.put(Map(0, 4096), region.descriptor)
    here.put(Map(1, 4096), region.descriptor)
    here.flush()
    there.receive()
    here.put(Map(2, 4096), region.descriptor)
    for each in (here, there, region):
        each.close()
    del region, each
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_arrays_of_strange_dtypes_are_refused() -> None:
    for dtype in ("O", "V8", "<M8", "x" * 100, ""):
        with pytest.raises(WorkerError):
            unpack_array(ArrayWire(dtype, (1,), b"12345678"))


def test_paths_travel_as_text(tmp_path: Path) -> None:
    assert unpack(pack(tmp_path)) == str(tmp_path)


def test_batches_need_no_pool() -> None:
    batch = Batch.of({"seeds": [1, 2]})
    assert len(batch) == 2


def test_a_descriptor_that_cannot_be_passed_leaves_the_channel_as_it_was() -> None:
    here, there = channels()
    with pytest.raises(OSError, match="Bad file descriptor"):
        here.put(Map(3, 4096), 1 << 20)
    assert not here.pending
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(WorkerError, match="does not travel"):
        here.put(Done(2**70, Used([])), here.fileno())
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    here.send([Stop()])
    assert there.receive() == [Stop()]
    assert not there.descriptors
    here.close()
    there.close()


def test_both_sides_keep_the_same_tables_and_no_more() -> None:
    rng = random.Random(0)
    own = {0: hg.Label("own", "")}
    sent, heard = SentTables(own), HeardTables()
    heard.own(own)
    for step in range(2000):
        newest = step // 4
        labels = {1: hg.Label(str(rng.randint(max(0, newest - 100), newest)), "")}
        number, table = sent.number(rng.choice([labels, labels, own]))
        got = heard.hear(number, table)
        assert got == (own if number == 0 else labels)
        assert len(heard) <= MOST_TABLES + 1
    assert len(sent._tables) == len(heard) == MOST_TABLES + 1
    assert heard.hear(10**6, None) is None
