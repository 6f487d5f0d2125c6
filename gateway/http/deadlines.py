"""The HTTP server's own deadlines: aiohttp lets half a header wait as long as an idle connection (H1)."""

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod
from aiohttp.web_protocol import RequestHandler

from gateway.http.problems import HEADERS, of_status

log = structlog.get_logger()

LINGER_S = 5.0
"""How long the rest of a body nobody wants is read, before the connection is cut."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Deadlines in s; how many connections one process holds."""

    headers_s: float
    idle_s: float
    connections_max: int


class Connection(RequestHandler):
    """One connection: its header must be whole within `headers_s` from its first byte or from connecting."""

    __slots__ = ("_headers_timer", "_limits")

    def __init__(self, server: web.Server, limits: ConnectionLimits) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.idle_s,
            lingering_time=LINGER_S,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # ours knows the route and leaves out the query
        )
        self._limits = limits
        self._headers_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request; one connection too many is cut at once."""
        super().connection_made(transport)
        manager = self._manager
        if manager is not None and len(manager.connections) > self._limits.connections_max:
            log.warning("connections_full", limit=self._limits.connections_max)
            self.force_close()
            return
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; whole headers end the wait for them, half ones begin it."""
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._stop_waiting()
        elif self._headers_timer is None and self._current_request is None and not self._messages:
            self._wait_for_headers()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the timer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A request that cannot be read: a problem without an echo, one short line in the log."""
        log.info("request_unreadable", status=status, reason=type(exc).__name__, remote=request.remote)
        if request.writer is not None and request.writer.output_size > 0:
            raise ConnectionError("the answer has begun and cannot be taken back")
        # A verb nobody knows is a method that is not allowed (H6); so looks TLS on this port.
        is_verb = isinstance(exc, BadHttpMethod)
        problem = of_status(405, {"Allow": "GET,HEAD,POST,PUT,DELETE"}) if is_verb else of_status(status)
        answer = problem.response()
        answer.headers.update({**HEADERS, **problem.headers})
        answer.force_close()
        return answer

    def _wait_for_headers(self) -> None:
        self._headers_timer = self._loop.call_later(self._limits.headers_s, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._headers_timer is not None:
            self._headers_timer.cancel()
            self._headers_timer = None

    def _too_slow(self) -> None:
        self._headers_timer = None
        log.info("headers_too_slow", seconds=self._limits.headers_s, remote=str(self.peername))
        self.force_close()


def connection_factory(server: web.Server, limits: ConnectionLimits) -> Any:
    """What `loop.create_server` calls for each connection."""
    return lambda: Connection(server, limits)
