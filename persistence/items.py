"""Items at rest: everything with progress - a video, a PDF, a quiz - in versions."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from persistence import queries
from persistence.ids import check_id
from persistence.postgres import Postgres

SQL = queries.load("items")

Kind = Literal["video", "pdf", "quiz", "assignment", "text"]


class Item(msgspec.Struct, frozen=True):
    """An item of a course; `version` is the current one, `place` its order in the course."""

    id: str
    course: str
    kind: Kind
    title: str
    version: str
    place: int = 0


class Version(msgspec.Struct, frozen=True):
    """One version of an item: its length in content ms, and where its media lie."""

    item: str
    version: str
    duration_ms: int
    media: dict[str, Any] = {}


class OpenItem(msgspec.Struct, frozen=True):
    """An item somebody may read, in its current version."""

    id: str
    course: str
    kind: str
    title: str
    version: str
    duration_ms: int
    media: dict[str, Any]


async def put(postgres: Postgres, items: Iterable[Item], versions: Iterable[Version]) -> None:
    """Add items and versions, or change them; all or nothing. Raises `BadId`, `StoreRefused`."""
    some = {check_id("item", item.id): item for item in items}
    more = {(version.item, check_id("version", version.version)): version for version in versions}
    async with postgres.connection() as connection, connection.transaction():
        await connection.execute(SQL["put"], *_columns(some.values(), "id course kind place title version"))
        await connection.execute(
            SQL["put_versions"], *_columns(more.values(), "item version duration_ms media")
        )


def _columns(rows: Iterable[Item | Version], names: str) -> list[list[object]]:
    listed = list(rows)
    return [[getattr(row, name) for row in listed] for name in names.split()]


async def open_for(postgres: Postgres, student: str, item: str) -> OpenItem | None:
    """The item if the student may read it now; None for no, and for an item that does not exist."""
    row = await postgres.row(SQL["open"], student, item)
    return None if row is None else OpenItem(**dict(row))


async def version(postgres: Postgres, item: str, version: str) -> Version | None:
    """One version of an item, for who has proved the right to it (a media token)."""
    row = await postgres.row(SQL["version"], item, version)
    return None if row is None else Version(item, version, row["duration_ms"], row["media"])
