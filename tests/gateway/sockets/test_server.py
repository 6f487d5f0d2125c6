"""The listening side: caps, TLS, going away, and what it tells about itself."""

import asyncio
import gc
import random
import ssl
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from gateway.sockets import server as server_module
from gateway.sockets.connection import Connection
from gateway.sockets.handshake import SocketProtocol
from gateway.sockets.observe import ObservePort
from persistence.errors import SetupError
from tests.gateway.sockets.conftest import Gateway, Start, events, played
from tests.gateway.sockets.raw import JSON, V1, Raw, request


async def test_f25_drain_sends_everybody_away_with_returns_spread(start: Start) -> None:
    gateway = await start(settings={"drain_accept_per_s": 20.0})
    sockets = [await gateway.join(f"student-{n}", "phone") for n in range(40)]
    unfinished = await Raw.connect(gateway.address)
    draining = asyncio.create_task(gateway.server.drain())
    closes = await asyncio.gather(*(raw.closed() for raw in sockets))
    for raw in sockets:
        await raw.leave()
    await unfinished.ended()
    await draining
    assert {closed.code for closed in closes} == {4000}
    waits = sorted(closed.reason["retry_after_ms"] for closed in closes)
    assert waits[0] < 200 and 1800 < waits[-1] <= 2050, "41 returns at 20 a second take two seconds"
    with pytest.raises(OSError):
        await Raw.connect(gateway.address)
    assert gateway.server.connections == 0 and gateway.server.health == "draining"
    await gateway.settled(lambda: gateway.shards["shard:0"].conns() == [])


async def test_f25_drain_is_bounded_though_a_peer_does_not_answer(start: Start) -> None:
    gateway = await start(settings={"drain_s": 0.3}, closing_s=60.0)
    await gateway.join()
    await gateway.server.drain()
    await gateway.server.stop()
    assert gateway.server.connections == 0


async def test_f25_what_was_said_before_the_drain_reaches_the_shard(gateway: Gateway) -> None:
    raw = await gateway.join()
    raw.say(events(played(1)))
    await gateway.settled(lambda: gateway.metrics.entries_in == 1)
    await gateway.server.drain()
    await gateway.router.stop(5.0)
    session = gateway.shards["shard:0"].residents["mira"].session
    assert session.device("phone").applied_seq == 1
    assert gateway.shards["shard:0"].conns() == []


async def test_f32_sockets_beyond_the_cap_are_turned_away(start: Start) -> None:
    gateway = await start(connections=3)
    for n in range(3):
        await gateway.join(f"student-{n}", "phone")
    assert gateway.server.health == "degraded"
    raw = await Raw.connect(gateway.address)
    raw.write(request())
    status, head = await raw.response()
    assert status == 503 and "Retry-After: " in head
    assert gateway.metrics.turned_away == 1


async def test_f32_accepting_pauses_and_goes_on(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "FDS_RESERVED", 4)
    gateway = await start(connections=2, closing_s=60.0)
    held = [await Raw.connect(gateway.address) for _ in range(5)]
    await gateway.settled(lambda: gateway.server._accepting is None)
    late = await Raw.connect(gateway.address)
    late.write(request())
    for raw in held:
        await raw.leave()
    assert (await late.response())[0] == 101


async def test_a_taken_port_is_a_clear_error(start: Start) -> None:
    gateway = await start()
    with pytest.raises(SetupError, match="choose another port"):
        await start(settings={"port": gateway.address[1]})


async def test_a_proxy_that_is_no_network_is_a_clear_error(start: Start) -> None:
    with pytest.raises(SetupError, match=r"10\.0\.0\.0/8"):
        await start(proxies=("the load balancer",))


async def test_two_gateways_share_a_port(start: Start) -> None:
    first = await start(settings={"reuse_port": True})
    second = await start(settings={"reuse_port": True, "port": first.address[1]})
    for n in range(60):
        raw = await Raw.open(first.address)
        raw.say(first.hello(f"student-{n}"))
        await raw.message("welcome")
    assert first.server.connections and second.server.connections


def certificate(folder: Path) -> tuple[Path, Path]:
    pem, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *curve, "-keyout", str(key), "-out", str(pem), *subject]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return pem, key


@pytest.mark.parametrize("protocol", [V1, JSON])
async def test_wss_with_an_independent_client(start: Start, tmp_path: Path, protocol: str) -> None:
    pem, key = certificate(tmp_path)
    gateway = await start(settings={"tls_certificate": str(pem), "tls_key": str(key)})
    trust = ssl.create_default_context(cafile=str(pem))
    url = f"wss://127.0.0.1:{gateway.address[1]}/v1/socket"
    raw = Raw(asyncio.StreamReader(), None)  # type: ignore[arg-type]
    raw.protocol = protocol
    async with connect(url, ssl=trust, subprotocols=[protocol], compression=None) as client:  # type: ignore[list-item]
        await client.send(raw.packed(gateway.hello()))
        assert raw.unpacked(await client.recv())["type"] == "welcome"
        seqs = list(range(1, 60))
        random.Random(7).shuffle(seqs)
        for seq in seqs:
            await client.send(raw.packed(events(played(seq))))
        applied = 0
        while applied < 59:
            said = raw.unpacked(await asyncio.wait_for(client.recv(), 10))
            applied = max(applied, said["seq"] if said["type"] == "applied" else 0)
    assert gateway.metrics.strikes == 0
    await gateway.settled(lambda: gateway.server.connections == 0)


async def test_a_missing_certificate_is_a_clear_error(start: Start) -> None:
    with pytest.raises(SetupError, match="TLS certificate"):
        await start(settings={"tls_certificate": "/nowhere.pem", "tls_key": "/nowhere.pem"})


async def test_metrics_count_what_happened(gateway: Gateway) -> None:
    raw = await gateway.join()
    raw.say(events(played(1), played(2)))
    await raw.message("applied")
    raw.say({"type": "what"})
    await raw.message("error")
    raw.say(gateway.hello())
    await raw.closed()
    families = {family.name: family for family in text_string_to_metric_families(gateway.metrics.text())}
    value = {name: family.samples[0].value for name, family in families.items() if family.samples}
    assert value["playhead_socket_entries_in"] == 2
    assert value["playhead_socket_strikes"] == 1
    assert value["playhead_socket_greeted"] == 1
    assert value["playhead_socket_batches"] >= 2
    closes = families["playhead_socket_closes"].samples
    assert {sample.labels["code"]: sample.value for sample in closes} == {"4502": 1.0}
    assert value["playhead_socket_students"] == 0
    assert families["playhead_socket_ack_seconds"].samples


async def get(address: tuple[str, int], data: bytes) -> bytes:
    raw = await Raw.connect(address)
    raw.write(data)
    raw.writer.write_eof()
    async with asyncio.timeout(10):
        answer = await raw.reader.read()
    await raw.leave()
    return answer


async def test_the_observe_port_tells_metrics_and_health(gateway: Gateway) -> None:
    observe = ObservePort(gateway.server.pages())
    address = await observe.start("127.0.0.1", 0)
    assert b"playhead_socket_connections 0.0" in await get(address, b"GET /metrics HTTP/1.1\r\n\r\n")
    assert b"200 OK" in await get(address, b"GET /healthz HTTP/1.1\r\n\r\n")
    assert b"404 " in await get(address, b"GET /secret HTTP/1.1\r\n\r\n")
    assert b"404 " in await get(address, b"POST /metrics HTTP/1.1\r\n\r\n")
    assert await get(address, b"GET /metrics") == b""
    assert await get(address, b"GET /" + b"x" * 9000 + b"\r\n\r\n") == b""
    await gateway.server.drain()
    assert b"503 " in await get(address, b"GET /healthz HTTP/1.1\r\n\r\n")
    await observe.stop()


async def test_a_socket_has_no_task_of_its_own(gateway: Gateway) -> None:
    before = asyncio.all_tasks()
    for n in range(20):
        await gateway.join(f"student-{n}", "phone")
    assert asyncio.all_tasks() == before


def alive() -> int:
    """Socket objects of this process, whoever still refers to them."""
    return sum(isinstance(thing, (Connection, SocketProtocol)) for thing in gc.get_objects())


async def test_a_socket_that_is_gone_leaves_nothing_for_the_collector(gateway: Gateway) -> None:
    gc.collect()
    before = alive()
    gc.disable()
    try:
        for closing in (False, True):
            raw = await gateway.join()
            raw.say(events(played(1)))
            await raw.message("applied")
            assert alive() == before + 1
            if closing:
                raw.say(gateway.hello())
                await raw.closed()
            await raw.leave()
            await gateway.settled(lambda: gateway.server.connections == 0)
            await gateway.settled(lambda: alive() == before)
    finally:
        gc.enable()
