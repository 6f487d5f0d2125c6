"""What gateways and shards say to each other: operations of connections one way, deliveries the other.

Array-like msgpack inside one bytes blob per Ray call. `conn` is a number unique within one gateway
incarnation; a connection belongs to one student and one device. Every operation is safe to repeat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from actors.core.events import Entry, Event, Refused
from actors.messages import ClockReading, Device

if TYPE_CHECKING:
    CheckedEvent = Event
else:

    @dataclass(frozen=True, slots=True, kw_only=True)
    class CheckedEvent(Event):
        """An event that its gateway has read strictly: a shard does not look through it again."""

        def __post_init__(self) -> None:
            pass


class Attach(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A device is here: its clock reading and the server time (ms since 1970) at which it arrived.

    `again`: it was welcomed before; while no shard knew it, it missed what heads were pushed.
    """

    conn: int
    student: str
    device: Device
    clock: ClockReading
    received_ms: int
    again: bool = False


class Detach(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The connection is gone."""

    conn: int
    student: str


class Apply(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Journal entries of an attached connection: events, and those that nobody can read."""

    conn: int
    student: str
    events: list[CheckedEvent]
    refused: list[Refused] = []

    @property
    def entries(self) -> Sequence[Entry]:
        """All of them, in the order of the journal (R6)."""
        if not self.refused:
            return self.events
        return sorted([*self.events, *self.refused], key=lambda entry: entry.seq)


class Forward(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """An `Apply` as a gateway writes it: events stay the bytes the device sent.

    Same tag, same layout. The gateway has read them strictly and writes nothing anew, so an update is
    decoded once on each side and encoded by its device only.
    """

    conn: int
    student: str
    events: list[msgspec.Raw]
    refused: list[Refused] = []


class PullHeads(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The connection asks for the heads of items."""

    conn: int
    student: str
    items: list[str]


class Present(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """A player that is not playing is alive."""

    conn: int
    student: str
    item: str
    state: str


Operation = Attach | Detach | Apply | PullHeads | Present
"""What a shard reads."""

Outgoing = Attach | Detach | Forward | PullHeads | Present
"""What a gateway writes."""


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """All that one gateway has for one shard now. `gateway` is its actor name, `life` one incarnation.

    `heard` is the latest numbered answer of the shard that reached it (`Outcomes.number`).
    """

    gateway: str
    life: str
    operations: list[Operation]
    heard: int = 0


def encode_batch(
    gateway: str, life: str, operations: Sequence[Outgoing | Operation], heard: int = 0
) -> bytes:
    """The bytes of a `Batch`, whose operations may be `Forward`."""
    return encoder.encode((gateway, life, operations, heard))


class Deliver(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A message for connections: msgpack bytes of `actors.messages.ToDevice`, encoded once for all.

    A later delivery with the same `key` replaces one still waiting in a connection's outbox (`head:{item}`,
    `presence:{device}:{item}`); without a key it is never dropped.
    """

    conns: list[int]
    frame: bytes
    key: str | None = None


class Attached(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Answer to `Attach`. The gateway says `welcome`, or `resync` if the connection was welcomed before.

    `continues` is the epoch of the slot's former owner if all that was applied under that is durable and
    known here: a connection that was attached under it has nothing to resend. Else -1.
    """

    conn: int
    epoch: int
    applied_seq: int
    durable_seq: int
    clock_wrong: bool = False
    clock_offset_ms: int = 0
    continues: int = -1


class Reattach(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """The shard does not know these connections (it started anew): the gateway attaches them again."""

    conns: list[int]


class Moved(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The shard does not own the slot of these connections: fetch the slot map and attach there."""

    conns: list[int]
    map_version: int


class Close(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """The gateway closes these connections with this code of gateway/sockets/close_codes.py."""

    conns: list[int]
    code: int


class AllApplied(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """`applied` for many connections at once: the watermark by connection.

    One struct, message and frame each would cost more than the rest of an answer; see `AllDurable`.
    """

    seqs: dict[int, int]


class AllDurable(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """`durable` for many connections at once: the watermark by connection."""

    seqs: dict[int, int]


Outcome = Deliver | Attached | Reattach | Moved | Close | AllApplied | AllDurable


class Outcomes(msgspec.Struct, frozen=True, array_like=True):
    """What a shard has for one gateway: the reply to a batch, or a push. `life`: its incarnation.

    A reply with a `number` brings pushes, and is asked for again unless the next batch has `heard` of it.
    """

    shard: str
    life: str
    outcomes: list[Outcome]
    number: int = 0


API_DEVICE = "api"
"""The device of a student that acts on a page without a connection. No client can be it (P3)."""


class Act(msgspec.Struct, frozen=True, array_like=True):
    """What a student did on a page without a connection: `kind` of `actors.core.events`, in the current
    version. `base_rev` is what the page had seen, None for the newest. `key` is the action's own: the same
    one again changes nothing.
    """

    student: str
    item: str
    kind: str
    key: str
    position_ms: int | None = None
    base_rev: int | None = None
    device_name: str = ""


class Acted(msgspec.Struct, frozen=True, array_like=True):
    """Answer to `Act`: the head as it is now, msgpack of `actors.messages.Head`, and whether it is committed.

    Without a head nothing was done: `code` is `moved` (ask the shard of the newest map), `late` or `busy`
    (try again), `not_found`, `nothing_to_undo`, `key_reused`, or what `rejected` knows.
    """

    head: bytes = b""
    durable: bool = False
    repeated: bool = False
    code: str = ""
    message: str = ""


encoder = msgspec.msgpack.Encoder()
batch_decoder = msgspec.msgpack.Decoder(Batch)
outcomes_decoder = msgspec.msgpack.Decoder(Outcomes)
act_decoder = msgspec.msgpack.Decoder(Act)
acted_decoder = msgspec.msgpack.Decoder(Acted)
