"""A publish reaches who is connected (P14): the head moves through the edit list (R9), ids stay, what was
left out is played no more, and what was seen is kept.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from actors import activation as module
from actors.activation import Activation
from actors.batch import Apply, Attach, Deliver, PullHeads
from actors.core.events import Event
from actors.core.item import Item
from actors.core.placement import SLOTS
from actors.heads import head_of
from actors.messages import ClockReading, Device
from actors.residents import Residents, Turn
from persistence import drafts, items, sessions, students
from persistence.courses import CourseContent, ItemContent, SectionContent
from persistence.items import Version
from persistence.migrate import migrate
from persistence.postgres import Postgres, PostgresSettings, open_postgres

NOW_MS = 1_795_000_000_000
GATEWAY = "gateway:socket:none"


class World:
    """What a shard has: sessions, what it knows of items, and what it tells devices; a published course."""

    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres
        self.now_ms = NOW_MS
        self.course = f"course-{uuid.uuid4().hex[:8]}"
        self.catalogue: dict[str, Item] = {}
        self.residents = Residents(self.catalogue)
        self.turns: list[Turn] = []
        self.activation = Activation(
            postgres,
            self.residents,
            self.catalogue,
            dict.fromkeys(range(SLOTS), 1),
            60.0,
            lambda: self.now_ms,
            lambda edited: self.turns.append(self.residents.edited(edited, self.now_ms)),
        )

    def item(self, name: str) -> str:
        return f"{self.course}-{name}"

    async def publish(self, *names: str, version: str) -> int:
        """Publish these lectures, each in that version, which exists."""
        some = [ItemContent(self.item(name), "video", name, version) for name in names]
        content = CourseContent("A course", sections=[SectionContent("All", some)])
        rev = await drafts.write(self.postgres, self.course, content, "mira", None)
        return (await drafts.publish(self.postgres, self.course, "mira", rev)).number

    async def upload(
        self, name: str, version: str, duration_ms: int, since: str | None = None, **edit: list[int]
    ) -> None:
        edits = [edit] if edit else []
        await items.put(self.postgres, [], [Version(self.item(name), version, duration_ms, {}, since, edits)])

    async def attach(self, student: str) -> None:
        """The student's phone is connected."""
        reading = ClockReading(datetime.fromtimestamp(NOW_MS / 1000, UTC), 0, "b")
        attach = Attach(1, student, Device("phone"), reading, NOW_MS)
        ready, _late = await self.activation.prepare([attach])
        self.residents.run(GATEWAY, "1", ready, self.now_ms)

    async def sought(self, student: str, seq: int, name: str, version: str, position_ms: int) -> Turn:
        """The student moves to a place."""
        event = Event(
            seq=seq,
            session=f"s-{name}",
            item=self.item(name),
            version=version,
            base_rev=0,
            kind="sought",
            mono_ms=seq,
            boot="b",
            wall=datetime.fromtimestamp(NOW_MS / 1000, UTC),
            position_ms=position_ms,
        )
        ready, _late = await self.activation.prepare([Apply(1, student, [event])])
        assert ready
        return self.residents.run(GATEWAY, "1", ready, self.now_ms)

    async def followed(self) -> None:
        """What the shard does each second, until it has read what it found."""
        self.activation.follow()
        assert self.activation._following is not None
        async with asyncio.timeout(10):
            await self.activation._following
            while self.activation._learning:
                await asyncio.gather(*self.activation._learning.values())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres(postgres_dsn: str) -> AsyncIterator[Postgres]:
    opened = await open_postgres(PostgresSettings(postgres_dsn, "tests", 1, 4))
    await migrate(opened)
    await students.put(
        opened, [students.Student("mira", "Mira", may_teach=True), students.Student("ana", "Ana")]
    )
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def world(postgres: Postgres) -> AsyncIterator[World]:
    """Two lectures of a minute, published, and Ana connected."""
    made = World(postgres)
    await drafts.create(postgres, made.course, "A course", "mira")
    some = [ItemContent(made.item(name), "video", name) for name in ("one", "two")]
    content = CourseContent("A course", sections=[SectionContent("All", some)])
    await drafts.write(postgres, made.course, content, "mira", None)
    for name in ("one", "two"):
        await made.upload(name, "v1", 60_000)
    await made.publish("one", "two", version="v1")
    await students.enrol(postgres, [students.Enrolment("ana", made.course)])
    await made.attach("ana")
    yield made
    await made.activation.stop()


async def test_r9_a_publish_moves_the_head_of_who_is_connected_through_the_edit_list(world: World) -> None:
    await world.sought("ana", 1, "one", "v1", 40_000)
    await world.followed()
    world.turns.clear()
    await world.upload("one", "v2", 50_000, "v1", cut=[0, 10_000])
    await world.upload("two", "v2", 60_000)
    await world.publish("one", "two", version="v2")
    await world.followed()
    assert world.turns, "the shard has heard of it without anybody playing"
    told = [outcome for turn in world.turns for _gateway, outcomes in turn.take_all() for outcome in outcomes]
    assert any(isinstance(outcome, Deliver) for outcome in told)
    head = head_of(world.residents["ana"].session, world.catalogue[world.item("one")], world.now_ms)
    assert (head.version, head.position_ms, head.duration_ms) == ("v2", 30_000, 50_000)


async def test_r9_what_an_old_version_says_is_counted_in_the_new_one(world: World) -> None:
    await world.sought("ana", 1, "one", "v1", 40_000)
    await world.upload("one", "v2", 90_000, "v1", insert=[0, 30_000])
    await world.upload("two", "v2", 60_000)
    await world.publish("one", "two", version="v2")
    await world.followed()
    await world.sought("ana", 2, "one", "v1", 20_000)
    head = head_of(world.residents["ana"].session, world.catalogue[world.item("one")], world.now_ms)
    assert (head.version, head.position_ms) == ("v2", 50_000)


async def test_a_draft_moves_nobody(world: World) -> None:
    await world.sought("ana", 1, "one", "v1", 40_000)
    await world.followed()
    world.turns.clear()
    await world.upload("one", "v2", 50_000, "v1", cut=[0, 10_000])
    assert await drafts.set_item_version(world.postgres, world.course, world.item("one"), "v2")
    await world.followed()
    assert world.turns == []
    assert world.catalogue[world.item("one")].version == "v1"


async def test_r9_what_was_left_out_is_next_to_nothing_and_counts_when_it_is_heard_late(world: World) -> None:
    await world.sought("ana", 1, "one", "v1", 40_000)
    await world.sought("ana", 2, "two", "v1", 10_000)
    session = world.residents["ana"].session
    assert head_of(session, world.catalogue[world.item("one")], world.now_ms).next_item == world.item("two")
    await world.publish("one", version="v1")
    await world.followed()
    assert head_of(session, world.catalogue[world.item("one")], world.now_ms).next_item is None
    turn = await world.sought("ana", 3, "two", "v1", 20_000)
    told = [outcome for outcome in turn.take(GATEWAY) if isinstance(outcome, Deliver)]
    assert not any(b"rejected" in outcome.frame for outcome in told)
    assert session.items[world.item("two")].position_ms == 20_000


async def test_what_is_found_is_read_once_and_a_load_that_runs_is_not_believed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.sought("ana", 1, "one", "v1", 1)
    await world.followed()
    reads: list[list[str]] = []
    load = sessions.load_items

    async def counted(postgres: Postgres, ids: list[str]) -> list[sessions.StoredItem]:
        reads.append(ids)
        return await load(postgres, ids)

    monkeypatch.setattr(module.sessions, "load_items", counted)
    await world.followed()
    assert reads == [], "nothing has changed"
    await world.publish("one", "two", version="v1")
    world.activation._learning[world.item("one")] = asyncio.create_task(asyncio.sleep(0))
    await world.activation._follow()
    del world.activation._learning[world.item("one")]
    await world.followed()
    assert [world.item("one")] in reads


async def test_who_joins_and_plays_at_once_is_not_refused(world: World) -> None:
    await students.put(world.postgres, [students.Student("eve", "Eve")])
    ready, _late = await world.activation.prepare([PullHeads(1, "eve", [world.item("one")])])
    assert ready
    assert world.course not in world.residents["eve"].session.enrolled
    await students.enrol(world.postgres, [students.Enrolment("eve", world.course)])
    world.now_ms += module.JOINED_MS + 1
    await world.activation.prepare([PullHeads(1, "eve", [world.item("one")])])
    assert world.course in world.residents["eve"].session.enrolled
