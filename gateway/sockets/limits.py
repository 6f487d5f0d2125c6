"""What a socket may cost: the limits a device is told, those we keep to ourselves, and the bucket."""

from dataclasses import dataclass, field

from actors import messages
from gateway.sockets.admission import AdmissionLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """Limits of every socket of a gateway: the first block is announced in `welcome`, all are enforced.

    `None` switches a cap off. Sources: faults.md part 4 rule 8 and rows W1-W23; RFC 6455 leaves them open.
    """

    frame_bytes: int = 16 * 1024
    events_per_message: int = 500
    items_per_pull: int = 64
    messages_per_s: float = 20.0
    message_burst: int = 60
    heartbeat_ms: int = 20_000
    beat_ms: int = 10_000

    fragments_per_message: int = 64
    strikes: int = 3
    pings_per_s: float = 2.0
    ping_burst: int = 10
    header_bytes: int = 16 * 1024

    handshake_s: float = 10.0
    hello_s: float = 5.0
    ticket_s: float = 2.0
    welcome_s: float = 10.0
    stuck_s: float = 5.0
    closing_s: float = 2.0

    write_high_bytes: int = 32 * 1024
    unsent_bytes: int = 256 * 1024
    heads_waiting_bytes: int = 128 * 1024
    items_dropped: int = 64
    send_buffer_bytes: int | None = 64 * 1024

    connections: int | None = None
    pending: int = 2000
    pending_per_ip: int | None = 256
    proxies: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks in front of us that speak for many: no cap per address for them. A school behind one address
    needs no entry: the cap counts unfinished handshakes only, and who is over it is never refused for good.
    """
    sockets_per_student: int = 10
    admission: AdmissionLimits = field(default_factory=AdmissionLimits)

    def announced(self) -> messages.Limits:
        """The part a device hears in `welcome`."""
        return messages.Limits(
            frame_bytes=self.frame_bytes,
            events_per_message=self.events_per_message,
            items_per_pull=self.items_per_pull,
            messages_per_s=self.messages_per_s,
            message_burst=self.message_burst,
            heartbeat_ms=self.heartbeat_ms,
            beat_ms=self.beat_ms,
        )


class TokenBucket:
    """Lets `rate_per_s` through on average and `burst` at once; two numbers a socket, the rest is shared."""

    __slots__ = ("_at_s", "_level")

    def __init__(self, burst: float, now_s: float) -> None:
        self._level = burst
        self._at_s = now_s

    def take(self, now_s: float, rate_per_s: float, burst: float) -> bool:
        """Take one token; False says there is none."""
        level = self._level + (now_s - self._at_s) * rate_per_s
        self._at_s = now_s
        if level > burst:
            level = burst
        if level < 1.0:
            self._level = level
            return False
        self._level = level - 1.0
        return True
