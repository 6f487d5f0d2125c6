"""Frames against RFC 6455, and frames that obey it to do harm."""

import asyncio
import json
import random

import msgpack
import pytest

from tests.gateway.sockets.conftest import Gateway, events, played
from tests.gateway.sockets.raw import BINARY, CLOSE, JSON, PING, TEXT, Raw, frame, request


@pytest.mark.parametrize(
    "data",
    [
        frame(BINARY, b"x", masked=False),
        frame(BINARY, b"x", rsv=4),
        frame(BINARY, b"x", rsv=2),
        frame(BINARY, b"x", rsv=1),
        *(frame(opcode, b"x") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        frame(0, b"x"),
        frame(BINARY, b"x", fin=False) + frame(BINARY, b"y"),
        frame(PING, b"x", fin=False),
        frame(PING, b"x" * 126),
        frame(CLOSE, b"x" * 126),
        frame(CLOSE, b"\x03"),
        frame(CLOSE, (999).to_bytes(2, "big")),
        frame(CLOSE, (1005).to_bytes(2, "big")),
        frame(CLOSE, (2999).to_bytes(2, "big")),
    ],
)
async def test_w8_broken_framing_is_closed_with_1002(gateway: Gateway, data: bytes) -> None:
    raw = await gateway.join()
    raw.write(data)
    assert (await raw.closed()).code == 1002
    await raw.ended()
    await raw.leave()
    await gateway.settled(lambda: gateway.server.connections == 0)


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"\xff\xfe"),
        frame(TEXT, b'{"type":"ping","n":1,"x":"\xed\xa0\x80"}'),
        frame(TEXT, b"\xce\xba\xe1", fin=False) + frame(0, b"\xbd", fin=False) + frame(0, b"\xb9\xcf\xff"),
        frame(CLOSE, b"\x03\xe8\xff"),
    ],
)
async def test_w9_text_that_is_not_utf8_is_closed_with_1007(gateway: Gateway, data: bytes) -> None:
    for protocol in (JSON, "playhead.v1"):
        raw = await gateway.join("mira", "phone", protocol)
        raw.write(data)
        assert (await raw.closed()).code == 1007
        await raw.leave()


async def test_w9_a_character_split_over_fragments_is_whole(gateway: Gateway) -> None:
    raw = await gateway.join("mira", "phone", JSON)
    text = '{"type":"ping","n":1,"note":"é"}'.encode()
    cut = text.index(b"\xc3") + 1
    raw.write(frame(TEXT, text[:cut], fin=False) + frame(PING) + frame(0, text[cut:]))
    assert (await raw.message("pong"))["n"] == 1
    await raw.leave()


@pytest.mark.parametrize(
    "data",
    [
        frame(BINARY, b"x" * (16 * 1024 + 1)),
        frame(BINARY, b"", length=16 * 1024 + 1),
        frame(BINARY, b"", length=2**62),
        frame(BINARY, b"", length=2**63 + 5),
        frame(BINARY, b"x" * 10_000, fin=False) + frame(0, b"x" * 7_000),
    ],
)
async def test_w10_a_message_too_large_is_closed_with_1009(gateway: Gateway, data: bytes) -> None:
    raw = await gateway.join()
    raw.write(data)
    assert (await raw.closed()).code == 1009
    await raw.leave()


async def test_w10_the_largest_message_is_read(gateway: Gateway) -> None:
    raw = await gateway.join("mira", "phone", JSON)
    start, end = b'{"type":"ping","n":1,"note":"', b'"}'
    raw.write(frame(TEXT, start + b"x" * (16 * 1024 - len(start) - len(end)) + end))
    assert (await raw.message("pong"))["n"] == 1
    await raw.leave()


async def test_w10_the_close_reaches_a_peer_that_goes_on_sending(gateway: Gateway) -> None:
    raw = await gateway.join()
    raw.write(frame(BINARY, b"x" * 1_000_000))
    assert (await raw.closed()).code == 1009
    await raw.leave()


async def test_w11_a_message_in_too_many_fragments_is_closed_with_1009(gateway: Gateway) -> None:
    raw = await gateway.join()
    raw.write(frame(BINARY, b"", fin=False) + frame(0, b"", fin=False) * 5000)
    assert (await raw.closed()).code == 1009
    await raw.leave()


async def test_w12_a_ping_flood_from_a_peer_that_never_reads_costs_nothing(gateway: Gateway) -> None:
    raw = await gateway.join("mira", "phone", receive_buffer=4096)
    flood = frame(PING, b"x" * 125) * 500
    with pytest.raises((ConnectionError, TimeoutError)):
        async with asyncio.timeout(5):
            while True:
                raw.write(flood)
                await raw.writer.drain()
    assert gateway.metrics.closes[4007] == 1
    assert gateway.metrics.write_buffer_max <= gateway.server.limits.unsent_bytes
    await gateway.settled(lambda: gateway.server.connections == 0)
    await raw.leave()


async def test_w12_the_pongs_of_a_flood_are_not_sent(gateway: Gateway) -> None:
    raw = await gateway.join()
    (connection,) = gateway.server._connections
    connection.data_received(frame(PING, b"x" * 125) * 500)
    pongs = 0
    while (said := await raw.frame())[0] != CLOSE:
        pongs += said[0] == 10
    assert pongs <= gateway.server.limits.ping_burst and said[1][:2] == (4007).to_bytes(2, "big")


async def test_w12_pings_within_the_rate_are_answered(gateway: Gateway) -> None:
    raw = await gateway.join()
    raw.write(frame(PING, b"one") + frame(PING, b"two"))
    assert await raw.frame() == (10, b"one")
    assert await raw.frame() == (10, b"two")
    await raw.leave()


async def test_w13_compression_is_never_agreed_to(gateway: Gateway) -> None:
    raw = await Raw.connect(gateway.address)
    raw.write(request(headers=(("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),)))
    status, head = await raw.response()
    assert status == 101 and "extensions" not in head.lower()
    await raw.leave()


async def test_p4_a_peers_close_is_echoed_and_what_it_said_before_counts(gateway: Gateway) -> None:
    raw = await gateway.join("mira", "phone", JSON)
    said = json.dumps(events(played(1))).encode()
    raw.write(frame(TEXT, said) + frame(CLOSE, (1000).to_bytes(2, "big") + b"bye"))
    closed = await raw.closed()
    assert (closed.code, closed.reason) == (1000, "bye")
    await raw.ended()
    await raw.leave()
    shard = gateway.shards["shard:0"]
    await gateway.settled(lambda: shard.residents["mira"].session.device("phone").applied_seq == 1)
    await gateway.settled(lambda: shard.conns() == [])


def ping_text(n: int, padding: int) -> bytes:
    return json.dumps({"type": "ping", "n": n, "pad": "x" * padding}).encode()


def conversation(chance: random.Random) -> tuple[bytes, int]:
    """Pings of the protocol in frames of all shapes, and how many."""
    parts, count = [], chance.randint(1, 12)
    for n in range(count):
        text = ping_text(n, chance.choice([0, 40, 80, 81, 82, 83, 84, 90, 500, 5000]))
        shape = chance.choice(["whole", "whole", "whole", "fragments", "roundabout", "pinged"])
        if shape == "fragments":
            first, second = sorted(chance.sample(range(len(text)), 2))
            pieces = [text[:first], text[first:second], text[second:]]
            parts.append(frame(TEXT, pieces[0], fin=False) + frame(PING, b"between"))
            parts.append(frame(0, pieces[1], fin=False) + frame(0, pieces[2]))
        elif shape == "roundabout":  # a length written longer than it has to be
            masked = frame(TEXT, text)[-len(text) - 4 :]
            parts.append(bytes((0x81, 0xFF)) + len(text).to_bytes(8, "big") + masked)
        else:
            parts.append((frame(10, b"pong") if shape == "pinged" else b"") + frame(TEXT, text))
    return b"".join(parts), count


@pytest.mark.parametrize("seed", range(40))
async def test_p4_however_the_bytes_are_cut_the_same_is_heard(gateway: Gateway, seed: int) -> None:
    chance = random.Random(seed)
    raw = await gateway.join("mira", "phone", JSON)
    data, count = conversation(chance)
    (connection,) = gateway.server._connections
    cuts = sorted(chance.sample(range(len(data)), min(len(data) - 1, chance.choice([0, 1, 3, 20, 400]))))
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        connection.data_received(data[start:end])  # the very segments, as the kernel might give them
    assert [(await raw.message("pong"))["n"] for _ in range(count)] == list(range(count))
    assert gateway.metrics.strikes == 0


async def test_p4_a_frame_inside_a_frame_is_only_its_content(gateway: Gateway) -> None:
    """Cut so that a segment begins with bytes that look like a frame but are the middle of another."""
    raw = await gateway.join()
    (connection,) = gateway.server._connections

    def unmasked(packed: bytes) -> bytes:
        return bytes((0x82, 0x80 | len(packed))) + b"\0\0\0\0" + packed

    inner = unmasked(msgpack.packb({"type": "ping", "n": 666}))
    outer = unmasked(msgpack.packb({"type": "ping", "n": 1, "x": inner}))
    cut = outer.index(inner)
    for before in (b"", frame(10), frame(BINARY, msgpack.packb({"type": "ping", "n": 0}))):
        connection.data_received(before + outer[:cut])
        connection.data_received(outer[cut:])
    raw.say({"type": "ping", "n": 2})
    assert [(await raw.message("pong"))["n"] for _ in range(5)] == [1, 1, 0, 1, 2]


async def test_p4_what_comes_before_the_answer_is_refused_though_it_is_half_a_frame(gateway: Gateway) -> None:
    raw = await Raw.connect(gateway.address)
    raw.write(request() + b"\x82")
    assert (await raw.response())[0] == 400
