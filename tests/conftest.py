"""Fixtures every test may use: the real servers of one machine, and a database of one's own."""

import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from persistence.embedded import Embedded, start_all

pytest_plugins = ["tests.left_out"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def embedded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Embedded]:
    """Postgres, Valkey and the object store, once for the whole run."""
    folder: Path = tmp_path_factory.mktemp("embedded")
    async with await start_all(folder, initdb_sync=False) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres_dsn(embedded: Embedded, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The DSN of a fresh, empty database for this test module, dropped afterwards."""
    module = re.sub(r"\W", "_", request.module.__name__.rpartition(".")[2])[:40]
    name = f"{module}_{uuid.uuid4().hex[:8]}"
    await _execute(embedded.postgres_dsn, f'CREATE DATABASE "{name}"')
    yield embedded.postgres.dsn_of(name)
    await _execute(embedded.postgres_dsn, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close(timeout=10)
