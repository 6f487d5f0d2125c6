"""The stores a command works on: those of the settings, or the data folder's, started if need be."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict

from gateway import wiring
from gateway.cli import running
from gateway.cli.steps import Steps
from gateway.cli.up import stores_of
from gateway.settings import Settings
from persistence.embedded import object_store, postgres, start_all
from persistence.errors import SetupError
from persistence.migrate import migrate
from persistence.objects import ObjectStore
from persistence.postgres import Postgres, PostgresSettings, open_postgres


@contextlib.asynccontextmanager
async def open_stores(
    settings: Settings, steps: Steps, name: str
) -> AsyncIterator[tuple[Postgres, ObjectStore]]:
    """Postgres with the schema in it, and the object store, for the block. Raises `SetupError`.

    With a DSN in the settings they are those of the settings. Else they are the servers of the data folder,
    of the demo that runs on it or started for the block. `name` is what Postgres calls the connection.
    """
    async with contextlib.AsyncExitStack() as stack:
        stores = await _stores(settings, steps, stack)
        opened = await open_postgres(PostgresSettings(stores.postgres_dsn, name, 1, 2))
        stack.push_async_callback(opened.close)
        if await opened.value("SELECT to_regclass('course_draft')") is None:
            raise SetupError(
                "the schema of this Postgres is older; run `playhead migrate` with the same settings"
            )
        yield opened, stores.objects


async def _stores(settings: Settings, steps: Steps, stack: contextlib.AsyncExitStack) -> wiring.Stores:
    folder = settings.folder
    if settings.postgres.dsn:
        return stores_of(settings)
    if running.find(folder) is not None:
        s3 = object_store.s3_at(folder)
        return wiring.Stores(postgres.dsn_at(folder), "", ObjectStore(**asdict(s3)))
    embedded = await start_all(folder, steps.done)
    stack.push_async_callback(embedded.stop)
    opened = await open_postgres(PostgresSettings(embedded.postgres_dsn, "playhead migrate", 1, 1))
    try:
        await migrate(opened)
    finally:
        await opened.close()
    return wiring.Stores(embedded.postgres_dsn, embedded.redis_url, ObjectStore(**asdict(embedded.s3)))
