"""Dirty sessions reach Postgres once, fenced, in one statement a slot, whatever dies meanwhile."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest
import pytest_asyncio

from actors.at_rest import session_from
from actors.checkpointer import Checkpointer
from actors.core.events import Event
from actors.core.item import Item
from actors.core.passes import Completion
from actors.core.placement import slot_of
from actors.core.run import Mark
from actors.core.session import Session
from actors.residents import Residents
from actors.settings import ShardSettings
from actors.turns import PATIENCE_S, SlotQueue, next_turn
from persistence import changes, checkpoints, leases, sessions
from persistence.checkpoints import Checkpoint, Written
from persistence.errors import Fenced, SetupError, StoreUnavailable
from persistence.migrate import migrate
from persistence.postgres import Postgres, PostgresSettings, open_postgres

CATALOGUE = {name: Item(name, "c1", "v1", {"v1": 3_600_000}) for name in ("lec1", "lec2")}
WAIT_S = 20.0
POISON = "poison"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres(postgres_dsn: str) -> AsyncIterator[Postgres]:
    opened = await open_postgres(PostgresSettings(postgres_dsn, "test checkpointer", 1, 4))
    await migrate(opened)
    await opened.execute(
        "ALTER TABLE device_watermark ADD CONSTRAINT no_poison"
        f" CHECK (position('{POISON}'::bytea IN state) = 0)"
    )
    yield opened
    await opened.close()


async def until(condition: Callable[[], bool], wait_s: float = WAIT_S) -> None:
    """Wait for a condition; bounded."""
    async with asyncio.timeout(wait_s):
        while not condition():  # noqa: ASYNC110 - nobody sets an event for what tests look at
            await asyncio.sleep(0.01)


_numbers = itertools.count()


def students_of(slot: int, count: int) -> list[str]:
    """Fresh students who all live in one slot."""
    found: list[str] = []
    while len(found) < count:
        name = f"student-{next(_numbers)}"
        if slot_of(name) == slot:
            found.append(name)
    return found


class Owner:
    """A shard's memory with its checkpointer, over one slot, and everything that was told and written."""

    def __init__(self, postgres: Postgres, slot: int, epoch: int, interval_s: float = 0.2) -> None:
        self.postgres = postgres
        self.slot = slot
        self.epoch = epoch
        self.epochs = {slot: epoch}
        self.residents = Residents(CATALOGUE)
        self.durable: dict[str, dict[str, int]] = {}
        self.written: list[Checkpoint] = []
        self.fenced: list[Fenced] = []
        self.before_write: Callable[[Checkpoint], None] = lambda checkpoint: None
        settings = ShardSettings(
            postgres_dsn="", connections=2, checkpoint_interval_s=interval_s, flush_after_s=0.1
        )
        self.checkpointer = Checkpointer(
            settings,
            self.residents,
            CATALOGUE,
            self.epochs,
            self.write,
            self.committed,
            self.fenced.append,
        )

    async def write(self, checkpoint: Checkpoint) -> Written:
        self.before_write(checkpoint)
        written = await checkpoints.write(self.postgres, checkpoint)
        self.written.append(checkpoint)
        return written

    def checkpoint(self, students: list[str], epoch: int | None = None) -> Checkpoint:
        """What these students have to write now, under that epoch (else the owner's)."""
        slots = dict.fromkeys(students, self.slot)
        found = self.checkpointer._checkpoint(self.checkpointer._snapshot(students, slots))
        return found if epoch is None else replace(found, epochs={self.slot: epoch})

    def committed(self, watermarks: Mapping[str, Mapping[str, int]]) -> None:
        for student, of_devices in watermarks.items():
            self.durable.setdefault(student, {}).update(of_devices)

    def admit(self, student: str) -> Session:
        session = Session(student, self.epoch << 20, frozenset({"c1"}))
        self.residents.admit(session, 0)
        return session

    def play(
        self, student: str, seconds: int, urgent: bool = False, on: str = "P", item: str = "lec1"
    ) -> int:
        """The student plays so many seconds more; gives the sequence number of the last event."""
        session = self.residents[student].session
        device = session.device(on)
        place_ms = session.items[item].position_ms if item in session.items else 0
        if not device.applied_seq:
            press = event(2, "play", item, place_ms, position_ms=place_ms)
            session.apply(on, [event(1, "opened", item, place_ms), press], CATALOGUE, now_ms())
        spans = {"from_ms": place_ms, "to_ms": place_ms + seconds * 1000}
        beat = event(device.applied_seq + 1, "played", item, place_ms, **spans)
        session.apply(on, [beat], CATALOGUE, now_ms())
        self.checkpointer.mark(student, slot_of(student), urgent)
        return device.applied_seq


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def event(seq: int, kind: str, item: str, played_ms: int, **fields: int) -> Event:
    return Event(
        seq=seq,
        session="s1",
        item=item,
        version="v1",
        base_rev=0,
        kind=kind,  # type: ignore[arg-type]
        mono_ms=played_ms + fields.get("to_ms", 0) - fields.get("from_ms", 0),
        boot="b1",
        wall=datetime.now(UTC),
        **fields,  # type: ignore[arg-type]
    )


_slots = itertools.count(1)


@pytest_asyncio.fixture(loop_scope="session")
async def owner(postgres: Postgres) -> AsyncIterator[Owner]:
    """The owner of a slot nobody else uses."""
    slot = next(_slots)
    epochs = await leases.take(postgres, [slot], f"shard-{slot}")
    here = Owner(postgres, slot, epochs[slot])
    yield here
    await here.checkpointer.stop()


async def history(postgres: Postgres, student: str) -> int:
    count = await postgres.value("SELECT count(*) FROM checkpoint_history WHERE student = $1", student)
    return int(count)


async def watermark(postgres: Postgres, student: str) -> int | None:
    found: int | None = await postgres.value(
        "SELECT durable_seq FROM device_watermark WHERE student = $1", student
    )
    return found


async def stored_position(postgres: Postgres, student: str) -> int | None:
    found: int | None = await postgres.value("SELECT position_ms FROM progress WHERE student = $1", student)
    return found


async def test_one_statement_a_slot_for_all_who_wait(owner: Owner) -> None:
    students = students_of(owner.slot, 50)
    for student in students:
        owner.admit(student)
        owner.play(student, 10)
    owner.checkpointer.start()
    await until(lambda: len(owner.durable) == 50)
    assert len(owner.written) == owner.checkpointer.statements == 1
    assert {row.student for row in owner.written[0].progress} == set(students)
    assert owner.checkpointer.waiting() == 0
    assert not any(resident.session.dirty or resident.writing for resident in owner.residents)


async def test_durable_is_told_after_the_commit_and_is_what_was_written(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    owner.admit(student)
    told_before: list[int] = []
    owner.before_write = lambda checkpoint: told_before.append(len(owner.durable))
    seq = owner.play(student, 10)
    owner.checkpointer.start()
    await until(lambda: student in owner.durable)
    assert told_before == [0] and owner.durable[student] == {"P": seq}
    assert await watermark(owner.postgres, student) == seq


async def test_a_session_comes_back_as_it_was_written(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    session = owner.admit(student)
    owner.play(student, 60)
    owner.checkpointer.start()
    await until(lambda: student in owner.durable)
    stored = (await sessions.load(owner.postgres, [student]))[student]
    again = session_from(student, stored, owner.epoch + 1)
    assert again.items == session.items
    assert again.device("P").visits == session.device("P").visits
    assert again.device("P").applied_seq == session.device("P").applied_seq


async def test_f26_who_left_while_being_written_keeps_durable_from_nobody(owner: Owner) -> None:
    """One statement carries many slots, and one of them may be another shard's by the time it is answered."""
    other = next(_slots)
    owner.epochs |= await leases.take(owner.postgres, [other], f"shard-{owner.slot}")
    leaving, staying = students_of(other, 1) + students_of(owner.slot, 1)
    for student in (leaving, staying):
        owner.admit(student)
        owner.play(student, 10)

    def give_away(_: Checkpoint) -> None:
        owner.residents.drop({other})

    owner.before_write = give_away
    await owner.checkpointer.flush(WAIT_S)
    assert {row.student for row in owner.written[0].progress} == {leaving, staying}
    assert staying in owner.durable
    assert not owner.residents[staying].writing


async def test_f26_a_shard_that_gives_a_slot_away_is_not_fenced_by_that(owner: Owner) -> None:
    """Those who cannot be written are tried alone, also while their slot leaves."""
    (student,) = students_of(owner.slot, 1)
    owner.admit(student)
    owner.play(student, 10)
    owner.checkpointer.leaving.add(owner.slot)
    gone = await leases.release(owner.postgres, {owner.slot: owner.epoch}, f"shard-{owner.slot}")
    assert owner.slot in gone
    await owner.checkpointer.flush(0.5)
    assert owner.fenced == [] and student not in owner.durable
    assert await watermark(owner.postgres, student) is None
    owner.checkpointer.leaving.clear()
    await owner.checkpointer.flush(WAIT_S)
    assert len(owner.fenced) == 1


async def test_f26_what_was_not_marked_is_written_before_a_slot_is_given_away(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    owner.admit(student)
    seq = owner.play(student, 10)
    owner.checkpointer._slots[owner.slot].dirty.clear()
    assert await owner.checkpointer.flush_slots({owner.slot}, WAIT_S) == {owner.slot}
    assert await watermark(owner.postgres, student) == seq


async def test_the_same_checkpoint_again_changes_nothing(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    owner.admit(student)
    owner.play(student, 10)
    owner.checkpointer.start()
    await until(lambda: student in owner.durable)
    once = await owner.postgres.row("SELECT * FROM progress WHERE student = $1", student)
    assert await checkpoints.write(owner.postgres, owner.written[0]) == Written(0)
    assert await history(owner.postgres, student) == 1
    assert await owner.postgres.row("SELECT * FROM progress WHERE student = $1", student) == once


async def test_an_older_statement_that_is_committed_last_replaces_nothing(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    owner.admit(student)
    owner.play(student, 10)
    owner.checkpointer.start()
    await until(lambda: len(owner.written) == 1)
    seq = owner.play(student, 20)
    await until(lambda: len(owner.written) == 2)
    assert await checkpoints.write(owner.postgres, owner.written[0]) == Written(0)
    assert await stored_position(owner.postgres, student) == 30_000
    assert await watermark(owner.postgres, student) == seq


async def test_r4_head_changes_are_written_with_the_checkpoint_and_once(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    session = owner.admit(student)
    session.device("P").name = "Pad"
    owner.play(student, 10)
    owner.checkpointer.start()
    await until(lambda: student in owner.durable)
    (change,) = await changes.of_item(owner.postgres, student, "lec1", None, 10)
    assert (change.what, change.rule, change.position_ms, change.former_ms) == ("place", "R2", 10_000, None)
    assert change.why["head"]["device_name"] == "Pad" and change.why["head"]["from_ms"] == 0
    assert not session.head_changes
    owner.play(student, 10)
    await until(lambda: len(owner.written) == 2)
    assert not owner.written[1].changes, "plain play makes none"


async def test_r4_head_changes_wait_for_a_write_that_succeeds(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    session = owner.admit(student)
    owner.play(student, 10)

    def fail_once(checkpoint: Checkpoint) -> None:
        owner.before_write = lambda checkpoint: None
        session.apply("P", [event(4, "sought", "lec1", 20_000, position_ms=500_000)], CATALOGUE, now_ms())
        raise StoreUnavailable("nobody knows")

    owner.before_write = fail_once
    owner.checkpointer.start()
    await until(lambda: student in owner.durable)
    found = await changes.of_item(owner.postgres, student, "lec1", None, 10)
    assert [change.position_ms for change in found] == [500_000, 10_000]
    assert not session.head_changes


async def test_f20_what_is_learnt_of_a_device_without_an_event_is_kept(owner: Owner) -> None:
    """Its last contact: written at the same seq, and an older statement of that seq replaces nothing."""
    (student,) = students_of(owner.slot, 1)
    session = owner.admit(student)
    seq = owner.play(student, 10)
    owner.checkpointer.start()
    await until(lambda: len(owner.written) == 1)
    last_contact_ms = now_ms() + 5_000
    session.leave("P", last_contact_ms)  # of which nobody tells the checkpointer
    await until(lambda: len(owner.written) == 2)
    assert not session.dirty and await history(owner.postgres, student) == 1
    assert await checkpoints.write(owner.postgres, owner.written[0]) == Written(0)
    stored = (await sessions.load(owner.postgres, [student]))[student]
    again = session_from(student, stored, owner.epoch).device("P")
    assert (again.applied_seq, again.clock.last_contact_ms) == (seq, last_contact_ms)


async def test_f27_a_stale_epoch_writes_nothing_and_is_told_once(owner: Owner) -> None:
    students = students_of(owner.slot, 2)
    for student in students:
        owner.admit(student)
    owner.play(students[0], 10)
    owner.checkpointer.start()
    await until(lambda: students[0] in owner.durable)
    await leases.take(owner.postgres, [owner.slot], "somebody else")
    owner.play(students[0], 10, urgent=True)
    owner.play(students[1], 10)
    await until(lambda: bool(owner.fenced))
    sent = len(owner.written)
    owner.play(students[1], 10, urgent=True)
    assert not await owner.checkpointer.flush(0.5)
    assert len(owner.fenced) == 1 and len(owner.written) == sent
    assert await stored_position(owner.postgres, students[0]) == 10_000
    assert await stored_position(owner.postgres, students[1]) is None
    assert await history(owner.postgres, students[0]) == 1
    assert owner.durable == {students[0]: {"P": 3}}


async def two_slots(postgres: Postgres) -> tuple[Owner, list[str], list[str]]:
    """An owner of two slots with a student in each who has played."""
    lost, kept = next(_slots), next(_slots)
    epochs = await leases.take(postgres, [lost, kept], "one of two")
    owner = Owner(postgres, lost, epochs[lost])
    owner.epochs[kept] = epochs[kept]
    losers, keepers = students_of(lost, 3), students_of(kept, 3)
    for student in (*losers, *keepers):
        owner.admit(student)
        owner.play(student, 10)
    return owner, losers, keepers


async def test_one_statement_for_all_slots_that_are_due(postgres: Postgres) -> None:
    owner, some, others = await two_slots(postgres)
    for student in (*some, *others):
        owner.checkpointer.mark(student, slot_of(student), urgent=True)
    owner.checkpointer.start()
    await until(lambda: len(owner.durable) == 6)
    assert len(owner.written) == owner.checkpointer.statements == 1
    assert owner.written[0].epochs == owner.epochs
    assert owner.written[0].slots == {student: slot_of(student) for student in (*some, *others)}
    await owner.checkpointer.stop()


async def test_f27_of_several_slots_one_is_fenced_and_the_others_are_written(postgres: Postgres) -> None:
    owner, losers, keepers = await two_slots(postgres)
    await leases.take(postgres, [owner.slot], "somebody else")
    for student in (*losers, *keepers):
        owner.checkpointer.mark(student, slot_of(student), urgent=True)
    owner.checkpointer.start()
    await until(lambda: bool(owner.fenced))
    assert owner.durable == {student: {"P": 3} for student in keepers}
    for student, count in [*((student, 0) for student in losers), *((student, 1) for student in keepers)]:
        assert await history(postgres, student) == count
        assert (await watermark(postgres, student) is None) is (count == 0)
        assert len(await changes.of_item(postgres, student, "lec1", None, 10)) == count
    assert all(owner.residents[student].session.dirty for student in losers)
    assert all(owner.residents[student].session.head_changes for student in losers)
    assert not any(owner.residents[student].session.dirty for student in keepers)
    assert not await owner.checkpointer.flush(0.3) and len(owner.fenced) == 1
    assert str(owner.slot) in str(owner.fenced[0])
    await owner.checkpointer.stop()


async def test_f27_two_incarnations_write_the_slots_that_are_theirs(postgres: Postgres) -> None:
    """The older one does not know yet that one of its two slots was taken; both write both, at once."""
    older, losers, keepers = await two_slots(postgres)
    newer = Owner(postgres, older.slot, (await leases.take(postgres, [older.slot], "newer"))[older.slot])
    newer.epochs[slot_of(keepers[0])] = older.epochs[slot_of(keepers[0])] - 1
    for student in (*losers, *keepers):
        newer.admit(student)
        newer.play(student, 30)
    slots = {student: slot_of(student) for student in (*losers, *keepers)}
    found = [
        one.checkpointer._checkpoint(one.checkpointer._snapshot(list(slots), slots)) for one in (older, newer)
    ]
    by_older, by_newer = await asyncio.gather(*(checkpoints.write(postgres, each) for each in found))
    assert by_older == Written(3, frozenset({older.slot}))
    assert by_newer == Written(3, frozenset({slot_of(keepers[0])}))
    assert [await stored_position(postgres, student) for student in losers] == [30_000] * 3
    assert [await stored_position(postgres, student) for student in keepers] == [10_000] * 3


async def test_f28_a_poisoned_student_of_one_slot_holds_up_no_other_slot(postgres: Postgres) -> None:
    owner, some, others = await two_slots(postgres)
    owner.residents[some[1]].session.device("P").name = POISON
    for student in (*some, *others):
        owner.checkpointer.mark(student, slot_of(student), urgent=True)
    owner.checkpointer.start()
    await until(lambda: len(owner.durable) == 5 and owner.checkpointer.quarantined == 1)
    assert some[1] not in owner.durable
    await owner.checkpointer.stop()


async def test_no_statement_has_more_students_than_it_may(postgres: Postgres) -> None:
    owner, *_ = await two_slots(postgres)
    owner.checkpointer._settings = replace(owner.checkpointer._settings, checkpoint_rows=2)
    owner.checkpointer.start()
    await until(lambda: len(owner.durable) == 6)
    assert all(len(checkpoint.slots) <= 2 for checkpoint in owner.written)
    await owner.checkpointer.stop()


async def test_rows_from_before_the_state_was_packed_are_read_and_replaced(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    session = owner.admit(student)
    owner.play(student, 60)
    owner.checkpointer.start()
    await until(lambda: student in owner.durable)
    for table, former in (("progress", "merge"), ("device_watermark", "visit")):
        packed = await owner.postgres.value(f"SELECT state FROM {table} WHERE student = $1", student)
        await owner.postgres.execute(
            f"UPDATE {table} SET state = NULL, {former} = $2 WHERE student = $1", student,
            checkpoints.unpack(packed),
        )  # fmt: skip
    stored = (await sessions.load(owner.postgres, [student]))[student]
    assert session_from(student, stored, owner.epoch).items == session.items
    owner.play(student, 10)
    await until(lambda: len(owner.written) == 2)
    assert await owner.postgres.value("SELECT merge FROM progress WHERE student = $1", student) is None
    stored = (await sessions.load(owner.postgres, [student]))[student]
    assert session_from(student, stored, owner.epoch).items == session.items


async def test_f27_forty_takeovers_race_with_writes_and_none_leaks(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    session = owner.admit(student)
    epoch, lost = owner.epoch, 0
    for n in range(40):
        owner.play(student, 10)
        checkpoint = owner.checkpoint([student], epoch)
        taken, written = await asyncio.gather(
            leases.take(owner.postgres, [owner.slot], f"shard {n}"),
            checkpoints.write(owner.postgres, checkpoint),
            return_exceptions=True,
        )
        assert isinstance(taken, dict)
        position = await stored_position(owner.postgres, student)
        assert isinstance(written, Written)
        fenced = owner.slot in written.fenced
        assert written.rows == (0 if fenced else 1)
        assert (position == session.items["lec1"].position_ms) is not fenced
        lost += fenced
        assert await checkpoints.write(owner.postgres, checkpoint) == Written(0, frozenset({owner.slot}))
        epoch = taken[owner.slot]
    assert await history(owner.postgres, student) == 40 - lost


async def test_f27_a_takeover_waits_for_the_write_under_way(owner: Owner, postgres_dsn: str) -> None:
    """The write has read its epoch and waits for a row: the next owner may not have the slot before."""
    (student,) = students_of(owner.slot, 1)
    owner.admit(student)
    owner.play(student, 10)
    owner.checkpointer.start()
    await until(lambda: student in owner.durable)
    await owner.checkpointer.stop()
    owner.play(student, 10)
    checkpoint = owner.checkpoint([student])
    blocker = await asyncpg.connect(postgres_dsn, timeout=10)
    try:
        await blocker.execute(f"BEGIN; SELECT 1 FROM progress WHERE student = '{student}' FOR UPDATE")
        write = asyncio.create_task(checkpoints.write(owner.postgres, checkpoint))
        await backend_waiting(owner.postgres, "write")
        take = asyncio.create_task(leases.take(owner.postgres, [owner.slot], "the next one"))
        await backend_waiting(owner.postgres, "take")
        assert not take.done() and not write.done()
        await blocker.execute("ROLLBACK")
    finally:
        blocker.terminate()
    assert await write == Written(1)
    assert await take == {owner.slot: owner.epoch + 1}


async def test_f28_a_student_postgres_refuses_blocks_no_other(owner: Owner) -> None:
    students = students_of(owner.slot, 9)
    for student in students:
        owner.admit(student)
        owner.play(student, 10)
    sick = students[4]
    owner.residents[sick].session.device("P").name = POISON
    owner.checkpointer.start()
    await until(lambda: len(owner.durable) == 8 and owner.checkpointer.quarantined == 1)
    assert sick not in owner.durable and await watermark(owner.postgres, sick) is None
    assert owner.checkpointer.waiting() == 1
    assert not await owner.checkpointer.flush(0.3)

    before = owner.checkpointer.failures
    owner.play(students[0], 10)
    await until(lambda: owner.durable[students[0]] == {"P": 4})
    await until(lambda: owner.checkpointer.failures > before)
    assert {row.student for row in owner.written[-1].progress} == {students[0]}

    owner.residents[sick].session.device("P").name = "well again"
    await until(lambda: sick in owner.durable)
    assert owner.checkpointer.quarantined == 0 and owner.checkpointer.waiting() == 0


async def test_f28_a_value_no_column_holds_is_refused_too(owner: Owner) -> None:
    students = students_of(owner.slot, 3)
    for student in students:
        owner.admit(student)
        owner.play(student, 10)
    owner.residents[students[1]].session.device("P").name = "\u0000"
    owner.checkpointer.start()
    await until(lambda: len(owner.durable) == 2 and owner.checkpointer.quarantined == 1)


@pytest.mark.parametrize("defect", ["no row can be built", "no column holds it"])
async def test_f28_a_defect_of_ours_in_one_students_rows_blocks_no_other(owner: Owner, defect: str) -> None:
    students = students_of(owner.slot, 9)
    for student in students:
        owner.admit(student)
        owner.play(student, 10)
    sick = owner.residents[students[4]].session
    if defect == "no row can be built":
        sick.items["gone"] = sick.items["lec1"]
        sick.touch_item("gone")
        del sick.items["lec1"]
    else:
        sick.items["lec1"].epochs.current.passes[0].filled = Completion(-(10**14), Mark("P", 1, 1))
    owner.checkpointer.start()
    await until(lambda: len(owner.durable) == 8 and owner.checkpointer.quarantined == 1)
    assert sick.student not in owner.durable and sick.dirty
    assert owner.checkpointer.waiting() == 1 and not owner.residents[sick.student].writing

    seq = owner.play(students[0], 10, urgent=True)
    await until(lambda: owner.durable[students[0]] == {"P": seq})

    if defect == "no row can be built":
        sick.items["lec1"] = sick.items.pop("gone")
        sick.dirty_items = tuple(item for item in sick.dirty_items if item != "gone")
    else:
        sick.items["lec1"].epochs.current.passes[0].filled = None
    await until(lambda: sick.student in owner.durable)
    assert owner.checkpointer.quarantined == 0 and owner.checkpointer.waiting() == 0


async def test_f28_who_has_gone_is_no_hindrance_when_another_is_refused(owner: Owner) -> None:
    students = students_of(owner.slot, 3)
    for student in students[:2]:
        owner.admit(student)
        owner.play(student, 10)
    owner.checkpointer.mark(students[2], owner.slot, urgent=False)
    owner.residents[students[0]].session.device("P").name = POISON
    owner.checkpointer.start()
    await until(lambda: students[1] in owner.durable and owner.checkpointer.quarantined == 1)


async def test_f28_a_store_that_lets_nobody_in_puts_nobody_in_quarantine(owner: Owner) -> None:
    students = students_of(owner.slot, 2)
    tries: list[int] = []

    def locked(checkpoint: Checkpoint) -> None:
        tries.append(len(checkpoint.devices))
        if len(tries) == 1:
            raise SetupError("the password has changed")

    owner.before_write = locked
    for student in students:
        owner.admit(student)
        owner.play(student, 10)
    owner.checkpointer.start()
    await until(lambda: len(owner.durable) == 2)
    assert tries == [2, 2] and owner.checkpointer.quarantined == 0


async def test_an_edit_during_the_write_is_written_next(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    owner.admit(student)
    owner.play(student, 10)
    edits: list[int] = []

    def edit(checkpoint: Checkpoint) -> None:
        if not edits:
            edits.append(owner.play(student, 10))

    owner.before_write = edit
    owner.checkpointer.start()
    await until(lambda: owner.durable.get(student) == {"P": 4})
    assert [row.durable_seq for checkpoint in owner.written for row in checkpoint.devices] == [3, 4]
    assert await stored_position(owner.postgres, student) == 20_000


async def test_an_unknown_outcome_is_sent_again_with_what_is_newer(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    owner.admit(student)
    owner.play(student, 10, urgent=True)
    tries: list[int] = []

    def cut(checkpoint: Checkpoint) -> None:
        tries.append(next(row.durable_seq for row in checkpoint.devices if row.device == "P"))
        if len(tries) < 3:
            owner.play(student, 10, on="PW"[len(tries) - 1], item=["lec1", "lec2"][len(tries) - 1])
            raise StoreUnavailable("cut")

    owner.before_write = cut
    owner.checkpointer.start()
    await until(lambda: student in owner.durable)
    assert tries == [3, 4, 4] and owner.durable[student] == {"P": 4, "W": 3}
    assert owner.checkpointer.failures == 2
    assert {row.item: row.position_ms for row in owner.written[0].progress} == {
        "lec1": 20_000,
        "lec2": 10_000,
    }


async def test_nothing_is_durable_while_the_outcome_is_unknown(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    owner.admit(student)
    owner.play(student, 10)
    tries: list[Checkpoint] = []

    def cut(checkpoint: Checkpoint) -> None:
        tries.append(checkpoint)
        raise StoreUnavailable("cut")

    owner.before_write = cut
    owner.checkpointer.start()
    await until(lambda: len(tries) >= 2)
    assert owner.durable == {} and owner.checkpointer.lag_s() > 0.5
    assert owner.residents[student].session.dirty or owner.residents[student].writing


async def test_the_urgent_are_written_while_the_others_of_the_slot_wait(postgres: Postgres) -> None:
    slot = next(_slots)
    epochs = await leases.take(postgres, [slot], "patient")
    owner = Owner(postgres, slot, epochs[slot], interval_s=100_000.0)
    hurried, patient = students_of(slot, 2)
    for student in (patient, hurried):
        owner.admit(student)
        owner.play(student, 10, urgent=student == hurried)
    owner.checkpointer.start()
    await until(lambda: bool(owner.durable))
    assert owner.durable == {hurried: {"P": 3}}
    assert owner.checkpointer.waiting() == 1
    assert await owner.checkpointer.flush(WAIT_S)
    assert owner.durable[patient] == {"P": 3}
    await owner.checkpointer.stop()


async def crowded(postgres: Postgres, most: int) -> tuple[Owner, list[str]]:
    """An owner of a slot whose statements carry so many students, and nine who play on and are not due."""
    slot = next(_slots)
    epochs = await leases.take(postgres, [slot], "crowded")
    owner = Owner(postgres, slot, epochs[slot], interval_s=100_000.0)
    owner.checkpointer._settings = replace(owner.checkpointer._settings, checkpoint_rows=most)
    students = students_of(slot, 9)
    for student in students:
        owner.admit(student)
        owner.play(student, 10)
    return owner, students


async def test_the_urgent_of_a_slot_that_is_due_are_in_its_first_statement(postgres: Postgres) -> None:
    owner, students = await crowded(postgres, most=3)
    hurried = students[6:]
    for student in hurried:
        owner.checkpointer.mark(student, owner.slot, urgent=True)
    owner.checkpointer._slots[owner.slot].whole_at = asyncio.get_running_loop().time()
    owner.checkpointer.start()
    await until(lambda: len(owner.durable) == 9)
    assert set(owner.written[0].slots) == set(hurried)
    assert [len(checkpoint.slots) for checkpoint in owner.written] == [3, 3, 3]
    await owner.checkpointer.stop()


async def test_who_plays_on_leaves_the_last_writer_to_the_urgent(postgres: Postgres) -> None:
    """Slots of those who play on are due without end and their statement hangs."""
    owner, students = await crowded(postgres, most=3)
    other = next(_slots)
    owner.epochs |= await leases.take(postgres, [other], "crowded")
    (hurried,), playing = students_of(other, 1), students
    third = next(_slots)
    owner.epochs |= await leases.take(postgres, [third], "crowded")
    playing += students_of(third, 3)
    for student in (hurried, *playing[9:]):
        owner.admit(student)
        owner.play(student, 10)
    held, write = asyncio.Event(), owner.write
    begun: list[set[str]] = []

    async def slow(checkpoint: Checkpoint) -> Written:
        begun.append(set(checkpoint.slots))
        if hurried not in checkpoint.slots:
            await held.wait()
        return await write(checkpoint)

    owner.checkpointer._write = slow
    for slot in (owner.slot, third):
        owner.checkpointer._slots[slot].whole_at = asyncio.get_running_loop().time()
    owner.checkpointer.start()
    await until(lambda: len(begun) == 1)
    owner.checkpointer.mark(hurried, other, urgent=True)
    await until(lambda: hurried in owner.durable)
    assert len(begun) == 2 and begun[1] >= {hurried}
    held.set()
    await until(lambda: owner.durable.keys() >= {*playing[9:], hurried} and len(owner.durable) == 13)
    await owner.checkpointer.stop()


async def test_who_plays_on_is_written_while_others_are_in_a_hurry_without_end() -> None:
    """Nobody waits for ever: after a second of patience a regular turn comes before younger hurry."""
    now = 100.0
    late, hasty = SlotQueue(0, {"late": 70.0}), SlotQueue(1, {"a": 99.9, "b": 99.9})
    late.whole_at = now - PATIENCE_S - 0.5
    hasty.hurry(["a", "b"], 99.9)
    turn = next_turn([hasty, late], now, most=2, gather_s=0.5)
    assert turn is not None and list(turn.slots) == ["late", "a"]
    late.whole_at = now - 0.5
    late.in_flight = hasty.in_flight = False
    hasty.hurry(["a", "b"], 99.9)
    turn = next_turn([late, hasty], now, most=2, gather_s=0.5)
    assert turn is not None and turn.slots.keys() == {"a", "b"}


async def test_a_statement_begins_when_it_is_full_or_the_first_has_waited() -> None:
    def queues(count: int) -> list[SlotQueue]:
        found = [SlotQueue(slot, {f"s{slot}": 100.0}) for slot in range(count)]
        for queue in found:
            queue.hurry(queue.dirty, 100.0 + queue.number / 100)
        return found

    assert next_turn(queues(3), 100.4, most=4, gather_s=0.5) is None
    waited = next_turn(queues(3), 100.5, most=4, gather_s=0.5)
    assert waited is not None and len(waited.slots) == 3
    many = queues(5)
    full = next_turn(many, 100.1, most=4, gather_s=0.5)
    assert full is not None and list(full.slots) == ["s0", "s1", "s2", "s3"]
    assert not many[4].in_flight and many[4].urgent


async def test_marked_between_its_turn_and_the_snapshot_is_in_it_and_not_due_again(
    postgres: Postgres,
) -> None:
    owner, students = await crowded(postgres, most=9)
    student, queue = students[0], owner.checkpointer._slots[owner.slot]
    owner.checkpointer.mark(student, owner.slot, urgent=True)
    queue.urgent_at -= 10.0
    owner.checkpointer._start_due()
    seq = owner.play(student, 10, urgent=True)
    await until(lambda: owner.durable.get(student) == {"P": seq})
    assert not queue.urgent and owner.checkpointer.statements == 1
    assert await owner.checkpointer.flush(WAIT_S)
    assert owner.checkpointer.quarantined == 0 and len(owner.durable) == 9


async def test_journals_from_off_line_do_not_make_one_huge_statement(postgres: Postgres) -> None:
    owner, students = await crowded(postgres, most=9)
    for student in students:
        session = owner.residents[student].session
        (change,) = session.head_changes
        session.head_changes = [replace(change, rev=change.rev + n) for n in range(30)]
    assert await owner.checkpointer.flush(WAIT_S)
    assert max(len(checkpoint.changes) for checkpoint in owner.written) <= 36
    assert sum(len(checkpoint.changes) for checkpoint in owner.written) == 9 * 30
    assert len(owner.durable) == 9
    await owner.checkpointer.stop()


async def test_lag_counts_what_is_on_its_way(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    owner.admit(student)
    held = asyncio.Event()
    write = owner.write

    async def slow(checkpoint: Checkpoint) -> Written:
        await held.wait()
        return await write(checkpoint)

    owner.checkpointer._write = slow
    owner.play(student, 10)
    owner.checkpointer.start()
    await until(lambda: owner.residents[student].writing)
    assert owner.checkpointer.waiting() == 1
    await until(lambda: owner.checkpointer.lag_s() > 0.3)
    assert owner.durable == {}
    held.set()
    await until(lambda: owner.checkpointer.lag_s() == 0.0)
    assert owner.durable[student] == {"P": 3}


async def test_a_student_is_written_by_one_statement_at_a_time(owner: Owner) -> None:
    (student,) = students_of(owner.slot, 1)
    owner.admit(student)
    running, most = 0, 0
    write = owner.write

    async def counted(checkpoint: Checkpoint) -> Written:
        nonlocal running, most
        running += 1
        most = max(most, running)
        changed = await write(checkpoint)
        await asyncio.sleep(0.3)
        running -= 1
        return changed

    owner.checkpointer._write = counted
    owner.checkpointer.start()
    for _ in range(10):
        seq = owner.play(student, 10, urgent=True)
        await asyncio.sleep(0.05)
    await until(lambda: owner.durable.get(student) == {"P": seq})
    assert most == 1


async def test_f10_a_backend_killed_in_the_middle_of_a_write(postgres: Postgres, postgres_dsn: str) -> None:
    """The write waits for a lock; its backend is killed with -9, which resets every connection."""
    slot = next(_slots)
    epochs = await leases.take(postgres, [slot], "survivor")
    owner = Owner(postgres, slot, epochs[slot])
    students = students_of(slot, 20)
    for student in students:
        owner.admit(student)
        owner.play(student, 10)
    blocker = await asyncpg.connect(postgres_dsn, timeout=10)
    try:
        await blocker.execute("BEGIN; LOCK TABLE checkpoint_history IN ACCESS EXCLUSIVE MODE")
        owner.checkpointer.start()
        pid = await backend_waiting(postgres, "write")
        assert owner.durable == {}
        os.kill(pid, signal.SIGKILL)
        await until(lambda: owner.checkpointer.failures > 0)
    finally:
        blocker.terminate()
    owner.play(students[0], 10)
    await until(lambda: len(owner.durable) == 20 and owner.durable[students[0]] == {"P": 4})
    assert await stored_position(postgres, students[0]) == 20_000
    assert [await history(postgres, student) for student in students[1:]] == [1] * 19
    await owner.checkpointer.stop()


async def backend_waiting(postgres: Postgres, query: str) -> int:
    """The pid of the backend in which the query of that name waits for a lock."""
    async with asyncio.timeout(WAIT_S):
        while True:
            pid: int | None = await postgres.value(
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND query LIKE $1 AND datname = current_database()",
                f"-- name: {query}%",
            )
            if pid is not None:
                return pid
            await asyncio.sleep(0.02)
