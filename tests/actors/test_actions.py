"""Actions of pages without a connection: one writer, applied once by their key, durable when they say so."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from actors import actions
from actors.actions import RUNNING_MAX
from actors.batch import (
    API_DEVICE,
    Act,
    Acted,
    Apply,
    Attach,
    Batch,
    Detach,
    Operation,
    acted_decoder,
    encoder,
)
from actors.core.events import Event
from actors.core.placement import slot_of
from actors.messages import ClockReading, Device, Head
from actors.shard import Shard, now_ms
from persistence import courses, items, sessions, students
from persistence.migrate import migrate
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from tests.actors.shards_here import end, running_shard

LECTURE_MS = 3_600_000
GATEWAY = "gateway:socket:none"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres(postgres_dsn: str) -> AsyncIterator[Postgres]:
    opened = await open_postgres(PostgresSettings(postgres_dsn, "tests", 1, 2))
    await migrate(opened)
    await courses.put(opened, "c1", courses.CourseContent(title="A course"), published=True)
    await courses.put(opened, "hidden", courses.CourseContent(title="Hidden"), published=False)
    placed = {"lec1": "c1", "lec2": "c1", "secret": "hidden"}
    await items.put(
        opened,
        [items.Item(item, course, "video", item, "v1") for item, course in placed.items()],
        [items.Version(item, "v1", LECTURE_MS) for item in placed],
    )
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def shard(postgres: Postgres, postgres_dsn: str) -> AsyncIterator[Shard]:
    async with running_shard(postgres_dsn, flush_after_s=0.05) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def ana(postgres: Postgres) -> str:
    """A student of both courses, new for each test."""
    student = f"ana-{uuid.uuid4().hex[:8]}"
    await students.put(postgres, [students.Student(student, "Ana")])
    await students.enrol(postgres, [students.Enrolment(student, course) for course in ("c1", "hidden")])
    return student


async def act(shard: Shard, student: str, kind: str = "reset", item: str = "lec1", **more: Any) -> Acted:
    more.setdefault("key", uuid.uuid4().hex)
    return acted_decoder.decode(await shard.act(encoder.encode(Act(student, item, kind, **more))))


def head(acted: Acted) -> Head:
    assert acted.head, acted
    return msgspec.msgpack.decode(acted.head, type=Head)


async def watched(shard: Shard, student: str, to_ms: int = 600_000) -> None:
    """The student's phone has played up to there, in 10 s of its clock."""
    clock = ClockReading(datetime.fromtimestamp(now_ms() / 1000, UTC), to_ms, "b1")
    said = {"session": "s1", "item": "lec1", "version": "v1", "base_rev": 0, "boot": "b1", "wall": clock.wall}
    events = [
        Event(seq=1, kind="opened", mono_ms=0, **said),  # type: ignore[arg-type]
        Event(seq=2, kind="play", mono_ms=0, position_ms=0, **said),  # type: ignore[arg-type]
        Event(seq=3, kind="played", mono_ms=to_ms, from_ms=0, to_ms=to_ms, **said),  # type: ignore[arg-type]
        Event(seq=4, kind="paused", mono_ms=to_ms, position_ms=to_ms, **said),  # type: ignore[arg-type]
    ]
    operations: list[Operation] = [
        Attach(1, student, Device("phone", "phone", "Ana's phone"), clock, now_ms()),
        Apply(1, student, events),
        Detach(1, student),
    ]
    await shard.apply(encoder.encode(Batch(GATEWAY, "1", operations)))


async def test_a_place_that_is_chosen_is_the_head_and_durable(shard: Shard, ana: str) -> None:
    await watched(shard, ana)
    acted = await act(shard, ana, "chosen", position_ms=120_000, device_name="Kitchen page")
    stands = head(acted)
    assert (acted.durable, acted.repeated) == (True, False)
    assert (stands.position_ms, stands.device, stands.device_kind) == (120_000, API_DEVICE, "api")
    assert (stands.device_name, stands.rule) == ("Kitchen page", "R2")


async def test_the_commit_ends_the_wait_for_it(
    shard: Shard, ana: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "DURABLE_WAIT_S", 600.0)
    async with asyncio.timeout(30):
        assert (await act(shard, ana, "chosen", position_ms=1_000)).durable


async def test_r4_an_undo_brings_the_former_place_back(shard: Shard, ana: str) -> None:
    await watched(shard, ana)
    await act(shard, ana, "chosen", position_ms=120_000)
    assert head(await act(shard, ana, "undone")).position_ms == 600_000
    assert head(await act(shard, ana, "reset")).epoch == 2
    back = head(await act(shard, ana, "undone"))
    assert (back.epoch, back.position_ms, back.coverage_ms) == (1, 600_000, 600_000)


async def test_a_repeat_with_the_same_key_changes_nothing(shard: Shard, ana: str) -> None:
    await watched(shard, ana)
    first = await act(shard, ana, "reset", key="k1")
    both = await asyncio.gather(*(act(shard, ana, "reset", key="k1") for _ in range(3)))
    assert [(again.repeated, again.durable) for again in both] == [(True, True)] * 3
    assert {head(again).rev for again in both} == {head(first).rev}
    assert head(both[0]).epoch == 2
    assert head(await act(shard, ana, "reset", key="k2")).epoch == 3


async def test_a_key_of_one_item_is_none_of_another(shard: Shard, ana: str) -> None:
    await act(shard, ana, "chosen", position_ms=1, key="k1")
    refused = await act(shard, ana, "chosen", item="lec2", position_ms=1, key="k1")
    assert (refused.head, refused.code) == (b"", "key_reused")


async def test_h16_a_key_of_one_action_is_none_of_another(shard: Shard, ana: str) -> None:
    await act(shard, ana, "chosen", position_ms=1, key="k1")
    refused = await act(shard, ana, "reset", key="k1")
    assert (refused.head, refused.code) == (b"", "key_reused")
    assert (await act(shard, ana, "chosen", position_ms=1, key="k1")).repeated
    await act(shard, ana, "chosen", position_ms=5_000)
    await act(shard, ana, "undone", key="k2")
    assert (await act(shard, ana, "undone", key="k2")).repeated


async def test_a_repeat_is_known_after_the_shard_was_killed(
    shard: Shard, postgres_dsn: str, ana: str
) -> None:
    await watched(shard, ana)
    first = await act(shard, ana, "reset", key="k1")
    assert first.durable
    async with running_shard(postgres_dsn, "shard:1") as other:
        again = await act(other, ana, "reset", key="k1")
        assert (again.repeated, head(again).epoch, head(again).rev) == (True, 2, head(first).rev)
        new = await act(other, ana, "reset", key="k2")
        assert (new.repeated, head(new).epoch) == (False, 3)


async def test_one_that_died_with_the_shard_is_carried_out_when_it_comes_again(
    postgres: Postgres, postgres_dsn: str, ana: str
) -> None:
    async with running_shard(postgres_dsn, "shard:1", flush_after_s=60.0) as doomed:
        await watched(doomed, ana)
        lost = asyncio.create_task(act(doomed, ana, "chosen", position_ms=5_000, key="k1"))
        async with asyncio.timeout(10):
            while not doomed._actions._commits:  # noqa: ASYNC110 - nobody sets an event for what is waited for
                await asyncio.sleep(0.01)
        await end(doomed)
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)
        async with running_shard(postgres_dsn, "shard:2", flush_after_s=0.05) as other:
            again = await act(other, ana, "chosen", position_ms=5_000, key="k1")
            assert (again.repeated, again.durable, head(again).position_ms) == (False, True, 5_000)


async def test_an_action_that_saw_an_older_head_loses_to_what_came_later(shard: Shard, ana: str) -> None:
    """R2 is by knowledge: what the caller says it saw counts, up to what there is."""
    first = head(await act(shard, ana, "chosen", position_ms=100_000))
    await act(shard, ana, "chosen", position_ms=200_000, base_rev=2**53 - 1)
    session = shard._residents[ana].session
    latest = session.items["lec1"].runs[API_DEVICE, 2]
    assert latest.base_rev == first.rev
    await act(shard, ana, "chosen", position_ms=300_000, base_rev=first.rev)
    assert session.items["lec1"].runs[API_DEVICE, 3].base_rev == first.rev


@pytest.mark.parametrize("item", ["secret", "nothing"])
async def test_what_is_not_there_for_the_student_is_not_found(shard: Shard, ana: str, item: str) -> None:
    refused = await act(shard, ana, "reset", item=item)
    assert (refused.head, refused.code) == (b"", "not_found")
    assert API_DEVICE not in shard._residents[ana].session.devices


async def test_who_is_not_enrolled_finds_nothing(shard: Shard) -> None:
    assert (await act(shard, f"nobody-{uuid.uuid4().hex[:8]}")).code == "not_found"


async def test_r9_a_place_beyond_the_end_is_refused(shard: Shard, ana: str) -> None:
    refused = await act(shard, ana, "chosen", position_ms=LECTURE_MS + 1)
    assert (refused.code, refused.head) == ("beyond_end", b"")


async def test_a_shard_that_has_not_the_slot_says_moved(shard: Shard, ana: str) -> None:
    shard._served.remove(slot_of(ana))
    assert (await act(shard, ana)).code == "moved"
    shard._served.add(slot_of(ana))


async def test_what_is_not_committed_in_time_says_so(shard: Shard, postgres: Postgres, ana: str) -> None:
    async with postgres.connection() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM slot_lease FOR UPDATE")  # a checkpoint has to wait for this
        acted = await act(shard, ana, "chosen", position_ms=5_000)
        assert (acted.durable, head(acted).position_ms) == (False, 5_000)
        assert not shard._actions._commits


async def test_actions_leave_the_shard_room_for_batches(shard: Shard, ana: str) -> None:
    shard._actions._running = RUNNING_MAX
    assert (await act(shard, ana)).code == "busy"
    shard._actions._running = 0
    assert (await act(shard, ana)).head


async def test_the_action_is_at_rest_with_its_key(shard: Shard, postgres: Postgres, ana: str) -> None:
    await act(shard, ana, "chosen", position_ms=77_000, key="k1")
    stored = (await sessions.load(postgres, [ana]))[ana]
    (device,) = [row for row in stored.devices if row.device == API_DEVICE]
    assert (device.durable_seq, device.visit["visits"][0][0]) == (1, "k1")
    assert [row.position_ms for row in stored.progress if row.item == "lec1"] == [77_000]
