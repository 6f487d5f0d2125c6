"""The web gateway as a Ray actor: one process with its port, on Ray's own event loop."""

import asyncio
import contextlib
import gc
import os
from typing import Any

import structlog

from actors.nodes import footprint
from gateway.http import media
from gateway.http.deps import Deps, open_deps
from gateway.http.problems import Problem
from gateway.http.server import WebServer, make_app
from gateway.http.settings import WebSettings
from gateway.logs import set_up_logs
from persistence.cache import KINDS
from persistence.errors import StoreError, StoreUnavailable

log = structlog.get_logger()


class WebGateway:
    """One web gateway. Created by the directory, which calls `start` again after a restart."""

    def __init__(self, name: str, settings: WebSettings) -> None:
        set_up_logs(for_people=False)
        self.name = name
        self.settings = settings
        self._starting = asyncio.Lock()
        self._open = contextlib.AsyncExitStack()
        self._deps: Deps | None = None
        self._server: WebServer | None = None
        self._address: tuple[str, int] = ("", 0)

    async def start(self) -> tuple[str, int]:
        """Open the stores and listen; gives host and port. Safe to call again."""
        async with self._starting:
            if self._server is None:
                async with contextlib.AsyncExitStack() as opening:
                    deps = await opening.enter_async_context(open_deps(self.settings, self.name))
                    server = WebServer(make_app(deps), self.settings)
                    opening.push_async_callback(server.stop)
                    self._address = await server.start()
                    self._open = opening.pop_all()
                self._deps, self._server = deps, server
                # What is here now stays: looking through all of it took a tenth of a second, again and again.
                gc.collect()
                gc.freeze()
                log.info("gateway_listens", gateway=self.name, address=self._address)
            return self._address

    async def stats(self) -> dict[str, Any]:
        """Figures for the directory and for people."""
        deps, server = self._deps, self._server
        stats: dict[str, Any] = {
            "name": self.name,
            "pid": os.getpid(),
            **footprint(),
            "address": list(self._address),
            "health": "starting",
            "connections": server.connections if server is not None else 0,
        }
        if deps is not None:
            cache = deps.cache.stats
            stats |= {
                "health": "draining" if deps.draining else "ok",
                "requests": deps.metrics.answered(),
                "cache": {"hits": cache.hits, "misses": cache.misses, "failures": cache.failures},
                "hit_rates": {kind: cache.hit_rate(kind) for kind in KINDS if cache.reads(kind)},
                "postgres": deps.postgres.stats(),
            }
        return stats

    async def media(self, wishes: list[tuple[str, str]]) -> list[bytes | None]:
        """How each of these students may play this item, packed as a device hears it; None for no.

        For socket gateways, which have authenticated the students.
        """
        if self._deps is None or self._deps.draining:
            raise StoreUnavailable("the web gateway does not serve now; ask again")
        try:
            return await media.answers(self._deps, wishes)
        except (Problem, StoreError) as error:
            # One that survives the way through Ray, as a `Problem` does not.
            raise StoreUnavailable(str(error)) from None

    async def drain(self) -> None:
        """Say that we are not ready, answer what runs, close the port and the stores."""
        async with self._starting:
            if self._deps is not None:
                self._deps.draining = True
            await self._open.aclose()
            self._server = None
