"""How many shards and socket gateways there are to be, kept where a restarted directory finds it."""

from collections.abc import Mapping

from persistence import queries
from persistence.postgres import Postgres

SQL = queries.load("desired")

SHARDS, GATEWAYS = "shards", "gateways"


async def put(postgres: Postgres, counts: Mapping[str, int]) -> None:
    """Remember the counts of these kinds, each at least 1."""
    await postgres.execute(SQL["put"], list(counts), list(counts.values()))


async def get(postgres: Postgres) -> dict[str, int]:
    """The counts by kind; a kind nobody has put is missing."""
    return {row["kind"]: row["count"] for row in await postgres.rows(SQL["get"])}
