"""What a socket gateway needs to know, built once by the wiring; nothing below reads the environment."""

from dataclasses import dataclass, field

from gateway.keys import Jwks
from gateway.sockets.limits import SocketLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketSettings:
    """Settings of one gateway process; plain data, so that it travels to a Ray actor.

    `port` 0 takes a free one. `allowed_origins` are compared exactly, as `https://learn.example` (P2). TLS is
    spoken when `tls_certificate` and `tls_key` (PEM files) are given. Without `redis_url` no tickets are
    taken, tokens only. `observe_port` is for `/metrics` and `/healthz`, on loopback unless said otherwise.
    """

    jwks: Jwks
    host: str = "127.0.0.1"
    port: int = 0
    reuse_port: bool = False
    backlog: int = 4096
    allowed_origins: tuple[str, ...] = ()
    allow_no_origin: bool = True
    redis_url: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    observe_host: str = "127.0.0.1"
    observe_port: int = 0
    limits: SocketLimits = field(default_factory=SocketLimits)

    window_ms: int = 20
    patience_ms: int = 80
    call_s: float = 5.0
    keepalive_s: float = 1.0
    batch_operations: int = 2000
    lane_operations: int = 100_000
    lane_updates: int = 4000

    drain_s: float = 20.0
    drain_accept_per_s: float = 1000.0
    """Reconnects per second the others can take: spreads `retry_after_ms` over connections / this."""
