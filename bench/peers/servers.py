"""The peers' server processes: their packages, their start on data of their own, their end, by pid."""

import asyncio
import contextlib
import os
import platform
import shutil
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

INSTALL_S = 120.0
READY_S = 20.0
STOP_S = 15.0


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer: its name for people, its folder and wire, and whether Postgres belongs to it."""

    name: str
    wire: str
    needs_postgres: bool

    @property
    def folder(self) -> Path:
        """Its code and its lock file."""
        return HERE / self.wire

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
        Peer("Socket.IO", SocketIoDevice.wire, needs_postgres=True),
        Peer("Durable Objects", ObjectDevice.wire, needs_postgres=False),
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
    """A peer's running processes. `restart` ends the server, not Postgres, and starts it again."""

    def __init__(
        self, peer: Peer, folder: DataFolder, objects: Path, database: postgres.Postgres | None
    ) -> None:
        self.peer = peer
        self.port = ports.choose(folder, peer.wire)
        self.keys_folder = folder.path / "keys"
        self._folder = folder
        self._objects = objects
        self._database = database
        self._child: child.Child | None = None

    async def start(self) -> None:
        """Start the server and wait until it listens. Raises `SetupError`."""
        env = {
            "PATH": "/usr/bin:/bin",
            "PORT": str(self.port),
            "JWKS": msgspec.json.encode(open_keys(self.keys_folder).jwks).decode(),
            "SAVE_EVERY_MS": str(SAVE_EVERY_MS),
        }
        if self._database is not None:
            env["POSTGRES_DSN"] = self._database.dsn
        command = self.peer.command(self.port, self._objects)
        order = child.Order(self.peer.wire, command, env, stop_timeout_s=STOP_S)
        self._child = await child.start(self._folder, order)
        await self._child.until_ready(self._listens, READY_S)

    async def restart(self) -> None:
        """End it politely and start it on the same data."""
        await self.stop()
        await self.start()

    async def stop(self) -> None:
        """End the server."""
        if self._child is not None:
            await self._child.stop()

    def meter(self) -> Meter:
        """A meter of every process of this server: itself, its Postgres, their guards."""
        assert self._child is not None
        named = {self._child.pid: SERVER, self._child.guard_pid: GUARDS}
        if self._database is not None:
            named |= {self._database.pid: "Postgres", self._database.guard_pid: GUARDS}
        return Meter(os.getpid(), named)

    async def _listens(self) -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            return True
        return False


SERVER, GUARDS = "server", "guards"
"""Groups of the meter: the node or workerd process; the tiny parents that end a server with its starter."""


@contextlib.asynccontextmanager
async def running(peer: Peer, path: Path, steps: Steps) -> AsyncIterator[PeerServer]:
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
        server = PeerServer(peer, folder, Path(objects), database)
        stack.push_async_callback(server.stop)
        began_s = time.monotonic()
        await server.start()
        steps.done(peer.name, time.monotonic() - began_s)
        yield server


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SetupError(f"{name} is missing: install node 20 or newer (apt-get install npm)")
    return found
