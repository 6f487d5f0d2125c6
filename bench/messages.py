"""What a device of the fleet reads of `playhead.v1`: typed, and no more of each message than is judged.

Written from docs/protocol.md and shared with nobody, so that a mistake of the server's own structs shows.
"""

from typing import ClassVar

import msgspec


class _Message(msgspec.Struct, tag_field="type", gc=False):
    """Unknown fields are passed over, as the protocol says."""

    type: ClassVar[str]


class Limits(msgspec.Struct, gc=False):
    """What a device may send (P4)."""

    frame_bytes: int
    events_per_message: int


class Welcome(_Message, tag="welcome"):
    """The connection is known; resend after `applied_seq`, forget up to `durable_seq` (P21)."""

    student: str
    device: str
    applied_seq: int
    durable_seq: int
    limits: Limits


class Applied(_Message, tag="applied"):
    """Everything up to it is in memory."""

    seq: int


class Durable(_Message, tag="durable"):
    """Everything up to it is committed."""

    seq: int


class Head(_Message, tag="head"):
    """The resume position of an item."""

    item: str
    rev: int
    position_ms: int
    device: str
    coverage_ms: int
    content_ms: int


class Rejected(_Message, tag="rejected"):
    """An update is refused for good."""

    seq: int
    code: str


class Resync(_Message, tag="resync"):
    """Resend from there (P27)."""

    from_seq: int


class Discontinuity(_Message, tag="discontinuity"):
    """Pushes were dropped: pull (P8)."""

    items: list[str]


class Problem(_Message, tag="error"):
    """A frame was refused."""

    code: str
    message: str


class Presence(_Message, tag="presence"):
    """A hint that moves nothing (P12)."""


class Ping(_Message, tag="ping"):
    """To be answered with the same number (P6)."""

    n: int


class Pong(_Message, tag="pong"):
    """The answer to ours."""

    n: int


Message = (
    Welcome | Applied | Durable | Head | Rejected | Resync | Discontinuity | Problem | Presence | Ping | Pong
)

read = msgspec.msgpack.Decoder(Message).decode
"""The message in a binary frame. Raises `msgspec.MsgspecError` for what no server may say."""
