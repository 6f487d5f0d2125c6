"""What a shard knows of students and items before a batch runs: loaded in time, never refused on old news."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from actors import activation as module
from actors.activation import DOUBT_MS, Activation
from actors.at_rest import items_from, progress_row
from actors.batch import Apply, Attach, Operation, PullHeads
from actors.core.events import Event
from actors.core.item import Item
from actors.core.placement import SLOTS, slot_of
from actors.core.session import Session
from actors.heads import head_of
from actors.messages import ClockReading, Device
from actors.residents import Residents
from persistence import checkpoints, courses, items, leases, sessions, students
from persistence.checkpoints import Checkpoint
from persistence.migrate import migrate
from persistence.postgres import Postgres, PostgresSettings, open_postgres

NOW_MS = 1_795_000_000_000


@dataclass
class World:
    """An activation on a real Postgres, with a clock that stands until told."""

    postgres: Postgres
    now_ms: int = NOW_MS
    catalogue: dict[str, Item] = field(default_factory=dict)
    course: str = field(default_factory=lambda: f"course-{uuid.uuid4().hex[:8]}")

    edited: list[set[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.residents = Residents(self.catalogue)
        epochs = dict.fromkeys(range(SLOTS), 1)
        self.activation = Activation(
            self.postgres,
            self.residents,
            self.catalogue,
            epochs,
            60.0,
            lambda: self.now_ms,
            self.edited.append,
        )

    async def lecture(self, item: str, version: str = "v1") -> None:
        await items.put(
            self.postgres,
            [items.Item(item, self.course, "video", "A lecture", version)],
            [items.Version(item, version, 60_000)],
        )

    async def ready(self, operation: Operation) -> bool:
        ready, late = await self.activation.prepare([operation])
        assert [*ready, *late] == [operation]
        return bool(ready)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres(postgres_dsn: str) -> AsyncIterator[Postgres]:
    opened = await open_postgres(PostgresSettings(postgres_dsn, "tests", 1, 2))
    await migrate(opened)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def world(postgres: Postgres) -> AsyncIterator[World]:
    made = World(postgres)
    await courses.put(postgres, made.course, courses.CourseContent(title="A course"), published=True)
    await students.put(postgres, [students.Student("ana", "Ana")])
    yield made
    await made.activation.stop()


def played(item: str, version: str = "v1") -> Apply:
    return Apply(1, "ana", [sought(item, version, 1)])


def sought(item: str, version: str, position_ms: int) -> Event:
    return Event(
        seq=1,
        session="s",
        item=item,
        version=version,
        base_rev=0,
        kind="sought",
        mono_ms=0,
        boot="b",
        wall=datetime.fromtimestamp(NOW_MS / 1000, UTC),
        position_ms=position_ms,
    )


async def test_a_student_and_an_item_are_there_when_the_batch_runs(world: World) -> None:
    await world.lecture("one")
    assert await world.ready(played("one"))
    assert "ana" in world.residents and world.catalogue["one"].durations_ms == {"v1": 60_000}


async def test_who_enrols_while_connected_is_known_before_a_refusal(world: World) -> None:
    await world.lecture("two")
    assert await world.ready(played("two"))
    assert world.course not in world.residents["ana"].session.enrolled
    await students.enrol(world.postgres, [students.Enrolment("ana", world.course)])
    world.now_ms += DOUBT_MS + 1
    assert await world.ready(played("two"))
    assert world.course in world.residents["ana"].session.enrolled


async def test_a_new_connection_reads_enrolments_again(world: World) -> None:
    await students.enrol(world.postgres, [students.Enrolment("ana", world.course)])
    attach = Attach(
        1, "ana", Device("phone"), ClockReading(datetime.fromtimestamp(NOW_MS / 1000, UTC), 0, "b"), NOW_MS
    )
    assert await world.ready(attach)
    await world.postgres.execute("DELETE FROM enrolment WHERE student = 'ana'")
    world.now_ms += DOUBT_MS + 1
    assert await world.ready(attach)
    assert world.residents["ana"].session.enrolled == frozenset()


async def test_r9_a_version_published_since_is_known_before_a_refusal(world: World) -> None:
    await world.lecture("three")
    assert await world.ready(played("three"))
    await world.lecture("three", "v2")
    world.now_ms += DOUBT_MS + 1
    assert await world.ready(played("three", "v2"))
    assert set(world.catalogue["three"].durations_ms) == {"v1", "v2"}


async def test_an_item_made_since_it_was_asked_for_is_known(world: World) -> None:
    assert await world.ready(played("four"))
    assert "four" not in world.catalogue
    await world.lecture("four")
    world.now_ms += DOUBT_MS + 1
    assert await world.ready(played("four"))
    assert "four" in world.catalogue


async def test_p6_ids_that_name_nothing_are_not_remembered_for_ever(world: World) -> None:
    names = [f"nothing-{n}" for n in range(64)]
    for start in range(0, 2 * module.ABSENT_MAX, 64 * 20):
        pulls: list[Operation] = [
            PullHeads(1, "ana", [f"{name}-{start}-{n}" for name in names]) for n in range(20)
        ]
        await world.activation.prepare(pulls)
    assert len(world.activation._absent_ms) <= module.ABSENT_MAX


async def test_f11_a_store_that_hangs_holds_nobody_up_who_is_here(world: World) -> None:
    await world.lecture("five")
    assert await world.ready(PullHeads(1, "ana", ["five"]))
    async with world.postgres.connection() as one, world.postgres.connection() as other:
        assert one is not other, "both connections of the pool are taken"
        here, stranger = PullHeads(1, "ana", ["five"]), PullHeads(2, "stranger", ["five"])
        ready, late = await asyncio.wait_for(world.activation.prepare([here, stranger]), 4)
    assert (ready, late) == ([here], [stranger])


async def test_r9_another_current_version_is_told_once(world: World) -> None:
    await world.lecture("edited")
    await world.lecture("as-it-was")
    both = PullHeads(1, "ana", ["edited", "as-it-was"])
    assert await world.ready(both)
    assert world.edited == []
    await world.lecture("edited", "v2")
    world.now_ms += 61_000
    assert await world.ready(both)
    async with asyncio.timeout(10):
        while world.catalogue["edited"].version != "v2":  # noqa: ASYNC110 - it is read again behind the batch
            await asyncio.sleep(0.01)
    assert world.edited == [{"edited"}]


async def test_r9_a_student_carried_by_another_owner_is_not_carried_back(world: World) -> None:
    await world.lecture("longer")
    assert await world.ready(PullHeads(1, "ana", ["longer"]))
    opening = items.Version("longer", "v2", 90_000, {}, "v1", [{"insert": [0, 30_000]}])
    await items.put(
        world.postgres, [items.Item("longer", world.course, "video", "A lecture", "v2")], [opening]
    )
    (stored,) = await sessions.load_items(world.postgres, ["longer"])
    there = Session("fay", 1 << 20, frozenset([world.course]))
    there.apply("phone", [sought("longer", "v2", 40_000)], items_from([stored]), NOW_MS)
    row = progress_row("fay", there.items["longer"], items_from([stored])["longer"])
    slot = slot_of("fay")
    epoch = (await leases.take(world.postgres, [slot], "another"))[slot]
    found = Checkpoint(datetime.now(UTC), {slot: epoch}, {"fay": slot}, [row])
    await checkpoints.write(world.postgres, found)
    assert await world.ready(PullHeads(2, "fay", ["longer"]))
    head = head_of(world.residents["fay"].session, world.catalogue["longer"], world.now_ms)
    assert (head.version, head.position_ms) == ("v2", 40_000)


async def test_thousands_who_come_at_once_are_loaded_in_few_queries(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[int] = []
    load = sessions.load

    async def counted(postgres: Postgres, wanted: list[str]) -> dict[str, sessions.StoredSession]:
        loads.append(len(wanted))
        return await load(postgres, wanted)

    monkeypatch.setattr(sessions, "load", counted)
    pulls: list[Operation] = [PullHeads(n, f"crowd-{n}", []) for n in range(4000)]
    batches = [pulls[at : at + 40] for at in range(0, len(pulls), 40)]
    async with asyncio.timeout(60):
        while not all(pull.student in world.residents for pull in pulls):
            await asyncio.gather(*(world.activation.prepare(batch) for batch in batches))
    assert sum(loads) == len(pulls), "each once"
    assert max(loads) <= module.LOAD_MAX
    assert len(loads) < 20


async def test_a_load_lets_others_have_their_turn_and_asks_anew_whose_the_slot_is(world: World) -> None:
    """Between the pieces of a load anything may happen: a slot that is lost then is not filled any more."""
    crowd = [f"many-{n}" for n in range(module.LOAD_MAX)]
    lost = slot_of(crowd[-1])
    seen: list[int] = []

    async def watch() -> None:
        while len(seen) < 2 or seen[-1] < len(crowd):
            seen.append(len(world.residents))
            if seen[-1] > 0:
                world.activation._epochs[lost] = 2
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await world.activation._load(crowd)
    watching.cancel()
    between = [count for count in seen if 0 < count < len(crowd)]
    assert between and min(between) <= module.PIECE
    assert crowd[-1] not in world.residents
    kept = [student for student in crowd if slot_of(student) != lost]
    assert all(student in world.residents for student in kept)


async def test_f28_an_item_whose_edits_cannot_be_read_keeps_out_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 30.0)  # a traceback is slow to draw on a busy machine
    await world.lecture("sound")
    await world.lecture("broken")
    await world.postgres.execute(
        "INSERT INTO item_version VALUES ('broken', 'v2', 1, '{}', '[{\"cut\": [5]}]', now(), 'v1')"
    )
    pulls: list[Operation] = [PullHeads(n, "ana", [item]) for n, item in enumerate(("broken", "sound"))]
    assert await world.activation.prepare(pulls) == ([pulls[1]], [pulls[0]])
    await world.postgres.execute("DELETE FROM item_version WHERE version = 'v2' AND item = 'broken'")
    assert await world.ready(pulls[0])


async def test_f28_rows_that_cannot_be_read_are_counted_until_they_can(world: World) -> None:
    await students.put(world.postgres, [students.Student("eve", "Eve")])
    broken = "INSERT INTO device_watermark VALUES ('eve', 'phone', 1, '{\"shape\": 2}', now())"
    await world.postgres.execute(broken)
    pull = PullHeads(1, "eve", ["none"])
    await world.activation.prepare([pull])
    assert "eve" not in world.residents.students
    assert list(world.activation.unreadable) == ["eve"]
    await world.postgres.execute("DELETE FROM device_watermark WHERE student = 'eve'")
    await world.activation.prepare([pull])
    assert "eve" in world.residents.students
    assert list(world.activation.unreadable) == []
