"""Who is started with what: from the settings and the stores' addresses to the directory and its actors."""

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from ray.exceptions import RayError, RayTaskError

from actors.directory import Directory
from actors.named import END_S, ActorSpec, create, end, named_actor
from actors.settings import DIRECTORY, ShardSettings
from actors.shard import Shard
from gateway.http.actor import WebGateway
from gateway.http.settings import WebSettings
from gateway.keys import Jwks
from gateway.logs import set_up_logs
from gateway.settings import Settings
from gateway.sockets.actor import SocketGateway
from gateway.sockets.settings import SocketSettings
from persistence.errors import SetupError
from persistence.objects import ObjectStore

log = structlog.get_logger()

SET_UP_LOGS = partial(set_up_logs, for_people=False)
"""The live layer logs like everybody else, but may not import the gateway's way of doing it."""

START_S = 90.0
DRAIN_S = 22.0
POSTGRES_RESERVE = 10
"""Connections left to people and migrations (faults.md rule 18)."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Where everything at rest is: embedded servers or those of the settings."""

    postgres_dsn: str
    redis_url: str
    objects: ObjectStore


@dataclass(frozen=True, slots=True)
class System:
    """A running system, by its directory; `names` are those of all its actors, its own first."""

    directory: Any
    names: tuple[str, ...]

    async def stats(self) -> dict[str, Any]:
        """See `Directory.stats`."""
        stats: dict[str, Any] = await self.directory.stats.remote()
        return stats

    async def drain(self) -> bool:
        """Say goodbye to every device, write everything and end all actors; True if all is durable.

        Never raises: what was not written the devices keep, and send it again.
        """
        try:
            async with asyncio.timeout(DRAIN_S + END_S + 1):
                return bool(await self.directory.drain.remote(DRAIN_S))
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the way down goes on
            log.warning("not_drained", error=repr(error)[:200])
            return False
        finally:
            # First the directory: one that comes back would create the others again.
            await end(self.names[0])
            await end(*self.names[1:])


def specs(settings: Settings, stores: Stores, keys_folder: Path, jwks: Jwks) -> ActorSpec:
    """The directory, which carries the specs of all others."""
    shard_settings = ShardSettings(
        postgres_dsn=stores.postgres_dsn,
        connections=settings.shards.connections,
        checkpoint_interval_s=settings.shards.checkpoint_interval_s,
        flush_after_s=settings.shards.flush_after_s,
    )
    shards = [
        ActorSpec(f"shard:{n}", Shard, (f"shard:{n}", shard_settings, SET_UP_LOGS))
        for n in range(settings.shards.count)
    ]
    gateways = [
        ActorSpec(
            f"gateway:socket:{n}",
            SocketGateway,
            (f"gateway:socket:{n}", socket_settings(settings, stores, jwks, n)),
        )
        for n in range(settings.sockets.count)
    ]
    gateways.append(
        ActorSpec(
            "gateway:web:0",
            WebGateway,
            ("gateway:web:0", web_settings(settings, stores, keys_folder)),
        )
    )
    return ActorSpec(DIRECTORY, Directory, (shards, gateways, SET_UP_LOGS))


def check_budget(settings: Settings, connections_max: int) -> None:
    """Raise `SetupError` if shards and gateways may want more connections than Postgres has."""
    wanted = settings.shards.count * settings.shards.connections + settings.postgres.web_connections
    if wanted + POSTGRES_RESERVE > connections_max:
        raise SetupError(
            f"{settings.shards.count} shards and the web gateway want {wanted} connections, and "
            f"{POSTGRES_RESERVE} stay in reserve, but Postgres allows {connections_max}; lower "
            "shards.connections or raise max_connections"
        )


async def start(directory: ActorSpec) -> System:
    """Create the directory and wait until every shard has its slots and every gateway listens.

    Raises `SetupError`; what was created for it has ended by then.
    """
    shards, gateways, *_ = directory.arguments
    names = (directory.name, *(spec.name for spec in (*shards, *gateways)))
    joined = await _is_there(directory.name)
    system = System(create(directory), names)
    try:
        async with asyncio.timeout(START_S):
            await system.directory.start.remote()
    except (RayError, TimeoutError) as error:
        if not joined:
            # They would meet the next start with the settings that have just failed.
            await end(names[0])
            await end(*names[1:])
        raise SetupError(_why_not_started(error)) from None
    return system


async def _is_there(name: str) -> bool:
    try:
        await named_actor(name)
    except ValueError:
        return False
    return True


def _why_not_started(error: BaseException) -> str:
    """A sentence for the person: the actor's own, without the traces of the calls between, if it has one."""
    while isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        error = error.cause
    if isinstance(error, TimeoutError):
        return (
            "the actors did not start in time; see on the Ray dashboard which one is not ready, "
            "or start again on a machine that is less busy"
        )
    if isinstance(error, RayError) or not str(error):
        said = [type(error).__name__, *str(error).strip().splitlines()][-1]
        return f"the actors did not start ({said}); look at the Ray dashboard"
    return str(error)


def socket_settings(settings: Settings, stores: Stores, jwks: Jwks, number: int) -> SocketSettings:
    """Settings of one socket gateway; several share the port."""
    own = {f"http://{host}:{settings.web.port}" for host in (settings.web.host, "127.0.0.1", "localhost")}
    return SocketSettings(
        jwks=jwks,
        host=settings.sockets.host,
        port=settings.sockets.port,
        reuse_port=settings.sockets.count > 1,
        allowed_origins=tuple(sorted(own | set(settings.sockets.allowed_origins))),
        redis_url=stores.redis_url,
        tls_certificate=settings.sockets.tls_certificate or None,
        tls_key=settings.sockets.tls_key or None,
    )


def web_settings(settings: Settings, stores: Stores, keys_folder: Path) -> WebSettings:
    """Settings of the web gateway."""
    return WebSettings(
        host=settings.web.host,
        port=settings.web.port,
        postgres_dsn=stores.postgres_dsn,
        redis_url=stores.redis_url,
        objects=stores.objects,
        keys_folder=keys_folder,
        postgres_connections=settings.postgres.web_connections,
        public_socket_url=settings.sockets.public_url,
        socket_port=settings.sockets.port,
    )
