"""H16: a write under a key happens once, whoever sends it again, and a key is one student's for one
request.
"""

import asyncio
import uuid

import pytest

from persistence import idempotency
from persistence.idempotency import Kept, KeyReused
from persistence.postgres import Postgres


class Writes:
    """Something that counts how often it really was done, in the same transaction."""

    def __init__(self, fail: bool = False) -> None:
        self.name = uuid.uuid4().hex
        self.fail = fail

    async def act(self, inside: Postgres) -> Kept:
        await inside.execute("INSERT INTO student (id) VALUES ($1)", f"{self.name}-{uuid.uuid4().hex[:8]}")
        await asyncio.sleep(0)
        if self.fail:
            raise ValueError("refused")
        return Kept('"7"', {"Location": "/there"}, self.name.encode())

    async def done(self, postgres: Postgres) -> int:
        count: int = await postgres.value("SELECT count(*) FROM student WHERE starts_with(id, $1)", self.name)
        return count


def key() -> str:
    return uuid.uuid4().hex


async def test_h16_again_is_the_first_answer(postgres: Postgres) -> None:
    writes, name = Writes(), key()
    first = await idempotency.once(postgres, "ada", name, b"a", writes.act)
    again = await idempotency.once(postgres, "ada", name, b"a", writes.act)
    assert again == first == Kept('"7"', {"Location": "/there"}, writes.name.encode())
    assert await writes.done(postgres) == 1


async def test_h16_at_once_is_once(postgres: Postgres) -> None:
    writes, name = Writes(), key()
    answers = await asyncio.gather(
        *(idempotency.once(postgres, "ada", name, b"a", writes.act) for _ in range(6))
    )
    assert len({answer.body for answer in answers}) == 1
    assert await writes.done(postgres) == 1


async def test_h16_another_request_under_the_key_is_refused(postgres: Postgres) -> None:
    writes, name = Writes(), key()
    await idempotency.once(postgres, "ada", name, b"a", writes.act)
    with pytest.raises(KeyReused):
        await idempotency.once(postgres, "ada", name, b"b", writes.act)
    assert await writes.done(postgres) == 1


async def test_h16_another_students_key_is_another_key(postgres: Postgres) -> None:
    writes, name = Writes(), key()
    await idempotency.once(postgres, "ada", name, b"a", writes.act)
    await idempotency.once(postgres, "ben", name, b"b", writes.act)
    assert await writes.done(postgres) == 2


async def test_what_was_refused_leaves_nothing_and_may_be_sent_again(postgres: Postgres) -> None:
    writes, name = Writes(fail=True), key()
    with pytest.raises(ValueError, match="refused"):
        await idempotency.once(postgres, "ada", name, b"a", writes.act)
    assert await writes.done(postgres) == 0
    writes.fail = False
    await idempotency.once(postgres, "ada", name, b"b", writes.act)
    assert await writes.done(postgres) == 1


async def test_old_keys_are_forgotten(postgres: Postgres) -> None:
    old, name = key(), key()
    await idempotency.once(postgres, "ada", old, b"a", Writes().act)
    await postgres.execute(
        "UPDATE idempotency SET created_at = now() - interval '25 hours' WHERE key = $1", old
    )
    await idempotency.once(postgres, "ada", name, b"a", Writes().act)
    found = await postgres.rows("SELECT key FROM idempotency WHERE key = ANY($1::text[])", [old, name])
    assert [row["key"] for row in found] == [name]


async def test_a_transaction_is_all_or_nothing(postgres: Postgres) -> None:
    writes = Writes()
    with pytest.raises(ValueError, match="no"):
        async with postgres.transaction() as inside:
            await writes.act(inside)
            assert await writes.done(inside) == 1
            raise ValueError("no")
    assert await writes.done(postgres) == 0
    async with postgres.transaction() as inside:
        await writes.act(inside)
        with pytest.raises(ValueError, match="part"):
            async with inside.transaction() as part:
                await writes.act(part)
                raise ValueError("part")
    assert await writes.done(postgres) == 1
