"""The HTTP request that opens a socket: what is let through, and how everything else is answered (P1, P2).

The request that every client really sends is read here, strictly, without the library: a parser for each
connection is a quarter of what a connection costs. Whatever looks the least unusual is left to the library.
"""

import http
import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from websockets.http11 import Request, Response
from websockets.protocol import CONNECTING, State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol
from websockets.utils import accept_key

from gateway.sockets.limits import SocketLimits
from gateway.sockets.wire import CODECS

PATH = "/v1/socket"
NO_HANDSHAKE = "This is no WebSocket handshake."
SUPPORTED = tuple(CODECS)

_USUAL_BYTES_MAX = 4096
_HEADER = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+:[\t\x20-\x7e]*\r\n"
_USUAL = re.compile(rb"GET %b HTTP/1\.1\r\n((?:%b){1,64})\r\n" % (PATH.encode(), _HEADER))
_KEY = re.compile(rb"[0-9A-Za-z+/]{21}[AQgw]==")
_UNUSUAL = frozenset((b"transfer-encoding", b"content-length", b"expect"))
_CONNECTIONS = frozenset((b"upgrade", b"keep-alive, upgrade"))
_SPOKEN: dict[bytes, str] = {
    ", ".join(offered).encode(): offered[0]
    for offered in ((SUPPORTED[0],), (SUPPORTED[1],), SUPPORTED, SUPPORTED[::-1])
}
_ACCEPTED = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n"
)

# The library reports each opening and closing at INFO; counters do that here.
_log = logging.getLogger("gateway.sockets.websockets")
_log.setLevel(logging.WARNING)


class SocketProtocol(ServerProtocol):
    """RFC 6455 without I/O, as this gateway speaks it: no extensions, so no compression (P4)."""

    def __init__(
        self, limits: SocketLimits, origins: Sequence[Origin | None], state: State = CONNECTING
    ) -> None:
        super().__init__(origins=origins, max_size=limits.frame_bytes, logger=_log, state=state)

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        """The client's first choice we speak, else its first, so that the close with 4503 is heard (P1)."""
        for offered in subprotocols:
            if offered in CODECS:
                return offered
        return subprotocols[0] if subprotocols else None

    def answer(self, request: Request) -> Response:
        """101, or what is wrong with the request."""
        path, question, _ = request.path.partition("?")
        if question:
            # A token may stand there (W5): it is named neither in the answer nor in any log.
            return self.reject(http.HTTPStatus.BAD_REQUEST, "The URL of a socket has no query.\n")
        if path != PATH:
            return self.reject(http.HTTPStatus.NOT_FOUND, f"Sockets are at {PATH}.\n")
        return self.accept(request)

    def release(self) -> None:
        """No more will be read. Its parser, and the tracebacks of its errors, refer back to it: left alone,
        only the garbage collector would ever free them.
        """
        self.parser.close()
        self.parser_exc = self.handshake_exc = None


@dataclass(frozen=True, slots=True)
class Usual:
    """A handshake as clients send it: the whole answer, and the subprotocol that was agreed on."""

    answer: bytes
    subprotocol: str


def read_usual(data: bytes, origins: Collection[Origin | None]) -> Usual | None:
    """The whole request in `data`, if it is one that the library would accept and nothing in it is unusual:
    every header once, in one spelling, one of our subprotocols first. None says: ask the library.
    """
    found = _USUAL.fullmatch(data) if len(data) <= _USUAL_BYTES_MAX else None
    if found is None:
        return None
    headers: dict[bytes, bytes] = {}
    lines = found[1].split(b"\r\n")
    for line in lines[:-1]:
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip(b" \t")
    get = headers.get
    origin = get(b"origin")
    key = get(b"sec-websocket-key", b"")
    subprotocol = _SPOKEN.get(get(b"sec-websocket-protocol", b""))
    if (
        subprotocol is None
        or len(headers) != len(lines) - 1
        or get(b"upgrade", b"").lower() != b"websocket"
        or get(b"connection", b"").lower() not in _CONNECTIONS
        or get(b"sec-websocket-version") != b"13"
        or _KEY.fullmatch(key) is None
        or (None if origin is None else origin.decode("ascii")) not in origins
        or not _UNUSUAL.isdisjoint(headers)
    ):
        return None
    answer = _ACCEPTED.format(accept_key(key.decode("ascii")), subprotocol)
    return Usual(answer.encode("ascii"), subprotocol)


def bare_response(status: http.HTTPStatus, text: str, retry_after_s: int | None = None) -> bytes:
    """An HTTP answer for a peer whose request was not or could not be read."""
    body = f"{text}\n".encode()
    retry = f"Retry-After: {retry_after_s}\r\n" if retry_after_s is not None else ""
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n{retry}"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
