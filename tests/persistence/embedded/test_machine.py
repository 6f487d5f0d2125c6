"""All servers of one machine together: started at once, stopped at once, none left when one fails."""

import asyncio
import os
import socket
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis

from persistence.embedded import DataFolder, Embedded, FixedPorts, start_all
from persistence.errors import SetupError


def processes_about(folder: Path) -> list[psutil.Process]:
    """Every process with `folder` in its command line, as all guards and most servers have."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(process.info["cmdline"] or [])
    ]


async def test_every_server_answers_at_its_address(embedded: Embedded, postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn, timeout=10)
    try:
        assert await connection.fetchval("SELECT 1") == 1
    finally:
        await connection.close()
    async with Redis.from_url(embedded.redis_url) as client:
        assert await client.set("course:1", "x", ex=3600)
    async with asyncio.timeout(5):
        _, writer = await asyncio.open_connection("127.0.0.1", embedded.object_store.port)
        writer.close()
        await writer.wait_closed()


async def test_each_database_is_its_test_modules_own(embedded: Embedded, postgres_dsn: str) -> None:
    assert postgres_dsn.startswith(embedded.postgres_dsn.rpartition("/")[0])
    assert "test_machine" in postgres_dsn


async def test_progress_names_every_part_once_and_how_long_it_took(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    async with await start_all(
        tmp_path / "data", lambda *line: told.append(line), initdb_sync=False
    ) as first:
        assert sorted(name for name, _ in told) == ["Postgres", "Valkey", "object store"]
        assert all(seconds > 0 for _, seconds in told)
        with pytest.raises(SetupError, match=f"in use by process {os.getpid()}"):
            await start_all(tmp_path / "data")
        assert len(processes_about(tmp_path)) >= len(first.guard_pids)
        everybody = [psutil.Process(pid) for pid in (*first.server_pids.values(), *first.guard_pids)]
        assert all(process.is_running() for process in everybody)
    assert not [process for process in everybody if process.is_running()]
    async with await start_all(tmp_path / "data") as second:
        assert (second.postgres_dsn, second.redis_url) == (first.postgres_dsn, first.redis_url)
        assert second.s3 == first.s3


async def test_when_one_part_cannot_start_none_is_left(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(SetupError, match=f"Port {taken} for valkey is taken"):
            await start_all(tmp_path / "data", fixed_ports=FixedPorts(valkey=taken), initdb_sync=False)
    assert not processes_about(tmp_path)
    DataFolder.open(tmp_path / "data").close()


async def test_a_start_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    starting = asyncio.ensure_future(start_all(tmp_path / "data", initdb_sync=False))
    async with asyncio.timeout(20):
        while not any((tmp_path / "data" / "run").glob("*.json")):  # noqa: ASYNC110 - a file, not an event
            await asyncio.sleep(0.005)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not processes_about(tmp_path)
    DataFolder.open(tmp_path / "data").close()


async def test_every_port_can_be_fixed(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
        socket.create_server(("127.0.0.1", 0)) as three,
    ):
        wanted = FixedPorts(*(free.getsockname()[1] for free in (one, two, three)))
    async with await start_all(tmp_path / "data", fixed_ports=wanted, initdb_sync=False) as running:
        assert running.postgres.port == wanted.postgres
        assert running.valkey.port == wanted.valkey
        assert running.s3.public_url == f"http://127.0.0.1:{wanted.object_store}"
