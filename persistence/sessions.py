"""Loads students for activation, many at once: their progress, device watermarks and enrolments."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from persistence import queries
from persistence.checkpoints import DeviceRow, ProgressRow, unpack
from persistence.postgres import Postgres

SQL = queries.load("sessions")

PIECE = 100
"""After reading so many rows of progress others have their turn: a few ms."""


@dataclass(slots=True)
class StoredSession:
    """What is at rest of one student; empty lists for one who has never been here."""

    progress: list[ProgressRow] = field(default_factory=list)
    devices: list[DeviceRow] = field(default_factory=list)
    courses: set[str] = field(default_factory=set)


async def load(postgres: Postgres, students: Sequence[str]) -> dict[str, StoredSession]:
    """The stored sessions of these students, one per id asked for, known or not."""
    found = {student: StoredSession() for student in students}
    wanted = list(students)
    async with postgres.connection() as connection:
        progress = await connection.fetch(SQL["progress"], wanted)
        devices = await connection.fetch(SQL["devices"], wanted)
        enrolments = await connection.fetch(SQL["enrolments"], wanted)
    for number, row in enumerate(progress, 1):
        found[row["student"]].progress.append(_progress_row(row))
        if number % PIECE == 0:
            await asyncio.sleep(0)
    for row in devices:
        found[row["student"]].devices.append(_device_row(row))
    for row in enrolments:
        found[row["student"]].courses.add(row["course"])
    return found


def _progress_row(row: asyncpg.Record) -> ProgressRow:
    coverage = _spans(row["coverage"])
    return ProgressRow(
        student=row["student"],
        item=row["item"],
        course=row["course"],
        version=row["version"],
        rev=row["rev"],
        epoch=row["epoch"],
        viewing=row["pass"],
        position_ms=row["position_ms"],
        device=row["device"],
        action_ms=_ms(row["action_at"]),
        rule=row["rule"],
        done=row["done"],
        completions_ms=[_ms(moment) for moment in row["completions"]],
        coverage=coverage,
        furthest_ms=coverage[-1][1] if coverage else 0,
        content_ms=row["content_ms"],
        wall=_spans(row["wall"]),
        merge=_state(row, "merge"),
        folded=row["folded"],
    )


def _device_row(row: asyncpg.Record) -> DeviceRow:
    return DeviceRow(row["student"], row["device"], row["durable_seq"], _state(row, "visit"))


def _state(row: asyncpg.Record, former: str) -> dict[str, Any]:
    """What has no typed column: packed, or JSONB in a row that was last written before migration 0007."""
    packed = row["state"]
    if packed is None:
        found: dict[str, Any] = row[former]
        return found
    return unpack(packed)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _spans(multirange: Sequence[Any]) -> list[tuple[int, int]]:
    return [(part.lower, part.upper) for part in multirange]


async def load_enrolments(postgres: Postgres, students: Sequence[str]) -> dict[str, set[str]]:
    """The courses of these students, as they are now."""
    enrolled: dict[str, set[str]] = {student: set() for student in students}
    for row in await postgres.rows(SQL["enrolments"], list(students)):
        enrolled[row["student"]].add(row["course"])
    return enrolled


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item as the live core needs it: lengths of its versions in content ms.

    `edits` has, for each version made from another, `{"from": version, "edits": [...]}` as
    `persistence.items.Version` has them; `syllabus` the ids of the course's items in order.
    """

    id: str
    course: str
    version: str
    published: bool
    durations_ms: dict[str, int]
    edits: dict[str, dict[str, Any]] = field(default_factory=dict)
    syllabus: Sequence[str] = ()


async def load_items(postgres: Postgres, ids: Sequence[str]) -> list[StoredItem]:
    """The items of these ids that exist."""
    return [StoredItem(**dict(row)) for row in await postgres.rows(SQL["items"], list(ids))]


async def changed_courses(postgres: Postgres, within_s: float, limit: int) -> dict[str, datetime]:
    """Courses whose rows, or whose items', were written lately, and when; the latest, at most `limit`."""
    rows = await postgres.rows(SQL["changed"], within_s, limit)
    return {row["id"]: row["updated_at"] for row in rows}
