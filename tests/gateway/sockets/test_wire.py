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
from gateway.sockets.wire import CODECS, JSON, MSGPACK, Chunk, frame, is_usual, read_entry
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
FRAMES = st.dictionaries(
    NAMES, VALUES | st.sampled_from(["ping", "events", "pull", "presence", "media", "hello"])
)


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


USUAL: dict[str, dict[str, Any]] = {
    "opened": {"intent": "bookmark", "position_ms": 7},
    "play": {"position_ms": 0, "rate": 1.5, "by": "auto"},
    "played": {"from_ms": 0, "to_ms": 10_000, "rate": 1},
    "paused": {"position_ms": 10_000},
    "ended": {"position_ms": 10_000},
    "sought": {"position_ms": 2**31 - 1},
    "chosen": {"position_ms": 5},
    "undone": {},
    "reset": {},
    "closed": {},
}
PLACES = ("from_ms", "to_ms", "rate")


def usual(kind: str, **more: Any) -> dict[str, Any]:
    """An event as clients say it."""
    plain = {name: value for name, value in played(3).items() if name not in PLACES}
    return {**plain, "kind": kind, **USUAL[kind], **more}


@pytest.mark.parametrize("kind", USUAL)
def test_an_event_said_in_the_usual_way_is_read_the_short_way(kind: str) -> None:
    packed = msgpack.packb(usual(kind))
    assert is_usual(packed) and isinstance(read_entry(packed, 0), Event)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from(sorted(USUAL)),
    st.dictionaries(st.sampled_from([*played(1), "position_ms", "intent", "by", "done", "x"]), VALUES),
    st.lists(st.sampled_from([*played(1), "position_ms"]), max_size=2),
)
def test_the_short_way_takes_nothing_that_the_strict_way_refuses(
    kind: str, changes: dict[str, Any], missing: list[str]
) -> None:
    entry = {**usual(kind), **changes}
    for name in missing:
        entry.pop(name, None)
    packed = msgspec.msgpack.encode(entry)
    if is_usual(packed):
        assert isinstance(read_entry(packed, 0), Event), entry


@pytest.mark.parametrize(
    "spoiled",
    [
        usual("played", from_ms=10_000, to_ms=9_999),
        usual("paused", position_ms=None),
        usual("sought", position_ms=-1),
        usual("played", session="a\x00"),
        usual("played", item="\u202e"),
        usual("played", boot=""),
        usual("played", version="x" * 65),
        usual("played", seq=0),
        usual("played", seq=2**53),
        usual("played", rate=float("nan")),
        usual("played", rate=17),
        usual("played", wall="2026-03-02T19:00:00"),
        usual("played", wall="0001-01-01T00:00:00Z"),
        usual("played", student="mira"),
        {**usual("reset"), "kind": "marked"},
        {**usual("reset"), "kind": "danced"},
    ],
)
def test_what_is_wrong_is_left_to_the_strict_way(spoiled: dict[str, Any]) -> None:
    assert not is_usual(msgspec.msgpack.encode(spoiled))


def test_a_key_that_stands_twice_is_not_usual() -> None:
    packed = msgpack.packb(usual("played"))
    twice = bytes((packed[0] + 1,)) + packed[1:] + msgpack.packb("seq") + b"\x03"
    assert is_usual(packed) and not is_usual(twice)
    said = msgpack.packb({"type": "events"})[1:] + msgpack.packb("events") + b"\x91" + twice
    with pytest.raises(Refusal, match="twice"):
        MSGPACK.read(b"\x82" + said)


def test_a_chunk_forwards_the_very_bytes_that_were_sent() -> None:
    unknown = played(2, note={"a": [1]})
    entries = [msgpack.packb(played(1)), msgpack.packb(unknown), msgpack.packb(played(3, kind="danced"))]
    said = msgpack.packb({"type": "events"})[1:] + msgpack.packb("events") + b"\x93" + b"".join(entries)
    read = MSGPACK.read(b"\x82" + said)
    assert isinstance(read, Chunk)
    assert [bytes(raw) for raw in read.events] == entries[:2]
    assert [(refused.seq, refused.code) for refused in read.refused] == [(3, "malformed")]


@pytest.mark.parametrize("codec", list(CODECS))
@pytest.mark.parametrize("seq", [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, SEQ_MAX])
def test_acknowledgements_are_written_as_every_message(codec: str, seq: int) -> None:
    ours = CODECS[codec]
    assert ours.applied(seq) == ours.write(messages.Applied(seq))
    assert ours.durable(seq) == ours.write(messages.Durable(seq))


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
        {"type": "events", "events": [played(1), {**played(2), name: 1}]},
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
