"""A whole system for tests: real Ray, directory, shards, gateways, on the embedded stores."""

import asyncio
import os
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from actors.core.placement import slot_of
from gateway import wiring
from gateway.client import Device
from gateway.keys import Keys, open_keys
from gateway.settings import Settings, load
from gateway.tokens import TokenIssuer
from persistence import courses, items, students
from persistence.embedded import Embedded
from persistence.migrate import migrate
from persistence.objects import ObjectStore
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from tests.acceptance.watching import ForwardClock

COURSE = "course-1"
LECTURE_MS = 600_000
WAIT_S = 30.0


@dataclass(slots=True)
class System:
    """The running parts, and what tests do with them."""

    settings: Settings
    stores: wiring.Stores
    running: wiring.System
    postgres: Postgres
    keys: Keys
    devices: list[Device] = field(default_factory=list)

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.settings.sockets.port}/v1/socket"

    def token(self, student: str, **claims: Any) -> str:
        return TokenIssuer(self.keys.signing).issue("access", student, **claims)

    async def student(self) -> str:
        """A new student, enrolled in the course."""
        student = f"student-{uuid.uuid4().hex[:10]}"
        await students.put(self.postgres, [students.Student(student, student)])
        await students.enrol(self.postgres, [students.Enrolment(student, COURSE)])
        return student

    async def lecture(self, duration_ms: int = LECTURE_MS) -> str:
        """A new item of the course, without media."""
        item = f"lecture-{uuid.uuid4().hex[:10]}"
        await items.put(
            self.postgres,
            [items.Item(item, COURSE, "video", "A lecture", "v1")],
            [items.Version(item, "v1", duration_ms)],
        )
        return item

    def device(self, student: str, name: str = "phone", device_id: str | None = None) -> Device:
        """A device that is not connected yet; stopped at the end of the test."""
        made = Device(
            self.socket_url,
            student,
            device_id or f"{name}-{uuid.uuid4().hex[:8]}",
            token=lambda: self.token(student),
            kind=name,
            name=name.title(),
            clock=ForwardClock(),
        )
        self.devices.append(made)
        return made

    async def stop_devices(self) -> None:
        """Disconnect every device made so far."""
        for device in self.devices:
            await device.stop()
        self.devices.clear()

    async def pid(self, actor: str) -> int:
        stats = await self.running.stats()
        return int(stats["actors"][actor]["pid"])

    async def shard_of(self, student: str) -> str:
        _version, owners = await self.running.directory.slot_map.remote()
        return str(owners[slot_of(student)])

    async def kill(self, actor: str) -> None:
        """SIGKILL the process of an actor, by its own pid."""
        os.kill(await self.pid(actor), signal.SIGKILL)

    async def until(self, condition: Callable[[], Any], timeout_s: float = WAIT_S) -> Any:
        """Wait until an async condition gives something true; gives that."""
        async with asyncio.timeout(timeout_s):
            while True:
                found = await condition()
                if found:
                    return found
                await asyncio.sleep(0.05)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def start_system(
    embedded: Embedded, dsn: str, folder: Path, changes: Mapping[str, Any] | None = None
) -> AsyncIterator[System]:
    """Everything on the Ray cluster of the run, with ports of its own, an empty database and one course.
    `changes` are settings by `section.key`."""
    settings = load(
        None,
        {},
        {
            "data.folder": str(folder),
            "web.port": free_port(),
            "sockets.port": free_port(),
            **(changes or {}),
        },
    )
    postgres = await open_postgres(PostgresSettings(dsn, "tests", 1, 2))
    await migrate(postgres)
    await courses.put(postgres, COURSE, courses.CourseContent(title="A course"), published=True)
    keys = open_keys(folder / "keys")
    stores = wiring.Stores(dsn, embedded.redis_url, ObjectStore(**asdict(embedded.s3)))
    try:
        running = await wiring.start(wiring.specs(settings, stores, folder / "keys", keys.jwks))
        yield System(settings, stores, running, postgres, keys)
        await running.drain()
    finally:
        await postgres.close()
