"""F26: a slot goes from shard to shard whole, or stays where it was; nobody answers for it twice."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from actors import handoff
from actors.batch import (
    AllApplied,
    AllDurable,
    Apply,
    Attach,
    Attached,
    Moved,
    Operation,
    Outcome,
    Reattach,
    encode_batch,
    outcomes_decoder,
)
from actors.core.events import Event
from actors.core.placement import SLOTS, slot_of
from actors.handoff import Released
from actors.messages import ClockReading, Device
from actors.moving import IDLE_TOGETHER, plan
from actors.settings import ShardSettings
from actors.shard import Shard
from actors.slot_map import SlotMap
from persistence import courses, items, leases, students
from persistence.errors import Fenced
from persistence.migrate import migrate
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from tests.actors.shards_here import end

GATEWAY = "gateway:socket:here"
WAIT_S = 15.0
_numbers = itertools.count(1)


class GatewayHere:
    """A gateway in this process that takes what it is told."""

    def __init__(self) -> None:
        self.deliver = self

    async def remote(self, blob: bytes) -> None:
        outcomes_decoder.decode(blob)


class Owner:
    """A real shard in this process, as a gateway talks to it."""

    def __init__(self, dsn: str, name: str) -> None:
        self.shard = Shard(name, ShardSettings(postgres_dsn=dsn, checkpoint_interval_s=600.0))
        self.shard._gateways[GATEWAY] = GatewayHere()
        self.heard = 0

    async def hear(self, *operations: Operation) -> list[Outcome]:
        answer = await self.shard.apply(encode_batch(GATEWAY, "life", list(operations), self.heard))
        outcomes = outcomes_decoder.decode(answer)
        self.heard = outcomes.number or self.heard
        return outcomes.outcomes

    async def attach(self, student: str, again: bool = False) -> Attached:
        clock = ClockReading(datetime.now(UTC), 1000, "boot")
        device = Device("phone", "phone", "Phone")
        outcomes = await self.hear(Attach(1, student, device, clock, 1_795_000_000_000, again))
        (answer,) = (outcome for outcome in outcomes if isinstance(outcome, Attached))
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres(postgres_dsn: str) -> AsyncIterator[Postgres]:
    opened = await open_postgres(PostgresSettings(postgres_dsn, "tests", 1, 2))
    await migrate(opened)
    await courses.put(opened, "c1", courses.CourseContent(title="A course"), published=True)
    await items.put(
        opened, [items.Item("lec", "c1", "video", "A", "v1")], [items.Version("lec", "v1", 9_000_000)]
    )
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def former(postgres: Postgres, postgres_dsn: str) -> AsyncIterator[Owner]:
    owner = Owner(postgres_dsn, "former")
    await owner.shard.own(list(range(SLOTS)), 1)
    yield owner
    await end(owner.shard)


@pytest_asyncio.fixture(loop_scope="session")
async def following(postgres: Postgres, postgres_dsn: str) -> AsyncIterator[Owner]:
    owner = Owner(postgres_dsn, "next")
    await owner.shard.own([], 1)
    yield owner
    await end(owner.shard)


@pytest_asyncio.fixture(loop_scope="session")
async def student(postgres: Postgres) -> str:
    name = f"handed-{next(_numbers)}"
    await students.put(postgres, [students.Student(name, name)])
    await students.enrol(postgres, [students.Enrolment(name, "c1")])
    return name


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; bounded."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - nobody sets an event for what tests look at
            await asyncio.sleep(0.005)


@asynccontextmanager
async def locked(dsn: str, statement: str) -> AsyncIterator[None]:
    """Somebody holds a lock in Postgres."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(statement)
        yield
        await transaction.rollback()
    finally:
        await connection.close(timeout=10)


def kinds(outcomes: list[Outcome]) -> set[type]:
    """What is answered; pushes of before may ride on it."""
    return {type(outcome) for outcome in outcomes} - {AllDurable}


def played(student: str, first: int, count: int = 1) -> Apply:
    """Beats of ten seconds each."""

    def beat(seq: int) -> Event:
        fields: dict[str, Any] = {"from_ms": (seq - 1) * 10_000, "to_ms": seq * 10_000, "rate": 1.0}
        at: dict[str, Any] = {"mono_ms": 1000 + seq * 10_000, "boot": "boot", "wall": datetime.now(UTC)}
        return Event(
            seq=seq, session="v", item="lec", version="v1", base_rev=0, kind="played", **at, **fields
        )

    return Apply(1, student, [beat(seq) for seq in range(first, first + count)])


async def test_f26_what_was_applied_goes_along_and_is_durable(
    former: Owner, following: Owner, student: str, postgres: Postgres
) -> None:
    slot = slot_of(student)
    before = await former.attach(student)
    assert AllApplied({1: 5}) in await former.hear(played(student, 1, 5))
    (released,) = await former.shard.release([slot])
    assert (released.slot, released.epoch, released.continues) == (slot, before.epoch + 1, before.epoch)
    assert list(released.students) == [student] and released.frozen_s < 5
    assert (await leases.owners(postgres))[slot] == ("", released.epoch)
    assert kinds(await former.hear(played(student, 6))) == {Moved}
    assert student not in former.shard._residents
    assert await following.shard.accept([released]) == {slot: released.epoch + 1}
    assert student in following.shard._residents, "loaded before anybody asks"
    after = await following.attach(student, again=True)
    assert (after.applied_seq, after.durable_seq) == (5, 5)
    assert (after.epoch, after.continues) == (before.epoch + 2, before.epoch)
    assert AllApplied({1: 6}) in await following.hear(played(student, 6))


async def test_f26_a_frozen_slot_answers_nothing_and_is_released_when_postgres_does(
    former: Owner, student: str, postgres: Postgres, postgres_dsn: str
) -> None:
    slot = slot_of(student)
    await former.attach(student)
    async with locked(postgres_dsn, f"SELECT 1 FROM slot_lease WHERE slot = {slot} FOR UPDATE"):
        releasing = asyncio.create_task(former.shard.release([slot]))
        await until(lambda: slot not in former.shard._served)
        assert kinds(await former.hear(played(student, 1))) == {Moved}
    (released,) = await releasing
    assert (await leases.owners(postgres))[slot] == ("", released.epoch)


async def test_f26_what_cannot_be_written_in_time_is_served_where_it_was(
    former: Owner, student: str, postgres: Postgres, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handoff, "WARM_S", 0.05)
    slot = slot_of(student)
    await former.attach(student)
    await former.hear(played(student, 1))
    async with locked(postgres_dsn, "LOCK TABLE progress IN SHARE MODE"):
        assert await former.shard.release([slot]) == []
        assert AllApplied({1: 2}) in await former.hear(played(student, 2))
    assert (await leases.owners(postgres))[slot][0] == "former"
    (released,) = await former.shard.release([slot])
    assert released.continues >= 0


async def test_f26_of_two_who_are_offered_a_slot_one_has_it(
    former: Owner, following: Owner, student: str
) -> None:
    slot = slot_of(student)
    (released,) = await former.shard.release([slot])
    offers = await asyncio.gather(former.shard.accept([released]), following.shard.accept([released]))
    assert sorted(map(len, offers)) == [0, 1]
    served = [slot in owner.shard._served for owner in (former, following)]
    assert served == [bool(offer) for offer in offers]


async def test_f26_an_offer_of_long_ago_is_not_taken(former: Owner, following: Owner, student: str) -> None:
    slot = slot_of(student)
    (released,) = await former.shard.release([slot])
    await former.shard.accept([released])
    assert await following.shard.accept([released]) == {}
    assert slot not in following.shard._served


async def test_f26_whoever_was_replaced_gives_nothing_away_and_exits(
    former: Owner, student: str, postgres: Postgres
) -> None:
    slot = slot_of(student)
    heard: list[Fenced] = []
    assert former.shard._handoff is not None
    former.shard._handoff._fenced = heard.append
    await leases.take(postgres, [slot], "somebody else")
    with pytest.raises(Fenced):
        await former.shard.release([slot])
    assert len(heard) == 1
    assert (await leases.owners(postgres))[slot][0] == "somebody else"


async def test_f26_a_slot_found_without_owner_is_no_continuation(
    former: Owner, following: Owner, student: str
) -> None:
    """Whoever takes it over does not know what the former owner has called applied: devices are asked."""
    before = await former.attach(student)
    (released,) = await former.shard.release([slot_of(student)])
    await following.shard.accept([Released(released.slot, released.epoch)])
    after = await following.attach(student, again=True)
    assert (after.epoch, after.continues) == (before.epoch + 2, -1)


async def test_f26_students_who_are_loaded_while_their_slot_leaves_stay_away(
    former: Owner, student: str, postgres_dsn: str
) -> None:
    slot = slot_of(student)
    async with locked(postgres_dsn, "LOCK TABLE progress IN ACCESS EXCLUSIVE MODE"):
        asking = asyncio.create_task(former.hear(played(student, 1)))
        activation = former.shard._activation
        assert activation is not None
        await until(lambda: student in activation._loading)
        assert len(await former.shard.release([slot])) == 1
        assert kinds(await asking) == {Moved}
    await until(lambda: not activation._loading)
    assert student not in former.shard._residents


async def test_f26_a_slot_that_was_given_back_knows_nobody(former: Owner, student: str) -> None:
    await former.attach(student)
    (released,) = await former.shard.release([slot_of(student)])
    await former.shard.accept([released])
    assert kinds(await former.hear(played(student, 1))) == {Reattach}


def test_idle_slots_move_first_and_together() -> None:
    owners, wanted = ["a"] * SLOTS, ["a"] * 100 + ["b"] * 156
    moves = plan(owners, wanted, {100: 7, 101: 3})
    assert [len(move.slots) for move in moves[:-2]] == [IDLE_TOGETHER] * 4 + [26]
    assert [list(move.slots) for move in moves[-2:]] == [[101], [100]]
    assert {(move.source, move.target) for move in moves} == {("a", "b")}


def test_the_version_of_the_map_is_never_behind_one_given_out() -> None:
    first, known = SlotMap(), dict.fromkeys(range(SLOTS), ("a", 1))
    first.read(known)
    first.assign([3, 4], "b")
    known |= {3: ("b", 3), 4: ("b", 3)}
    reborn = SlotMap()
    reborn.read(known)
    assert reborn.version >= first.version and reborn.owners == first.owners


def test_moves_that_came_to_nothing_make_no_version() -> None:
    """Else a directory that is killed after some reads a smaller one from the leases, and gateways go by the
    map they had."""
    first, known = SlotMap(), dict.fromkeys(range(SLOTS), ("a", 1))
    first.read(known)
    for _ in range(30):
        first.assign([3], "a")
        first.assign([], "b")
    reborn = SlotMap()
    reborn.read(known | {3: ("b", 3)})
    assert reborn.version > first.version
