"""What one device says and hears: `playhead.v1` without a socket and without a clock (Sans-I/O).

Bytes of messages in, bytes of messages out; the caller carries them, stamps events, and decides when to
reconnect. docs/protocol.md is the contract.
"""

from collections.abc import Sequence
from typing import Any

import msgpack

from gateway.client.clock import Stamp
from gateway.client.errors import Sealed
from gateway.client.journal import CHUNK_BYTES, CHUNK_EVENTS, Event, Journal

Message = dict[str, Any]

_EVENTS: bytes = b"\x82" + msgpack.packb("type") + msgpack.packb("events") + msgpack.packb("events")
_FRAME_SLACK = 2 * 1024
"""Bytes of a frame that are left for what is not an event."""

REJECTED_MAX = 1_000
"""Refusals remembered for the caller; of more the oldest are let go."""

_packer = msgpack.Packer()


def pack(message: Message) -> bytes:
    """A message in `playhead.v1`."""
    packed: bytes = _packer.pack(message)
    return packed


def events_message(entries: Sequence[bytes]) -> bytes:
    """The `events` message of entries that are packed already."""
    header: bytes = msgpack.Packer().pack_array_header(len(entries))
    return _EVENTS + header + b"".join(entries)


class Protocol:
    """One device of one student. `kind` and `name` are for people.

    `welcomed` is whether the present connection has been greeted; `heads` the newest head by item,
    `rejected` refusals by seq; `applied_seq` is what the server has in memory, `limits` what it accepts.
    """

    __slots__ = (
        "_chunk_bytes", "_chunk_events", "applied_seq", "epoch", "heads", "journal", "kind", "limits", "name",
        "rejected", "welcome", "welcomed",
    )  # fmt: skip

    def __init__(self, journal: Journal, kind: str = "web", name: str = "") -> None:
        self.journal = journal
        self.kind = kind
        self.name = name
        self.applied_seq = 0
        self.epoch = 0
        self.heads: dict[str, Message] = {}
        self.rejected: dict[int, Message] = {}
        self.limits: Message = {}
        self.welcome: Message = {}
        self.welcomed = False
        self._chunk_events = CHUNK_EVENTS
        self._chunk_bytes = CHUNK_BYTES

    def hello(self, stamp: Stamp, *, token: str | None = None, ticket: str | None = None) -> bytes:
        """The first frame of a connection (P3): who this is, at what o'clock, and exactly one credential."""
        device = {"id": self.journal.device, "kind": self.kind, "name": self.name}
        credential = {"token": token} if ticket is None else {"ticket": ticket}
        return pack({"type": "hello", "device": device, "clock": stamp._asdict(), **credential})

    def lost(self) -> None:
        """The connection is gone. Everything that counts is in the journal."""
        self.welcomed = False

    def rev(self, item: str) -> int:
        """The newest revision of the item this device has seen: the `base_rev` of a run that begins now."""
        head = self.heads.get(item)
        return head["rev"] if head is not None else 0

    def record(self, stamp: Stamp, event: Event) -> tuple[Event, list[bytes]]:
        """Write an event to the journal; gives it with its seq, and what is to be sent if on line (P20).

        `event` has everything but `seq` and the stamp. Its `base_rev` is the one its run began with.
        """
        entry = self.journal.append({**stamp._asdict(), **event})
        return entry, self.events_after(entry["seq"] - 1)

    def events_after(self, seq: int) -> list[bytes]:
        """The messages that carry the journal from there on; nothing before the welcome."""
        if not self.welcomed:
            return []
        chunks = self.journal.chunks(seq, self._chunk_events, self._chunk_bytes)
        return [events_message(chunk) for chunk in chunks]

    def pull(self, *items: str) -> bytes:
        """Ask for heads: before the first frame of every play, and whenever in doubt."""
        return pack({"type": "pull", "items": list(items)})

    def media(self, item: str) -> bytes:
        """Ask how to play an item: before a play, when the addresses grow old, after a long pause (P34)."""
        return pack({"type": "media", "item": item})

    def presence(self, item: str, state: str, position_ms: int) -> bytes:
        """Say that a player is there and does not play: `paused`, `stalled` or `idle`. Moves nothing (R1)."""
        return pack({"type": "presence", "item": item, "state": state, "position_ms": position_ms})

    def hear(self, data: bytes) -> tuple[Message, list[bytes]]:
        """Take in a message; gives it, and what is to be sent because of it. Raises `Sealed`."""
        message: Message = msgpack.unpackb(data)
        kind = message["type"]
        if kind == "head":
            self._head(message)
        elif kind == "applied":
            self.applied_seq = max(self.applied_seq, message["seq"])
        elif kind == "durable":
            self.journal.forget(message["seq"])
        elif kind == "rejected":
            self._refused(message)
        elif kind == "welcome":
            return message, self._greeted(message)
        elif kind == "resync":
            self.epoch = message["epoch"]
            self.applied_seq = message["from_seq"] - 1
            return message, self.events_after(message["from_seq"] - 1)
        elif kind == "discontinuity":
            return message, [self.pull(*message["items"])]
        elif kind == "ping":
            return message, [pack({"type": "pong", "n": message["n"]})]
        return message, []

    def _greeted(self, welcome: Message) -> list[bytes]:
        if welcome["student"] != self.journal.student:
            raise Sealed(
                f"the token speaks for {welcome['student']}, but this journal is {self.journal.student}'s; "
                "open that student's own journal"
            )
        limits = welcome["limits"]
        self.welcome, self.limits, self.epoch = welcome, limits, welcome["epoch"]
        self._chunk_events = limits["events_per_message"]
        self._chunk_bytes = min(CHUNK_BYTES, limits["frame_bytes"] - _FRAME_SLACK)
        self.applied_seq, self.welcomed = welcome["applied_seq"], True
        self.journal.continue_from(welcome["applied_seq"])
        self.journal.forget(welcome["durable_seq"])
        return self.events_after(welcome["applied_seq"])

    def _refused(self, message: Message) -> None:
        self.rejected[message["seq"]] = message
        if len(self.rejected) > REJECTED_MAX:
            del self.rejected[next(iter(self.rejected))]

    def _head(self, head: Message) -> None:
        """P10: the larger `rev` stands; of equal ones the later `as_of_ms`, for `playing` has changed."""
        have = self.heads.get(head["item"])
        if have is None or (head["rev"], head["as_of_ms"]) >= (have["rev"], have["as_of_ms"]):
            self.heads[head["item"]] = head
