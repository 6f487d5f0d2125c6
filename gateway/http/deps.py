"""What the handlers work with: the stores, the tokens, the figures; opened and closed together."""

import contextlib
import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass

from actors.processing import Processing, ProcessingSettings, Start, in_cluster, open_processing
from gateway.http.experience_intake import Intake
from gateway.http.files import Files
from gateway.http.metrics import WebMetrics
from gateway.http.settings import WebSettings
from gateway.http.shards import Shards, of_cluster
from gateway.http.store_clock import StoreClock
from gateway.keys import Jwks, open_keys
from gateway.logs import set_up_logs
from gateway.tokens import TokenIssuer, TokenVerifier
from persistence.cache import Cache
from persistence.objects import Objects, open_objects
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from persistence.redis import open_redis
from persistence.search import Searches, open_searches
from persistence.tickets import Tickets


@dataclass(slots=True)
class Deps:
    """The parts of one web gateway. `draining` makes it say that it is not ready any more."""

    settings: WebSettings
    postgres: Postgres
    searches: Searches
    cache: Cache
    tickets: Tickets
    issuer: TokenIssuer
    verifier: TokenVerifier
    jwks: Jwks
    files: Files
    metrics: WebMetrics
    shards: Shards
    experience: Intake
    objects: Objects | None = None
    processing: Processing | None = None
    draining: bool = False


IN_CLUSTER = in_cluster(functools.partial(set_up_logs, for_people=False))
"""Uploads are made ready by tasks of the Ray cluster this process is in."""


@contextlib.asynccontextmanager
async def open_deps(
    settings: WebSettings, name: str = "gateway:web", start: Start = IN_CLUSTER
) -> AsyncIterator[Deps]:
    """Open the stores and the keys. Raises `SetupError`, or `StoreUnavailable` without Postgres."""
    keys = open_keys(settings.keys_folder)
    redis = open_redis(settings.redis_url)
    cache = Cache(redis)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(cache.close)
        # However many search, two thirds of the connections are for everything else (H10).
        own = max(1, settings.postgres_connections // 3)
        rest = max(1, settings.postgres_connections - own)
        postgres = await open_postgres(PostgresSettings(settings.postgres_dsn, name, connections_max=rest))
        stack.push_async_callback(postgres.close)
        searching = PostgresSettings(settings.postgres_dsn, f"{name} search", own, own)
        searches = await open_searches(postgres, searching)
        stack.push_async_callback(searches.bounded.close)
        metrics = WebMetrics(postgres, cache)
        intake = await stack.enter_async_context(Intake(postgres, metrics.registry).running())
        objects, processing = None, None
        if settings.objects is not None:
            objects = await stack.enter_async_context(open_objects(settings.objects))
            await stack.enter_async_context(StoreClock(objects, metrics.registry).running())
            work = ProcessingSettings(postgres_dsn=settings.postgres_dsn, objects=settings.objects)
            processing = await stack.enter_async_context(open_processing(postgres, objects, work, start))
        yield Deps(
            settings=settings,
            postgres=postgres,
            searches=searches,
            cache=cache,
            tickets=Tickets(redis),
            issuer=TokenIssuer(keys.signing),
            verifier=TokenVerifier(keys.jwks),
            jwks=keys.jwks,
            files=Files(settings.pages_folder),
            metrics=metrics,
            shards=of_cluster(),
            experience=intake,
            objects=objects,
            processing=processing,
        )
