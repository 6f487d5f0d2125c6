"""Head changes at rest: a student's history in an item, written with checkpoints, read a page at a time."""

from datetime import datetime
from operator import attrgetter
from typing import Any

import asyncpg
import msgspec

from persistence import queries
from persistence.postgres import Postgres

SQL = queries.load("changes")


class HeadChange(msgspec.Struct, frozen=True):
    """One change of `what`: `place`, `done`, `epoch` or `version`, and how things stood after it; or the
    `offer` of a place beside the head.

    Places in content ms of `version`; `former_ms` is the place before, None if there was none. `why` is
    `{"head": RUN, "former": RUN | null, "loser": RUN | null, "by": RUN | null}`, RUN being `{device,
    device_name, device_kind, kind, action_ms, base_rev, from_ms, position_ms}` as the run stood then; `by`
    caused the change. Readers take a row without `by` or `device_kind` as well.
    """

    at: datetime
    student: str
    item: str
    rev: int
    what: str
    rule: str
    device: str
    position_ms: int
    former_ms: int | None
    done: bool
    epoch: int
    viewing: int = msgspec.field(name="pass")
    version: str
    why: dict[str, Any]


async def of_item(
    postgres: Postgres,
    student: str,
    item: str,
    before_rev: int | None,
    limit: int,
    until: datetime | None = None,
) -> list[HeadChange]:
    """The latest changes below a revision and not after a moment, newest first.

    Changes of one revision come together, so there may be a few more than `limit`.
    """
    rows = await postgres.rows(SQL["of_item"], student, item, before_rev, limit, until)
    found = [_head_change(row) for row in rows]
    return sorted(found, key=attrgetter("rev", "at", "what"), reverse=True)


def _head_change(row: asyncpg.Record) -> HeadChange:
    columns = dict(row)
    return HeadChange(viewing=columns.pop("pass"), **columns)
