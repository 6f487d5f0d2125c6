"""The listening side of a gateway process: accepts, counts and caps sockets, and sends them away."""

import asyncio
import http
import ipaddress
import random
import resource
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence

import structlog
from websockets.typing import Origin

from gateway.sockets import close_codes
from gateway.sockets.admission import Admission
from gateway.sockets.auth import Authenticator
from gateway.sockets.batching import ShardRouter
from gateway.sockets.close_codes import CloseCode
from gateway.sockets.connection import Connection
from gateway.sockets.limits import SocketLimits
from gateway.sockets.media import Ask, MediaDesk
from gateway.sockets.metrics import Metrics
from gateway.sockets.observe import Page
from gateway.sockets.settings import SocketSettings
from gateway.sockets.stream import SocketStream
from gateway.sockets.wheel import Wheel
from persistence.errors import SetupError

FDS_RESERVED = 256
"""File descriptors of the process kept for Ray, Redis, logs and sockets that are being turned away."""

ADMISSION_LOOK_S = 0.25
"""How often the rate of admission is adapted to how late the loop is."""

GATHER_CROWD_S, GATHER_STORM_S = 0.2, 0.5
GATHER_MAX = 500
"""While many come, those let in attach together after this time, or when so many wait: a call to a shard
costs 3 ms of CPU and a query of its own, whether it brings one student or hundreds."""

DRAIN_SLICE = 200
"""Sockets closed in one go while draining; the loop breathes between slices."""

log = structlog.get_logger()


class SocketServer:
    """All sockets of one process. Owns the wheel; the router and the authenticator are given.

    Use: `await start()`, then `address`; at the end `await drain()` and `await stop()`.
    """

    def __init__(
        self,
        settings: SocketSettings,
        router: ShardRouter,
        authenticator: Authenticator,
        ask_media: Ask | None = None,
    ) -> None:
        self.settings = settings
        self.router = router
        self.authenticator = authenticator
        self.metrics: Metrics = router.metrics
        self.loop = asyncio.get_running_loop()
        self.limits: SocketLimits = settings.limits
        self.origins: tuple[Origin | None, ...] = _origins(settings)
        self.wheel = Wheel(self.loop)
        self.admission = Admission(settings.limits.admission, self.loop.time())
        self.draining = False
        self._connections_max = _connections_max(settings.limits)
        self._connections: set[SocketStream] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._pending_by_ip: Counter[str] = Counter()
        self._pending: set[SocketStream] = set()
        self._by_student: dict[str, tuple[Connection, ...]] = {}
        # Above every number an earlier incarnation of this gateway gave: what a shard still has for its
        # connections must never reach ours (P7).
        self._conns = time.time_ns() // 1000
        self._proxies = _networks(settings.limits.proxies)
        self.media = MediaDesk(ask_media, self.spawn, self.metrics)
        self._gathered: list[Callable[[], None]] = []
        self._gathering: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._dirty: list[SocketStream] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: socket.socket | None = None
        self._accepting: asyncio.Server | None = None
        self._paused = False
        self._tls = _tls(settings)
        self.metrics.gauges |= {
            "connections": lambda: len(self._connections),
            "pending": lambda: len(self._pending),
            "students": lambda: len(self._by_student),
            "attaching": lambda: self.admission.attaching,
            "admission_per_s": lambda: self.admission.rate_per_s,
        }

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on."""
        if self._listening is None:
            raise SetupError("the socket server does not listen; start it first")
        host, port = self._listening.getsockname()[:2]
        return host, port

    @property
    def connections(self) -> int:
        """Sockets open now, those in the handshake included."""
        return len(self._connections)

    @property
    def health(self) -> str:
        """`ok`, `degraded` (new sockets are held back or turned away) or `draining`."""
        if self.draining:
            return "draining"
        full = len(self._connections) >= self._connections_max
        return "degraded" if full or self._accepting is None else "ok"

    async def start(self) -> None:
        """Listen. Raises `SetupError` when the address cannot be had."""
        self._listening = _listen(self.settings)
        await self._accept()
        self.wheel.start()
        self._look_at_loop(self.loop.time())

    async def _accept(self) -> None:
        if self._listening is None or self.draining:
            return
        # A duplicate, so that accepting can pause while the kernel goes on queueing connections.
        duplicate = self._listening.dup()
        accepting = await self.loop.create_server(
            self._connection,
            sock=duplicate,
            backlog=self.settings.backlog,
            ssl=self._tls,
            ssl_handshake_timeout=self.limits.handshake_s if self._tls else None,
        )
        if self._listening.fileno() < 0:  # it was told to drain meanwhile
            accepting.close()
        else:
            self._accepting = accepting

    def _pause_accepting(self) -> None:
        if self._accepting is not None:
            self._accepting.close()
            self._accepting = None
            self._paused = not self.draining
            if self._paused:
                log.warning(
                    "accepting_paused", connections=len(self._connections), pending=len(self._pending)
                )

    def _connection(self) -> Connection:
        self._conns += 1
        return Connection(self, self._conns)

    # What connections tell (see `Host` in stream.py and connection.py).

    def arrived(self, stream: SocketStream) -> str | None:
        """Count a new TCP connection; a text says why it is turned away."""
        self.metrics.accepted += 1
        self._connections.add(stream)
        self._empty.clear()
        self._pending.add(stream)
        self._pending_by_ip[stream.ip] += 1
        too_many = len(self._connections) > self._connections_max + FDS_RESERVED // 2
        if too_many or len(self._pending) >= self.limits.pending:
            self._pause_accepting()
        if self.draining:
            return "This server is going away; try again."
        if len(self._connections) > self._connections_max:
            self.metrics.turned_away += 1
            return "Too many connections here; try again."
        per_ip = self.limits.pending_per_ip
        if per_ip is not None and self._pending_by_ip[stream.ip] > per_ip and not self._is_proxy(stream.ip):
            self.metrics.turned_away += 1
            return "Too many unfinished handshakes from your address; try again."
        return None

    def _is_proxy(self, ip: str) -> bool:
        address = ipaddress.ip_address(ip.partition("%")[0])
        return any(address in network for network in self._proxies)

    def enter(self, connection: Connection) -> int | None:
        """A handshake is through: None lets the connection say hello, else it comes back in so many ms."""
        retry_after_ms = self.admission.enter(self.loop.time())
        if retry_after_ms is not None:
            self.metrics.postponed += 1
            self._no_longer_pending(connection)
        return retry_after_ms

    @property
    def gathers(self) -> bool:
        """Whether many come now, so that those let in attach together."""
        admission = self.admission
        return bool(self._gathered) or admission.is_crowded or admission.is_busy(self.loop.time())

    def gather(self, come_in: Callable[[], None]) -> None:
        """Let somebody in together with the others of this moment."""
        self._gathered.append(come_in)
        if len(self._gathered) >= GATHER_MAX:
            self._let_in()
        elif self._gathering is None:
            stormy = self.admission.is_busy(self.loop.time())
            wait_s = GATHER_STORM_S if stormy else GATHER_CROWD_S
            self._gathering = self.loop.call_later(wait_s, self._let_in)

    def _let_in(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        gathered, self._gathered = self._gathered, []
        for come_in in gathered:
            come_in()

    def _look_at_loop(self, due_s: float) -> None:
        """Tell the admission how late the loop is."""
        now_s = self.loop.time()
        self.admission.observe(now_s - due_s)
        due_s = now_s + ADMISSION_LOOK_S
        self._looking = self.loop.call_at(due_s, self._look_at_loop, due_s)

    def admit(self, connection: Connection, student: str, device: str) -> CloseCode | None:
        """A connection said who it is. An older one of the same device goes (P5); too many are refused."""
        self._no_longer_pending(connection)
        for other in self._by_student.get(student, ()):
            if other.device == device:
                other.close(close_codes.REPLACED)
        others = self._by_student.get(student, ())
        if len(others) >= self.limits.sockets_per_student:
            return close_codes.OVERLOAD
        self._by_student[student] = (*others, connection)
        return None

    def left(self, connection: Connection, student: str) -> None:
        """A connection is no longer the student's."""
        others = tuple(other for other in self._by_student.get(student, ()) if other is not connection)
        if others:
            self._by_student[student] = others
        else:
            self._by_student.pop(student, None)

    def gone(self, stream: SocketStream) -> None:
        """A TCP connection is closed."""
        self._connections.discard(stream)
        if not self._connections:
            self._empty.set()
        self._no_longer_pending(stream)
        self._accept_again()

    def _accept_again(self) -> None:
        room = len(self._pending) <= self.limits.pending // 2
        if self._paused and room and len(self._connections) <= self._connections_max:
            self._paused = False
            self.spawn(self._accept())

    def _no_longer_pending(self, stream: SocketStream) -> None:
        if stream in self._pending:
            self._pending.discard(stream)
            self._pending_by_ip[stream.ip] -= 1
            if not self._pending_by_ip[stream.ip]:
                del self._pending_by_ip[stream.ip]
            self._accept_again()

    def flush_soon(self, stream: SocketStream) -> None:
        """Call `flush` of the stream once at the end of this turn of the loop."""
        if not self._dirty:
            self.loop.call_soon(self._flush)
        self._dirty.append(stream)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for stream in dirty:
            stream.flush()

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run a short task; `stop` ends those that are left."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", error=repr(error)[:300])

    def pages(self) -> dict[str, Page]:
        """What the observe port shows: the metrics, and 503 unless all is well."""

        def healthz() -> tuple[http.HTTPStatus, str, str]:
            well = self.health == "ok"
            status = http.HTTPStatus.OK if well else http.HTTPStatus.SERVICE_UNAVAILABLE
            return status, "text/plain", f"{self.health}\n"

        def metrics() -> tuple[http.HTTPStatus, str, str]:
            return http.HTTPStatus.OK, "text/plain; version=0.0.4", self.metrics.text()

        return {"/healthz": healthz, "/metrics": metrics}

    # Going away.

    def revoke(self, student: str) -> int:
        """Close all sockets of a student whose sign-in was withdrawn (4501). Returns how many."""
        sockets = self._by_student.get(student, ())
        for connection in sockets:
            connection.close(close_codes.REVOKED)
        return len(sockets)

    async def drain(self) -> None:
        """Stop accepting and send everybody away with 4000, their returns spread; at most `drain_s`."""
        self.draining = True
        self._pause_accepting()
        if self._listening is not None:
            self._listening.close()
        leaving = list(self._connections)
        random.shuffle(leaving)
        spread_ms = max(1000.0, 1000 * len(leaving) / self.settings.drain_accept_per_s)
        try:
            async with asyncio.timeout(self.settings.drain_s):
                for start in range(0, len(leaving), DRAIN_SLICE):
                    for index, connection in enumerate(leaving[start : start + DRAIN_SLICE], start):
                        retry_after_ms = int(spread_ms * (index + random.random()) / len(leaving))
                        connection.close(close_codes.DRAIN, retry_after_ms=retry_after_ms)
                    await asyncio.sleep(0)
                await self._empty.wait()
        except TimeoutError:
            log.warning("drain_cut_short", connections=len(self._connections))

    async def stop(self) -> None:
        """Cut what is still open. After `drain` that is nothing or little."""
        self.draining = True
        self._pause_accepting()
        if self._listening is not None:
            self._listening.close()
        for connection in list(self._connections):
            connection.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._empty.wait()
        self.wheel.stop()
        for timer in (self._looking, self._gathering):
            if timer is not None:
                timer.cancel()


def _origins(settings: SocketSettings) -> tuple[Origin | None, ...]:
    named = tuple(Origin(origin) for origin in settings.allowed_origins)
    return (*named, None) if settings.allow_no_origin else named


def _connections_max(limits: SocketLimits) -> int:
    """The cap of the settings, or what the file descriptors of this process allow (F32)."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - FDS_RESERVED
    return max(1, allowed if limits.connections is None else min(limits.connections, allowed))


def _networks(named: Sequence[str]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(network) for network in named)
    except ValueError as error:
        raise SetupError(f"sockets.proxies: {error}; write networks as 10.0.0.0/8") from None


def _tls(settings: SocketSettings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as error:
        raise SetupError(f"the TLS certificate cannot be used ({error}); give a PEM chain and key") from error
    return context


def _listen(settings: SocketSettings) -> socket.socket:
    listening: socket.socket | None = None
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, number)
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.reuse_port:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if settings.limits.send_buffer_bytes is not None:
            # Inherited by accepted sockets: a peer that does not read fills us, not the kernel's megabytes.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.limits.send_buffer_bytes)
        listening.bind(address)
        listening.listen(settings.backlog)
    except OSError as error:
        if listening is not None:
            listening.close()
        raise SetupError(
            f"cannot listen on {settings.host}:{settings.port} ({error}); choose another port"
        ) from error
    return listening
