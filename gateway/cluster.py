"""Ray as Playhead needs it: a cluster of our own or a given one, and the end of it.

Import it only after `ray_environment.prepare`: Ray reads its environment when it is first imported.
"""

import contextlib
import logging
import shutil
import socket
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import ray

from actors.settings import NAMESPACE
from persistence.errors import SetupError

OBJECT_STORE_BYTES = 96 * 1024 * 1024
"""Blobs travel inside calls, not through plasma, so the store is as small as Ray accepts comfortably."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster we are attached to. `dashboard_url` is empty when there is none."""

    address: str
    dashboard_url: str
    temporary: Path | None


def start(dashboard_host: str, dashboard_port: int) -> Cluster:
    """A cluster of our own on this machine's loopback; no other cluster is joined."""
    require_free(dashboard_host, dashboard_port, "the Ray dashboard", "--dashboard-port")
    # Ray puts sockets below this folder and their paths must stay under 108 characters.
    temporary = Path(tempfile.mkdtemp(prefix="playhead-ray-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = ray.init(
            address="local",
            namespace=NAMESPACE,
            include_dashboard=True,
            dashboard_host=dashboard_host,
            dashboard_port=dashboard_port,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(temporary),
        )
    url = f"http://{context.dashboard_url}" if context.dashboard_url else ""
    return Cluster(ray.get_runtime_context().gcs_address, url, temporary)


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
    return Cluster(address, f"http://{context.dashboard_url}" if context.dashboard_url else "", None)


def stop(cluster: Cluster) -> None:
    """Leave the cluster; one of our own ends with that, and its files go."""
    ray.shutdown()
    if cluster.temporary is not None:
        with contextlib.suppress(OSError):
            shutil.rmtree(cluster.temporary)


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
