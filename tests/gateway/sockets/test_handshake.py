"""Opening a socket: what gets 101, and what every other request gets."""

import asyncio

import pytest

from tests.gateway.sockets.conftest import ORIGIN, Gateway, Start
from tests.gateway.sockets.raw import JSON, V1, Raw, frame, request


async def status_of(gateway: Gateway, data: bytes) -> tuple[int, str]:
    raw = await Raw.connect(gateway.address)
    raw.write(data)
    status, head = await raw.response()
    if status != 101:
        await raw.ended()
    await raw.leave()
    return status, head


async def test_w1_a_silent_peer_is_cut(start: Start) -> None:
    gateway = await start(handshake_s=0.3)
    raw = await Raw.connect(gateway.address)
    await raw.ended()
    assert gateway.server.connections == 0
    await raw.leave()


async def test_w1_one_byte_at_a_time_is_cut(start: Start) -> None:
    gateway = await start(handshake_s=0.5)
    raw = await Raw.connect(gateway.address)

    async def drip() -> None:
        for byte in request() * 100:
            raw.write(bytes((byte,)))
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    await raw.ended()
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    await raw.leave()


async def test_w1_the_upgrade_does_not_extend_the_deadline(start: Start) -> None:
    gateway = await start(hello_s=0.3)
    raw = await Raw.open(gateway.address)
    assert (await raw.closed()).code == 4502
    await raw.leave()


async def test_w1_unfinished_handshakes_are_capped_per_address(start: Start) -> None:
    gateway = await start(pending_per_ip=3, proxies=())
    waiting = [await Raw.connect(gateway.address) for _ in range(3)]
    await gateway.settled(lambda: gateway.server.connections == 3)
    status, head = await status_of(gateway, request())
    assert status == 503 and "Retry-After: " in head
    for raw in waiting:
        await raw.leave()
    await gateway.settled(lambda: gateway.server.connections == 0)
    assert (await status_of(gateway, request()))[0] == 101


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(headers=(("X-Long", "x" * 9000),)), 431),
        (request(headers=tuple((f"X-{n}", "x") for n in range(130))), 431),
        (b"GET /v1/socket HTTP/1.1\r\n" + b"X-Many: " + b"y" * 400 + b"\r\n" * 1 + b"Y: z\r\n" * 20000, 431),
        (request(headers=tuple((f"X-{n}", "x" * 500) for n in range(40))), 431),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (request(drop=("Upgrade",)), 426),
        (request(headers=(("Upgrade", "h2c"),)), 426),
        (request(drop=("Connection",)), 426),
        (request(headers=(("Sec-WebSocket-Version", "8"),)), 400),
        (request(drop=("Sec-WebSocket-Version",)), 400),
        (request(drop=("Sec-WebSocket-Key",)), 400),
        (request(headers=(("Sec-WebSocket-Key", "short"),)), 400),
        (request(headers=(("Sec-WebSocket-Protocol", "a b, ,,@"),)), 400),
        (request(path="/v1/other"), 404),
        (request() + frame(2, b"early"), 400),
        (request() + frame(9, b"early"), 400),
        (request() + b"\xff" * 64, 400),
    ],
)
async def test_w2_bad_requests_are_answered_and_closed(gateway: Gateway, data: bytes, status: int) -> None:
    assert (await status_of(gateway, data))[0] == status


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        f"{ORIGIN}.evil.example",
        f"{ORIGIN}:443",
        f"{ORIGIN}:444",
        f"{ORIGIN}/",
        ORIGIN.upper(),
        ORIGIN.replace("https", "http"),
        ORIGIN.replace("learn", "Learn"),
        "",
    ],
)
async def test_w3_only_listed_origins_get_in(gateway: Gateway, origin: str) -> None:
    assert (await status_of(gateway, request(headers=(("Origin", origin),))))[0] == 403


async def test_w3_the_listed_origin_and_none_get_in(gateway: Gateway) -> None:
    assert (await status_of(gateway, request(headers=(("Origin", ORIGIN),))))[0] == 101
    assert (await status_of(gateway, request()))[0] == 101


async def test_w3_two_origins_are_refused(gateway: Gateway) -> None:
    data = request(headers=(("Origin", ORIGIN),)).replace(
        b"\r\n\r\n", f"\r\nOrigin: {ORIGIN}\r\n\r\n".encode()
    )
    assert (await status_of(gateway, data))[0] == 400


async def test_w3_no_origin_may_be_refused_by_a_setting(start: Start) -> None:
    gateway = await start(settings={"allow_no_origin": False})
    assert (await status_of(gateway, request()))[0] == 403


async def test_w4_a_cookie_opens_nothing(gateway: Gateway) -> None:
    cookie = ("Cookie", f"session={gateway.token('mira')}")
    evil = request(headers=(cookie, ("Origin", "https://evil.example")))
    assert (await status_of(gateway, evil))[0] == 403
    raw = await Raw.open(gateway.address, headers=(cookie, ("Origin", ORIGIN)))
    raw.say(gateway.hello(token=None))
    assert (await raw.closed()).code == 4500
    await raw.leave()


@pytest.mark.parametrize("query", ["?", "?token=secret-token", "?a=b"])
async def test_w5_a_query_is_refused_and_named_nowhere(
    gateway: Gateway, query: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    raw = await Raw.connect(gateway.address)
    raw.write(request(path=f"/v1/socket{query}"))
    status, head = await raw.response()
    body = (await raw.reader.read()).decode()
    assert status == 400
    out, err = capfd.readouterr()
    assert "secret-token" not in head + body + out + err + caplog.text
    await raw.leave()


@pytest.mark.parametrize("offered", [None, "playhead.v0", "playhead.v999", "graphql-ws, playhead.v2"])
async def test_w27_no_common_version_is_told_what_there_is(gateway: Gateway, offered: str | None) -> None:
    raw = await Raw.connect(gateway.address)
    raw.write(request(protocols=offered))
    status, head = await raw.response()
    assert status == 101
    first = offered.split(",")[0] if offered else None
    assert (f"Sec-WebSocket-Protocol: {first}" in head) if first else ("Sec-WebSocket-Protocol" not in head)
    closed = await raw.closed()
    assert closed.code == 4503 and closed.reason == {"code": "version", "supported": [V1, JSON]}
    await raw.leave()


async def test_w27_the_clients_first_choice_we_speak_is_taken(gateway: Gateway) -> None:
    _, head = await status_of(gateway, request(protocols=f"graphql-ws, {JSON}, {V1}"))
    assert f"Sec-WebSocket-Protocol: {JSON}\r\n" in head


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /v1/socket HTTP/1.1\r\nHost: x\r\n\r\n", 426),
        (b"POST /v1/socket HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"POST /v1/socket HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /v1/socket HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500, 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (request(version="HTTP/2"), 400),
        (request(version="HTTP/1.0"), 505),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /v1/socket HTTP/1.1\r\nA B: c\r\n\r\n", 400),
    ],
)
async def test_w29_other_protocols_are_answered_and_closed(
    gateway: Gateway, data: bytes, status: int
) -> None:
    assert (await status_of(gateway, data))[0] == status
    await gateway.settled(lambda: gateway.server.connections == 0)


async def test_p3_half_a_request_and_goodbye_leaves_nothing(gateway: Gateway) -> None:
    raw = await Raw.connect(gateway.address)
    raw.write(request()[:50])
    raw.writer.write_eof()
    await raw.ended()
    await raw.leave()
    await gateway.settled(lambda: gateway.server.connections == 0)
