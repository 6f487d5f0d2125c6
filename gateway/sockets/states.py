"""The states of a socket, each with what exists only in it. Deadlines, `by_s`, are on the loop's clock."""

from dataclasses import dataclass, field

from websockets.frames import Opcode

from gateway.sockets.limits import TokenBucket
from gateway.sockets.links import Link


@dataclass(slots=True)
class Handshaking:
    """No complete HTTP request yet; `tail` is the end of what came, in which its end may begin."""

    by_s: float
    received_bytes: int = 0
    tail: bytes = b""


@dataclass(slots=True)
class AwaitingHello:
    """Upgraded; nobody yet."""

    by_s: float


@dataclass(slots=True)
class Authenticating:
    """The hello had a ticket; what came with it in one segment waits."""

    by_s: float
    waiting: list[tuple[Opcode, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class Live:
    """Somebody: attached to a shard, or about to be."""

    student: str
    link: Link
    bucket: TokenBucket
    until_s: float
    welcome_by_s: float
    pinged: int = 0
    pinged_at_s: float = 0.0


@dataclass(slots=True)
class Closing:
    """A close frame or an HTTP refusal is on its way; nothing is read any more."""

    by_s: float


@dataclass(slots=True)
class Gone:
    """The transport is closed."""


State = Handshaking | AwaitingHello | Authenticating | Live | Closing | Gone
"""Handshaking → AwaitingHello → (Authenticating →) Live → Closing → Gone; every state may skip to the end."""
