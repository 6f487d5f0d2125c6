"""Ray as Playhead needs it: a cluster of our own or a given one, and the end of it.

A cluster of our own runs under the same guard as the embedded servers, so that all of its processes end
with the one who started it, however that one ended. Import this only after `ray_environment.prepare`: Ray
reads its environment when it is first imported.
"""

import asyncio
import hashlib
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import ray

from actors.settings import NAMESPACE
from persistence.embedded import DataFolder, child, ports
from persistence.errors import SetupError

NAME = "ray"
OBJECT_STORE_BYTES = 96 * 1024 * 1024
"""Blobs travel inside calls, not through plasma, so the store is as small as Ray accepts comfortably."""

READY_S = 90.0
STOP_S = 8.0
ANSWER_S = 0.5


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster we are attached to. `dashboard_url` is empty when there is none."""

    address: str
    dashboard_url: str
    _child: child.Child | None = field(default=None, repr=False)
    _temporary: Path | None = field(default=None, repr=False)

    async def stop(self) -> None:
        """Leave the cluster; one of our own ends with that, and its files go."""
        await asyncio.to_thread(ray.shutdown)
        if self._child is not None:
            await self._child.stop()
        if self._temporary is not None:
            await asyncio.to_thread(shutil.rmtree, self._temporary, ignore_errors=True)


async def start(folder: DataFolder, dashboard_host: str, dashboard_port: int) -> Cluster:
    """A cluster of our own on this machine's loopback; no other cluster is joined."""
    require_free(dashboard_host, dashboard_port, "the Ray dashboard", "--dashboard-port")
    await child.end_earlier(folder, NAME, signal.SIGTERM, STOP_S)
    port = ports.choose(folder, NAME)
    temporary = _temporary(folder)
    await asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True)
    order = child.Order(
        name=NAME,
        argv=[*_head(port, dashboard_host, dashboard_port, temporary), _client_port(folder)],
        env=dict(os.environ),
        stop_timeout_s=STOP_S,
    )
    process = await child.start(folder, order)
    try:
        await process.until_ready(lambda: _listens(port), READY_S)
        joined = await asyncio.to_thread(join, f"127.0.0.1:{port}")
    except BaseException:
        await process.stop()
        raise
    url = f"http://{dashboard_host}:{dashboard_port}"
    return Cluster(joined.address, url, process, temporary)


def join(address: str) -> Cluster:
    """Attach to a running cluster. Raises `SetupError` if it cannot be reached."""
    try:
        context = ray.init(
            address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise SetupError(
            f"the Ray cluster at {address} cannot be joined ({str(error).splitlines()[0]}); "
            "check its address and RAY_AUTH_TOKEN_PATH"
        ) from None
    return Cluster(address, f"http://{context.dashboard_url}" if context.dashboard_url else "")


def _head(port: int, dashboard_host: str, dashboard_port: int, temporary: Path) -> list[str]:
    """The command of the head node, in the foreground."""
    return [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        "--disable-usage-stats",
        "--node-ip-address=127.0.0.1",
        f"--port={port}",
        "--include-dashboard=true",
        f"--dashboard-host={dashboard_host}",
        f"--dashboard-port={dashboard_port}",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        f"--temp-dir={temporary}",
    ]


def _client_port(folder: DataFolder) -> str:
    """Ray's server for remote drivers: its port is fixed unless chosen, and where it is taken Ray ends."""
    return f"--ray-client-server-port={ports.choose(folder, 'ray-client')}"


def _temporary(folder: DataFolder) -> Path:
    """Where Ray keeps its sockets, whose paths must stay under 108 characters: the same for one data folder,
    so that what a killed cluster has left behind goes at the next start."""
    mark = hashlib.sha256(str(folder.path).encode()).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"playhead-ray-{os.getuid()}-{mark}"


async def _listens(port: int) -> bool:
    try:
        async with asyncio.timeout(ANSWER_S):
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def require_free(host: str, port: int, what: str, option: str) -> None:
    """Raise `SetupError` if the port is taken: Ray would silently take another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SetupError(
                f"port {port} for {what} is taken ({error.strerror}); stop what uses it, or choose another "
                f"with {option}"
            ) from None
