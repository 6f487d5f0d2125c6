"""Who is started with what: from the settings and the stores' addresses to the directory and its actors."""

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from ray.exceptions import RayError, RayTaskError

from actors.autoscale import Autoscaling
from actors.core.sizing import Band
from actors.directory import Directory, Plan
from actors.named import END_S, ActorSpec, create, end, named_actor, names
from actors.settings import DIRECTORY, ShardSettings
from actors.shard import Shard
from gateway.http.actor import WebGateway
from gateway.http.settings import WebSettings
from gateway.keys import Jwks
from gateway.logs import set_up_logs
from gateway.settings import Settings
from gateway.sockets.actor import SocketGateway
from gateway.sockets.admission import AdmissionLimits
from gateway.sockets.limits import SocketLimits
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
    """A running system, by its directory; `names` are those of the actors it began with, its own first."""

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
            if self.names[0] == DIRECTORY:
                # Those that `scale` made have ended with the directory, unless that died on the way.
                await end(*await names("shard:"), *await names("gateway:socket:"))


def specs(settings: Settings, stores: Stores, keys_folder: Path, jwks: Jwks) -> ActorSpec:
    """The directory, which carries the specs of all others."""
    shard_settings = ShardSettings(
        postgres_dsn=stores.postgres_dsn,
        connections=settings.shards.connections,
        checkpoint_interval_s=settings.shards.checkpoint_interval_s,
        flush_after_s=settings.shards.flush_after_s,
        idle_eviction_s=settings.shards.idle_eviction_s,
    )
    sockets = [socket_settings(settings, stores, jwks)]

    def shard(number: int) -> ActorSpec:
        name = f"shard:{number}"
        return ActorSpec(name, Shard, (name, shard_settings, SET_UP_LOGS))

    def gateway(number: int) -> ActorSpec:
        name = f"gateway:socket:{number}"
        return ActorSpec(name, SocketGateway, (name, *sockets))

    web = ActorSpec(
        "gateway:web:0",
        WebGateway,
        ("gateway:web:0", web_settings(settings, stores, keys_folder)),
    )
    plan = Plan(
        shard=shard,
        gateway=gateway,
        others=(web,),
        shards=settings.shards.count,
        gateways=settings.sockets.count,
        postgres_dsn=stores.postgres_dsn,
        connections_a_shard=settings.shards.connections,
        connections_beside=settings.postgres.web_connections + POSTGRES_RESERVE,
        autoscaling=autoscaling(settings),
    )
    return ActorSpec(DIRECTORY, Directory, (plan, SET_UP_LOGS))


def autoscaling(settings: Settings) -> Autoscaling | None:
    """How the directory sizes the shards by itself; None if it does not. Raises `SetupError`."""
    scaling = settings.scaling
    if not scaling.automatic:
        return None
    try:
        band = Band(
            count_min=scaling.shards_min,
            count_max=scaling.shards_max,
            sessions_low=scaling.sessions_low,
            sessions_high=scaling.sessions_high,
            cpu_low=scaling.cpu_low,
            cpu_high=scaling.cpu_high,
            up_after_s=scaling.up_after_s,
            down_after_s=scaling.down_after_s,
            rest_s=scaling.rest_s,
        )
    except ValueError as error:
        raise SetupError(f"the settings of [scaling] cannot be: {error}; see config/default.toml") from None
    return Autoscaling(band=band, cores_per_actor=scaling.cores_per_actor, look_every_s=scaling.look_every_s)


def check_budget(settings: Settings, connections_max: int) -> None:
    """Raise `SetupError` if shards and gateways may want more connections than Postgres has."""
    scaling = settings.scaling
    shards = max(settings.shards.count, scaling.shards_max if scaling.automatic else 0)
    wanted = shards * settings.shards.connections + settings.postgres.web_connections
    if wanted + POSTGRES_RESERVE > connections_max:
        raise SetupError(
            f"{shards} shards and the web gateway want {wanted} connections, and "
            f"{POSTGRES_RESERVE} stay in reserve, but Postgres allows {connections_max}; lower "
            "shards.connections or raise max_connections"
        )


async def start(directory: ActorSpec) -> System:
    """Create the directory and wait until every shard has its slots and every gateway listens.

    Raises `SetupError`; what was created for it has ended by then.
    """
    plan: Plan = directory.arguments[0]
    began_with = (directory.name, *(spec.name for spec in plan.specs()))
    joined = await _is_there(directory.name)
    system = System(create(directory), began_with)
    try:
        async with asyncio.timeout(START_S):
            await system.directory.start.remote()
    except (RayError, TimeoutError) as error:
        if not joined:
            # They would meet the next start with the settings that have just failed.
            await end(began_with[0])
            await end(*began_with[1:])
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


def socket_settings(settings: Settings, stores: Stores, jwks: Jwks) -> SocketSettings:
    """Settings of the socket gateways. They share the port, from the first one on: `playhead scale` adds
    others while it listens."""
    own = {f"http://{host}:{settings.web.port}" for host in (settings.web.host, "127.0.0.1", "localhost")}
    return SocketSettings(
        jwks=jwks,
        host=settings.sockets.host,
        port=settings.sockets.port,
        reuse_port=True,
        allowed_origins=tuple(sorted(own | set(settings.sockets.allowed_origins))),
        limits=SocketLimits(
            proxies=tuple(settings.sockets.proxies),
            admission=AdmissionLimits.of(settings.sockets.admit_per_s),
        ),
        drain_accept_per_s=settings.sockets.admit_per_s,
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
