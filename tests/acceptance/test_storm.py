"""F22 and F1 on the whole system: a crowd comes at once, its gateway dies, and everybody is back in turn."""

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest_asyncio
import ray

from actors.named import ActorSpec, create
from gateway import wiring
from gateway.client import Device
from gateway.sockets.actor import SocketGateway
from gateway.sockets.admission import AdmissionLimits
from gateway.sockets.settings import SocketSettings
from persistence import students
from tests.acceptance.system import COURSE, System, free_port
from tests.acceptance.watching import Viewer

CROWD = 300
NARROW = AdmissionLimits(per_s=60.0, per_s_min=20.0, burst=20)
"""A gateway that could serve few, so that a crowd this small is a storm to it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two gateways that share a port; `gateways` in the order they were made."""

    port: int
    gateways: tuple[Any, Any]

    async def stats(self, which: int) -> dict[str, Any]:
        async with asyncio.timeout(10):
            stats: dict[str, Any] = await self.gateways[which].stats.remote()
        return stats


@pytest_asyncio.fixture(loop_scope="session")
async def pair(system: System) -> AsyncIterator[Pair]:
    usual: SocketSettings = wiring.socket_settings(system.settings, system.stores, system.keys.jwks)
    limits = replace(usual.limits, admission=NARROW)
    settings = replace(usual, port=free_port(), reuse_port=True, limits=limits)
    gateways = []
    for _ in range(2):
        name = f"gateway:socket:{uuid.uuid4().hex[:6]}"
        gateways.append(create(ActorSpec(name, SocketGateway, (name, settings))))
    async with asyncio.timeout(90):
        await asyncio.gather(*(gateway.start.remote() for gateway in gateways))
    yield Pair(settings.port, (gateways[0], gateways[1]))
    async with asyncio.timeout(60):
        await asyncio.gather(*(gateway.drain.remote() for gateway in gateways))
    for gateway in gateways:
        ray.kill(gateway)


async def crowd(system: System, port: int) -> list[Device]:
    """New students, each with a phone that is not connected yet."""
    # In bulk: Postgres counts transactions a second late, and ours must not be among the storm's.
    named = [f"student-{uuid.uuid4().hex[:10]}" for _ in range(CROWD)]
    await students.put(system.postgres, [students.Student(name, name) for name in named])
    await students.enrol(system.postgres, [students.Enrolment(name, COURSE) for name in named])
    devices = [system.device(student) for student in named]
    for device in devices:
        device.url = f"ws://127.0.0.1:{port}/v1/socket"
    return devices


async def transactions(system: System) -> int:
    """Committed in this database so far, by everybody; a second behind."""
    found = await system.postgres.value(
        "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    )
    return int(found)


def only_told_to_wait(devices: list[Device]) -> bool:
    """Whether nothing but a cut line and `come back then` ever ended a connection."""
    return all(device.failure is None and set(device.closes) <= {1006, 4004} for device in devices)


async def test_f22_a_crowd_comes_and_its_gateway_dies(system: System, pair: Pair) -> None:
    item = await system.lecture()
    devices = await crowd(system, pair.port)
    before = await transactions(system)
    async with asyncio.timeout(60):
        await asyncio.gather(*(device.start(60) for device in devices))
    assert only_told_to_wait(devices)
    assert sum(device.closes.count(4004) for device in devices) > CROWD / 3, "or it was no storm"
    assert await transactions(system) - before < CROWD / 2, "students are loaded together"

    viewers = [Viewer(device, item) for device in devices]
    for place, viewer in enumerate(viewers):
        await viewer.open()
        await viewer.seek(10_000 + place)

    lost, left = await asyncio.gather(pair.stats(0), pair.stats(1))
    assert lost["connections"] > CROWD / 4 and left["connections"] > CROWD / 4
    cut = {device.id: len(device.closes) for device in devices}
    os.kill(lost["pid"], signal.SIGKILL)
    for place, viewer in enumerate(viewers):
        await viewer.seek(300_000 + place)

    async def all_back() -> bool:
        back = sum(len(device.closes) > cut[device.id] for device in devices)
        return back >= lost["connections"] and all(device.online for device in devices)

    await system.until(all_back, 60)
    await asyncio.gather(*(device.until_durable(40) for device in devices))
    assert only_told_to_wait(devices)
    for place, viewer in enumerate(viewers):
        head = await viewer.head()
        assert (head["position_ms"], head["device"]) == (300_000 + place, viewer.device.id)
    there = "SELECT count(*) FROM progress WHERE item = $1 AND position_ms >= 300000"
    assert await system.postgres.value(there, item) == CROWD
    after = await pair.stats(1)
    assert after["connections"] == CROWD and after["metrics"]["attaching"] == 0
    assert after["health"] == "ok"
