"""What Ray reads from the environment, set before Ray is first imported: afterwards it looks no more."""

import os
import sys
from pathlib import Path

from persistence.errors import SetupError

ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    # Ray would start every worker through `uv run` when its driver was; the workers use our environment.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Gateways and shards outlive a control plane that is gone for up to ten minutes (parts.md).
    "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
    # A dead node is seen after 3 s instead of 16 s.
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    # The control plane would keep a record of every call of the hot actors.
    "RAY_task_events_report_interval_ms": "0",
    # Batches and their answers go inside of the calls; through the object store a call would cost twice.
    "RAY_max_direct_call_object_size": str(1024 * 1024),
    # Counting every event of Ray's own loops took an eighth of a call.
    "RAY_event_stats": "0",
    # Gateways and shards would lose to whatever else runs: Ray starts its workers at 15.
    "RAY_worker_niceness": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_usage_stats_enabled": "0",
}


LOOPBACK = {
    # Ray takes 127.0.0.1 as a node's address only with this set; otherwise it listens on the network.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # The only node cannot be replaced, so a machine that is busy for some seconds must not end it.
    "RAY_health_check_failure_threshold": "30",
}
"""Set over `ENVIRONMENT` for a cluster on this machine alone."""

DRIVER = {"RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1"}
"""Ray's handler would take SIGTERM away from the command and abort it. Its own processes keep theirs."""


def prepare(token_path: Path, loopback: bool) -> None:
    """Set the environment of this process and of what Ray starts; the token file is made if missing.

    `loopback` for a cluster on this machine alone. What is set already stays, so an operator may tune and
    bring the token of a cluster. Raises `SetupError` if it is too late.
    """
    if "ray" in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        raise SetupError("Ray is imported already; call ray_environment.prepare first")
    for name, value in (ENVIRONMENT | DRIVER | (LOOPBACK if loopback else {})).items():
        os.environ.setdefault(name, value)
    if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ:
        return
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(token_path)
    if not token_path.exists():
        token_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        token_path.touch(mode=0o600)
        token_path.write_text(os.urandom(32).hex())


def of_cluster() -> dict[str, str]:
    """The environment for the processes of a cluster of our own."""
    return {name: value for name, value in os.environ.items() if name not in DRIVER}
