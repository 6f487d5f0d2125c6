"""`playhead demo`: everything on one machine, with a lecture to play."""

import argparse
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway import cluster, ingest, logs, wiring
from gateway.cli import running
from gateway.cli.steps import Steps
from gateway.cli.stopping import until_stopped
from gateway.demo_course import STUDENTS, TEACHER
from gateway.keys import Keys, open_keys
from gateway.settings import Settings
from gateway.tokens import TokenIssuer
from persistence.embedded import DataFolder, Embedded, start_all
from persistence.errors import PlayheadError, SetupError
from persistence.migrate import migrate
from persistence.objects import ObjectStore
from persistence.postgres import PostgresSettings, open_postgres


@dataclass(frozen=True, slots=True)
class Started:
    """What a person has to know of a running demo."""

    system: wiring.System
    dashboard_url: str
    links: tuple[tuple[str, str], ...]


async def demo(settings: Settings, options: argparse.Namespace) -> int:
    """Start everything, print the links, wait for Ctrl-C, stop everything."""
    video: Path | None = options.video
    _check(settings, video)
    logs.set_up_logs(for_people=True, level="WARNING")
    steps = Steps()
    async with until_stopped() as stopped, contextlib.AsyncExitStack() as stack:
        with steps:
            starting = asyncio.create_task(_start(settings, video, steps, stack))
            stop = asyncio.create_task(stopped.wait())
            await asyncio.wait((starting, stop), return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                steps.console.print("  stopping before everything was started ...")
                starting.cancel()
                await asyncio.wait((starting,))
                return 130
            started = starting.result()
        _say(steps, settings, started)
        await stop
        steps.console.print("\n  stopping: devices say goodbye, everything is written ...")
        began = time.monotonic()
        durable = await started.system.drain()
        stack.push_async_callback(_said_goodbye, steps, began, durable)
    return 0


def _check(settings: Settings, video: Path | None) -> None:
    """Find what cannot work before anything is started."""
    if (other := running.find(settings.folder)) is not None:
        raise SetupError(
            f"Playhead runs on {settings.folder} already, at {other.web_url} (process {other.pid}); "
            "stop that one first, or give another --data"
        )
    if video is not None and not video.is_file():
        raise SetupError(f"there is no file {video}; name a video with --video FILE")
    cluster.require_free(settings.web.host, settings.web.port, "the pages", "--port")
    cluster.require_free(settings.sockets.host, settings.sockets.port, "the sockets", "--socket-port")
    cluster.require_free(
        settings.ray.dashboard_host, settings.ray.dashboard_port, "the Ray dashboard", "--dashboard-port"
    )


async def _start(
    settings: Settings, video: Path | None, steps: Steps, stack: contextlib.AsyncExitStack
) -> Started:
    """Servers, Ray and the encoding at once; then the schema, the course and the actors."""
    folder = settings.folder
    embedded = await _servers(folder, steps)
    stack.push_async_callback(embedded.stop)
    async with _first_refusal(), asyncio.TaskGroup() as group:
        clustering = group.create_task(_ray(settings, embedded.folder, steps, stack))
        group.create_task(_migrated(settings, embedded, steps))
        encoding = group.create_task(_encoded(folder / "media", video, steps))
    stores = wiring.Stores(embedded.postgres_dsn, embedded.redis_url, ObjectStore(**asdict(embedded.s3)))
    keys = await asyncio.to_thread(open_keys, folder / "keys")
    async with _first_refusal(), asyncio.TaskGroup() as group:
        group.create_task(_registered(encoding.result(), stores, steps))
        acting = group.create_task(_actors(settings, stores, folder / "keys", keys, steps))
    system = acting.result()
    own = clustering.result()
    running.Running.here(own.address, settings.web_url).write(folder)
    stack.callback(running.forget, folder)
    return Started(system, own.dashboard_url, _links(settings, keys))


async def _servers(folder: Path, steps: Steps) -> Embedded:
    for name in ("Postgres", "Valkey", "object store"):
        steps.begin(name)
    return await start_all(folder, steps.done)


async def _ray(
    settings: Settings, folder: DataFolder, steps: Steps, stack: contextlib.AsyncExitStack
) -> cluster.Cluster:
    async with steps.step("Ray"):
        own = await cluster.start(folder, settings.ray.dashboard_host, settings.ray.dashboard_port)
    stack.push_async_callback(own.stop)
    return own


async def _encoded(media: Path, video: Path | None, steps: Steps) -> ingest.Prepared:
    async with steps.step(ingest.ENCODE):
        return await ingest.prepare(media, video, steps.advance)


async def _migrated(settings: Settings, embedded: Embedded, steps: Steps) -> None:
    async with steps.step("schema"):
        postgres = await open_postgres(PostgresSettings(embedded.postgres_dsn, "playhead demo", 1, 1))
        try:
            await migrate(postgres)
            wiring.check_budget(settings, int(await postgres.value("SHOW max_connections")))
        finally:
            await postgres.close()


async def _registered(prepared: ingest.Prepared, stores: wiring.Stores, steps: Steps) -> None:
    async with steps.step("course"):
        postgres = await open_postgres(PostgresSettings(stores.postgres_dsn, "playhead demo", 1, 1))
        try:
            await ingest.register(prepared, stores.objects, postgres)
        finally:
            await postgres.close()


async def _actors(
    settings: Settings, stores: wiring.Stores, keys_folder: Path, keys: Keys, steps: Steps
) -> wiring.System:
    async with steps.step("directory, shards, gateways"):
        return await wiring.start(wiring.specs(settings, stores, keys_folder, keys.jwks))


@contextlib.asynccontextmanager
async def _first_refusal() -> AsyncIterator[None]:
    """Of several steps at once the first refusal is what the person reads."""
    try:
        yield
    except* PlayheadError as failed:
        raise failed.exceptions[0] from None


def _links(settings: Settings, keys: Keys) -> tuple[tuple[str, str], ...]:
    """Sign-in links of one student and of who teaches. The code is in the fragment, which no server sees."""
    issuer, student, url = TokenIssuer(keys.signing), STUDENTS[0], settings.web_url
    code = issuer.issue("sign-in", student.id, student.name)
    teacher_code = issuer.issue("sign-in", TEACHER.id, TEACHER.name)
    return (
        ("three devices side by side", f"{url}/demo#sign-in={code}"),
        (f"{student.name}'s laptop", f"{url}/?device=laptop#sign-in={code}"),
        (f"{student.name}'s phone", f"{url}/?device=phone#sign-in={code}"),
        (f"{TEACHER.name}, who teaches", f"{url}/?device=laptop#sign-in={teacher_code}"),
    )


def _say(steps: Steps, settings: Settings, started: Started) -> None:
    console = steps.console
    console.print(f"\n[bold]Playhead is up[/] after {steps.elapsed_s:.1f} s.\n")
    for name, link in started.links:
        console.print(f"  {name:<28} {link}", soft_wrap=True)
    console.print(f"  Ray dashboard                {started.dashboard_url}/#/actors")
    console.print(f"  its token is in              {settings.folder / 'ray.token'}", soft_wrap=True)
    console.print(f"  sockets, for programs        {settings.socket_url}", soft_wrap=True)
    status = f"./run playhead status{settings.data_option}"
    console.print(f"\n  `{status}` shows what it does. Ctrl-C stops everything.\n", soft_wrap=True)


async def _said_goodbye(steps: Steps, began: float, durable: bool) -> None:
    what = "everything is durable" if durable else "the devices keep what was not written and send it again"
    steps.done("stopped", time.monotonic() - began, what)
