"""A migrated database and a bucket for each test module."""

from collections.abc import AsyncIterator
from dataclasses import asdict

import pytest
import pytest_asyncio

from persistence.embedded import Embedded
from persistence.migrate import migrate
from persistence.objects import ObjectStore
from persistence.postgres import Postgres, PostgresSettings, open_postgres


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres(postgres_dsn: str) -> AsyncIterator[Postgres]:
    """The module's database with the schema in it."""
    opened = await open_postgres(PostgresSettings(postgres_dsn, "tests"))
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def store(embedded: Embedded, request: pytest.FixtureRequest) -> ObjectStore:
    """A bucket of the module's own."""
    name = request.module.__name__.rpartition(".")[2].replace("_", "-")
    return ObjectStore(**{**asdict(embedded.s3), "bucket": name})
