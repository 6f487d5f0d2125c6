"""Who may write a slot: the epoch of its ownership, which every checkpoint must carry (design 5)."""

from collections.abc import Sequence

from persistence import queries
from persistence.postgres import Postgres

SQL = queries.load("leases")


async def take(postgres: Postgres, slots: Sequence[int], owner: str) -> dict[int, int]:
    """Take slots for a shard: their new epochs by slot. Load state only after this has returned."""
    rows = await postgres.rows(SQL["take"], list(slots), owner)
    return {row["slot"]: row["epoch"] for row in rows}


async def owned(postgres: Postgres, owner: str) -> list[int]:
    """The slots whose latest owner is this shard."""
    return [row["slot"] for row in await postgres.rows(SQL["owned"], owner)]


async def owners(postgres: Postgres) -> dict[int, tuple[str, int]]:
    """Owner and epoch of every slot; an owner is "" where nobody has taken it yet."""
    return {row["slot"]: (row["owner"], row["epoch"]) for row in await postgres.rows(SQL["owners"])}
