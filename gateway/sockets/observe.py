"""A port of its own for machines that watch: `GET /metrics` and `GET /healthz`, on loopback by default."""

import asyncio
import http
from collections.abc import Callable

REQUEST_BYTES_MAX = 4096
REQUEST_S = 5.0
CONNECTIONS_MAX = 32

Page = Callable[[], tuple[http.HTTPStatus, str, str]]
"""Gives status, content type and text."""


class ObservePort:
    """A server of a few pages. Reads one request per connection, answers, closes."""

    def __init__(self, pages: dict[str, Page]) -> None:
        self._pages = pages
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; gives the address. Raises `OSError` when it cannot be had."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=REQUEST_BYTES_MAX)
        address: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return address

    async def stop(self) -> None:
        """Listen no more; what is being answered ends by its own deadline."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS_MAX:
                async with asyncio.timeout(REQUEST_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._answer(head))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone or asks strangely; there is nothing to tell
        finally:
            self._open -= 1
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        page = self._pages.get(rest.partition(b" ")[0].decode("latin-1"))
        if page is None or method != b"GET":
            status, kind, text = http.HTTPStatus.NOT_FOUND, "text/plain", "GET /metrics or /healthz\n"
        else:
            status, kind, text = page()
        body = text.encode()
        return (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        ).encode() + body
