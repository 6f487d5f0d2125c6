"""All servers of one machine, started together on one data folder and stopped together."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from persistence.embedded import postgres, valkey
from persistence.embedded.datafolder import DataFolder
from persistence.embedded.postgres import Postgres
from persistence.embedded.valkey import Valkey

Progress = Callable[[str, float], None]
Server = TypeVar("Server", bound="Postgres | Valkey")


@dataclass(frozen=True)
class FixedPorts:
    """Ports a person fixed; None means: last time's, else a free one."""

    postgres: int | None = None
    valkey: int | None = None


@dataclass(frozen=True)
class Embedded:
    """The running servers and the data folder they hold."""

    folder: DataFolder
    postgres: Postgres
    valkey: Valkey

    @property
    def postgres_dsn(self) -> str:
        return self.postgres.dsn

    @property
    def redis_url(self) -> str:
        return self.valkey.url

    @property
    def pids(self) -> list[int]:
        """Every process of the embedded servers, guards included."""
        return [pid for server in (self.postgres, self.valkey) for pid in (server.pid, server.guard_pid)]

    async def stop(self) -> None:
        """Stop all of them and give up the data folder; what fails to stop politely is killed."""
        await _stop([self.postgres, self.valkey])
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
    try:
        running = await _together(
            _timed(
                "Postgres", postgres.start(folder, port=wanted.postgres, initdb_sync=initdb_sync), on_progress
            ),
            _timed("Valkey", valkey.start(folder, port=wanted.valkey), on_progress),
        )
    except BaseException:
        folder.close()
        raise
    return Embedded(folder, *running)


async def _timed(name: str, starting: Awaitable[Server], on_progress: Progress) -> Server:
    began = time.monotonic()
    server = await starting
    on_progress(name, time.monotonic() - began)
    return server


async def _together(
    starting_postgres: Awaitable[Postgres], starting_valkey: Awaitable[Valkey]
) -> tuple[Postgres, Valkey]:
    """Await both; if one fails or the start is given up, wait for the other and stop what did start."""
    tasks = (asyncio.ensure_future(starting_postgres), asyncio.ensure_future(starting_valkey))
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await _stop([server for server in ended if not isinstance(server, BaseException)])
        raise


async def _stop(servers: "list[Postgres | Valkey]") -> None:
    results = await asyncio.gather(*(server.stop() for server in servers), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
