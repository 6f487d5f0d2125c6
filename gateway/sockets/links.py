"""One connection as its gateway knows it: who it is to shards, where it is attached, what it waits for."""

from typing import Protocol

from actors.batch import Attach, Attached
from gateway.sockets.close_codes import CloseCode
from gateway.sockets.wire import Codec


class Peer(Protocol):
    """What the router needs of a connection."""

    codec: Codec

    def push(self, frame: bytes, key: str | None = None) -> None:
        """Send a whole frame, or keep it while the peer is slow."""

    def attached(self, answer: Attached, first: bool, epoch_changed: bool, quiet: bool) -> None:
        """The shard knows the connection (again). `quiet`: its slot has moved, and nothing was lost."""

    def close(self, code: CloseCode, retry_after_ms: int | None = None) -> None:
        """Close with a reason."""


class Link:
    """One connection as shards know it: its `Attach`, its slot, and the newest epoch heard."""

    __slots__ = (
        "answered_by_batch",
        "asked_at_s",
        "attach",
        "deferred",
        "durable_seq",
        "epoch",
        "peer",
        "slot",
        "sound",
    )

    def __init__(self, peer: Peer, attach: Attach, slot: int) -> None:
        self.peer = peer
        self.attach = attach
        self.slot = slot
        self.epoch = -1
        self.durable_seq = 0
        """What its device was told last: a push may overtake an answer that is still on its way."""
        self.asked_at_s: float | None = None
        """When an `Attach` was queued that has no answer yet (loop time)."""
        self.answered_by_batch = 0
        """How many batches its lane has had answered when that `Attach` was among them."""
        self.sound = True
        """Whether everything it has said was answered, or is on its way: else its device has to resend."""
        self.deferred = False
        """Whether what it says is left in its journal until its shard has room."""

    @property
    def welcomed(self) -> bool:
        """Whether a shard has ever answered."""
        return self.epoch >= 0
