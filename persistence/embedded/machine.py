"""All servers of one machine, started together on one data folder and stopped together."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from persistence.embedded import object_store, postgres, valkey
from persistence.embedded.datafolder import DataFolder
from persistence.embedded.object_store import S3, ObjectStore
from persistence.embedded.postgres import Postgres
from persistence.embedded.valkey import Valkey

Progress = Callable[[str, float], None]
Server = TypeVar("Server", Postgres, Valkey, ObjectStore)


@dataclass(frozen=True)
class FixedPorts:
    """Ports a person fixed; None means: last time's, else a free one."""

    postgres: int | None = None
    valkey: int | None = None
    object_store: int | None = None


@dataclass(frozen=True)
class Embedded:
    """The running servers and the data folder they hold."""

    folder: DataFolder
    postgres: Postgres
    valkey: Valkey
    object_store: ObjectStore

    @property
    def postgres_dsn(self) -> str:
        return self.postgres.dsn

    @property
    def redis_url(self) -> str:
        return self.valkey.url

    @property
    def s3(self) -> S3:
        return self.object_store.s3

    @property
    def server_pids(self) -> dict[str, int]:
        """The server processes by name (their own children, like Postgres' backends, not counted)."""
        return {
            "postgres": self.postgres.pid,
            "valkey": self.valkey.pid,
            "object-store": self.object_store.pid,
            "object-edge": self.object_store.edge_pid,
        }

    @property
    def guard_pids(self) -> tuple[int, ...]:
        return (self.postgres.guard_pid, self.valkey.guard_pid, *self.object_store.guard_pids)

    async def stop(self) -> None:
        """Stop all of them and give up the data folder; what fails to stop politely is killed."""
        try:
            await _stop_all([self.postgres, self.valkey, self.object_store])
        finally:
            self.folder.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _quiet(name: str, seconds: float) -> None:
    """Report no progress."""


async def start_all(
    path: Path,
    on_progress: Progress = _quiet,
    *,
    fixed_ports: FixedPorts | None = None,
    initdb_sync: bool = True,
) -> Embedded:
    """Take the data folder at `path` and start every server on it at once.

    `on_progress(name, seconds)` is called as each one is ready. Should one fail, the others are stopped and
    its `SetupError` is raised. `initdb_sync=False` is for tests alone.
    """
    wanted = fixed_ports or FixedPorts()
    folder = DataFolder.open(path)
    pg = asyncio.ensure_future(
        _timed("Postgres", postgres.start(folder, port=wanted.postgres, initdb_sync=initdb_sync), on_progress)
    )
    cache = asyncio.ensure_future(_timed("Valkey", valkey.start(folder, port=wanted.valkey), on_progress))
    objects = asyncio.ensure_future(
        _timed("object store", object_store.start(folder, port=wanted.object_store), on_progress)
    )
    tasks: list[asyncio.Future[Any]] = [pg, cache, objects]
    try:
        # Not gather: it cancels them itself, and a second cancel would cut short the stop of what began.
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    except BaseException:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await _stop_all([server for server in ended if not isinstance(server, BaseException)])
        folder.close()
        raise
    return Embedded(folder, pg.result(), cache.result(), objects.result())


async def _timed(name: str, starting: Awaitable[Server], on_progress: Progress) -> Server:
    began = time.monotonic()
    server = await starting
    try:
        on_progress(name, time.monotonic() - began)
    except BaseException:
        await server.stop()
        raise
    return server


async def _stop_all(servers: Sequence[Postgres | Valkey | ObjectStore]) -> None:
    """Stop them at once; the first error, if any, is raised after all were tried."""
    results = await asyncio.gather(*(server.stop() for server in servers), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
