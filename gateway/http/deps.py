"""What the handlers work with: the stores, the tokens, the figures; opened and closed together."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.http.files import Files
from gateway.http.metrics import WebMetrics
from gateway.http.settings import WebSettings
from gateway.http.shards import Shards, of_cluster
from gateway.keys import Jwks, open_keys
from gateway.tokens import TokenIssuer, TokenVerifier
from persistence.cache import Cache
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from persistence.redis import open_redis
from persistence.tickets import Tickets


@dataclass(slots=True)
class Deps:
    """The parts of one web gateway. `draining` makes it say that it is not ready any more."""

    settings: WebSettings
    postgres: Postgres
    cache: Cache
    tickets: Tickets
    issuer: TokenIssuer
    verifier: TokenVerifier
    jwks: Jwks
    files: Files
    metrics: WebMetrics
    shards: Shards
    draining: bool = False


@contextlib.asynccontextmanager
async def open_deps(settings: WebSettings, name: str = "gateway:web") -> AsyncIterator[Deps]:
    """Open the stores and the keys. Raises `SetupError`, or `StoreUnavailable` without Postgres."""
    keys = open_keys(settings.keys_folder)
    redis = open_redis(settings.redis_url)
    cache = Cache(redis)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(cache.close)
        postgres = await open_postgres(
            PostgresSettings(settings.postgres_dsn, name, connections_max=settings.postgres_connections)
        )
        stack.push_async_callback(postgres.close)
        yield Deps(
            settings=settings,
            postgres=postgres,
            cache=cache,
            tickets=Tickets(redis),
            issuer=TokenIssuer(keys.signing),
            verifier=TokenVerifier(keys.jwks),
            jwks=keys.jwks,
            files=Files(settings.pages_folder),
            metrics=WebMetrics(postgres, cache),
            shards=of_cluster(),
        )
