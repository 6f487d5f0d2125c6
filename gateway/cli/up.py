"""`playhead up`: shards and gateways against the stores and the Ray cluster of the settings."""

import argparse
import asyncio
import contextlib

from gateway import cluster, logs, wiring
from gateway.cli import running
from gateway.cli.steps import Steps
from gateway.cli.stopping import until_stopped
from gateway.keys import open_keys
from gateway.settings import Settings
from persistence.delivery import check_settings
from persistence.embedded import DataFolder
from persistence.errors import SetupError
from persistence.objects import ObjectStore
from persistence.postgres import PostgresSettings, open_postgres


async def up(settings: Settings, _options: argparse.Namespace) -> int:
    """Run until told to stop, then drain."""
    stores = stores_of(settings)
    logs.set_up_logs(for_people=False)
    steps = Steps()
    async with until_stopped() as stopped, contextlib.AsyncExitStack() as stack:
        with steps:
            async with steps.step("Postgres"):
                await _check_postgres(settings)
            async with steps.step("Ray"):
                own = await _cluster(settings, stack)
            async with steps.step("directory, shards, gateways"):
                keys = await asyncio.to_thread(open_keys, settings.folder / "keys")
                specs = wiring.specs(settings, stores, settings.folder / "keys", keys.jwks)
                system = await wiring.start(specs)
        running.Running.here(own.address, settings.web_url).write(settings.folder)
        stack.callback(running.forget, settings.folder)
        steps.console.print(f"\n  pages {settings.web_url}/   Ray dashboard {own.dashboard_url}\n")
        await stopped.wait()
        steps.console.print("  draining: devices say goodbye, everything is written ...")
        drained = await system.drain()
    return 0 if drained else 1


def stores_of(settings: Settings) -> wiring.Stores:
    """The stores of the settings. Raises `SetupError` naming the first that is missing."""
    objects = settings.objects
    for value, key in (
        (settings.postgres.dsn, "postgres.dsn"),
        (settings.redis.url, "redis.url"),
        (objects.endpoint_url, "objects.endpoint_url"),
    ):
        if not value:
            raise SetupError(
                f"{key} is not set; name your stores in --config FILE (see config/production.toml) or by "
                f"PLAYHEAD_{key.upper().replace('.', '_')}; for a machine without any use `playhead demo`"
            )
    check_settings(objects.media_base_url, objects.media_token_key)
    store = ObjectStore(
        endpoint_url=objects.endpoint_url,
        public_url=objects.public_url or objects.endpoint_url,
        region=objects.region,
        access_key=objects.access_key,
        secret_key=objects.secret_key,
        bucket=objects.bucket,
        media_base_url=objects.media_base_url,
        media_token_key=objects.media_token_key,
    )
    return wiring.Stores(settings.postgres.dsn, settings.redis.url, store)


async def _cluster(settings: Settings, stack: contextlib.AsyncExitStack) -> cluster.Cluster:
    """The cluster of the settings, or one of our own in the data folder."""
    if settings.ray.address:
        own = await asyncio.to_thread(cluster.join, settings.ray.address)
    else:
        # Gateways share their port with each other, and would with those of another system.
        cluster.require_free(settings.sockets.host, settings.sockets.port, "the sockets", "--socket-port")
        folder = DataFolder.open(settings.folder)
        stack.callback(folder.close)
        own = await cluster.start(folder, settings.ray.dashboard_host, settings.ray.dashboard_port)
    stack.push_async_callback(own.stop)
    return own


async def _check_postgres(settings: Settings) -> None:
    """Refuse to start where the schema is missing or connections would not suffice."""
    postgres = await open_postgres(PostgresSettings(settings.postgres.dsn, "playhead up", 1, 1))
    try:
        if await postgres.value("SELECT to_regclass('slot_lease')") is None:
            raise SetupError("this Postgres has no schema yet; run `playhead migrate` with the same settings")
        wiring.check_budget(settings, int(await postgres.value("SHOW max_connections")))
    finally:
        await postgres.close()
