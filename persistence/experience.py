"""How playing went, at rest: what players tell, month by month, and its sums by the hour."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from persistence import queries
from persistence.postgres import Postgres

SQL = queries.load("experience")

ROWS_MAX = 4000
"""Rows of one answer about a course: items times qualities."""

Kind = Literal["start", "stall", "switch", "error", "frames", "watched"]


class Happening(msgspec.Struct, frozen=True):
    """Something a player told, at a server time. What a kind has no use for is 0 or "".

    `duration_ms`: of a start from the press to the first frame, of a stall how long it was, of `watched` how
    much was played. `count` and `total`: frames dropped and shown; of an error, `count` is how often it came.
    """

    at: datetime
    course: str
    item: str
    version: str
    student: str
    play: str
    kind: Kind
    quality: str = ""
    from_quality: str = ""
    duration_ms: int = 0
    count: int = 0
    total: int = 0
    code: str = ""
    status: int = 0
    fatal: bool = False
    auto: bool = True


class Sums(msgspec.Struct, frozen=True):
    """How playing one item in one quality went, added up; `starts_300` began within 300 ms, and so on."""

    item: str
    title: str
    quality: str
    starts: int
    starts_300: int
    starts_1000: int
    starts_3000: int
    start_ms: int
    watched_ms: int
    stalls: int
    stall_ms: int
    switches: int
    errors: int
    fatal_errors: int
    frames_dropped: int
    frames_shown: int


async def rights(
    postgres: Postgres, student: str, wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Of these (item, version) those the student is enrolled for, each with its course."""
    rows = await postgres.rows(
        SQL["rights"], student, [item for item, _ in wanted], [version for _, version in wanted]
    )
    return {(row["item"], row["version"]): row["course"] for row in rows}


async def record(postgres: Postgres, happenings: Sequence[Happening], timeout_s: float) -> None:
    """Keep what was told and add it to its hours, in one statement. Not to be repeated when the outcome is
    unknown: it would count twice."""
    columns = [[getattr(one, name) for one in happenings] for name in Happening.__struct_fields__]
    await postgres.execute(SQL["record"], *columns, timeout_s=timeout_s)


async def of_course(postgres: Postgres, course: str, since: datetime) -> list[Sums]:
    """How playing went in a course since then; rows of one item together, the most watched first."""
    rows = await postgres.rows(SQL["of_course"], course, since, ROWS_MAX)
    return [Sums(**dict(row)) for row in rows]
