"""Brings students and items into a shard's memory before a batch needs them: many in one query, each once.

A batch waits for Postgres a short while only. What has not come by then is left out and asked for again by
its gateway, so that a store that is slow or away never holds up the students who are here.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import structlog

from actors.at_rest import items_from, session_from
from actors.batch import Operation
from actors.core.item import Item
from actors.core.placement import slot_of
from actors.residents import Residents, needed_items
from persistence import sessions
from persistence.errors import StoreError
from persistence.postgres import Postgres

log = structlog.get_logger()

WAIT_S = 1.0
"""How long a batch waits for those it brings; loading goes on behind it."""


class Activation:
    """The loads of one shard. `catalogue` and `epochs` are the shard's own, `now_ms` its clock."""

    def __init__(
        self,
        postgres: Postgres,
        residents: Residents,
        catalogue: dict[str, Item],
        epochs: dict[int, int],
        catalogue_ttl_s: float,
        now_ms: Callable[[], int],
    ) -> None:
        self._postgres = postgres
        self._residents = residents
        self._catalogue = catalogue
        self._epochs = epochs
        self._ttl_ms = round(catalogue_ttl_s * 1000)
        self._now_ms = now_ms
        self._asked_ms: dict[str, int] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._learning: dict[str, asyncio.Task[None]] = {}

    async def prepare(self, operations: list[Operation]) -> tuple[list[Operation], list[Operation]]:
        """Load what the operations name: those that can run now, and those whose students or items did not
        come in time."""
        self._refresh(operations)
        missing = self._missing(operations)
        if missing:
            await asyncio.wait(missing, timeout=WAIT_S)
        ready: list[Operation] = []
        late: list[Operation] = []
        for operation in operations:
            (ready if self._ready(operation) else late).append(operation)
        return ready, late

    async def stop(self) -> None:
        """End the loads that run."""
        tasks = {*self._loading.values(), *self._learning.values()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ready(self, operation: Operation) -> bool:
        known = all(item in self._asked_ms for item in needed_items([operation]))
        return known and operation.student in self._residents

    def _missing(self, operations: list[Operation]) -> set[asyncio.Task[None]]:
        """The loads that the operations have to wait for, started where they do not run yet."""
        students = {operation.student for operation in operations} - self._residents.students
        items = {item for item in needed_items(operations) if item not in self._asked_ms}
        self._start(self._loading, students, self._load)
        self._start(self._learning, items, self._learn)
        return {self._loading[student] for student in students} | {self._learning[item] for item in items}

    def _refresh(self, operations: list[Operation]) -> None:
        """Ask again, behind the batch, for items that were asked for long ago."""
        old_ms = self._now_ms() - self._ttl_ms
        items = {item for item in needed_items(operations) if self._asked_ms.get(item, old_ms) < old_ms}
        self._start(self._learning, items, self._learn)

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
        epochs = {student: self._epochs[slot_of(student)] for student in students}
        try:
            stored = await sessions.load(self._postgres, students)
        except StoreError as error:
            log.warning("activation_failed", students=len(students), error=str(error))
            return
        for student in students:
            self._residents.admit(session_from(student, stored[student], epochs[student]), self._now_ms())

    async def _learn(self, ids: list[str]) -> None:
        try:
            found = await sessions.load_items(self._postgres, ids)
        except StoreError as error:
            log.warning("items_not_loaded", items=len(ids), error=str(error))
            return
        self._catalogue.update(items_from(found))
        self._asked_ms.update(dict.fromkeys(ids, self._now_ms()))
