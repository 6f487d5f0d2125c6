"""The messages of `playhead.v1`, both directions, as typed structs: what is said, not how it is written.

Shards encode what they say to devices (once, for all connections), gateways decode what devices say;
docs/protocol.md is the contract.
"""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from actors.core.events import POSITION_MAX_MS, SEQ_MAX, check_instant

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Seq = Annotated[int, Meta(ge=0, le=SEQ_MAX)]
Millis = Annotated[int, Meta(ge=0, le=SEQ_MAX)]
Position = Annotated[int, Meta(ge=0, le=POSITION_MAX_MS)]
Instant = Annotated[datetime, Meta(tz=True)]


class Device(msgspec.Struct, frozen=True):
    """One installation of a client: `id` is kept in its storage, `kind` and `name` are for people."""

    id: Name
    kind: Annotated[str, Meta(max_length=16)] = "web"
    name: Annotated[str, Meta(max_length=64)] = ""


class ClockReading(msgspec.Struct, frozen=True):
    """Both clocks of a device at one moment; `mono_ms` counts within `boot`. Raises `BadEvent`."""

    wall: Instant
    mono_ms: Millis
    boot: Name

    def __post_init__(self) -> None:
        check_instant("wall", self.wall)


class Hello(msgspec.Struct, frozen=True, tag_field="type", tag="hello"):
    """First frame: who, from which device, at what o'clock. Exactly one of `token` and `ticket`."""

    device: Device
    clock: ClockReading
    token: Annotated[str, Meta(max_length=4096)] | None = None
    ticket: Annotated[str, Meta(max_length=128)] | None = None
    client: Annotated[str, Meta(max_length=64)] = ""


class Events(msgspec.Struct, frozen=True, tag_field="type", tag="events"):
    """A chunk of the journal, in order. Each entry is decoded on its own: a bad one spoils no other."""

    events: Annotated[list[msgspec.Raw], Meta(max_length=500)]


class Pull(msgspec.Struct, frozen=True, tag_field="type", tag="pull"):
    """Asks for the heads of items: before the first frame of a play, and whenever in doubt."""

    items: Annotated[list[Name], Meta(max_length=64)]


class Presence(msgspec.Struct, frozen=True, tag_field="type", tag="presence"):
    """Liveness of a player that is not playing; moves nothing (R1), is not journaled."""

    item: Name
    state: Annotated[str, Meta(pattern="^(paused|stalled|idle)$")]
    position_ms: Position


class MediaWish(msgspec.Struct, frozen=True, tag_field="type", tag="media"):
    """Asks how to play an item: before the first play, when its addresses grow old, and after a pause."""

    item: Name


class Ping(msgspec.Struct, frozen=True, tag_field="type", tag="ping"):
    """Heartbeat, either way; answered by `pong` with the same `n`."""

    n: Seq


class Pong(msgspec.Struct, frozen=True, tag_field="type", tag="pong"):
    """Answer to `ping`. From the server with its time, in ms since 1970 UTC."""

    n: Seq
    server_ms: Millis = 0


class Limits(msgspec.Struct, frozen=True):
    """What this server accepts; announced in `welcome` and enforced."""

    frame_bytes: int
    events_per_message: int
    items_per_pull: int
    messages_per_s: float
    message_burst: int
    heartbeat_ms: int
    beat_ms: int


class Welcome(msgspec.Struct, frozen=True, tag_field="type", tag="welcome"):
    """Answer to `hello`. The device resends everything after `applied_seq`, forgets up to `durable_seq`.

    `clock_offset_ms` is server time minus the device's wall clock at `hello`; `clock_wrong`: the clock is,
    or has been, far off, and its user is to be told (docs/sync.md, corrected time).
    """

    student: str
    device: str
    epoch: int
    applied_seq: int
    durable_seq: int
    server_ms: int
    limits: Limits
    clock_wrong: bool = False
    clock_offset_ms: int = 0
    protocol: str = "playhead.v1"


class Applied(msgspec.Struct, frozen=True, tag_field="type", tag="applied"):
    """All entries up to `seq` are in the shard's memory. Cumulative."""

    seq: int


class Durable(msgspec.Struct, frozen=True, tag_field="type", tag="durable"):
    """All entries up to `seq` are committed: the device may forget them. Cumulative."""

    seq: int


class Rejected(msgspec.Struct, frozen=True, tag_field="type", tag="rejected"):
    """The entry `seq` is refused for good; it counts as folded and is not to be resent."""

    seq: int
    code: str
    message: str


class Resync(msgspec.Struct, frozen=True, tag_field="type", tag="resync"):
    """The device resends its journal from `from_seq` on; `reason` is `epoch`, `gap` or `lost`."""

    from_seq: int
    epoch: int
    reason: str


class Candidate(msgspec.Struct, frozen=True):
    """The second resume place (R4): where the losing run stood."""

    position_ms: int
    device: str
    device_name: str
    at_ms: int


class Quiz(msgspec.Struct, frozen=True):
    """An attempt at a quiz: the value that stands for each question, and whether it was handed in."""

    answers: dict[str, str]
    submitted: bool


class Head(msgspec.Struct, frozen=True, tag_field="type", tag="head"):
    """The resume position of one student in one item, and who has the baton.

    While `playing`, the position now is `position_ms + (now - as_of_ms) * rate`, at most `duration_ms`.
    `rule` is the one that decided the head (docs/sync.md). Times are server ms since 1970 UTC. `next_item` is
    what to go on with after this one.
    """

    item: str
    version: str
    rev: int
    position_ms: int
    duration_ms: int
    playing: bool
    rate: float
    as_of_ms: int
    device: str
    device_name: str
    device_kind: str
    rule: str
    viewing: int = msgspec.field(name="pass")
    epoch: int
    done: bool
    coverage_ms: int
    furthest_ms: int
    content_ms: int
    candidate: Candidate | None
    quiz: Quiz | None = None
    next_item: str | None = None


class Playing(msgspec.Struct, frozen=True, tag_field="type", tag="presence"):
    """A hint: a player of another device of the student started or stopped, which no head shows (yet).

    It moves nothing and may be dropped. `state` is `playing` or `stopped`.
    """

    item: str
    device: str
    device_name: str
    device_kind: str
    state: str
    position_ms: int


class Discontinuity(msgspec.Struct, frozen=True, tag_field="type", tag="discontinuity"):
    """Live pushes were dropped under pressure; pull the items you show."""

    items: list[str]


class MediaFound(msgspec.Struct, frozen=True, tag_field="type", tag="media"):
    """Answer to a `media`: the same document as `GET /v1/items/{item}/media`, packed, or null and why not.

    `code` is `not_found` (for good, and the same whatever the reason), `busy` or `unavailable`: ask again in
    `retry_after_ms`.
    """

    item: str
    media: msgspec.Raw | None = None
    code: str = ""
    retry_after_ms: int = 0


class Problem(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """A frame was refused: `field` says where, `strikes_left` how many more until the socket closes."""

    code: str
    message: str
    field: str
    strikes_left: int


FromDevice = Hello | Events | Pull | Presence | MediaWish | Ping | Pong
ToDevice = (
    Welcome
    | Applied
    | Durable
    | Rejected
    | Resync
    | Head
    | Playing
    | Discontinuity
    | MediaFound
    | Problem
    | Ping
    | Pong
)
