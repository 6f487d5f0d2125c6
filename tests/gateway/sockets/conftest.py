"""A gateway on a real port with real keys, in front of shards that live in this process."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from actors.core.placement import SLOTS, slot_of
from gateway.keys import Keys, open_keys
from gateway.sockets.auth import Authenticator
from gateway.sockets.batching import ShardRouter
from gateway.sockets.limits import SocketLimits
from gateway.sockets.media import Ask
from gateway.sockets.metrics import Metrics
from gateway.sockets.server import SocketServer
from gateway.sockets.settings import SocketSettings
from gateway.tokens import TokenIssuer, TokenVerifier
from persistence.tickets import Tickets
from tests.gateway.sockets.raw import V1, Raw, leave_all
from tests.gateway.sockets.shards import ShardHere

ORIGIN = "https://learn.example"
NAME = "gateway:socket:0"


class Gateway:
    """A running gateway, its shards, and whoever signs tokens for it."""

    def __init__(
        self,
        keys: Keys,
        settings: SocketSettings,
        tickets: Tickets | None,
        shards: int,
        ask_media: Ask | None = None,
    ) -> None:
        self.issuer = TokenIssuer(keys.signing)
        share = SLOTS // shards
        self.shards = {
            f"shard:{n}": ShardHere(
                f"shard:{n}", range(n * share, SLOTS if n == shards - 1 else (n + 1) * share)
            )
            for n in range(shards)
        }
        self.map_version = 1
        self.first_owners = [
            next(name for name, shard in self.shards.items() if slot in shard.slots) for slot in range(SLOTS)
        ]
        self.map_fetches = 0
        self.metrics = Metrics()
        self.router = ShardRouter(
            gateway=NAME,
            life="life-1",
            call=self.call,
            fetch_map=self.fetch_map,
            metrics=self.metrics,
            window_s=0.002,
            call_s=settings.call_s,
            keepalive_s=settings.keepalive_s,
            capacity=settings.lane_operations,
            updates_waiting=settings.lane_updates,
        )
        verifier = TokenVerifier(keys.jwks)
        self.server = SocketServer(
            settings, self.router, Authenticator(verifier, tickets, settings.limits.ticket_s), ask_media
        )
        for shard in self.shards.values():
            shard.push = self.take_push

    async def call(self, shard: str, blob: bytes) -> bytes:
        return await self.shards[shard].apply(blob)

    async def fetch_map(self) -> tuple[int, list[str]]:
        self.map_fetches += 1
        owners = [next(n for n, shard in self.shards.items() if slot in shard.slots) for slot in range(SLOTS)]
        return self.map_version, owners

    async def lagging_map(self) -> tuple[int, list[str]]:
        """The map as it was at the start, as a directory that is behind gives it."""
        self.map_fetches += 1
        return 1, list(self.first_owners)

    def take_push(self, gateway: str, blob: bytes) -> None:
        if gateway == NAME:
            self.router.deliver(blob)

    def shard_of(self, student: str) -> ShardHere:
        return next(shard for shard in self.shards.values() if slot_of(student) in shard.slots)

    @property
    def address(self) -> tuple[str, int]:
        return self.server.address

    def token(self, student: str, lifetime_s: int = 600) -> str:
        return self.issuer.issue("access", student, student.title(), lifetime_s=lifetime_s)

    def hello(self, student: str = "mira", device: str = "phone", /, **more: Any) -> dict[str, Any]:
        said: dict[str, Any] = {
            "type": "hello",
            "device": {"id": device, "kind": "phone", "name": "Mira's phone"},
            "clock": {"wall": now(), "mono_ms": 1000, "boot": "boot-1"},
            "client": "tests",
            "token": self.token(student),
        }
        said.update(more)
        return {name: value for name, value in said.items() if value is not None}

    async def join(
        self, student: str = "mira", device: str = "phone", protocol: str = V1, **more: Any
    ) -> "Joined":
        """Through handshake and hello."""
        raw = await Joined.open(self.address, protocol, **more)
        raw.say(self.hello(student, device))
        raw.welcome = await raw.message("welcome")
        return raw

    async def settled(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, at most 10 s."""
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - nobody sets an event for what tests look at
                await asyncio.sleep(0.005)


class Joined(Raw):
    """A peer that was welcomed."""

    welcome: dict[str, Any]


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


def played(seq: int, *, item: str = "lecture", **more: Any) -> dict[str, Any]:
    """A journal entry: ten seconds of play each, whatever `seq` is."""
    place = seq if 0 < seq < 360 else 1
    return {
        "seq": seq,
        "session": "visit-1",
        "item": item,
        "version": "1",
        "base_rev": 0,
        "kind": "played",
        "mono_ms": 1000 + place * 10_000,
        "boot": "boot-1",
        "wall": now(),
        "from_ms": (place - 1) * 10_000,
        "to_ms": place * 10_000,
        "rate": 1.0,
        **more,
    }


def events(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"type": "events", "events": list(entries)}


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder: Path = tmp_path_factory.mktemp("keys")
    return open_keys(folder)


Start = Callable[..., Any]


@pytest_asyncio.fixture
async def start(keys: Keys) -> AsyncIterator[Start]:
    """`await start(limits..., tickets=..., shards=...)` gives a running gateway, stopped after the test."""
    async with AsyncExitStack() as stack:

        async def begin(
            *,
            tickets: Tickets | None = None,
            shards: int = 1,
            settings: dict[str, Any] | None = None,
            ask_media: Ask | None = None,
            **limits: Any,
        ) -> Gateway:
            plain = SocketSettings(jwks=keys.jwks, allowed_origins=(ORIGIN,), keepalive_s=0.05)
            chosen = replace(plain, limits=replace(SocketLimits(), **limits), **(settings or {}))
            gateway = Gateway(keys, chosen, tickets, shards, ask_media)
            await gateway.router.start()
            stack.push_async_callback(gateway.router.stop, 0.1)
            await gateway.server.start()
            stack.push_async_callback(gateway.server.stop)
            return gateway

        yield begin
        await leave_all()


@pytest_asyncio.fixture
async def gateway(start: Start) -> Gateway:
    """One with the limits it ships with."""
    running: Gateway = await start()
    return running
