"""The socket gateway as a Ray actor: one process with its sockets, on Ray's own event loop (uvloop)."""

import asyncio
import os
import resource
import time
import uuid
from collections.abc import Sequence
from typing import Any

import structlog
from ray.exceptions import ActorDiedError, RayError

from actors.garbage import Garbage
from actors.named import named_actor
from actors.nodes import footprint
from actors.settings import DIRECTORY
from gateway.logs import set_up_logs
from gateway.sockets.auth import Authenticator
from gateway.sockets.batching import ShardRouter
from gateway.sockets.media import MediaUnavailable, Wish
from gateway.sockets.metrics import Metrics
from gateway.sockets.observe import ObservePort
from gateway.sockets.server import SocketServer
from gateway.sockets.settings import SocketSettings
from gateway.tokens import TokenVerifier
from persistence.errors import SetupError
from persistence.redis import Redis, open_redis
from persistence.tickets import Tickets

log = structlog.get_logger()

GARBAGE_S = 1.0
"""How often the process looks for cyclic garbage."""

WEB_GATEWAY = "gateway:web:0"

LANES_S = 5.0
"""How long a drained gateway waits for shards to hear that its connections are gone."""


class SocketGateway:
    """One gateway process. Ray runs async actors on uvloop when it is installed (`RAY_USE_UVLOOP`), so the
    server lives on that same loop and shards' pushes reach it without crossing threads.
    """

    def __init__(self, name: str, settings: SocketSettings) -> None:
        set_up_logs(for_people=False)
        self.name = name
        self.settings = settings
        self.life = uuid.uuid4().hex
        self._shards: dict[str, Any] = {}
        self._metrics = Metrics()
        self._starting = asyncio.Lock()
        self._web: Any = None
        self._redis: Redis | None = None
        self._router: ShardRouter | None = None
        self._server: SocketServer | None = None
        self._observe: ObservePort | None = None
        self._observed: tuple[str, int] = ("", 0)

    async def start(self) -> tuple[str, int]:
        """Fetch the slot map and listen; gives host and port. Safe to call again."""
        async with self._starting:
            if self._server is None:
                self._server = await self._start()
            return self._server.address

    async def _start(self) -> SocketServer:
        settings = self.settings
        if settings.redis_url is not None:
            self._redis = open_redis(settings.redis_url)
        authenticator = Authenticator(
            TokenVerifier(settings.jwks),
            Tickets(self._redis) if self._redis is not None else None,
            settings.limits.ticket_s,
        )
        self._router = ShardRouter(
            gateway=self.name,
            life=self.life,
            call=self._call,
            fetch_map=self._fetch_map,
            metrics=self._metrics,
            window_s=settings.window_ms / 1000,
            patience_s=settings.patience_ms / 1000,
            call_s=settings.call_s,
            keepalive_s=settings.keepalive_s,
            batch_max=settings.batch_operations,
            capacity=settings.lane_operations,
            updates_waiting=settings.lane_updates,
        )
        await self._router.start()
        _take_all_descriptors()
        # What Ray and the imports left behind lives as long as the process: never look through it again.
        garbage = Garbage(time.monotonic())
        server = SocketServer(settings, self._router, authenticator, self._ask_media)
        try:
            await server.start()
        except SetupError:
            await self._router.stop(0.0)
            raise
        server.spawn(_tend(garbage, server))
        self._observe = ObservePort(server.pages())
        self._observed = await self._observe.start(settings.observe_host, settings.observe_port)
        log.info("gateway_listens", gateway=self.name, address=server.address, observe=self._observed)
        return server

    async def deliver(self, blob: bytes) -> None:
        """Outcomes a shard sends unasked. Before `start` there is nobody to give them to."""
        if self._router is not None:
            self._router.deliver(blob)

    async def slots(
        self, version: int, owners: list[str], moved: list[int], given_back: list[int], timeout_s: float
    ) -> bool:
        """A new map of the 256 slots; an older one than known changes nothing. Whether the connections of
        these slots are attached where the map says, in this time."""
        if self._router is None:
            return True
        self._router.set_map(version, owners)
        self._router.attach_slots(set(given_back))
        return await self._router.arrived({*moved, *given_back}, timeout_s)

    async def stats(self) -> dict[str, Any]:
        """Figures for the directory and for people."""
        server, router = self._server, self._router
        return {
            "name": self.name,
            "life": self.life,
            "pid": os.getpid(),
            **footprint(),
            "loop": type(asyncio.get_running_loop()).__module__,
            "health": server.health if server else "starting",
            "address": list(server.address) if server else None,
            "observe": list(self._observed),
            "connections": server.connections if server else 0,
            "metrics": self._metrics.numbers(),
            "router": router.stats() if router else {},
        }

    async def metrics(self) -> str:
        """The Prometheus text."""
        return self._metrics.text()

    async def revoke(self, student: str) -> int:
        """Close all sockets of a student whose sign-in was withdrawn (4501). Gives how many."""
        return self._server.revoke(student) if self._server is not None else 0

    async def drain(self) -> None:
        """Send everybody away with their returns spread, and let the shards know (F25)."""
        async with self._starting:
            if self._server is not None:
                await self._server.drain()
                await self._server.stop()
            if self._router is not None:
                await self._router.stop(LANES_S)
            if self._observe is not None:
                await self._observe.stop()
            if self._redis is not None:
                await self._redis.aclose()

    async def _call(self, shard: str, blob: bytes) -> bytes:
        """One `apply` of a shard, by a handle that is kept: the control plane may be away."""
        handle = self._shards.get(shard)
        if handle is None:
            handle = self._shards[shard] = await named_actor(shard)
        try:
            outcomes: bytes = await handle.apply.remote(blob)
        except ActorDiedError:
            # One that restarts keeps its handle; one created anew under the name has to be looked up.
            self._shards.pop(shard, None)
            raise
        return outcomes

    async def _ask_media(self, wishes: Sequence[Wish]) -> Sequence[bytes | None]:
        """How students may play items, by the web gateway, whose handle is kept as well."""
        try:
            if self._web is None:
                self._web = await named_actor(WEB_GATEWAY)
            answers: Sequence[bytes | None] = await self._web.media.remote(list(wishes))
        except (RayError, ValueError) as error:
            if isinstance(error, ActorDiedError):
                self._web = None
            raise MediaUnavailable(f"the web gateway does not answer ({type(error).__name__})") from error
        return answers

    async def _fetch_map(self) -> tuple[int, list[str]]:
        directory = await named_actor(DIRECTORY)
        version, owners = await directory.slot_map.remote()
        return version, owners


async def _tend(garbage: Garbage, server: SocketServer) -> None:
    while True:
        await asyncio.sleep(GARBAGE_S)
        garbage.tend(time.monotonic(), server.connections)


def _take_all_descriptors() -> None:
    """One socket is one descriptor, and the usual soft limit of 1,024 is made for other programs."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
