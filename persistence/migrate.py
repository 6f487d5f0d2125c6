"""Brings the schema of Postgres up to date: numbered SQL files, each applied once, in order."""

import hashlib
import itertools
from pathlib import Path

from persistence.errors import SetupError
from persistence.postgres import Postgres

MIGRATIONS = Path(__file__).parent / "migrations"
# One number for the whole cluster, of our choosing: whoever migrates holds it (hex of "play").
LOCK = 0x706C6179
MONTHLY = ("checkpoint_history", "head_change", "experience")
MONTHS_AHEAD = 2
TIMEOUT_S = 300.0
# What a request may take is too little for an index of all courses.
_PATIENCE = f"SET LOCAL lock_timeout = '{TIMEOUT_S:.0f}s'; SET LOCAL statement_timeout = '{TIMEOUT_S:.0f}s'"
_TRIGRAMS_THERE = """
    SELECT trigrams AND to_regclass('listing_trigrams') IS NOT NULL
        AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')
    FROM listing_state
"""


async def migrate(postgres: Postgres, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing and make the coming monthly partitions; gives the names applied now.

    All or nothing, in one transaction; several at once wait for each other. Raises `SetupError` when an
    applied file has changed since, or two files share a number.
    """
    scripts = _read(folder)
    applied: list[str] = []
    async with postgres.connection() as connection, connection.transaction():
        await connection.execute(_PATIENCE)
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK, timeout=TIMEOUT_S)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY, sha256 text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        known = {row["name"]: row["sha256"] for row in await connection.fetch("SELECT * FROM migration")}
        for name, script in scripts:
            sha256 = hashlib.sha256(script.encode()).hexdigest()
            if name not in known:
                await connection.execute(script, timeout=TIMEOUT_S)
                await connection.execute("INSERT INTO migration VALUES ($1, $2)", name, sha256)
                applied.append(name)
            elif known[name] != sha256:
                raise SetupError(
                    f"migration {name} was changed after it had been applied (sha256 {sha256[:12]} now,"
                    f" {known[name][:12]} then); restore it and put the change into a new file"
                )
    await ensure_months(postgres)
    await _ensure_trigrams(postgres)
    return applied


async def _ensure_trigrams(postgres: Postgres) -> None:
    """Make the index of misspelt titles where it can be had: an extension may have come, or gone, meanwhile.

    Where all is there already nothing is locked, so that a start waits for nobody who publishes.
    """
    async with postgres.connection() as connection, connection.transaction():
        await connection.execute(_PATIENCE)
        if not await connection.fetchval(_TRIGRAMS_THERE):
            await connection.execute("SELECT ensure_trigrams()", timeout=TIMEOUT_S)


async def ensure_months(postgres: Postgres) -> None:
    """Make the monthly partitions from the last month to two ahead; call it again at least every month.

    The last one too: what happened before midnight may be written after it, and clocks differ.
    """
    for table in MONTHLY:
        await postgres.execute(
            "SELECT ensure_month($1::text::regclass, now() + make_interval(months => n))"
            " FROM generate_series(-1, $2::int) AS n",
            table,
            MONTHS_AHEAD,
        )


def _read(folder: Path) -> list[tuple[str, str]]:
    """Name and text of each migration, by number."""
    scripts = [(file.name, file.read_text()) for file in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))]
    if not scripts:
        raise SetupError("no migrations were found: the installation is not whole, install Playhead again")
    for (one, _), (other, _) in itertools.pairwise(scripts):
        if one[:4] == other[:4]:
            raise SetupError(f"migrations {one} and {other} share a number; give the newer one the next")
    return scripts
