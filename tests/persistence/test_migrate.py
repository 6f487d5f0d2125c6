"""Migrations: once each, in order, by one at a time, and never a changed one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from persistence.errors import SetupError
from persistence.migrate import MIGRATIONS, migrate
from persistence.postgres import Postgres, PostgresSettings, StoreRefused, open_postgres


@pytest_asyncio.fixture(loop_scope="session")
async def empty(postgres_dsn: str) -> AsyncIterator[Postgres]:
    opened = await open_postgres(PostgresSettings(postgres_dsn, "tests", connections_max=8))
    await opened.execute("DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
    yield opened
    await opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in MIGRATIONS.glob("*.sql"):
        (tmp_path / file.name).write_text(file.read_text())
    return tmp_path


async def test_five_at_once_apply_each_file_once(empty: Postgres) -> None:
    applied = await asyncio.gather(*(migrate(empty) for _ in range(5)))
    assert sorted(name for names in applied for name in names) == sorted(
        f.name for f in MIGRATIONS.glob("*.sql")
    )
    assert await empty.value("SELECT count(*) FROM slot_lease") == 256


async def test_a_changed_file_is_refused_and_a_new_one_applied(empty: Postgres, folder: Path) -> None:
    await migrate(empty, folder)
    (folder / "9998_more.sql").write_text("CREATE TABLE more (id int); INSERT INTO more VALUES (1)")
    assert await migrate(empty, folder) == ["9998_more.sql"]
    (folder / "9998_more.sql").write_text("CREATE TABLE more (id bigint)")
    (folder / "9999_after.sql").write_text("CREATE TABLE after (id int)")
    with pytest.raises(SetupError, match=r"9998_more\.sql was changed"):
        await migrate(empty, folder)
    assert await empty.value("SELECT to_regclass('after')") is None


async def test_a_file_that_fails_leaves_nothing_behind(empty: Postgres, folder: Path) -> None:
    (folder / "9999_broken.sql").write_text("CREATE TABLE half (id int); SELECT 1/0")
    with pytest.raises(StoreRefused):
        await migrate(empty, folder)
    assert await empty.value("SELECT to_regclass('half')") is None
    assert await empty.value("SELECT to_regclass('slot_lease')") is None


async def test_two_files_with_one_number_are_refused(empty: Postgres, folder: Path) -> None:
    (folder / "0001_again.sql").write_text("SELECT 1")
    with pytest.raises(SetupError, match="share a number"):
        await migrate(empty, folder)


async def test_a_folder_without_migrations_is_no_installation(empty: Postgres, tmp_path: Path) -> None:
    with pytest.raises(SetupError):
        await migrate(empty, tmp_path)


async def test_last_month_this_and_the_next_two_are_there(empty: Postgres) -> None:
    await migrate(empty)
    now = datetime.now(UTC)
    months = [(now.year * 12 + now.month - 1 + n) for n in range(-1, 3)]
    suffixes = [f"{month // 12:04}_{month % 12 + 1:02}" for month in months]
    for table in ("checkpoint_history", "head_change"):
        found = await empty.rows(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::text::regclass",
            table,
        )
        assert {row["name"] for row in found} == {f"{table}_{suffix}" for suffix in suffixes}
