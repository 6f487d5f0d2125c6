"""Brings students and items into a shard's memory before a batch needs them: many in one query, each once.

A batch waits for Postgres a short while only. What has not come by then is left out and asked for again by
its gateway, so that a store that is slow or away never holds up the students who are here.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime
from typing import Any

import structlog

from actors.at_rest import enrolled_in, items_from, session_from
from actors.batch import Apply, Attach, Operation
from actors.core.item import Item
from actors.core.placement import slot_of
from actors.residents import Residents, needed_items
from actors.together import Together
from persistence import sessions
from persistence.errors import StoreError
from persistence.postgres import Postgres
from persistence.sessions import StoredItem, StoredSession

log = structlog.get_logger()

WAIT_S = 1.0
"""How long a batch waits for those it brings; loading goes on behind it."""

ROUNDS = 3
"""A student, then the item, then whether the student may: each answer may raise the next question."""

LOAD_MAX = 500
"""Students of one load: about 50 ms of work here and in Postgres; a row more costs little, a query does."""

PIECE = 50
"""After so many students of a load others have their turn: about 5 ms."""

DOUBT_MS = 2_000
"""Knowledge older than this is read again before an entry is refused for good because of it."""

JOINED_MS = 250
"""Enrolments older than this are read again before a refusal: nobody joins a course and plays it sooner."""

UNREADABLE_MAX = 10_000
"""Students whose rows could not be read are counted up to so many, for operators."""

CHANGED_WITHIN_S = 30.0
"""How far back changes of courses are looked for: longer than a transaction takes to commit."""

CHANGED_MAX = 1000
"""Courses that are seen to have changed at once; of more the rest is noticed as it grows old."""

ABSENT_MAX = 10_000
"""Ids that name no item are remembered up to so many: clients choose them."""


def _unheard(edited: set[str]) -> None:
    """Nobody wants to hear of edited items."""


class Activation:
    """The loads of one shard. `catalogue` and `epochs` are the shard's own, `now_ms` its clock.

    `edited` hears which items have another current version than was known: heads of them have moved (R9).
    """

    def __init__(
        self,
        postgres: Postgres,
        residents: Residents,
        catalogue: dict[str, Item],
        epochs: dict[int, int],
        catalogue_ttl_s: float,
        now_ms: Callable[[], int],
        edited: Callable[[set[str]], None] = _unheard,
    ) -> None:
        self._postgres = postgres
        self._residents = residents
        self._catalogue = catalogue
        self._epochs = epochs
        self._ttl_ms = round(catalogue_ttl_s * 1000)
        self._now_ms = now_ms
        self._edited = edited
        self.unreadable: dict[str, None] = {}
        self._known_ms: dict[str, int] = {}
        self._absent_ms: dict[str, int] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._learning: dict[str, asyncio.Task[None]] = {}
        self._enrolling: dict[str, asyncio.Task[None]] = {}
        self._followed: dict[str, datetime] = {}
        self._following: asyncio.Task[None] | None = None
        self._load_all = Together(self._load, LOAD_MAX)
        self._enrol_all = Together(self._enrol, LOAD_MAX)

    async def prepare(self, operations: list[Operation]) -> tuple[list[Operation], list[Operation]]:
        """Load what the operations name: those that can run now, and those whose students or items did not
        come in time."""
        doubtful = self._doubtful(operations)
        if not doubtful:
            return operations, []
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT_S
        for _ in range(ROUNDS):
            missing = self._missing(doubtful)
            left_s = until - loop.time()
            if not missing or left_s <= 0:
                break
            await asyncio.wait(missing, timeout=left_s)
            # Meanwhile others may have gone.
            doubtful = operations
        late = [operation for operation in doubtful if not self._ready(operation)]
        if not late:
            return operations, []
        left_out = set(map(id, late))
        return [operation for operation in operations if id(operation) not in left_out], late

    def follow(self) -> None:
        """Look for courses that were written since, behind everything else, and read their items anew: what
        is published is heard by who is connected (P14), and not only when somebody plays it and what is
        known has grown old.
        """
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        try:
            changed = await sessions.changed_courses(self._postgres, CHANGED_WITHIN_S, CHANGED_MAX)
        except StoreError as error:
            log.warning("changes_not_followed", error=str(error))
            return
        fresh = {course for course, at in changed.items() if self._followed.get(course) != at}
        items = [item for item in self._catalogue.values() if item.course in fresh] if fresh else []
        # A load that runs may have read before the change: those are looked at again next time.
        unsure = {item.course for item in items if item.id in self._learning}
        self._followed = {course: at for course, at in changed.items() if course not in unsure}
        self._start(self._learning, [item.id for item in items], self._learn)

    async def stop(self) -> None:
        """End the loads that run."""
        tasks = {*self._loading.values(), *self._learning.values(), *self._enrolling.values()}
        if self._following is not None:
            tasks.add(self._following)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _doubtful(self, operations: list[Operation]) -> list[Operation]:
        """The operations that may have to wait for something, found in one pass: usually none.

        What is known allows every other one, so its age does not matter. Items that were read long ago are
        asked for again, behind the batch.
        """
        residents, catalogue, known_ms = self._residents, self._catalogue, self._known_ms
        old_ms = self._now_ms() - self._ttl_ms
        doubtful: list[Operation] = []
        stale: set[str] = set()
        for operation in operations:
            resident = residents.find(operation.student)
            sure = resident is not None and not isinstance(operation, Attach)
            for item_id in needed_items(operation):
                item = catalogue.get(item_id)
                if item is None:
                    sure = False
                    continue
                if known_ms[item_id] < old_ms:
                    stale.add(item_id)
                if resident is None or item.course not in resident.session.enrolled:
                    sure = False
                elif sure:
                    sure = not _would_refuse(item, operation)
            if not sure:
                doubtful.append(operation)
        self._start(self._learning, stale, self._learn)
        return doubtful

    def _ready(self, operation: Operation) -> bool:
        if operation.student not in self._residents:
            return False
        return not self._items_to_ask(operation) and not self._enrolments_to_ask(operation)

    def _missing(self, operations: list[Operation]) -> set[asyncio.Task[None]]:
        """The loads that the operations have to wait for, started where they do not run yet."""
        students = {operation.student for operation in operations} - self._residents.students
        items = {item for operation in operations for item in self._items_to_ask(operation)}
        self._start(self._loading, students, self._load_all)
        self._start(self._learning, items, self._learn)
        enrolled = {
            operation.student
            for operation in operations
            if operation.student not in students and self._enrolments_to_ask(operation)
        }
        self._start(self._enrolling, enrolled, self._enrol_all)
        waits = ((self._loading, students), (self._learning, items), (self._enrolling, enrolled))
        return {running[wanted] for running, ids in waits for wanted in ids}

    def _items_to_ask(self, operation: Operation) -> set[str]:
        """Items never asked for, and those whose old answer would refuse the operation for good."""
        doubtful_ms = self._now_ms() - DOUBT_MS
        asked: set[str] = set()
        for item_id in needed_items(operation):
            item = self._catalogue.get(item_id)
            if item is None:
                since_ms = self._absent_ms.get(item_id)
                if since_ms is None or since_ms < doubtful_ms:
                    asked.add(item_id)
            elif self._known_ms[item_id] < doubtful_ms and _would_refuse(item, operation):
                asked.add(item_id)
        return asked

    def _enrolments_to_ask(self, operation: Operation) -> bool:
        """Whether the student's enrolments are old and would refuse the operation, or the device is new."""
        if operation.student not in self._residents:
            return False
        resident = self._residents[operation.student]
        age_ms = self._now_ms() - resident.enrolled_ms
        if isinstance(operation, Attach):
            return age_ms > DOUBT_MS
        if age_ms <= JOINED_MS:
            return False
        items = (self._catalogue.get(item) for item in needed_items(operation))
        return any(item is not None and item.course not in resident.session.enrolled for item in items)

    def _start(
        self,
        running: dict[str, asyncio.Task[None]],
        ids: Iterable[str],
        load: Callable[[list[str]], Coroutine[Any, Any, None]],
    ) -> None:
        fresh = [wanted for wanted in ids if wanted not in running]
        if not fresh:
            return
        task = asyncio.create_task(load(fresh))
        running.update(dict.fromkeys(fresh, task))

        def forget(_: asyncio.Task[None]) -> None:
            for wanted in fresh:
                del running[wanted]

        task.add_done_callback(forget)

    async def _load(self, students: list[str]) -> None:
        epochs = {student: self._epochs.get(slot_of(student), -1) for student in students}
        try:
            stored = await sessions.load(self._postgres, students)
        except StoreError as error:
            log.warning("activation_failed", students=len(students), error=str(error))
            return
        # Another owner may have carried them to a version that is not known here yet: by an older catalogue
        # they would be carried back, and their places be moved twice (R9).
        rows = (row for one in stored.values() for row in one.progress)
        behind = {row.item for row in rows if self._knows_without(row.item, row.version)}
        if behind and not await self._read(sorted(behind)):
            return
        for number, student in enumerate(students, 1):
            # Asked at the moment it is admitted: if the slot has another owner by now, or is ours anew, these
            # rows may be old.
            if self._epochs.get(slot_of(student), -2) == epochs[student]:
                self._admit(student, stored.pop(student), epochs[student])
            if number % PIECE == 0:
                await asyncio.sleep(0)

    def _admit(self, student: str, stored: StoredSession, epoch: int) -> None:
        try:
            session = session_from(student, stored, epoch)
        except Exception:
            # One whose rows cannot be read must not keep out those who were loaded with them (F28).
            log.exception("session_unreadable", student=student)
            self.unreadable[student] = None
            while len(self.unreadable) > UNREADABLE_MAX:
                del self.unreadable[next(iter(self.unreadable))]
        else:
            self.unreadable.pop(student, None)
            self._residents.admit(session, self._now_ms())

    def _knows_without(self, item_id: str, version: str) -> bool:
        """Whether the item is known and that version of it is not."""
        item = self._catalogue.get(item_id)
        return item is not None and version not in item.durations_ms

    async def _learn(self, ids: list[str]) -> None:
        await self._read(ids)

    async def _read(self, ids: list[str]) -> bool:
        """Read items anew; False if Postgres does not give them."""
        try:
            stored = await sessions.load_items(self._postgres, ids)
        except StoreError as error:
            log.warning("items_not_loaded", items=len(ids), error=str(error))
            return False
        found, unreadable = _readable(stored)
        edited = {name for name, item in found.items() if self._is_edited(item)}
        self._catalogue.update(found)
        now_ms = self._now_ms()
        for item in (wanted for wanted in ids if wanted not in unreadable):
            self._absent_ms.pop(item, None)
            (self._known_ms if item in self._catalogue else self._absent_ms)[item] = now_ms
        while len(self._absent_ms) > ABSENT_MAX:
            del self._absent_ms[next(iter(self._absent_ms))]
        if edited:
            self._edited(edited)
        return True

    def _is_edited(self, item: Item) -> bool:
        known = self._catalogue.get(item.id)
        return known is not None and known.version != item.version

    async def _enrol(self, students: list[str]) -> None:
        try:
            enrolled = await sessions.load_enrolments(self._postgres, students)
        except StoreError as error:
            log.warning("enrolments_not_loaded", students=len(students), error=str(error))
            return
        for student in students:
            if student in self._residents:
                resident = self._residents[student]
                resident.session.enrolled = enrolled_in(enrolled[student])
                resident.enrolled_ms = self._now_ms()


def _readable(stored: list[StoredItem]) -> tuple[dict[str, Item], set[str]]:
    """The items of these rows, and the ids of those that cannot be read: they keep out no other (F28).

    What names one of those waits, rather than being refused for good as if there were no such item.
    """
    try:
        return dict(items_from(stored)), set()
    except Exception:  # noqa: BLE001 - whatever it is, it is of one of them
        found: dict[str, Item] = {}
        for one in stored:
            try:
                found.update(items_from([one]))
            except Exception:
                log.exception("item_unreadable", item=one.id)
        return found, {one.id for one in stored} - found.keys()


def _would_refuse(item: Item, operation: Operation) -> bool:
    """Whether what is known of the item refuses an entry of the operation."""
    if not item.published:
        return True
    if not isinstance(operation, Apply):
        return False
    versions = item.durations_ms
    return any(event.item == item.id and event.version not in versions for event in operation.events)
