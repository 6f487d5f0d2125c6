"""When and how dirty sessions reach Postgres: spread over the interval, soon after a pause, many at once.

A slot's regular turn comes once an interval at a phase of its own, so the load is even. A student who
paused, sought or left is written within about half a second, before those who play on (actors/turns.py).
One statement carries whoever is due of all slots, for most of its cost is its own; but only so many, for its
rows are built in one piece, during which the shard does nothing else. While a slot has students on their way
it has no other turn.

A snapshot is taken and the dirty marks cleared before the statement is sent; when its outcome is unknown the
marks come back and the next snapshot carries them, so an edit during the write is never lost. A student whose
rows cannot be built, or whom Postgres refuses, is written alone from then on, so that one blocks no other
(F28).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

import structlog

from actors.at_rest import change_row, packed_device_row, packed_progress_row
from actors.core.history import HeadChange
from actors.core.item import Item
from actors.core.placement import SLOTS
from actors.residents import Resident, Residents
from actors.settings import ShardSettings
from actors.turns import PATIENCE_S, RETRY_S, SlotQueue, Turn, next_turn
from persistence.changes import HeadChange as ChangeRow
from persistence.checkpoints import Checkpoint, DeviceRow, ProgressRow, Written
from persistence.errors import Fenced, SetupError, StoreUnavailable

log = structlog.get_logger()

TICK_S = 0.05
LOOK_S = 0.01
"""How often whoever waits for some slots looks whether they are written."""

ROWS_A_STUDENT = 4
"""A statement has at most so many times `checkpoint_rows` rows of items and changes, unless one student
alone has more."""

UNSAID_MAX = 2_000
"""Of so many sessions at once it is looked up whether they have something to write."""

Write = Callable[[Checkpoint], Awaitable[Written]]
Committed = Callable[[Mapping[str, Mapping[str, int]]], None]


@dataclass(slots=True)
class Marks:
    """What of one session is on its way: dirty items and devices, and head changes."""

    slot: int
    items: tuple[str, ...]
    devices: tuple[str, ...]
    changes: Sequence[HeadChange]


@dataclass(slots=True)
class Snapshot:
    """The rows of some students, and the marks to restore if the write fails."""

    progress: list[ProgressRow] = field(default_factory=list)
    devices: list[DeviceRow] = field(default_factory=list)
    changes: list[ChangeRow] = field(default_factory=list)
    marks: dict[str, Marks] = field(default_factory=dict)

    def part(self, slots: Collection[int]) -> "Snapshot":
        """Take the students of these slots out of it."""
        gone = {student for student, marks in self.marks.items() if marks.slot in slots}
        part = Snapshot(marks={student: self.marks.pop(student) for student in gone})
        for rows in ("progress", "devices", "changes"):
            all_rows = getattr(self, rows)
            setattr(part, rows, [row for row in all_rows if row.student in gone])
            setattr(self, rows, [row for row in all_rows if row.student not in gone])
        return part


class Checkpointer:
    """Writes a shard's sessions. `committed` hears what one statement has made durable: by
    student and device, the sequence number up to which.

    `fenced()` is called once, when a write shows that another owner has a slot; nothing is written after.
    """

    def __init__(
        self,
        settings: ShardSettings,
        residents: Residents,
        catalogue: Mapping[str, Item],
        epochs: Mapping[int, int],
        write: Write,
        committed: Committed,
        fenced: Callable[[Fenced], None],
    ) -> None:
        self._settings = settings
        self._residents = residents
        self._catalogue = catalogue
        self._epochs = epochs
        self._write = write
        self._committed = committed
        self._fenced = fenced
        self._slots = [SlotQueue(slot) for slot in range(SLOTS)]
        self._active: set[int] = set()
        self._refused: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._over = False
        self.leaving: set[int] = set()
        """Slots that are being given away: that they are fenced means that they are gone."""
        self.statements = 0
        self.rows = 0
        self.failures = 0

    @property
    def quarantined(self) -> int:
        """How many cannot be written: in memory, told nothing durable, tried again every interval."""
        return len(self._refused)

    def start(self) -> None:
        """Begin to write; the checkpointer owns its tasks until `stop`."""
        self._ticker = asyncio.create_task(self._tick_for_ever())

    async def stop(self) -> None:
        """Stop without writing; `flush` first to lose nothing that is only here."""
        self._over = True
        tasks = [*self._tasks, *([self._ticker] if self._ticker else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def mark(self, student: str, slot: int, urgent: bool) -> None:
        """The student has something to write: by its slot's turn, or within about half a second."""
        queue = self._slots[slot]
        if not urgent and student in queue.dirty:
            return  # as most often
        now = asyncio.get_running_loop().time()
        self._active.add(slot)
        queue.dirty.setdefault(student, now)
        if urgent and student not in self._refused:
            queue.hurry([student], now)
        self._schedule(queue, now)

    def lag_s(self) -> float:
        """Age of the oldest change that is not yet durable."""
        now = asyncio.get_running_loop().time()
        return now - min((self._slots[slot].oldest(now) for slot in self._active), default=now)

    def waiting(self) -> int:
        """How many students have something that is not yet durable."""
        queues = (self._slots[slot] for slot in self._active)
        return sum(len(queue.dirty.keys() | queue.writing.keys()) for queue in queues)

    async def flush(self, timeout_s: float) -> bool:
        """Write everything now; True if nothing is left when the time is up."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while self.waiting() and not self._over and loop.time() < until:
            for queue in self._active_queues():
                if queue.dirty.keys() - self._refused:
                    self._write_now(queue, loop.time())
            self._start_due()
            await asyncio.sleep(TICK_S)
        return self.waiting() == 0

    async def flush_slots(self, slots: Collection[int], timeout_s: float) -> set[int]:
        """Write now what these slots have; gives those of which all that was there is written, but for
        students who cannot be (F28)."""
        loop = asyncio.get_running_loop()
        for resident in self._residents:
            if resident.slot in slots:
                self._mark_if_dirty(resident)
        asked = loop.time()
        while True:
            old = {slot for slot in slots if self._slots[slot].waits_since(asked, self._refused)}
            if not old or self._over or loop.time() >= asked + timeout_s:
                return set(slots) - old
            for slot in old:
                self._write_now(self._slots[slot], asked)
            self._start_due()
            await asyncio.sleep(LOOK_S)

    def left_in(self, slot: int) -> bool:
        """Whether anything of the slot is in memory alone."""
        return bool(self._slots[slot].dirty or self._slots[slot].writing)

    def _active_queues(self) -> list[SlotQueue]:
        return [self._slots[slot] for slot in self._active]

    def _write_now(self, queue: SlotQueue, now: float) -> None:
        """All who wait in the slot are as urgent as can be, and wait no longer; none is left out."""
        if not queue.dirty or queue.retry_s > RETRY_S:
            return
        queue.hurry(queue.dirty.keys() - self._refused, now)
        queue.whole_at = queue.urgent_at = now - PATIENCE_S - self._settings.flush_after_s

    def _schedule(self, queue: SlotQueue, now: float) -> None:
        """Give the slot its regular turn for what waits there, unless it is set already."""
        if queue.dirty and not queue.whole_at:
            interval_s = self._settings.checkpoint_interval_s
            phase_s = queue.number / SLOTS * interval_s
            queue.whole_at = now + (phase_s - now) % interval_s

    async def _tick_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        look_at = loop.time() + self._settings.checkpoint_interval_s
        unsaid: Iterator[str] = iter(())
        while not self._over:
            await asyncio.sleep(TICK_S)
            if loop.time() >= look_at:
                look_at = loop.time() + self._settings.checkpoint_interval_s
                unsaid = iter(list(self._residents.students))
            for student in islice(unsaid, UNSAID_MAX):
                self._mark_if_dirty(self._residents.find(student))
            self._let_go_of_idle()
            self._start_due()

    def _mark_if_dirty(self, resident: Resident | None) -> None:
        """Mark whoever has something to write and was not marked: a device left, its gateway died."""
        if resident is not None and resident.session.dirty:
            self.mark(resident.session.student, resident.slot, urgent=False)

    def _let_go_of_idle(self) -> None:
        """Slots in which nobody waits are looked at no more."""
        for queue in self._active_queues():
            if not queue.dirty and not queue.in_flight:
                self._slots[queue.number] = SlotQueue(queue.number)
                self._active.discard(queue.number)

    def _start_due(self) -> None:
        """Begin the turns that are due, as far as there are writers; what stays due comes next."""
        settings, now = self._settings, asyncio.get_running_loop().time()
        while not self._over and (free := settings.connections - len(self._tasks)) > 0:
            last = free == 1 and settings.connections > 1
            turn = next_turn(
                self._active_queues(), now, settings.checkpoint_rows, settings.flush_after_s, last
            )
            if turn is None:
                return
            self._begin(turn)

    def _begin(self, turn: Turn) -> None:
        task = asyncio.create_task(self._take(turn))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("checkpoint_failed", exc_info=error)
        if not self._over:
            self._start_due()

    async def _take(self, turn: Turn) -> None:
        """The turn of some slots: one statement, but for what cannot be written."""
        loop = asyncio.get_running_loop()
        try:
            await self._commit_all(turn.slots)
            for queue in turn.queues:
                queue.retry_s = RETRY_S
        except Fenced as error:
            if not self._over:
                self._over = True
                self._fenced(error)
        except (StoreUnavailable, SetupError) as error:
            log.warning("checkpoint_unknown", slots=len(turn.queues), error=str(error))
            for queue in turn.queues:
                queue.hurry(turn.urgent & queue.dirty.keys(), loop.time())
                queue.wait(loop.time())
        finally:
            for queue in turn.queues:
                queue.in_flight = False
                self._schedule(queue, loop.time())

    async def _commit_all(self, slots: Mapping[str, int]) -> None:
        """Write these students: together, and those who could not be written each alone."""
        alone = [student for student in slots if student in self._refused]
        together = [student for student in slots if student not in self._refused]
        while together:
            some = self._as_many_as_fit(together)
            await self._commit(some, slots)
            del together[: len(some)]
        for student in alone:
            await self._commit([student], slots)

    def _as_many_as_fit(self, students: list[str]) -> list[str]:
        """The first of the students, whose rows are not too many for one statement: a journal from off line
        may bring a thousand head changes. The others follow in the next one."""
        rows = 0
        for count, student in enumerate(students):
            resident = self._residents.find(student)
            if resident is not None:
                rows += len(resident.session.dirty_items) + len(resident.session.head_changes)
            if count and rows > ROWS_A_STUDENT * self._settings.checkpoint_rows:
                return students[:count]
        return students[:]

    async def _commit(self, students: list[str], slots: Mapping[str, int]) -> None:
        """One statement; halved until the one is found who cannot be written (F28).

        Postgres may refuse the rows, or a defect of ours meets them on the way there.
        """
        snapshot = Snapshot()
        try:
            snapshot = self._snapshot(students, slots)
            if not snapshot.marks:
                return
            written = await self._write(self._checkpoint(snapshot))
        except (Fenced, StoreUnavailable, SetupError):
            self._restore(snapshot)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the others
            self._restore(snapshot)
            if len(students) == 1:
                self._refuse(students[0], slots[students[0]], error)
                return
        except BaseException:
            self._restore(snapshot)
            raise
        else:
            self._settle(snapshot, written)
            return
        half = len(students) // 2
        await self._commit(students[:half], slots)
        await self._commit(students[half:], slots)

    def _checkpoint(self, snapshot: Snapshot) -> Checkpoint:
        slots = {student: marks.slot for student, marks in snapshot.marks.items()}
        epochs = {slot: self._epochs.get(slot, 0) for slot in sorted(set(slots.values()))}
        rows = (snapshot.progress, snapshot.devices, snapshot.changes)
        return Checkpoint(datetime.now(UTC), epochs, slots, *rows)

    def _settle(self, snapshot: Snapshot, written: Written) -> None:
        """Committed, but for slots that have another owner: raises `Fenced` if there are such."""
        fenced = snapshot.part(written.fenced) if written.fenced else None
        if fenced is not None:
            self._restore(fenced)
        self._announce(snapshot)
        if taken := written.fenced & self._epochs.keys() - self.leaving:
            slots = ", ".join(map(str, sorted(taken)))
            raise Fenced(f"slots {slots} are owned under a newer epoch; this shard exits")

    def _refuse(self, student: str, slot: int, error: Exception) -> None:
        self._slots[slot].urgent.pop(student, None)
        if student not in self._refused:
            self._refused.add(student)
            log.error("checkpoint_quarantined", student=student, slot=slot, exc_info=error)

    def _snapshot(self, students: list[str], slots: Mapping[str, int]) -> Snapshot:
        """The rows of the students as they stand now; from here on an edit makes them dirty again.

        If the rows of one of them cannot be built, nothing has changed.
        """
        snapshot = Snapshot()
        for student in students:
            queue = self._slots[slots[student]]
            if student not in self._residents or student not in queue.dirty:
                queue.forget(student)
                continue
            resident = self._residents[student]
            session = resident.session
            snapshot.progress += [
                packed_progress_row(student, session.items[item], self._catalogue[item])
                for item in session.dirty_items
            ]
            snapshot.devices += [
                packed_device_row(student, session.devices[device]) for device in session.dirty_devices
            ]
            snapshot.changes += [change_row(session, change) for change in session.head_changes]
            snapshot.marks[student] = Marks(
                slots[student], session.dirty_items, session.dirty_devices, session.head_changes
            )
        for student, marks in snapshot.marks.items():
            resident, queue = self._residents[student], self._slots[marks.slot]
            resident.session.dirty_items, resident.session.dirty_devices = (), ()
            resident.session.head_changes = ()
            resident.writing = True
            queue.writing[student] = queue.dirty.pop(student)
            queue.urgent.pop(student, None)  # marked after its turn was given, and in this snapshot
        return snapshot

    def _restore(self, snapshot: Snapshot) -> None:
        """The outcome is unknown, or nothing was written: what was dirty is dirty again, as old as it was."""
        self.failures += 1
        for student, marks in snapshot.marks.items():
            queue = self._slots[marks.slot]
            since_s = queue.writing.pop(student)
            resident = self._residents.find(student)
            if resident is None:
                continue  # the slot has been given away meanwhile
            queue.dirty[student] = since_s
            resident.writing = False
            session = resident.session
            for item in marks.items:
                session.touch_item(item)
            for device in marks.devices:
                session.touch_device(device)
            since, session.head_changes = session.head_changes, marks.changes
            session.note(since)

    def _announce(self, snapshot: Snapshot) -> None:
        """Committed: tell who is durable up to where."""
        self.statements += 1
        self.rows += len(snapshot.progress)
        watermarks: dict[str, dict[str, int]] = {student: {} for student in snapshot.marks}
        for row in snapshot.devices:
            watermarks[row.student][row.device] = row.durable_seq
        for student in watermarks:
            del self._slots[snapshot.marks[student].slot].writing[student]
            if (resident := self._residents.find(student)) is not None:
                resident.writing = False
            self._refused.discard(student)
        self._committed(watermarks)
