"""The HTTP request that opens a socket: what is let through, and how everything else is answered (P1, P2)."""

import http
import logging
from collections.abc import Sequence

from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from gateway.sockets.limits import SocketLimits
from gateway.sockets.wire import CODECS

PATH = "/v1/socket"
NO_HANDSHAKE = "This is no WebSocket handshake."
SUPPORTED = tuple(CODECS)

# The library reports each opening and closing at INFO; counters do that here.
_log = logging.getLogger("gateway.sockets.websockets")
_log.setLevel(logging.WARNING)


class SocketProtocol(ServerProtocol):
    """RFC 6455 without I/O, as this gateway speaks it: no extensions, so no compression (P4)."""

    def __init__(self, limits: SocketLimits, origins: Sequence[Origin | None]) -> None:
        super().__init__(origins=origins, max_size=limits.frame_bytes, logger=_log)

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


def bare_response(status: http.HTTPStatus, text: str, retry_after_s: int | None = None) -> bytes:
    """An HTTP answer for a peer whose request was not or could not be read."""
    body = f"{text}\n".encode()
    retry = f"Retry-After: {retry_after_s}\r\n" if retry_after_s is not None else ""
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n{retry}"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
