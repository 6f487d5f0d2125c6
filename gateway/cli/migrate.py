"""`playhead migrate`: the schema of the Postgres in the settings."""

import argparse

from gateway.cli.steps import Steps
from gateway.settings import Settings
from persistence.errors import SetupError
from persistence.migrate import migrate as apply_missing
from persistence.postgres import PostgresSettings, open_postgres


async def migrate(settings: Settings, _options: argparse.Namespace) -> int:
    """Apply what is missing."""
    if not settings.postgres.dsn:
        raise SetupError(
            "no Postgres is named; set postgres.dsn in --config FILE or PLAYHEAD_POSTGRES_DSN "
            "(the embedded server of `playhead demo` is migrated by the demo itself)"
        )
    postgres = await open_postgres(PostgresSettings(settings.postgres.dsn, "playhead migrate", 1, 1))
    try:
        applied = await apply_missing(postgres)
    finally:
        await postgres.close()
    console = Steps().console
    for name in applied:
        console.print(f"  [green]✓[/] {name}")
    console.print("The schema is up to date." if not applied else f"{len(applied)} applied.")
    return 0
