"""Bodies that a careless parser would take: each is refused with a code and a field, three times at most."""

import json
from typing import Any

import msgpack
import pytest

from tests.gateway.sockets.conftest import Gateway, events, played
from tests.gateway.sockets.raw import BINARY, JSON, TEXT, V1, Raw, frame

PING = '{"type":"ping","n":1,"x":%s}'
NESTED = "[" * 20_000


async def three_strikes(raw: Raw, data: bytes) -> dict[str, Any]:
    """Send it three times: two errors that count down, a third, then 4502. Gives the first error."""
    raw.write(data * 3)
    errors = [await raw.message() for _ in range(3)]
    assert [error["type"] for error in errors] == ["error"] * 3
    assert [error["strikes_left"] for error in errors] == [2, 1, 0]
    closed = await raw.closed()
    assert (closed.code, closed.reason) == (4502, {"code": "bad_message"})
    await raw.leave()
    return errors[0]


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("nope", "malformed", ""),
        ("", "malformed", ""),
        ("3", "malformed", ""),
        (NESTED[:8000], "malformed", ""),
        (PING % ("[" * 9 + "]" * 9), "too_deep", "x[0][0][0][0][0][0][0]"),
        ('{"type":"ping","n":1,"n":2}', "duplicate_key", ""),
        (PING % '{"a":1,"a":2}', "duplicate_key", ""),
        (PING % "NaN", "not_finite", ""),
        (PING % "-Infinity", "not_finite", ""),
        (PING % "1e999", "not_finite", ""),
        (PING % ("1" * 4301), "malformed", ""),
        (PING % ("1" * 30), "too_large", ""),
        (PING % str(2**53), "too_large", "x"),
        (PING % r'"\u0000"', "control_character", "x"),
        (PING % r'"\ud800"', "malformed", ""),
        (r'{"type":"ping","n":1,"\u0007":1}', "control_character", "\x07"),
        (r'{"type":"pull","items":["a\u0000"]}', "malformed", "items[0]"),
    ],
)
async def test_w15_json_a_careless_parser_takes(gateway: Gateway, text: str, code: str, field: str) -> None:
    raw = await gateway.join("mira", "phone", JSON)
    error = await three_strikes(raw, frame(TEXT, text.encode()))
    assert (error["code"], error["field"]) == (code, field)


PACKED = b"\x83\xa4type\xa4ping\xa1n\x01\xa1x"


@pytest.mark.parametrize(
    ("data", "code", "field"),
    [
        (b"", "malformed", ""),
        (b"\xc1", "malformed", ""),
        (b"\x80", "malformed", "type"),
        (PACKED + b"\x91" * 15_000 + b"\xc0", "too_deep", ""),
        (PACKED + b"\x91" * 9 + b"\xc0", "too_deep", "x[0][0][0][0][0][0][0]"),
        (b"\x83\xa4type\xa4ping\xa1n\x01\xa1n\x02", "duplicate_key", ""),
        (PACKED + b"\x82\xa1a\x01\xa1a\x02", "duplicate_key", "x"),
        (PACKED + b"\xcb\x7f\xf8\0\0\0\0\0\0", "not_finite", "x"),
        (PACKED + b"\xca\x7f\x80\0\0", "not_finite", "x"),
        (PACKED + b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "too_large", "x"),
        (PACKED + b"\xa1\x00", "control_character", "x"),
        (PACKED + b"\xa3\xed\xa0\x80", "malformed", "x"),
        (PACKED + b"\xd4\x05\x00", "malformed", "x"),
        (b"\x83\xa4type\xa4ping\xa1n\x01\x05\x01", "malformed", ""),
        (b"\xdf\xff\xff\xff\xff\xa4type", "malformed", ""),
        (b"\x82\xa4type\xa6events\xa6events\xdd\xff\xff\xff\xff", "malformed", "events"),
        (msgpack.packb({"type": "ping", "n": 1}) + b"\x00", "malformed", ""),
    ],
)
async def test_w15_msgpack_a_careless_parser_takes(
    gateway: Gateway, data: bytes, code: str, field: str
) -> None:
    raw = await gateway.join("mira", "phone", V1)
    error = await three_strikes(raw, frame(BINARY, data))
    assert (error["code"], error["field"]) == (code, field)


@pytest.mark.parametrize(("protocol", "opcode"), [(JSON, BINARY), (V1, TEXT)])
async def test_w15_the_other_kind_of_frame_is_refused(gateway: Gateway, protocol: str, opcode: int) -> None:
    raw = await gateway.join("mira", "phone", protocol)
    body = json.dumps({"type": "ping", "n": 1}).encode()
    assert (await three_strikes(raw, frame(opcode, body)))["code"] == "wrong_frame"


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"type": "launch", "n": 1}, "unknown_type", "type"),
        ({"type": "welcome"}, "unknown_type", "type"),
        ({"n": 1}, "malformed", "type"),
        ({"type": 5, "n": 1}, "malformed", "type"),
        ({"type": "ping"}, "malformed", "n"),
        ({"type": "ping", "n": True}, "malformed", "n"),
        ({"type": "ping", "n": "1"}, "malformed", "n"),
        ({"type": "ping", "n": 1.5}, "malformed", "n"),
        ({"type": "ping", "n": -1}, "malformed", "n"),
        ({"type": "ping", "n": 2**53}, "malformed", "n"),
        ({"type": "pull", "items": "lecture"}, "malformed", "items"),
        ({"type": "pull", "items": ["x"] * 65}, "malformed", "items"),
        ({"type": "pull", "items": [""]}, "malformed", "items[0]"),
        ({"type": "presence", "item": "lecture", "state": "dancing", "position_ms": 1}, "malformed", "state"),
        (
            {"type": "presence", "item": "lecture", "state": "idle", "position_ms": -1},
            "malformed",
            "position_ms",
        ),
        ({"type": "events", "events": [1] * 501}, "malformed", "events"),
        ({"type": "events", "events": [7]}, "malformed", "events[0]"),
    ],
)
async def test_w16_wrong_shapes_are_refused_with_their_field(
    gateway: Gateway, said: dict[str, Any], code: str, field: str
) -> None:
    for protocol, data in (
        (V1, frame(BINARY, msgpack.packb(said))),
        (JSON, frame(TEXT, json.dumps(said).encode())),
    ):
        raw = await gateway.join("mira", "phone", protocol)
        error = await three_strikes(raw, data)
        assert (error["code"], error["field"]) == (code, field)


@pytest.mark.parametrize("protocol", [V1, JSON])
async def test_w16_unknown_optional_fields_are_ignored(gateway: Gateway, protocol: str) -> None:
    raw = await gateway.join("mira", "phone", protocol)
    raw.say({"type": "ping", "n": 1, "future": {"flags": [1, None, {"a": "b"}]}})
    assert (await raw.message())["type"] == "pong"
    raw.say({**events(played(1, future=[1.5, {"deep": True}])), "hint": "x"})
    assert (await raw.message("applied"))["seq"] == 1
    await raw.leave()


@pytest.mark.parametrize("protocol", [V1, JSON])
@pytest.mark.parametrize(
    "spoiled",
    [
        played(2, position_ms=True),
        played(2, rate="fast"),
        played(2, kind="danced"),
        played(2, wall="2026-03-02T19:00:00"),
        played(2, item="a\x00b"),
        played(2, item="x" * 65),
        played(2, base_rev=-1),
        played(2, from_ms=5, to_ms=4),
        played(2, to_ms=2**31),
        played(2, future=[[[[[[[[[1]]]]]]]]]),
        {"seq": 2},
    ],
)
async def test_p23_one_bad_entry_is_rejected_and_spoils_no_other(
    gateway: Gateway, protocol: str, spoiled: dict[str, Any]
) -> None:
    raw = await gateway.join("mira", "phone", protocol)
    raw.say(events(played(1), spoiled, played(3)))
    rejected = await raw.message("rejected")
    assert (rejected["seq"], rejected["code"]) == (2, "malformed")
    assert (await raw.message("applied"))["seq"] == 3
    await raw.leave()


async def test_p23_a_repeated_key_spoils_its_entry_only(gateway: Gateway) -> None:
    entry = msgpack.packb(played(1))
    doubled = bytes((entry[0] + 1,)) + entry[1:] + b"\xa4item" + msgpack.packb("item-1")
    raw = await gateway.join()
    raw.write(frame(BINARY, b"\x82\xa4type\xa6events\xa6events\x91" + doubled))
    rejected = await raw.message("rejected")
    assert (rejected["seq"], rejected["code"]) == (1, "malformed")
    await raw.leave()


async def test_p23_two_seqs_in_one_entry_are_none(gateway: Gateway) -> None:
    entry = msgpack.packb(played(1))
    doubled = bytes((entry[0] + 1,)) + entry[1:] + b"\xa3seq\x02"
    raw = await gateway.join()
    error = await three_strikes(raw, frame(BINARY, b"\x82\xa4type\xa6events\xa6events\x91" + doubled))
    assert (error["code"], error["field"]) == ("duplicate_key", "events[0]")


@pytest.mark.parametrize("seq", [0, -1, 2**53, 2**63, 2**64 - 1, -(2**63)])
async def test_w17_a_seq_out_of_range_is_a_refused_frame(gateway: Gateway, seq: int) -> None:
    for protocol, pack in ((V1, msgpack.packb), (JSON, lambda said: json.dumps(said).encode())):
        raw = await gateway.join("mira", "phone", protocol)
        error = await three_strikes(raw, frame(BINARY if protocol == V1 else TEXT, pack(events(played(seq)))))
        assert (error["code"], error["field"]) == ("seq_range", "events[0].seq")


@pytest.mark.parametrize("seq", [True, "1", 1.5, None])
async def test_w17_a_seq_that_is_none_is_a_refused_frame(gateway: Gateway, seq: object) -> None:
    raw = await gateway.join()
    data = frame(BINARY, msgpack.packb(events({**played(1), "seq": seq})))
    assert (await three_strikes(raw, data))["field"] == "events[0].seq"


async def test_w17_repeats_and_decreasing_seqs_are_acknowledged_again(gateway: Gateway) -> None:
    raw = await gateway.join()
    raw.say(events(played(1), played(2), played(3)))
    assert (await raw.message("applied"))["seq"] == 3
    for entries in ((played(3), played(2), played(1)), (played(2),), (played(1), played(1))):
        raw.say(events(*entries))
        assert (await raw.message("applied"))["seq"] == 3
    await raw.leave()


async def test_w17_a_gap_is_answered_by_resync(gateway: Gateway) -> None:
    raw = await gateway.join()
    raw.say(events(played(1), played(3)))
    assert (await raw.message("applied"))["seq"] == 1
    resync = await raw.message("resync")
    assert (resync["from_seq"], resync["reason"]) == (2, "gap")
    raw.say(events(played(2)))
    assert (await raw.message("applied"))["seq"] == 3
    await raw.leave()
