"""The handshake that is read without the library: never more lenient than the library is (P1, P2, W2-W5)."""

from itertools import product

import pytest
from websockets.http11 import Request
from websockets.typing import Origin

from gateway.sockets.handshake import SocketProtocol, read_usual
from gateway.sockets.limits import SocketLimits
from tests.gateway.sockets.conftest import ORIGIN
from tests.gateway.sockets.raw import JSON, V1, request

ORIGINS = (Origin(ORIGIN), None)

CHROME = (
    ("Pragma", "no-cache"),
    ("Cache-Control", "no-cache"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0"),
    ("Origin", ORIGIN),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-US,en;q=0.9"),
    ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
)
FIREFOX = (("Connection", "keep-alive, Upgrade"), ("Origin", ORIGIN), ("Sec-Fetch-Dest", "empty"))


def by_library(data: bytes, origins: tuple[Origin | None, ...] = ORIGINS) -> tuple[int, dict[str, str]]:
    """Status and the headers that matter, as the library answers; 0 for what it cannot even read."""
    protocol = SocketProtocol(SocketLimits(), origins)
    protocol.receive_data(data)
    for event in protocol.events_received():
        if isinstance(event, Request):
            response = protocol.answer(event)
            return response.status_code, {
                name: value for name, value in response.headers.raw_items() if name.startswith("Sec-")
            }
    return 0, {}


@pytest.mark.parametrize("more", [(), CHROME, FIREFOX])
@pytest.mark.parametrize("protocols", [V1, JSON, f"{V1}, {JSON}", f"{JSON}, {V1}"])
def test_p1_what_clients_really_send_needs_no_library(
    protocols: str, more: tuple[tuple[str, str], ...]
) -> None:
    data = request(protocols=protocols, headers=more)
    usual = read_usual(data, ORIGINS)
    assert usual is not None and usual.subprotocol == protocols.split(",")[0]
    status, headers = by_library(data)
    assert status == 101
    said = dict(line.split(": ") for line in usual.answer.decode().split("\r\n")[1:] if line)
    assert {name: value for name, value in said.items() if name.startswith("Sec-")} == headers
    assert said["Upgrade"] == "websocket" and said["Connection"] == "Upgrade"


KEY = "dGhlIHNhbXBsZSBub25jZQ=="
VALUES: dict[str, tuple[str | None, ...]] = {
    "Upgrade": ("websocket", "WebSocket", "h2c", "websocket, h2c", "", None),
    "Connection": ("Upgrade", "keep-alive, Upgrade", "keep-alive", "close, upgrade", "", None),
    "Sec-WebSocket-Key": (KEY, KEY[:-1], KEY + "=", "x" * 24, "dGhlIHNhbXBsZSBub25jZR==", "", None),
    "Sec-WebSocket-Version": ("13", "8", "13, 8", "", None),
    "Origin": (None, ORIGIN, "null", "", ORIGIN.upper(), ORIGIN + ".evil", ORIGIN + ":443", "https://é"),
    "Sec-WebSocket-Protocol": (V1, JSON, f"{JSON}, {V1}", f"{V1},{JSON}", "graphql-ws", "a b", "", None),
    "Content-Length": (None, "0", "5"),
    "Transfer-Encoding": (None, "chunked"),
    "Expect": (None, "100-continue"),
}


def test_w2_w3_the_library_accepts_whatever_is_read_without_it() -> None:
    usual: dict[str, str | None] = {name: values[0] for name, values in VALUES.items()}
    read = 0
    for (first, one), (second, other) in product(
        [(name, value) for name, values in VALUES.items() for value in values], repeat=2
    ):
        fields = {**usual, first: one, second: other}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
        data = f"GET /v1/socket HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode("latin-1")
        for origins in (ORIGINS, (Origin(ORIGIN),)):
            found = read_usual(data, origins)
            if found is not None:
                status, headers = by_library(data, origins)
                assert (status, headers["Sec-WebSocket-Protocol"]) == (101, found.subprotocol), data
                assert headers["Sec-WebSocket-Accept"].encode() in found.answer
                read += 1
    assert read > 100, "or the comparison compares nothing"


@pytest.mark.parametrize(
    "data",
    [
        request(path="/v1/socket?"),
        request(path="/v1/socket?token=secret"),
        request(path="/v1/sockets"),
        request(method="POST"),
        request(version="HTTP/1.0"),
        request() + b"x",
        request()[:-2],
        request().replace(b"\r\n", b"\n"),
        request().replace(b"Host: ", b"Host : "),
        request().replace(b"Host: ", b" Host: "),
        request().replace(b"Host: ", b"Host: a\r\nhost: "),
        request().replace(b"Upgrade: websocket", b"Upgrade: websocket\r\nupgrade: websocket"),
        request().replace(
            b"Host: ", b"Origin: https://evil.example\r\nOrigin: https://evil.example\r\nHost: "
        ),
        request().replace(b"127.0.0.1", b"127.0.0.1\x00"),
        request().replace(b"127.0.0.1", b"127.0.0.1\x80"),
        request().replace(b"GET ", b"get "),
        request(headers=(("X", "y" * 5000),)),
        request(headers=tuple((f"X-{n}", "y") for n in range(70))),
        b"",
    ],
)
def test_w2_the_least_unusual_thing_is_left_to_the_library(data: bytes) -> None:
    assert read_usual(data, ORIGINS) is None
