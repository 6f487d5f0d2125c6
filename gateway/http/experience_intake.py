"""What players tell on its way to Postgres: checked, counted, written each second from a bounded queue."""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import AsyncIterator, Sequence

import structlog
from prometheus_client import CollectorRegistry

from gateway.http.experience_metrics import ExperienceMetrics
from gateway.sockets.limits import TokenBucket
from persistence import experience
from persistence.errors import StoreError
from persistence.experience import Happening
from persistence.postgres import Postgres

log = structlog.get_logger()

WAITING_MAX = 20_000
"""Rows that may wait. More are counted and let go: how playing went is worth less than playing."""

WRITE_EVERY_S = 1.0
ROWS_AT_ONCE = 5000
WRITE_S = 5.0
LAST_WRITE_S = 2.0

BATCHES_PER_S, BATCH_BURST = 1.0, 30.0
STUDENTS_MAX = 20_000
RIGHTS_MAX = 50_000
RIGHTS_S = 300.0
"""How long it is remembered that a student is in an item's course: that opens nothing, it keeps a row."""


class Intake:
    """Takes in batches, writes rows. Use `running` around its life."""

    def __init__(self, postgres: Postgres, registry: CollectorRegistry) -> None:
        self._postgres = postgres
        self.metrics = ExperienceMetrics(registry)
        self._waiting: deque[Happening] = deque()
        self._buckets: dict[str, TokenBucket] = {}
        self._courses: dict[tuple[str, str, str], tuple[str, float]] = {}
        self.metrics.waiting.set_function(lambda: len(self._waiting))

    def wait_s(self, student: str) -> int:
        """0 if this student may send a batch now, else how many s to wait."""
        now_s = asyncio.get_running_loop().time()
        bucket = self._buckets.pop(student, None) or TokenBucket(BATCH_BURST, now_s)
        self._buckets[student] = bucket
        if len(self._buckets) > STUDENTS_MAX:
            del self._buckets[next(iter(self._buckets))]
        return (
            0
            if bucket.take(now_s, BATCHES_PER_S, BATCH_BURST)
            else math.ceil(BATCH_BURST / BATCHES_PER_S / 2)
        )

    async def courses(self, student: str, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Of these (item, version) those the student is in, each with its course. Raises `StoreError`."""
        now_s = asyncio.get_running_loop().time()
        found: dict[tuple[str, str], str] = {}
        for item, version in wanted:
            course, until_s = self._courses.get((student, item, version), ("", 0.0))
            if until_s > now_s:
                found[item, version] = course
        if missing := wanted - found.keys():
            fresh = await experience.rights(self._postgres, student, missing)
            for (item, version), course in fresh.items():
                self._courses[student, item, version] = course, now_s + RIGHTS_S
            found |= fresh
            while len(self._courses) > RIGHTS_MAX:
                del self._courses[next(iter(self._courses))]
        return found

    def take(self, happenings: Sequence[Happening]) -> None:
        """Count them, and keep as many as there is room for."""
        events = self.metrics.events
        for one in happenings:
            self.metrics.happened(one)
            if len(self._waiting) < WAITING_MAX:
                self._waiting.append(one)
                events.labels("taken").inc()
            else:
                events.labels("dropped").inc()

    def refused(self, count: int) -> None:
        """Count events that were left out: of a kind nobody knows, or of what is not the student's."""
        self.metrics.events.labels("refused").inc(count)

    async def write(self, timeout_s: float = WRITE_S) -> None:
        """Write what waits. Rows whose outcome is unknown are let go: twice would be worse than never."""
        while self._waiting:
            rows = [self._waiting.popleft() for _ in range(min(len(self._waiting), ROWS_AT_ONCE))]
            try:
                await experience.record(self._postgres, rows, timeout_s)
            except StoreError as error:
                self.metrics.events.labels("lost").inc(len(rows))
                log.warning("experience_lost", rows=len(rows), error=str(error))
                return

    async def _write_each_second(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self.write()
            except Exception:
                log.exception("experience_not_written")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Intake"]:
        """Write each second, and once more at the end."""
        writing = asyncio.create_task(self._write_each_second())
        try:
            yield self
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await self.write(LAST_WRITE_S)
