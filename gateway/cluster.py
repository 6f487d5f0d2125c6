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
from gateway.ray_environment import of_cluster
from persistence.embedded import DataFolder, child, ports
from persistence.errors import SetupError

NAME = "ray"
OBJECT_STORE_BYTES = 96 * 1024 * 1024
"""Blobs travel inside calls, not through plasma, so the store is as small as Ray accepts comfortably."""

READY_S = 90.0
STOP_S = 8.0
ASK_EVERY_S = 0.1


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
    """A cluster of our own on this machine's loopback; no other cluster is joined.

    On a machine that is busy the node may miss Ray's own fixed deadline of 30 s, so it gets a second try.
    """
    require_free(dashboard_host, dashboard_port, "the Ray dashboard", "--dashboard-port")
    try:
        return await _start_once(folder, dashboard_host, dashboard_port)
    except SetupError:
        return await _start_once(folder, dashboard_host, dashboard_port)


async def _start_once(folder: DataFolder, dashboard_host: str, dashboard_port: int) -> Cluster:
    await child.end_earlier(folder, NAME, signal.SIGTERM, STOP_S)
    port = ports.choose(folder, NAME)
    temporary = _temporary(folder)
    await asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True)
    order = child.Order(
        name=NAME,
        argv=[*_head(port, dashboard_host, dashboard_port, temporary), _client_port(folder)],
        env=of_cluster(),
        stop_timeout_s=STOP_S,
    )
    log_path = folder.log_path(NAME)
    log_before = log_path.stat().st_size if log_path.exists() else 0
    process = await child.start(folder, order)
    try:
        await process.until_ready(lambda: _says_it_runs(log_path, log_before), READY_S)
        joined = await asyncio.to_thread(join, f"127.0.0.1:{port}")
    except BaseException:
        await process.stop()
        raise
    return Cluster(joined.address, f"http://{dashboard_host}:{dashboard_port}", process, temporary)


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
        # Any free ports for the workers: Ray would claim 10002 to 19999 and refuse whoever uses one of them.
        "--min-worker-port=0",
        "--max-worker-port=0",
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


async def _says_it_runs(log_path: Path, log_before: int) -> bool:
    """Whether `ray start` has said, since this start, that all of its processes are up: its port answers
    long before the node is there to be joined."""
    await asyncio.sleep(ASK_EVERY_S)
    with log_path.open("rb") as log:
        log.seek(log_before)
        return b"Ray runtime started" in log.read()


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
