"""When and how dirty sessions reach Postgres: spread over the interval, soon after a pause, one write a slot.

A slot's regular turn comes once an interval at a phase of its own, so the load is even. A student who
paused, sought or left is written within about half a second, with the others of the slot who did. A
snapshot is taken and the dirty marks cleared before the statement is sent; when its outcome is unknown the
marks come back and the next snapshot carries them, so an edit during the write is never lost. A student
whose rows cannot be built, or whom Postgres refuses, is written alone from then on, so that one blocks no
other (F28).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from actors.at_rest import change_row, device_row, progress_row
from actors.core.history import HeadChange
from actors.core.item import Item
from actors.core.placement import SLOTS
from actors.residents import Residents
from actors.settings import ShardSettings
from persistence.changes import HeadChange as ChangeRow
from persistence.checkpoints import Checkpoint, DeviceRow, ProgressRow
from persistence.errors import Fenced, SetupError, StoreUnavailable

log = structlog.get_logger()

TICK_S = 0.05
RETRY_S = 0.5
RETRY_MOST_S = 4.0
"""How long a slot waits after a write of unknown outcome: from, doubling, to."""

Write = Callable[[Checkpoint], Awaitable[int]]
Committed = Callable[[str, Mapping[str, int]], None]


@dataclass(slots=True)
class SlotQueue:
    """Who of a slot is to be written, by since when (loop time).

    `whole_at`, `urgent_at` say when all of them, or the urgent ones, have their turn; 0 when nothing is
    due. `writing` are those on their way; while there are any the slot has no other turn.
    """

    dirty: dict[str, float] = field(default_factory=dict)
    urgent: set[str] = field(default_factory=set)
    whole_at: float = 0.0
    urgent_at: float = 0.0
    retry_s: float = RETRY_S
    writing: dict[str, float] = field(default_factory=dict)
    in_flight: bool = False

    def due(self, now: float) -> bool:
        """Whether the slot has its turn."""
        if self.in_flight:
            return False
        return bool(self.whole_at and self.whole_at <= now) or bool(self.urgent_at and self.urgent_at <= now)

    def oldest(self, now: float) -> float:
        """Since when the oldest change here has not been durable."""
        return min([now, *self.dirty.values(), *self.writing.values()])


@dataclass(slots=True)
class Marks:
    """What of one session is on its way: dirty items and devices, and head changes."""

    items: set[str]
    devices: set[str]
    changes: list[HeadChange]


@dataclass(slots=True)
class Snapshot:
    """The rows of some students of one slot, and the marks to restore if the write fails."""

    slot: int
    progress: list[ProgressRow] = field(default_factory=list)
    devices: list[DeviceRow] = field(default_factory=list)
    changes: list[ChangeRow] = field(default_factory=list)
    marks: dict[str, Marks] = field(default_factory=dict)


class Checkpointer:
    """Writes a shard's sessions. `committed(student, watermarks)` hears what has become durable.

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
        self._slots = [SlotQueue() for _ in range(SLOTS)]
        self._active: set[int] = set()
        self._refused: set[str] = set()
        self._writers = asyncio.Semaphore(settings.connections)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._over = False
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
        now = asyncio.get_running_loop().time()
        queue = self._slots[slot]
        self._active.add(slot)
        queue.dirty.setdefault(student, now)
        if urgent and student not in self._refused:
            queue.urgent.add(student)
        self._schedule(slot, now, self._settings.flush_after_s)

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
        while self._active and not self._over and loop.time() < until:
            for slot in list(self._active):
                queue = self._slots[slot]
                if queue.dirty.keys() - self._refused and queue.retry_s == RETRY_S:
                    queue.whole_at = loop.time()
            self._start_due()
            await asyncio.sleep(TICK_S)
        return self.waiting() == 0

    def _schedule(self, slot: int, now: float, urgent_s: float) -> None:
        """Give the slot its turns for what waits there, unless they are set already."""
        queue = self._slots[slot]
        if queue.dirty and not queue.whole_at:
            interval_s = self._settings.checkpoint_interval_s
            phase_s = slot / SLOTS * interval_s
            queue.whole_at = now + (phase_s - now) % interval_s
        if queue.urgent and not queue.urgent_at:
            queue.urgent_at = now + urgent_s

    async def _tick_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        look_at = loop.time() + self._settings.checkpoint_interval_s
        while not self._over:
            await asyncio.sleep(TICK_S)
            if loop.time() >= look_at:
                look_at = loop.time() + self._settings.checkpoint_interval_s
                self._mark_unsaid()
            self._start_due()

    def _mark_unsaid(self) -> None:
        """Mark whoever has something to write and was not marked: a device left, its gateway died."""
        for resident in self._residents:
            student = resident.session.student
            if resident.session.dirty and student not in self._slots[resident.slot].dirty:
                self.mark(student, resident.slot, urgent=False)

    def _start_due(self) -> None:
        now = asyncio.get_running_loop().time()
        for slot in list(self._active):
            queue = self._slots[slot]
            if not queue.dirty and not queue.in_flight:
                self._slots[slot] = SlotQueue()
                self._active.discard(slot)
            elif queue.due(now) and not self._over:
                queue.in_flight = True
                task = asyncio.create_task(
                    self._turn(slot, whole=bool(queue.whole_at) and queue.whole_at <= now)
                )
                self._tasks.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("checkpoint_failed", exc_info=error)

    async def _turn(self, slot: int, whole: bool) -> None:
        """One slot's turn: its urgent students, or all of them when its regular turn has come."""
        queue, loop = self._slots[slot], asyncio.get_running_loop()
        chosen, urgent = [], set[str]()
        try:
            async with self._writers:
                chosen = list(queue.dirty if whole else queue.urgent & queue.dirty.keys())
                chosen = chosen[: self._settings.checkpoint_rows]
                urgent = queue.urgent & set(chosen)
                queue.urgent -= urgent
                queue.urgent_at = 0.0
                if len(chosen) == len(queue.dirty):
                    queue.whole_at = 0.0
                await self._commit_all(slot, chosen)
                queue.retry_s = RETRY_S
        except Fenced as error:
            if not self._over:
                self._over = True
                self._fenced(error)
        except (StoreUnavailable, SetupError) as error:
            log.warning("checkpoint_unknown", slot=slot, error=str(error))
            queue.urgent |= urgent
            queue.whole_at = queue.urgent_at = loop.time() + queue.retry_s
            queue.retry_s = min(2 * queue.retry_s, RETRY_MOST_S)
        finally:
            queue.in_flight = False
            self._schedule(slot, loop.time(), 0.0)

    async def _commit_all(self, slot: int, students: list[str]) -> None:
        """Write these students: together, and those who could not be written each alone."""
        alone = [student for student in students if student in self._refused]
        together = [student for student in students if student not in self._refused]
        if together:
            await self._commit(slot, together)
        for student in alone:
            await self._commit(slot, [student])

    async def _commit(self, slot: int, students: list[str]) -> None:
        """One statement; halved until the one is found who cannot be written (F28).

        Postgres may refuse the rows, or a defect of ours meets them on the way there.
        """
        snapshot = Snapshot(slot)
        try:
            snapshot = self._snapshot(slot, students)
            if not snapshot.marks:
                return
            now, epoch = datetime.now(UTC), self._epochs.get(slot, 0)
            rows = (snapshot.progress, snapshot.devices, snapshot.changes)
            await self._write(Checkpoint(slot, epoch, now, *rows))
        except (Fenced, StoreUnavailable, SetupError):
            self._restore(snapshot)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the others
            self._restore(snapshot)
            if len(students) == 1:
                self._refuse(slot, students[0], error)
                return
        except BaseException:
            self._restore(snapshot)
            raise
        else:
            self._announce(snapshot)
            return
        half = len(students) // 2
        await self._commit(slot, students[:half])
        await self._commit(slot, students[half:])

    def _refuse(self, slot: int, student: str, error: Exception) -> None:
        self._slots[slot].urgent.discard(student)
        if student not in self._refused:
            self._refused.add(student)
            log.error("checkpoint_quarantined", student=student, slot=slot, exc_info=error)

    def _snapshot(self, slot: int, students: list[str]) -> Snapshot:
        """The rows of the students as they stand now; from here on an edit makes them dirty again.

        If the rows of one of them cannot be built, nothing has changed.
        """
        queue, snapshot = self._slots[slot], Snapshot(slot)
        for student in students:
            if student not in self._residents:
                queue.dirty.pop(student, None)
                continue
            resident = self._residents[student]
            session = resident.session
            snapshot.progress += [
                progress_row(student, session.items[item], self._catalogue[item])
                for item in session.dirty_items
            ]
            snapshot.devices += [
                device_row(student, session.devices[device]) for device in session.dirty_devices
            ]
            snapshot.changes += [change_row(session, change) for change in session.head_changes]
            snapshot.marks[student] = Marks(session.dirty_items, session.dirty_devices, session.head_changes)
        for student in snapshot.marks:
            resident = self._residents[student]
            resident.session.dirty_items, resident.session.dirty_devices = set(), set()
            resident.session.head_changes = []
            resident.writing = True
            queue.writing[student] = queue.dirty.pop(student)
        return snapshot

    def _restore(self, snapshot: Snapshot) -> None:
        """The outcome is unknown, or nothing was written: what was dirty is dirty again, as old as it was."""
        self.failures += 1
        queue = self._slots[snapshot.slot]
        for student, marks in snapshot.marks.items():
            queue.dirty[student] = queue.writing.pop(student)
            resident = self._residents[student]
            resident.writing = False
            resident.session.dirty_items |= marks.items
            resident.session.dirty_devices |= marks.devices
            since, resident.session.head_changes = resident.session.head_changes, marks.changes
            resident.session.note(since)

    def _announce(self, snapshot: Snapshot) -> None:
        """Committed: tell who is durable up to where."""
        self.statements += 1
        self.rows += len(snapshot.progress)
        queue = self._slots[snapshot.slot]
        watermarks: dict[str, dict[str, int]] = {student: {} for student in snapshot.marks}
        for row in snapshot.devices:
            watermarks[row.student][row.device] = row.durable_seq
        for student, of_devices in watermarks.items():
            del queue.writing[student]
            self._residents[student].writing = False
            self._refused.discard(student)
            self._committed(student, of_devices)
