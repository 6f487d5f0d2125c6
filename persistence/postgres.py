"""The connection to Postgres: one pool a process, its session settings, JSONB, and its errors as ours."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import asyncpg
import msgspec
from asyncpg.connect_utils import SessionAttribute
from asyncpg.pool import PoolConnectionProxy

from persistence.errors import SetupError, StoreError, StoreUnavailable

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 15.0
# Ends a wait for a free connection, so that a caller meets its own deadline when the pool is used up (F15).
ACQUIRE_TIMEOUT_S = 5.0
SESSION = {
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "5s",
    "TimeZone": "UTC",
}

# SQLSTATE classes and codes after which the same statement may succeed later: connection (08), rolled back
# by deadlock or serialization (40), resources (53), operator (57: restart, statement_timeout, cancelled).
PASSING_CLASSES = frozenset({"08", "40", "53", "57"})
PASSING_CODES = frozenset({
    "25006",  # read-only: an old primary after a failover
    "25P03",  # idle in transaction for too long
    "25P04",  # transaction_timeout
    "55P03",  # lock_timeout
})  # fmt: skip
READ_ONLY = "25006"

_CANNOT_BE = (
    asyncpg.ClientConfigurationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


class StoreRefused(StoreError):
    """Postgres refused the statement itself: the same again fails again. `sqlstate` says why."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Where Postgres is and how many connections this process may hold (the budget of faults.md rule 18).

    `application_name` names the process in pg_stat_activity. `session` are settings of its connections beside
    and before the usual ones.
    """

    dsn: str = field(repr=False)
    application_name: str
    connections_min: int = 1
    connections_max: int = 4
    session: Mapping[str, str] = field(default_factory=dict)


class Postgres:
    """A pool of connections. Every call has a deadline and raises `StoreError`s only.

    Statements leave no session state behind (`SET LOCAL` only), so a connection goes back without the round
    trip asyncpg would spend on resetting it.
    """

    def __init__(self, pool: asyncpg.Pool, settings: PostgresSettings) -> None:
        self._pool = pool
        self.settings = settings

    @contextlib.asynccontextmanager
    async def connection(self, acquire_timeout_s: float = ACQUIRE_TIMEOUT_S) -> AsyncIterator[Connection]:
        """One connection for several statements or a transaction; errors inside are mapped as well."""
        try:
            with store_errors():
                async with self._pool.acquire(timeout=acquire_timeout_s) as connection:
                    yield connection
        except StoreUnavailable as error:
            if getattr(error.__cause__, "sqlstate", None) == READ_ONLY:
                await self._pool.expire_connections()
            raise

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator["Postgres"]:
        """What is done with the `Postgres` this gives is done as one: all of it, or nothing after an error.

        Inside of another one it is a part of that, and undone alone if it fails.
        """
        async with self.connection() as connection, connection.transaction():
            yield _Transaction(connection, self)

    async def rows(
        self, query: str, *args: object, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> list[asyncpg.Record]:
        """All rows of a query."""
        async with self.connection() as connection:
            return await connection.fetch(query, *args, timeout=timeout_s)

    async def row(
        self, query: str, *args: object, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> asyncpg.Record | None:
        """The first row, or None."""
        async with self.connection() as connection:
            return await connection.fetchrow(query, *args, timeout=timeout_s)

    async def value(self, query: str, *args: object, timeout_s: float = COMMAND_TIMEOUT_S) -> Any:
        """The first column of the first row, or None."""
        async with self.connection() as connection:
            return await connection.fetchval(query, *args, timeout=timeout_s)

    async def execute(self, query: str, *args: object, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """The command tag, such as `UPDATE 1`. Without arguments the query may be a script."""
        async with self.connection() as connection:
            return await connection.execute(query, *args, timeout=timeout_s)

    def stats(self) -> dict[str, int]:
        """Connections held and idle, against the budget."""
        return {
            "size": self._pool.get_size(),
            "idle": self._pool.get_idle_size(),
            "max": self._pool.get_max_size(),
        }

    async def close(self, timeout_s: float = 5.0) -> None:
        """Let running statements end, at most this long; then cut the connections."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


class _Transaction(Postgres):
    """One connection with a transaction open on it, for whatever takes a `Postgres`."""

    def __init__(self, connection: Connection, of: Postgres) -> None:
        super().__init__(of._pool, of.settings)
        self._connection = connection

    @contextlib.asynccontextmanager
    async def connection(self, acquire_timeout_s: float = ACQUIRE_TIMEOUT_S) -> AsyncIterator[Connection]:
        with store_errors():
            yield self._connection


async def open_postgres(settings: PostgresSettings) -> Postgres:
    """Connect, with the session settings of faults.md rule 17.

    Raises `SetupError` where waiting cannot help (DSN, password, `synchronous_commit` or `fsync` off, which
    would make every `durable` a lie), `StoreUnavailable` where it may.
    """
    with store_errors():
        pool = await asyncpg.create_pool(
            settings.dsn,
            min_size=settings.connections_min,
            max_size=settings.connections_max,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings={**SESSION, **settings.session, "application_name": settings.application_name},
            target_session_attrs=SessionAttribute.read_write,
            init=_prepare,
            reset=_leave_as_is,
        )
    return Postgres(pool, settings)


@contextlib.contextmanager
def store_errors() -> Iterator[None]:
    """Turn errors of asyncpg, the network and deadlines into `StoreUnavailable` or `StoreRefused`."""
    try:
        yield
    except _CANNOT_BE as error:
        raise SetupError(
            f"Postgres does not let us in ({error}); mend the DSN, its user and its database"
        ) from error
    except asyncpg.PostgresError as error:
        raise _of_server(error) from error
    except (asyncpg.exceptions._base.DataError, asyncpg.UnsupportedClientFeatureError) as error:
        raise StoreRefused(f"a value does not fit its column: {error}", "22000") from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise StoreUnavailable(f"the connection to Postgres is gone ({error}); ask again") from error
    except TimeoutError as error:
        raise StoreUnavailable("Postgres did not answer in time; ask again") from error
    except OSError as error:
        raise StoreUnavailable(
            f"Postgres cannot be reached ({error.strerror or error}); ask again"
        ) from error


def _of_server(error: asyncpg.PostgresError) -> StoreError:
    # Only the primary message: the detail quotes values of the row.
    code, message = error.sqlstate or "XX000", str(error.args[0] if error.args else "").split("\n", 1)[0]
    if code[:2] in PASSING_CLASSES or code in PASSING_CODES:
        return StoreUnavailable(f"Postgres could not do it now ({code}: {message}); ask again")
    return StoreRefused(f"Postgres refused the statement ({code}: {message})", code)


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_encode_jsonb, decoder=_decode_jsonb
    )
    commit = await connection.fetchval("SHOW synchronous_commit")
    fsync = await connection.fetchval("SHOW fsync")
    if commit not in ("on", "remote_apply") or fsync != "on":
        raise SetupError(
            f"Postgres runs with synchronous_commit={commit}, fsync={fsync}: what it calls committed can be "
            "lost, so nothing may be called durable; set both to on"
        )


async def _leave_as_is(connection: asyncpg.Connection) -> None:
    """Nothing to reset: open transactions are rolled back by the pool, settings are only ever local."""


# Postgres' binary form of jsonb is a version byte and the text.
_JSONB_VERSION = b"\x01"


def _encode_jsonb(value: object) -> bytes:
    return _JSONB_VERSION + msgspec.json.encode(value)


def _decode_jsonb(data: bytes) -> Any:
    return msgspec.json.decode(data[1:])
