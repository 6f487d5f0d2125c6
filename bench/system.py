"""The server under load: the embedded stores, Ray and all actors of the wiring, on ports and data of its own.

Import it only after `gateway.ray_environment.prepare` (Ray reads its environment once).
"""

import asyncio
import contextlib
import itertools
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.meter import Meter
from bench.plan import VERSION, Mix
from gateway import cluster, wiring
from gateway.keys import open_keys
from gateway.settings import Settings, from_environment
from persistence import courses, items, sessions, students
from persistence.embedded import Embedded, start_all
from persistence.migrate import migrate
from persistence.objects import ObjectStore
from persistence.postgres import Postgres, PostgresSettings, open_postgres

CHUNK = 2000
"""Rows of one statement."""

Progress = Callable[[str, float], None]
"""Called with the name of a step that has ended and its seconds."""

SOCKETS, SHARDS = "socket gateways", "shards"

TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True)
class Server:
    """A running system, and how to ask it."""

    settings: Settings
    running: wiring.System
    postgres: Postgres
    embedded: Embedded
    keys_folder: Path

    @property
    def url(self) -> str:
        """Where sockets are."""
        return f"ws://{self.settings.sockets.host}:{self.settings.sockets.port}/v1/socket"

    async def meter(self) -> Meter:
        """A meter of every process of the server. Made once all actors have answered the directory."""
        async with asyncio.timeout(30):
            stats = await self.running.stats()
            while any(actor["seen_s"] is None for actor in stats["actors"].values()):
                await asyncio.sleep(0.1)
                stats = await self.running.stats()
        return Meter(os.getpid(), self._named(stats))

    async def named(self) -> dict[int, str]:
        """The group of every process that is known by name, as of now."""
        return self._named(await self.running.stats())

    def _named(self, stats: dict[str, Any]) -> dict[int, str]:
        named: dict[int, str] = {stats["pid"]: "directory"}
        for name, actor in stats["actors"].items():
            group = SHARDS if name.startswith("shard:") else SOCKETS
            if "pid" in actor:
                named[actor["pid"]] = "web gateway" if name.startswith("gateway:web") else group
        for name, pid in self.embedded.server_pids.items():
            named[pid] = {"postgres": "Postgres", "valkey": "Valkey"}.get(name, "object store")
        return named | dict.fromkeys(self.embedded.guard_pids, "guards")

    async def gateway_pids(self) -> list[int]:
        """The processes of the socket gateways."""
        actors = await self.actors()
        return [actor["pid"] for name, actor in actors.items() if name.startswith("gateway:socket:")]

    async def transactions(self) -> int:
        """How many transactions Postgres has ended, as far as its backends have reported (each second)."""
        return int(await self.postgres.value(TRANSACTIONS))

    async def actors(self) -> dict[str, Any]:
        """What every actor says of itself, and how often it was started again."""
        actors: dict[str, Any] = (await self.running.stats())["actors"]
        return actors


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    shards: int | None,
    gateways: int | None,
    on_progress: Progress,
    more: Mapping[str, Any] | None = None,
) -> AsyncIterator[Server]:
    """Everything as `playhead demo` starts it, without a video; stopped at the end.

    `more` are other settings by `section.key`.
    """
    overrides = {
        "data.folder": str(folder),
        "web.port": _free_port(),
        "sockets.port": _free_port(),
        "ray.dashboard_port": _free_port(),
        "shards.count": shards,
        "sockets.count": gateways,
        **(more or {}),
    }
    settings = from_environment(None, overrides)
    async with await start_all(folder, on_progress) as embedded:
        postgres = await open_postgres(PostgresSettings(embedded.postgres_dsn, "playhead bench", 1, 2))
        try:
            await migrate(postgres)
            wiring.check_budget(settings, int(await postgres.value("SHOW max_connections")))
            async with _actors(settings, embedded, folder / "keys", on_progress) as system:
                yield Server(settings, system, postgres, embedded, folder / "keys")
        finally:
            await postgres.close()


@contextlib.asynccontextmanager
async def _actors(
    settings: Settings, embedded: Embedded, keys_folder: Path, on_progress: Progress
) -> AsyncIterator[wiring.System]:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    own = await cluster.start(embedded.folder, "127.0.0.1", settings.ray.dashboard_port)
    try:
        on_progress("Ray", loop.time() - began_s)
        began_s = loop.time()
        store = ObjectStore(**asdict(embedded.s3))
        stores = wiring.Stores(embedded.postgres_dsn, embedded.redis_url, store)
        jwks = open_keys(keys_folder).jwks
        system = await wiring.start(wiring.specs(settings, stores, keys_folder, jwks))
        on_progress("directory, shards and gateways", loop.time() - began_s)
        yield system
        await system.drain()
    finally:
        await own.stop()


async def register(postgres: Postgres, mix: Mix) -> None:
    """Put the course, its items and all students into Postgres, and enrol them, in bulk."""
    await courses.put(postgres, mix.course, courses.CourseContent(title="The fleet's course"), published=True)
    ids = [mix.item(number * mix.unit_ms) for number in range(mix.items)]
    await items.put(
        postgres,
        [items.Item(item, mix.course, "video", item, VERSION, place) for place, item in enumerate(ids)],
        [items.Version(item, VERSION, mix.duration_ms) for item in ids],
    )
    for chunk in _chunks(range(mix.students)):
        people = [students.Student(mix.student(number), "") for number in chunk]
        await students.put(postgres, people)
        await students.enrol(postgres, [students.Enrolment(person.id, mix.course) for person in people])


async def stored(postgres: Postgres, mix: Mix) -> AsyncIterator[tuple[int, sessions.StoredSession]]:
    """What is at rest of every student, by number."""
    for chunk in _chunks(range(mix.students)):
        ids = [mix.student(number) for number in chunk]
        found = await sessions.load(postgres, ids)
        for number, student in zip(chunk, ids, strict=True):
            yield number, found[student]


def _chunks(numbers: Iterable[int]) -> Iterable[list[int]]:
    rest = iter(numbers)
    while chunk := list(itertools.islice(rest, CHUNK)):
        yield chunk


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
