"""When and how dirty sessions reach Postgres: spread over the interval, soon after a pause, one write a slot.

A slot's regular turn comes once an interval at a phase of its own, so the load is even. A student who
paused, sought or left is written within about half a second, with the others of the slot who did. A
snapshot is taken and the dirty marks cleared before the statement is sent; when its outcome is unknown the
marks come back and the next snapshot carries them, so an edit during the write is never lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from actors.at_rest import device_row, progress_row
from actors.core.item import Item
from actors.core.placement import SLOTS
from actors.residents import Residents
from actors.settings import ShardSettings
from persistence.checkpoints import Checkpoint, DeviceRow, ProgressRow
from persistence.errors import Fenced, StoreUnavailable
from persistence.postgres import StoreRefused

log = structlog.get_logger()

TICK_S = 0.05
RETRY_S = 0.5

Write = Callable[[Checkpoint], Awaitable[int]]
Committed = Callable[[str, Mapping[str, int]], None]


@dataclass(slots=True)
class SlotQueue:
    """Who of a slot is to be written. `urgent_at`, `regular_at` are loop times, 0 when nothing is due."""

    dirty: dict[str, float] = field(default_factory=dict)
    urgent: set[str] = field(default_factory=set)
    urgent_at: float = 0.0
    regular_at: float = 0.0
    in_flight: bool = False


@dataclass(slots=True)
class Snapshot:
    """The rows of some students of one slot, and the dirty marks to restore if the write fails."""

    slot: int
    students: list[str] = field(default_factory=list)
    progress: list[ProgressRow] = field(default_factory=list)
    devices: list[DeviceRow] = field(default_factory=list)
    marks: dict[str, tuple[set[str], set[str], float]] = field(default_factory=dict)


class Checkpointer:
    """Writes a shard's sessions. `committed(student, watermarks)` hears what has become durable.

    `fenced()` is called once, when a write shows that another owner has a slot.
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
        self._writers = asyncio.Semaphore(settings.connections)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self.statements = 0
        self.rows = 0
        self.failures = 0
        self.quarantined = 0

    def start(self) -> None:
        """Begin to write; the checkpointer owns its tasks until `stop`."""
        self._ticker = asyncio.create_task(self._tick_for_ever())

    async def stop(self) -> None:
        """Stop without writing; `flush` first to lose nothing that is only here."""
        tasks = [*self._tasks, *([self._ticker] if self._ticker else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def mark(self, student: str, slot: int, urgent: bool) -> None:
        """The student has something to write: by its slot's turn, or within about half a second."""
        now = asyncio.get_running_loop().time()
        queue = self._slots[slot]
        self._active.add(slot)
        if student not in queue.dirty:
            queue.dirty[student] = now
        if not queue.regular_at:
            queue.regular_at = self._next_turn(slot, now)
        if urgent:
            queue.urgent.add(student)
            if not queue.urgent_at:
                queue.urgent_at = now + self._settings.flush_after_s

    def lag_s(self) -> float:
        """Age of the oldest change that is not yet durable."""
        now = asyncio.get_running_loop().time()
        oldest = (min(q.dirty.values()) for q in (self._slots[s] for s in self._active) if q.dirty)
        return max(0.0, now - min(oldest, default=now))

    def waiting(self) -> int:
        """How many students have something to write."""
        return sum(len(self._slots[slot].dirty) for slot in self._active)

    async def flush(self, timeout_s: float) -> bool:
        """Write everything now; True if nothing is left when the time is up."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while self._active and loop.time() < until:
            for slot in list(self._active):
                queue = self._slots[slot]
                queue.regular_at = queue.regular_at and loop.time()
            self._start_due()
            await asyncio.sleep(TICK_S)
        return not self._active

    def _next_turn(self, slot: int, now: float) -> float:
        interval_s = self._settings.checkpoint_interval_s
        phase_s = slot / SLOTS * interval_s
        return now + (phase_s - now) % interval_s

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._start_due()

    def _start_due(self) -> None:
        now = asyncio.get_running_loop().time()
        for slot in list(self._active):
            queue = self._slots[slot]
            if queue.in_flight:
                continue
            if not queue.dirty:
                queue.regular_at = queue.urgent_at = 0.0
                self._active.discard(slot)
            elif queue.regular_at <= now or (queue.urgent_at and queue.urgent_at <= now):
                queue.in_flight = True
                task = asyncio.create_task(self._turn(slot, whole=queue.regular_at <= now))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _turn(self, slot: int, whole: bool) -> None:
        """One slot's turn: its urgent students, or all of them when its regular turn has come."""
        queue = self._slots[slot]
        try:
            async with self._writers:
                limit = self._settings.checkpoint_rows
                chosen = list(queue.dirty if whole else queue.urgent & queue.dirty.keys())[:limit]
                if len(chosen) == len(queue.dirty):
                    queue.regular_at = 0.0
                queue.urgent.difference_update(chosen)
                queue.urgent_at = 0.0
                await self._commit(self._snapshot(slot, chosen))
        except StoreUnavailable as error:
            log.warning("checkpoint_unknown", slot=slot, error=str(error))
            await asyncio.sleep(RETRY_S)
        except Fenced as error:
            self._fenced(error)
        finally:
            self._reschedule(slot, queue)
            queue.in_flight = False

    def _reschedule(self, slot: int, queue: SlotQueue) -> None:
        now = asyncio.get_running_loop().time()
        if queue.dirty and not queue.regular_at:
            queue.regular_at = self._next_turn(slot, now)
        if queue.urgent and not queue.urgent_at:
            queue.urgent_at = now

    def _snapshot(self, slot: int, students: list[str]) -> Snapshot:
        snapshot = Snapshot(slot)
        queue = self._slots[slot]
        for student in students:
            since = queue.dirty.pop(student)
            if student not in self._residents:
                continue
            resident = self._residents[student]
            resident.writing = True
            session = resident.session
            items, devices = session.dirty_items, session.dirty_devices
            session.dirty_items, session.dirty_devices = set(), set()
            snapshot.students.append(student)
            snapshot.marks[student] = (items, devices, since)
            for item in items:
                row = progress_row(student, session.items[item], self._catalogue[item])
                snapshot.progress.append(row)
            for device in devices:
                snapshot.devices.append(device_row(student, session.devices[device]))
        return snapshot

    async def _commit(self, snapshot: Snapshot) -> None:
        if not snapshot.students:
            return
        now = datetime.now(UTC)
        epoch = self._epochs.get(snapshot.slot, 0)
        checkpoint = Checkpoint(snapshot.slot, epoch, now, snapshot.progress, snapshot.devices)
        try:
            await self._write(checkpoint)
        except StoreRefused as error:
            self.failures += 1
            self._restore(snapshot)
            await self._bisect(snapshot, error)
            return
        except BaseException:
            self.failures += 1
            self._restore(snapshot)
            raise
        self.statements += 1
        self.rows += len(snapshot.progress)
        self._announce(snapshot)

    def _announce(self, snapshot: Snapshot) -> None:
        for student in snapshot.students:
            self._residents[student].writing = False
        by_student: dict[str, dict[str, int]] = {}
        for row in snapshot.devices:
            by_student.setdefault(row.student, {})[row.device] = row.durable_seq
        for student, watermarks in by_student.items():
            self._committed(student, watermarks)

    async def _bisect(self, snapshot: Snapshot, error: StoreRefused) -> None:
        """Postgres refuses the batch for good: find the student, so that one blocks no other (F28)."""
        students = snapshot.students
        if len(students) == 1:
            self._slots[snapshot.slot].dirty.pop(students[0], None)
            self.quarantined += 1
            log.error("checkpoint_quarantined", student=students[0], slot=snapshot.slot, error=str(error))
            return
        half = len(students) // 2
        for part in (students[:half], students[half:]):
            await self._commit(self._snapshot(snapshot.slot, part))

    def _restore(self, snapshot: Snapshot) -> None:
        queue = self._slots[snapshot.slot]
        self._active.add(snapshot.slot)
        for student, (items, devices, since) in snapshot.marks.items():
            queue.dirty[student] = min(since, queue.dirty.get(student, since))
            resident = self._residents[student]
            resident.writing = False
            resident.session.dirty_items |= items
            resident.session.dirty_devices |= devices
