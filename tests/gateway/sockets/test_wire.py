"""Reading under fire: whatever the bytes are, the answer is a message or a refusal."""

import json
from datetime import UTC, datetime
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors import messages
from actors.core.events import SEQ_MAX, Event
from gateway.sockets.strict import DEPTH_MAX, FORBIDDEN_NAMES, NamesSomebody, Refusal, map_size, read_pairs
from gateway.sockets.wire import CODECS, JSON, MSGPACK, frame, read_entry
from tests.gateway.sockets.conftest import played

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
NAMES = st.sampled_from(
    ["type", "n", "events", "items", "item", "state", "position_ms", "student", "x", "seq"]
)
FRAMES = st.dictionaries(NAMES, VALUES | st.sampled_from(["ping", "events", "pull", "presence", "hello"]))


def answered(data: bytes, codec: str = "playhead.v1") -> object:
    """What reading gives: a message, or one of the two refusals. Anything else fails the test."""
    try:
        return CODECS[codec].read(data)
    except (Refusal, NamesSomebody) as refusal:
        return refusal


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(data: bytes) -> None:
    answered(data)


@given(FRAMES)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_random_frames_are_read_or_refused_in_both_ways_of_writing(said: dict[str, Any]) -> None:
    packed = answered(msgspec.msgpack.encode(said))
    try:
        text = json.dumps(said).encode()
    except TypeError:
        return
    as_json = answered(text, "playhead.v1+json")
    assert isinstance(as_json, Exception) == isinstance(packed, Exception)
    if not isinstance(packed, Exception):
        assert as_json == packed


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(list(played(1))), VALUES), st.data())
def test_a_mutated_entry_is_an_event_a_refusal_of_its_seq_or_a_refused_frame(
    changes: dict[str, Any], data: st.DataObject
) -> None:
    entry = {**played(5), **changes}
    for missing in data.draw(st.lists(st.sampled_from(list(entry)), max_size=2)):
        entry.pop(missing, None)
    try:
        read = read_entry(msgspec.msgpack.encode(entry), 0)
    except Refusal as refusal:
        assert refusal.field.startswith("events[0]")
        seq = entry.get("seq")
        assert type(seq) is not int or not 1 <= seq <= SEQ_MAX
    else:
        assert read.seq == entry["seq"]


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(0, 255))
def test_a_good_frame_with_a_byte_changed_is_read_or_refused(at: int, byte: int) -> None:
    good = bytearray(msgspec.msgpack.encode({"type": "events", "events": [played(1), played(2)]}))
    good[at % len(good)] = byte
    answered(bytes(good))


@pytest.mark.parametrize("depth", range(1, 14))
def test_nesting_up_to_eight_is_read(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    read = answered(msgpack.packb({"type": "ping", "n": 1, "x": value}))
    assert isinstance(read, Refusal) == (depth + 1 > DEPTH_MAX)


@pytest.mark.parametrize("name", sorted(FORBIDDEN_NAMES))
@pytest.mark.parametrize("codec", list(CODECS))
def test_p25_whoever_is_named_anywhere_is_noticed(name: str, codec: str) -> None:
    pack = msgpack.packb if codec == "playhead.v1" else lambda said: json.dumps(said).encode()
    for said in (
        {"type": "pull", "items": ["a"], name: 1},
        {"type": "nonsense", name: 1},
        {name: 1},
        {"type": "events", "events": [played(1), played(2, **{name: 1})]},
        {"type": "events", "events": [{**played(1), "kind": "danced", name: 1}]},
        {"type": "events", "events": [], "context": [[{name: 1}]]},
    ):
        assert isinstance(answered(pack(said), codec), NamesSomebody), said


def test_pairs_keep_what_a_map_would_lose() -> None:
    doubled = b"\x83\xa1a\x01\xa1b\x92\x01\x02\xa1a\x03"
    assert read_pairs(doubled) == [("a", b"\x01"), ("b", b"\x92\x01\x02"), ("a", b"\x03")]
    for header in (b"\xde\x00\x02", b"\xdf\x00\x00\x00\x02"):
        assert read_pairs(header + b"\xa1a\x01\xa1b\x02") == [("a", b"\x01"), ("b", b"\x02")]
        assert map_size(header) == 2
    assert map_size(b"") == map_size(b"\x91") == -1


SAID: list[messages.ToDevice] = [
    messages.Applied(3),
    messages.Rejected(4, "beyond_end", "too far"),
    messages.Discontinuity(["a", "b"]),
    messages.Pong(1, SEQ_MAX),
    messages.Head(
        "lecture", "1", 5, 1000, 3_600_000, True, 1.25, 10, "phone", "Ein Gerät ☎", "phone", "R2", 1, 2,
        False, 900, 1000, 950, messages.Candidate(7, "tv", "TV", 9),
    ),
]  # fmt: skip


@pytest.mark.parametrize("message", SAID)
def test_both_ways_of_writing_say_the_same(message: messages.ToDevice) -> None:
    packed = msgspec.msgpack.encode(message)
    binary, text = MSGPACK.frame_of(packed), JSON.frame_of(packed)
    assert binary == MSGPACK.write(message) == frame(MSGPACK.opcode, packed)
    assert text == JSON.write(message)
    assert binary.endswith(packed) and binary[0] == 0x82 and text[0] == 0x81
    start = 2 if text[1] < 126 else 4
    assert json.loads(text[start:]) == msgpack.unpackb(packed)


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_frame_lengths_are_written_as_short_as_they_can_be(size: int) -> None:
    head = {0: 2, 125: 2, 126: 4, 65535: 4, 65536: 10}[size]
    assert len(frame(MSGPACK.opcode, b"x" * size)) == head + size


def test_an_instant_is_read_from_text_and_from_a_msgpack_timestamp() -> None:
    at = datetime(2026, 3, 2, 19, 0, tzinfo=UTC)
    for wall in ("2026-03-02T19:00:00.000Z", msgpack.Timestamp.from_datetime(at)):
        event = read_entry(msgpack.packb(played(1, wall=wall)), 0)
        assert isinstance(event, Event) and event.wall == at
