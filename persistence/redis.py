"""The connection to Redis or Valkey: short timeouts, one retry, and its errors as ours."""

import contextlib
from collections.abc import Iterator

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from persistence.errors import SetupError, StoreUnavailable

Redis = redis.asyncio.Redis

# A cache that answers later than this is slower than Postgres. The library's own defaults would hold one
# call for close to a minute (5 s and ten retries).
TIMEOUT_S = 0.5
CONNECTIONS_MAX = 32


def open_redis(url: str) -> Redis:
    """A client that connects on first use. Raises `SetupError` for a URL that cannot be one."""
    try:
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
            # RESP2 and no library name: two round trips less for each connection.
            protocol=2,
            driver_info=None,
        )
    except ValueError as error:
        raise SetupError(f"the Redis URL cannot be used ({error}); write redis://host:port/0") from error
    return Redis.from_pool(pool)


@contextlib.contextmanager
def redis_errors() -> Iterator[None]:
    """Turn whatever the client raises into `StoreUnavailable`."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"Redis did not do it ({error}); ask again") from error
