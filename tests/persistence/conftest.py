"""A migrated database for each test module, and a connection to Redis."""

from collections.abc import AsyncIterator

import pytest_asyncio

from persistence.embedded import Embedded
from persistence.migrate import migrate
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from persistence.redis import Redis, open_redis


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres(postgres_dsn: str) -> AsyncIterator[Postgres]:
    """The module's database with the schema in it."""
    opened = await open_postgres(PostgresSettings(postgres_dsn, "tests", connections_max=8))
    await migrate(opened)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def redis(embedded: Embedded) -> AsyncIterator[Redis]:
    """A client of the real server; tests use names of their own."""
    client = open_redis(embedded.redis_url)
    yield client
    await client.aclose()
