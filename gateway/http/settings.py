"""What a web gateway needs to know, built once by the wiring; nothing below reads the environment."""

from dataclasses import dataclass, field
from pathlib import Path

from persistence.objects import ObjectStore

PRIVATE_NETWORKS = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Settings of one web gateway process; plain data, so that it travels to a Ray actor.

    `port` 0 takes a free one. `public_socket_url` is what browsers open; empty, it is made of the Host they
    asked and `socket_port`. `allowed_origins` are pages on other hosts that may call, exact, as
    `https://learn.example`; our own pages need no entry. `operator_networks` may read `/metrics`.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    reuse_port: bool = False
    postgres_dsn: str = field(repr=False)
    postgres_connections: int = 6
    redis_url: str = field(repr=False)
    objects: ObjectStore | None = None
    keys_folder: Path
    public_socket_url: str = ""
    socket_port: int = 8081
    pages_folder: Path | None = None
    allowed_origins: tuple[str, ...] = ()
    operator_networks: tuple[str, ...] = PRIVATE_NETWORKS

    headers_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    answer_timeout_s: float = 20.0
    idle_timeout_s: float = 75.0
    """Longer than a reverse proxy keeps an idle connection, so that it is never we who cut first."""
    drain_s: float = 5.0

    body_max_bytes: int = 1024 * 1024
    requests_max: int = 256
    connections_max: int = 4096
