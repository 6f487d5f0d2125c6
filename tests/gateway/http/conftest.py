"""A web gateway on real stores, listening on a port of its own, and ways to ask it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio
from multidict import CIMultiDict

from gateway.http.deps import Deps, open_deps
from gateway.http.server import WebServer, make_app
from gateway.http.settings import WebSettings
from persistence.embedded import Embedded
from persistence.migrate import migrate
from persistence.objects import ObjectStore
from persistence.postgres import PostgresSettings, open_postgres
from tests.persistence.catalogue import write_catalogue


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Any
    body: bytes
    json: Any


@dataclass(frozen=True)
class Web:
    """A running web gateway."""

    deps: Deps
    host: str
    port: int
    session: aiohttp.ClientSession

    def token(self, student: str, name: str = "") -> str:
        """An access token of a student."""
        return self.deps.issuer.issue("access", student, name)

    async def ask(
        self, method: str, path: str, *, student: str | None = None, headers: Any = None, **more: Any
    ) -> Answer:
        """One request, as a student or as nobody."""
        sent = CIMultiDict(headers or {})
        if student is not None:
            sent["Authorization"] = f"Bearer {self.token(student)}"
        url = f"http://{self.host}:{self.port}{path}"
        async with self.session.request(method, url, headers=sent, allow_redirects=False, **more) as response:
            body = await response.read()
            is_json = "json" in response.content_type and body
            return Answer(
                response.status,
                response.headers,
                body,
                await response.json(content_type=None) if is_json else None,
            )

    async def raw(self, data: bytes, *, wait_s: float = 5.0) -> bytes:
        """Bytes as they are, no client library helping; what came until the server closed or `wait_s`."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        received = b""
        try:
            writer.write(data)
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(wait_s):
                    await writer.drain()
                    while chunk := await reader.read(65536):
                        received += chunk
                        if _is_whole(received):
                            break
        finally:
            writer.close()
        return received


def _is_whole(received: bytes) -> bool:
    """Whether one answer with a Content-Length is there."""
    head, separator, body = received.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if separator and line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


Starter = Callable[..., contextlib.AbstractAsyncContextManager[Web]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def web_settings(
    embedded: Embedded, postgres_dsn: str, tmp_path_factory: Any
) -> AsyncIterator[WebSettings]:
    """Settings of a gateway on a database of the module, with the small catalogue in it."""
    postgres = await open_postgres(PostgresSettings(postgres_dsn, "tests"))
    await migrate(postgres)
    await write_catalogue(postgres)
    await postgres.close()
    s3 = embedded.s3
    folder: Path = tmp_path_factory.mktemp("web")
    yield WebSettings(
        port=0,
        postgres_dsn=postgres_dsn,
        redis_url=embedded.redis_url,
        objects=ObjectStore(
            s3.endpoint_url, s3.public_url, s3.region, s3.access_key, s3.secret_key, s3.bucket
        ),
        keys_folder=folder / "keys",
        allowed_origins=("https://learn.example",),
    )


@contextlib.asynccontextmanager
async def running(settings: WebSettings, **changes: Any) -> AsyncIterator[Web]:
    """A gateway with these settings, stopped at the end."""
    async with open_deps(replace(settings, **changes)) as deps:
        server = WebServer(make_app(deps), deps.settings)
        host, port = await server.start()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
            try:
                yield Web(deps, host, port, session)
            finally:
                await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def web(web_settings: WebSettings) -> AsyncIterator[Web]:
    """A gateway for the module."""
    async with running(web_settings) as started:
        yield started
