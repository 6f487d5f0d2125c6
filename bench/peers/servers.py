"""The peers' server processes: their packages, their start on data of their own, their end, by pid."""

import asyncio
import contextlib
import functools
import math
import os
import platform
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.meter import Meter
from bench.peers.wire import ObjectDevice, SocketIoDevice
from gateway.cli.steps import Steps
from gateway.keys import open_keys
from persistence.embedded import DataFolder, child, ports, postgres
from persistence.errors import SetupError

HERE = Path(__file__).parent
SAVE_EVERY_MS = 30_000
"""As design section 4 has it for Playhead."""

MEMORY = Path("/dev/shm")
"""Where objects are stored: on a disk workerd waits for two writes of every new object, one object after the
other, and minutes would go by in which nothing is measured but the disk. This is in its favour.
"""

FILES_OF_ITS_OWN = 500
INSTALL_S = 120.0
READY_S = 20.0
STOP_S = 15.0


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer: its name for people, its folder and wire, whether Postgres belongs to it, how many files a
    student keeps open (one in ten has two connections), and whether it can be more processes than one.
    """

    name: str
    wire: str
    needs_postgres: bool
    files_per_student: float
    splits: bool

    @property
    def folder(self) -> Path:
        """Its code and its lock file."""
        return HERE / self.wire

    def processes(self, students: int) -> int:
        """How many processes hold so many students. Raises `SetupError` if one cannot and more may not."""
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - FILES_OF_ITS_OWN
        needed = math.ceil(students * self.files_per_student / allowed)
        if needed > 1 and not self.splits:
            raise SetupError(
                f"{self.name} is one process, and {students} students need more files than the {allowed} one "
                "may open; take fewer (--students) or raise the limit (ulimit -n)"
            )
        return needed

    def command(self, port: int, data: Path) -> list[str]:
        """The server's command line; the program itself, so that its pid is the server's."""
        if self.wire == SocketIoDevice.wire:
            return [_program("node"), str(self.folder / "server.js")]
        machine = {"x86_64": "64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        workerd = self.folder / f"node_modules/@cloudflare/workerd-linux-{machine}/bin/workerd"
        if not workerd.exists():
            raise SetupError(f"no workerd for {platform.machine()} was installed; leave it out (--only)")
        listen, objects = f"--socket-addr=http=127.0.0.1:{port}", f"--directory-path=objects={data}"
        return [str(workerd), "serve", str(self.folder / "config.capnp"), listen, objects]


PEERS = {
    peer.wire: peer
    for peer in (
        Peer("Socket.IO", SocketIoDevice.wire, needs_postgres=True, files_per_student=1.1, splits=False),
        Peer("Durable Objects", ObjectDevice.wire, needs_postgres=False, files_per_student=5.2, splits=True),
    )
}


async def install(peer: Peer) -> None:
    """`npm ci`, unless what the lock file names is there. Raises `SetupError`."""
    lock, installed = peer.folder / "package-lock.json", peer.folder / "node_modules/.package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error")
    process = await asyncio.create_subprocess_exec(_program("npm"), "ci", *quiet, cwd=peer.folder)
    try:
        async with asyncio.timeout(INSTALL_S):
            code = await process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if code:
        raise SetupError(f"npm ci failed in {peer.folder}: check the way to the npm registry")
    installed.touch()


class PeerServer:
    """A peer's running processes; students are spread over them by number, `ports[number % len(ports)]`."""

    def __init__(
        self,
        peer: Peer,
        students: int,
        folder: DataFolder,
        objects: Path,
        database: postgres.Postgres | None,
        save_every_ms: int,
    ) -> None:
        self.peer = peer
        self.keys_folder = folder.path / "keys"
        self._names = [f"{peer.wire}-{number}" for number in range(peer.processes(students))]
        self.ports = tuple(ports.choose(folder, name) for name in self._names)
        self._folder = folder
        self._objects = objects
        self._database = database
        self._save_every_ms = save_every_ms
        self._children: list[child.Child] = []

    async def start(self) -> None:
        """Start every process and wait until it listens. Raises `SetupError`."""
        env = {
            "PATH": "/usr/bin:/bin",
            "JWKS": msgspec.json.encode(open_keys(self.keys_folder).jwks).decode(),
            "SAVE_EVERY_MS": str(self._save_every_ms),
        }
        if self._database is not None:
            env["POSTGRES_DSN"] = self._database.dsn
        for name, port in zip(self._names, self.ports, strict=True):
            objects = self._objects / name
            objects.mkdir(exist_ok=True)
            command = self.peer.command(port, objects)
            order = child.Order(name, command, env | {"PORT": str(port)}, signal.SIGKILL, STOP_S)
            self._children.append(await child.start(self._folder, order))
            await self._children[-1].until_ready(functools.partial(_listens, port), READY_S)

    async def restart(self) -> None:
        """Kill them, so that nothing is written on the way out, and start them again; Postgres runs on."""
        await self.stop()
        await self.start()

    async def stop(self) -> None:
        """Kill them."""
        ending, self._children = self._children, []
        await asyncio.gather(*(process.stop() for process in ending))

    def meter(self) -> Meter:
        """A meter of every process of this server: itself, its Postgres, their guards."""
        named = {process.pid: SERVER for process in self._children}
        named |= {process.guard_pid: GUARDS for process in self._children}
        if self._database is not None:
            named |= {self._database.pid: "Postgres", self._database.guard_pid: GUARDS}
        return Meter(os.getpid(), named)


async def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False


SERVER, GUARDS = "server", "guards"
"""Groups of the meter: the node or workerd process; the tiny parents that end a server with its starter."""


@contextlib.asynccontextmanager
async def running(
    peer: Peer, students: int, path: Path, steps: Steps, save_every_ms: int = SAVE_EVERY_MS
) -> AsyncIterator[PeerServer]:
    """A peer on a data folder of its own; everything is stopped at the end."""
    folder = DataFolder.open(path)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(folder.close)
        database = None
        if peer.needs_postgres:
            async with steps.step("Postgres"):
                database = await stack.enter_async_context(await postgres.start(folder))
        in_memory = str(MEMORY) if os.access(MEMORY, os.W_OK) else None
        objects = stack.enter_context(tempfile.TemporaryDirectory(prefix="playhead-objects-", dir=in_memory))
        server = PeerServer(peer, students, folder, Path(objects), database, save_every_ms)
        stack.push_async_callback(server.stop)
        began_s = time.monotonic()
        await server.start()
        steps.done(peer.name, time.monotonic() - began_s, f"{len(server.ports)} process(es)")
        yield server


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SetupError(f"{name} is missing: install node 20 or newer (apt-get install npm)")
    return found
