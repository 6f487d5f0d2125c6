"""Progress as readers see it at rest. The live core writes it (persistence/checkpoints.py)."""

from datetime import datetime

import asyncpg
import msgspec

from persistence import queries
from persistence.cache import Cache, student_progress_entry
from persistence.courses import Access
from persistence.postgres import Postgres

SQL = queries.load("progress")


class Progress(msgspec.Struct, frozen=True):
    """Where a student stands in an item: content ms of `version`; `rev` as heads on the socket carry it.

    `coverage_ms` is how much was seen at least once, `furthest_ms` its last place, `content_ms` all play
    with repeats. At rest it is up to 31 s behind what is live.
    """

    version: str
    rev: int
    position_ms: int
    done: bool
    coverage_ms: int
    furthest_ms: int
    content_ms: int
    updated_at: datetime


class Then(msgspec.Struct, frozen=True):
    """Where a student stood by a checkpoint of the past: content ms of the version of then."""

    rev: int
    position_ms: int


async def of_course(postgres: Postgres, cache: Cache, granted: Access) -> dict[str, Progress]:
    """By item, what the student has begun in a course they may read; through the cache."""
    student, course = granted.student, granted.course
    entry = student_progress_entry(student, course, granted.progress_version, dict[str, Progress])
    return await cache.get(entry, lambda: _load(postgres, student, course))


async def of_item(postgres: Postgres, student: str, item: str) -> Progress | None:
    """Where the student stands in one item; None if they have not begun it."""
    row = await postgres.row(SQL["of_item"], student, item)
    return None if row is None else _progress(row)


async def then(postgres: Postgres, student: str, item: str, moment: datetime) -> Then | None:
    """Where the student stood in one item by the latest checkpoint at that moment; None if there was none."""
    row = await postgres.row(SQL["then"], student, item, moment)
    return None if row is None else Then(row["rev"], row["position_ms"])


async def _load(postgres: Postgres, student: str, course: str) -> dict[str, Progress]:
    rows = await postgres.rows(SQL["of_course"], student, course)
    return {row["item"]: _progress(row) for row in rows}


def _progress(row: asyncpg.Record) -> Progress:
    return Progress(
        version=row["version"],
        rev=row["rev"],
        position_ms=row["position_ms"],
        done=row["done"],
        coverage_ms=row["coverage_ms"],
        furthest_ms=row["furthest_ms"],
        content_ms=row["content_ms"],
        updated_at=row["updated_at"],
    )
