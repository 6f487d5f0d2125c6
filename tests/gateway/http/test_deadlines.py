"""H1, H21, rule 24: who is slow is cut, what is too much is refused, and others do not notice."""

import asyncio
import contextlib
import time
from dataclasses import replace

import aiohttp
import pytest

from gateway.http.deps import open_deps
from gateway.http.server import WebServer, make_app
from gateway.http.settings import WebSettings
from persistence.postgres import Connection
from tests.gateway.http.conftest import Web, running

HEAD = b"POST /v1/tickets HTTP/1.1\r\nHost: x\r\n"


async def cut_after(web: Web, *pieces: bytes, every_s: float = 0.0) -> tuple[float, bytes]:
    """Send pieces, then wait for the server to close: seconds it took, and what it said."""
    reader, writer = await asyncio.open_connection(web.host, web.port)
    began = time.monotonic()
    received = b""

    async def send() -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every_s)

    sending = asyncio.create_task(send())
    try:
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(10):
                while chunk := await reader.read(65536):
                    received += chunk
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    return time.monotonic() - began, received


async def waiting_for_enrolment(connection: Connection, count: int) -> None:
    """Until so many statements wait for the table the connection has locked."""
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'enrolment'::regclass AND NOT granted"
    for _ in range(500):
        if await connection.fetchval(waiting) >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{count} statements were to wait for the table")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((), id="no byte"),
        pytest.param((b"GET /healthz HTTP/1.1\r\nHo",), id="half a header"),
        pytest.param(
            tuple(b"%c" % byte for byte in b"GET /healthz HTTP/1.1\r\nX-Long: " + b"a" * 40),
            id="byte by byte",
        ),
        pytest.param(
            (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea", *[b"a"] * 40), id="half a second one"
        ),
    ],
)
async def test_h1_headers_have_a_deadline(web_settings: WebSettings, pieces: tuple[bytes, ...]) -> None:
    async with running(web_settings, headers_timeout_s=0.3, idle_timeout_s=60) as web:
        took_s, _ = await cut_after(web, *pieces, every_s=0.05)
        assert 0.25 <= took_s < 5
        assert (await web.ask("GET", "/healthz")).status == 200


async def test_h1_a_body_has_a_deadline(web_settings: WebSettings) -> None:
    async with running(web_settings, body_timeout_s=0.3) as web:
        token = web.token("mira").encode()
        head = HEAD + b"Authorization: Bearer " + token + b"\r\nContent-Type: application/json\r\n"
        _, received = await cut_after(web, head + b"Content-Length: 500\r\n\r\n{")
        assert received.startswith(b"HTTP/1.1 408 ")
        assert b"body_too_slow" in received


async def test_an_idle_connection_lives_longer_than_half_a_header(web_settings: WebSettings) -> None:
    async with running(web_settings, headers_timeout_s=0.1, idle_timeout_s=30) as web:
        reader, writer = await asyncio.open_connection(web.host, web.port)
        for pause_s in (0.0, 0.3):
            await asyncio.sleep(pause_s)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(5):
                assert b"200 OK" in await reader.readuntil(b'{"status":"ok"}')
        writer.close()


async def test_h21_too_much_at_once_is_refused_with_a_spread_pause(web_settings: WebSettings) -> None:
    async with running(web_settings, requests_max=2) as web:
        async with web.deps.postgres.connection() as connection, connection.transaction():
            await connection.execute("LOCK TABLE enrolment IN ACCESS EXCLUSIVE MODE")
            stuck = [asyncio.create_task(web.ask("GET", "/v1/courses", student="mira")) for _ in range(2)]
            await waiting_for_enrolment(connection, 2)
            refused = await web.ask("GET", "/v1/items/intro", student="mira")
            assert refused.json["code"] == "overload"
            assert (refused.status, 1 <= int(refused.headers["Retry-After"]) <= 4) == (503, True)
            assert (await web.ask("GET", "/healthz")).status == 200
        for answer in await asyncio.gather(*stuck):
            assert answer.status == 200


async def test_an_answer_has_a_deadline(web_settings: WebSettings) -> None:
    async with running(web_settings, answer_timeout_s=0.2) as web:
        async with web.deps.postgres.connection() as connection, connection.transaction():
            await connection.execute("LOCK TABLE enrolment IN ACCESS EXCLUSIVE MODE")
            answer = await web.ask("GET", "/v1/courses", student="mira")
        assert (answer.status, answer.json["code"]) == (503, "too_slow")
        assert (await web.ask("GET", "/v1/courses", student="mira")).status == 200


async def test_connections_are_counted_out(web_settings: WebSettings) -> None:
    async with running(web_settings, connections_max=3) as web:
        held = [await asyncio.open_connection(web.host, web.port) for _ in range(3)]
        for _, writer in held:
            writer.write(b"GET /hea")
        reader, writer = await asyncio.open_connection(web.host, web.port)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        for _, one in [*held, (reader, writer)]:
            one.close()


async def test_a_stop_lets_running_requests_end(web_settings: WebSettings) -> None:
    async with open_deps(replace(web_settings)) as deps, aiohttp.ClientSession() as session:
        server = WebServer(make_app(deps), deps.settings)
        host, port = await server.start()
        headers = {"Authorization": f"Bearer {deps.issuer.issue('access', 'mira')}"}
        async with deps.postgres.connection() as connection, connection.transaction():
            await connection.execute("LOCK TABLE enrolment IN ACCESS EXCLUSIVE MODE")
            asking = asyncio.create_task(session.get(f"http://{host}:{port}/v1/courses", headers=headers))
            await waiting_for_enrolment(connection, 1)
            stopping = asyncio.create_task(server.stop())
            await asyncio.sleep(0)
            assert not server.listening
        assert (await asking).status == 200
        await asyncio.wait_for(stopping, 5)
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"http://{host}:{port}/healthz")
