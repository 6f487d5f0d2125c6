"""Fixtures every test may use: the real servers of one machine, and a database of one's own."""

import re
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from gateway import ray_environment
from persistence.embedded import Embedded, start_all

# Ray reads its environment when a test module first imports it.
_token_folder = tempfile.TemporaryDirectory(prefix="playhead-tests-")
ray_environment.prepare(Path(_token_folder.name) / "ray.token", loopback=True)

pytest_plugins = ["tests.left_out", "tests.acceptance.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many histories the rules are tried on, or which one again."""
    parser.addoption("--seeds", type=int, default=10_000, help="how many histories are made from seeds")
    parser.addoption("--seeds-from", type=int, default=0, help="the first of these seeds")
    parser.addoption("--seed", type=int, default=None, help="only the history of this seed")


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
    async with make_database(embedded, module) as dsn:
        yield dsn


@asynccontextmanager
async def make_database(embedded: Embedded, purpose: str) -> AsyncIterator[str]:
    """The DSN of a fresh, empty database, dropped afterwards."""
    name = f"{purpose}_{uuid.uuid4().hex[:8]}"
    await _execute(embedded.postgres_dsn, f'CREATE DATABASE "{name}"')
    try:
        yield embedded.postgres.dsn_of(name)
    finally:
        await _execute(embedded.postgres_dsn, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close(timeout=10)
