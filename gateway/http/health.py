"""Whether this process lives, whether it can serve, and its figures."""

import asyncio

import msgspec
from aiohttp import web

from gateway.http.routes import Call, Route, Who
from persistence.errors import StoreError

CHECK_S = 2.0


class Health(msgspec.Struct, frozen=True):
    """`ok`: the process answers. A restart helps if it does not."""

    status: str


class Readiness(msgspec.Struct, frozen=True):
    """Whether requests should come here. Without Redis everything works, slower; tickets wait."""

    ready: bool
    postgres: bool
    redis: bool
    draining: bool


def routes() -> list[Route]:
    """For machines that watch."""
    return [
        Route("GET", "/healthz", Who.ANYONE, alive, "Whether the process lives", Health),
        Route("GET", "/readyz", Who.ANYONE, ready, "Whether it can serve", Readiness, problems=(503,)),
        Route("GET", "/metrics", Who.OPERATOR, figures, "Figures for Prometheus", "text/plain"),
    ]


async def alive(call: Call) -> Health:
    """The loop turns, that is all."""
    return Health("ok")


async def ready(call: Call) -> web.Response:
    """200 or 503, with the reasons."""
    postgres, redis = await asyncio.gather(_postgres_answers(call), call.deps.cache.answers())
    found = Readiness(postgres and not call.deps.draining, postgres, redis, call.deps.draining)
    return web.Response(
        status=200 if found.ready else 503, body=msgspec.json.encode(found), content_type="application/json"
    )


async def figures(call: Call) -> web.Response:
    """The text Prometheus reads."""
    return web.Response(body=call.deps.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})


async def _postgres_answers(call: Call) -> bool:
    try:
        async with asyncio.timeout(CHECK_S):
            return bool(await call.deps.postgres.value("SELECT true", timeout_s=CHECK_S))
    except (StoreError, TimeoutError):
        return False
