"""0009: old courses, whose sections hold ids of items, become drafts and versions with whole ones."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from persistence import courses, drafts
from persistence.migrate import MIGRATIONS, migrate
from persistence.postgres import Postgres, PostgresSettings, open_postgres

OLD: dict[str, Any] = {
    "title": "Old",
    "description": "From before",
    "instructor": "Mira",
    "poster": "course/old/poster.jpg",
    "sections": [{"title": "First", "items": ["b", "a", "gone"]}, {"title": "Empty", "items": []}],
}


@pytest_asyncio.fixture(loop_scope="session")
async def before(postgres_dsn: str) -> AsyncIterator[Postgres]:
    """A database as it was before 0009, with courses in it."""
    opened = await open_postgres(PostgresSettings(postgres_dsn, "tests"))
    await opened.execute("DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
    await opened.execute(
        "CREATE TABLE migration (name text PRIMARY KEY, sha256 text, applied_at timestamptz DEFAULT now())"
    )
    for file in sorted(MIGRATIONS.glob("000[1-8]_*.sql")):
        script = file.read_text()
        await opened.execute(script)
        sha256 = hashlib.sha256(script.encode()).hexdigest()
        await opened.execute("INSERT INTO migration VALUES ($1, $2)", file.name, sha256)
    for course, content, published in (
        ("old", OLD, True),
        ("bare", {"title": "Bare"}, True),
        ("hidden", {"title": "Hidden", "sections": []}, False),
    ):
        await opened.execute("INSERT INTO course VALUES ($1, $2)", course, content)
        await opened.execute("UPDATE course SET published = $2 WHERE id = $1", course, published)
    await opened.execute(
        "INSERT INTO item (id, course, kind, place, title, version) VALUES"
        " ('a', 'old', 'video', 1, 'A', 'v1'), ('b', 'old', 'pdf', 2, 'B', 'v2'),"
        " ('extra', 'old', 'quiz', 3, 'Extra', 'v1'), ('only', 'bare', 'video', 1, 'Only', 'v1')"
    )
    await opened.execute(
        "INSERT INTO item_version (item, version, duration_ms) VALUES ('a', 'v1', 5000), ('b', 'v1', 1),"
        " ('b', 'v2', 3000), ('extra', 'v1', 0), ('only', 'v1', 7000)"
    )
    yield opened
    await opened.close()


async def test_old_courses_are_drafts_and_versions_with_whole_items(before: Postgres) -> None:
    await migrate(before)
    draft = await drafts.read(before, "old")
    assert draft is not None
    assert [
        (section.title, [(item.id, item.kind, item.title, item.version) for item in section.items])
        for section in draft.content.sections
    ] == [
        ("First", [("b", "pdf", "B", "v2"), ("a", "video", "A", "v1")]),
        ("Empty", []),
        ("", [("extra", "quiz", "Extra", "v1")]),
    ]
    assert (draft.number, draft.rev, draft.changed) == (1, 1, False)
    assert await drafts.published(before, "old") == draft.content
    assert await before.value(
        "SELECT content = (SELECT content FROM course WHERE id = 'old') FROM course_draft"
        " WHERE course = 'old'"
    )
    rows = await before.rows(
        "SELECT id, items_total, duration_ms, number, description FROM course ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        ("bare", 1, 7000, 1, None),
        ("hidden", 0, 0, 0, None),
        ("old", 3, 8000, 1, "From before"),
    ]
    hidden = await drafts.read(before, "hidden")
    assert hidden is not None
    assert (hidden.number, hidden.changed, await drafts.published(before, "hidden")) == (0, True, None)


async def test_counts_follow_what_changes(before: Postgres) -> None:
    await migrate(before)

    async def counts() -> dict[str, tuple[int, int]]:
        rows = await before.rows("SELECT id, items_total, duration_ms FROM course")
        return {row["id"]: (row["items_total"], row["duration_ms"]) for row in rows}

    await before.execute("UPDATE item SET course = 'bare' WHERE id = 'a'")
    assert await counts() == {"bare": (2, 12_000), "hidden": (0, 0), "old": (2, 3000)}
    await before.execute("UPDATE item_version SET duration_ms = duration_ms + 1 WHERE item IN ('a', 'b')")
    assert await counts() == {"bare": (2, 12_001), "hidden": (0, 0), "old": (2, 3001)}
    await before.execute("DELETE FROM item WHERE id IN ('b', 'only')")
    assert await counts() == {"bare": (1, 5001), "hidden": (0, 0), "old": (1, 0)}
    await before.execute("UPDATE item SET retired = true WHERE id = 'a'")
    assert (await counts())["bare"] == (0, 0)
    await before.execute("DELETE FROM course WHERE id = 'bare'")
    assert await before.value("SELECT count(*) FROM item WHERE course = 'bare'") == 0


async def test_a_migrated_course_is_read_as_before(before: Postgres) -> None:
    await migrate(before)
    read = await courses._load(before, "old")
    assert [(section.title, [item.id for item in section.items]) for section in read.sections] == [
        ("First", ["b", "a"]),
        ("Empty", []),
        ("", ["extra"]),
    ]
