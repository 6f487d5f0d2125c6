"""Who may write a slot: the epoch of its ownership, which every checkpoint must carry (design 5)."""

from collections.abc import Mapping, Sequence

from persistence import queries
from persistence.postgres import Postgres

SQL = queries.load("leases")


async def take(postgres: Postgres, slots: Sequence[int], owner: str) -> dict[int, int]:
    """Take slots for a shard, whoever has them: their new epochs by slot. Load state only after this has
    returned."""
    rows = await postgres.rows(SQL["take"], list(slots), owner)
    return {row["slot"]: row["epoch"] for row in rows}


async def release(postgres: Postgres, held: Mapping[int, int], owner: str) -> dict[int, int]:
    """Give up slots that a shard has under these epochs: the epochs under which nobody has them now.

    A slot that somebody else has by now is not among them. Safe to send again, but then says nothing.
    """
    rows = await postgres.rows(SQL["release"], list(held), list(held.values()), owner)
    return {row["slot"]: row["epoch"] for row in rows}


async def accept(postgres: Postgres, released: Mapping[int, int], owner: str) -> dict[int, int]:
    """Take slots that were released under these epochs: the new epochs. A slot that somebody else has taken
    since is not among them, so of several who are offered it exactly one gets it."""
    rows = await postgres.rows(SQL["accept"], list(released), list(released.values()), owner)
    return {row["slot"]: row["epoch"] for row in rows}


async def owned(postgres: Postgres, owner: str) -> list[int]:
    """The slots whose latest owner is this shard."""
    return [row["slot"] for row in await postgres.rows(SQL["owned"], owner)]


async def owners(postgres: Postgres) -> dict[int, tuple[str, int]]:
    """Owner and epoch of every slot; an owner is "" where nobody has it."""
    return {row["slot"]: (row["owner"], row["epoch"]) for row in await postgres.rows(SQL["owners"])}
