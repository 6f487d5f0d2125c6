"""The connection to Postgres: rule 17's session settings, JSONB, and errors that say whether to ask again."""

import asyncio

import asyncpg
import pytest

from persistence.errors import SetupError, StoreUnavailable
from persistence.postgres import Postgres, PostgresSettings, StoreRefused, open_postgres


async def test_rule_17_session_settings(postgres: Postgres) -> None:
    wanted = {
        "application_name": "tests",
        "statement_timeout": "10s",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "5s",
        "synchronous_commit": "on",
    }
    for name, value in wanted.items():
        assert await postgres.value("SELECT current_setting($1)", name) == value


@pytest.mark.parametrize("value", ["off", "local", "remote_write"])
async def test_rule_17_a_store_that_may_lose_commits_is_refused(
    postgres: Postgres, postgres_dsn: str, value: str
) -> None:
    await postgres.execute(f"ALTER ROLE CURRENT_USER SET synchronous_commit = '{value}'")
    try:
        with pytest.raises(SetupError, match=f"synchronous_commit={value}"):
            await open_postgres(PostgresSettings(postgres_dsn, "tests"))
    finally:
        await postgres.execute("ALTER ROLE CURRENT_USER RESET synchronous_commit")


async def test_jsonb_goes_in_and_comes_out(postgres: Postgres) -> None:
    value = {"a": [1, 2.5, None, True], "ü": "\u2028'; --"}
    assert await postgres.value("SELECT $1::jsonb", value) == value
    assert await postgres.value("SELECT $1::jsonb[]", [value, {}]) == [value, {}]
    assert await postgres.value("SELECT $1::jsonb ->> 'ü'", value) == "\u2028'; --"


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("SELECT 1/0", "22012"),
        ("SELEC 1", "42601"),
        ("INSERT INTO slot_lease (slot) VALUES (1)", "23505"),
        ("SELECT 'a\\u0000'::jsonb", "22P02"),
    ],
)
async def test_a_bad_statement_is_refused(postgres: Postgres, statement: str, sqlstate: str) -> None:
    with pytest.raises(StoreRefused) as refused:
        await postgres.rows(statement)
    assert refused.value.sqlstate == sqlstate
    assert "\n" not in str(refused.value)
    assert "Key (" not in str(refused.value)


async def test_a_value_that_does_not_fit_is_refused(postgres: Postgres) -> None:
    for value in ("x", 2**40):
        with pytest.raises(StoreRefused):
            await postgres.rows("SELECT $1::int", value)
    with pytest.raises(StoreRefused):
        await postgres.rows("SELECT $1::text", "nul \x00")


async def test_deadlines_end_a_call(postgres: Postgres) -> None:
    with pytest.raises(StoreUnavailable):
        await postgres.rows("SELECT pg_sleep(30)", timeout_s=0.05)
    async with postgres.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = '50ms'")
        with pytest.raises(asyncpg.QueryCanceledError):
            await connection.execute("SELECT pg_sleep(30)")


async def test_f15_a_used_up_pool_answers_in_time(postgres_dsn: str) -> None:
    small = await open_postgres(PostgresSettings(postgres_dsn, "tests", connections_max=1))
    async with small.connection():
        with pytest.raises(StoreUnavailable):
            async with small.connection(acquire_timeout_s=0.05):
                pass
    assert await small.value("SELECT 1") == 1
    await small.close()


async def test_f10_a_killed_backend_is_an_ask_again(postgres: Postgres, postgres_dsn: str) -> None:
    other = await open_postgres(PostgresSettings(postgres_dsn, "victim", connections_max=1))
    sleeping = asyncio.create_task(other.rows("SELECT pg_sleep(30)"))
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"
    for _ in range(500):
        if await postgres.rows(f"{end} AND state = 'active'"):
            break
        await asyncio.sleep(0.01)
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(sleeping, 10)
    assert await other.value("SELECT 1") == 1
    await other.close()


async def test_a_lock_that_is_held_is_an_ask_again(postgres: Postgres) -> None:
    async with postgres.connection() as holder, holder.transaction():
        await holder.execute("SELECT 1 FROM slot_lease WHERE slot = 3 FOR UPDATE")
        with pytest.raises(StoreUnavailable, match="55P03"):
            async with postgres.connection() as other, other.transaction():
                await other.execute("SET LOCAL lock_timeout = '20ms'")
                await other.execute("SELECT 1 FROM slot_lease WHERE slot = 3 FOR UPDATE")


async def test_a_store_that_cannot_be_is_a_setup_error(postgres_dsn: str) -> None:
    for dsn in ("nonsense", f"{postgres_dsn}_gone"):
        with pytest.raises(SetupError):
            await open_postgres(PostgresSettings(dsn, "tests"))


async def test_a_store_that_is_away_is_an_ask_again() -> None:
    with pytest.raises(StoreUnavailable):
        await open_postgres(PostgresSettings("postgresql://nobody:none@127.0.0.1:1/none", "tests"))
