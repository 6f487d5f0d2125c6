"""How messages are written: `playhead.v1` (msgpack, binary frames) and `playhead.v1+json` (text frames).

Reading is strict and typed; JSON is turned into msgpack first, so both have one reader. What a shard says
arrives as msgpack bytes and passes through untouched to msgpack peers, and so do journal entries the other
way: they are judged here, and written nowhere anew.
"""

import struct
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from websockets.frames import Opcode

from actors.batch import API_DEVICE
from actors.core.events import (
    PLACED,
    RATE_MAX,
    RATE_MIN,
    SEQ_MAX,
    WALL_END,
    WALL_MIN,
    BadEvent,
    By,
    Entry,
    Event,
    Intent,
    Refused,
    check_name,
)
from actors.messages import (
    Applied,
    ClockReading,
    Device,
    Durable,
    Events,
    FromDevice,
    Hello,
    Instant,
    MediaWish,
    Name,
    Ping,
    Pong,
    Position,
    Presence,
    Pull,
    Seq,
    ToDevice,
)
from gateway.sockets.strict import (
    Refusal,
    check_name_allowed,
    check_text,
    json_to_msgpack,
    map_size,
    read_map,
    read_pairs,
    scan,
)


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """A chunk of a journal, read: events as the bytes that stated them, and entries that nobody can read."""

    events: list[msgspec.Raw]
    refused: list[Refused] = []

    def __len__(self) -> int:
        return len(self.events) + len(self.refused)


Message = Hello | Chunk | Pull | Presence | MediaWish | Ping | Pong
"""What a device said."""


class Usual(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An event as nearly all are: of a kind that concerns a place, with no field that says nothing.

    The decoder sees to all that it can, in a fifth of the time that an `Event` takes to be made; whatever is
    not of this shape is read again by the strict way, which alone says what is wrong with it.
    """

    seq: Annotated[int, Meta(ge=1, le=SEQ_MAX)]
    session: Name
    item: Name
    version: Name
    base_rev: Seq
    kind: Literal[
        "opened", "play", "played", "paused", "ended", "sought", "chosen", "undone", "reset", "closed"
    ]
    mono_ms: Seq
    boot: Name
    wall: Instant
    position_ms: Position | None = None
    from_ms: Position | None = None
    to_ms: Position | None = None
    rate: Annotated[float, Meta(ge=RATE_MIN, le=RATE_MAX)] | None = None
    intent: Intent | None = None
    by: By | None = None

    def pairs(self) -> int:
        """How many pairs its map has if no key stands there twice."""
        return (
            USUAL_REQUIRED
            + (self.position_ms is not None)
            + (self.from_ms is not None)
            + (self.to_ms is not None)
            + (self.rate is not None)
            + (self.intent is not None)
            + (self.by is not None)
        )

    def sound(self) -> bool:
        """Whether it is an `Event`, as far as the decoder could not see."""
        kind = self.kind
        if kind == "played":
            if self.from_ms is None or self.to_ms is None or self.to_ms < self.from_ms:
                return False
        elif kind in PLACED and self.position_ms is None:
            return False
        names = self.session + self.item + self.version + self.boot
        return names.isprintable() and WALL_MIN <= self.wall < WALL_END


USUAL_REQUIRED = 9
"""Fields of `Usual` without a default."""

_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
_reader: msgspec.msgpack.Decoder[FromDevice] = msgspec.msgpack.Decoder(FromDevice)
_usual_reader = msgspec.msgpack.Decoder(Usual)
_event_reader = msgspec.msgpack.Decoder(Event)
_flat_reader = msgspec.msgpack.Decoder(dict[str, str | int | float | bool | None])
_raw_reader = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_seq_reader = msgspec.msgpack.Decoder(int)
_any_reader = msgspec.msgpack.Decoder()

_EVENT_FIELDS = frozenset(Event.__dataclass_fields__)
_FRAME_FIELDS: dict[type, frozenset[str]] = {
    kind: frozenset({"type", *kind.__struct_fields__})
    for kind in (Hello, Events, Pull, Presence, MediaWish, Ping, Pong)
}
_HELLO_PARTS: dict[str, frozenset[str]] = {
    "device": frozenset(Device.__struct_fields__),
    "clock": frozenset(ClockReading.__struct_fields__),
}
_EXACT_PAIRS: dict[type, int] = {
    Hello: -1,
    Events: 2,
    Pull: 2,
    Presence: 4,
    MediaWish: 2,
    Ping: 2,
    Pong: 2,
}
"""Pairs of a frame that has the required fields and nothing else: then nothing is repeated or unknown."""


class Codec:
    """One way of writing. `opcode` is the frame type it uses both ways; a peer is given one for its life."""

    def __init__(
        self, name: str, opcode: Opcode, encode: Callable[[ToDevice], bytes], read: Callable[[bytes], Message]
    ) -> None:
        self.name = name
        self.opcode = opcode
        self.read = read
        self._encode = encode

    def write(self, message: ToDevice) -> bytes:
        """A message as one whole WebSocket frame, ready for the transport."""
        return frame(self.opcode, self._encode(message))

    def applied(self, seq: int) -> bytes:
        """The frame of `Applied(seq)`."""
        return _numbered(_APPLIED, seq) if self is MSGPACK else self.write(Applied(seq))

    def durable(self, seq: int) -> bytes:
        """The frame of `Durable(seq)`."""
        return _numbered(_DURABLE, seq) if self is MSGPACK else self.write(Durable(seq))

    def frame_of(self, packed: bytes) -> bytes:
        """The WebSocket frame of a message that is msgpack already."""
        if self is MSGPACK:
            return frame(Opcode.BINARY, packed)
        return frame(Opcode.TEXT, msgspec.json.encode(_any_reader.decode(packed)))


def frame(opcode: Opcode, payload: bytes) -> bytes:
    """A whole unmasked frame (RFC 6455, 5.2), written once and sent to as many peers as it is for."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


def _before_number(message: Applied | Durable) -> dict[int, bytes]:
    """The frame of a message up to its `seq`, which stands last, by how many bytes that takes.

    Two of three frames that a gateway sends are acknowledgements, and differ in nothing else.
    """
    packed = msgspec.msgpack.encode(message)[:-1]
    return {size: bytes((0x80 | Opcode.BINARY, len(packed) + size)) + packed for size in (1, 2, 3, 5, 9)}


_APPLIED, _DURABLE = _before_number(Applied(0)), _before_number(Durable(0))
_encode_number = msgspec.msgpack.Encoder().encode


def _numbered(before: dict[int, bytes], seq: int) -> bytes:
    number = _encode_number(seq)
    return before[len(number)] + number


def read_msgpack(data: bytes) -> Message:
    """The message in a binary frame. Raises `Refusal` (a strike) and `NamesSomebody` (4504)."""
    try:
        message = _reader.decode(data)
    except _UNREADABLE as error:
        _refuse_named(data)
        raise _refusal(error) from None
    if map_size(data) != _EXACT_PAIRS[type(message)] and not _is_plain_hello(data, message):
        _scan_unknown(data, type(message))
    if isinstance(message, Events):
        return _read_chunk(message.events)
    _check_names(message)
    return message


def read_json(data: bytes) -> Message:
    """The message in a text frame. Raises `UnicodeDecodeError` (1007), `Refusal` and `NamesSomebody`."""
    return read_msgpack(json_to_msgpack(data.decode()))


def _read_chunk(raws: list[msgspec.Raw]) -> Chunk:
    events: list[msgspec.Raw] = []
    refused: list[Refused] = []
    for index, raw in enumerate(raws):
        data = bytes(raw)
        if not is_usual(data):
            entry = read_entry(data, index)
            if isinstance(entry, Refused):
                refused.append(entry)
                continue
        events.append(raw)
    return Chunk(events, refused)


def is_usual(data: bytes) -> bool:
    """Whether this is an event, said in the usual way; if not it may be one all the same."""
    try:
        event = _usual_reader.decode(data)
    except _UNREADABLE:
        return False
    return map_size(data) == event.pairs() and event.sound()


def read_entry(data: bytes, index: int) -> Entry:
    """One journal entry. If it cannot be read it becomes `Refused`, or without a seq spoils the frame (P23).

    Raises `Refusal` and `NamesSomebody`.
    """
    field = f"events[{index}]"
    try:
        event = _event_reader.decode(data)
    except _UNREADABLE as error:
        return _spoiled(data, field, _refusal(error, field))
    try:
        fields = _flat_reader.decode(data)
        if len(fields) == map_size(data) and fields.keys() <= _EVENT_FIELDS:
            return event
    except _UNREADABLE:
        pass  # an unknown field holds a map or a list: read strictly below, it may be harmless
    try:
        _scan_fields(read_map(data, field), _EVENT_FIELDS, field, 4)
    except Refusal as refusal:
        return _spoiled(data, field, refusal)
    return event


def _spoiled(data: bytes, field: str, refusal: Refusal) -> Refused:
    pairs = read_pairs(data, field)
    for name, _ in pairs:
        check_name_allowed(name, field)
    try:
        (seq,) = (_seq_reader.decode(value) for name, value in pairs if name == "seq")
    except (msgspec.MsgspecError, ValueError):
        raise refusal from None
    if not 1 <= seq <= SEQ_MAX:
        raise Refusal("seq_range", "seq lies between 1 and 2^53 - 1", f"{field}.seq")
    where = refusal.field.removeprefix(field).lstrip(".")
    said = f"{where}: {refusal}" if where and where not in str(refusal) else str(refusal)
    return Refused(seq, "malformed", said[:200])


def _scan_unknown(data: bytes, kind: type) -> None:
    _scan_fields(read_map(data), _FRAME_FIELDS[kind] - _NESTED[kind], "", 2)


_NESTED: dict[type, frozenset[str]] = {
    Hello: frozenset({"device", "clock"}),
    Events: frozenset(),
    Pull: frozenset(),
    Presence: frozenset(),
    MediaWish: frozenset(),
    Ping: frozenset(),
    Pong: frozenset(),
}
"""Fields whose value is a map of its own, in which keys may be repeated or unknown too."""


def _is_plain_hello(data: bytes, message: FromDevice) -> bool:
    """Whether it is a hello with known keys only, each once, and nothing odd inside: no need to scan it."""
    if not isinstance(message, Hello):
        return False
    try:
        pairs = _raw_reader.decode(data)
        if len(pairs) != map_size(data) or not pairs.keys() <= _FRAME_FIELDS[Hello]:
            return False
        for name, known in _HELLO_PARTS.items():
            raw = bytes(pairs[name])
            fields = _flat_reader.decode(raw)
            if len(fields) != map_size(raw) or not fields.keys() <= known:
                return False
            if not all(value.isprintable() for value in fields.values() if isinstance(value, str)):
                return False
    except _UNREADABLE:
        return False
    return True


def _scan_fields(pairs: dict[str, bytes], known: frozenset[str], field: str, depth: int) -> None:
    for name, value in pairs.items():
        if name not in known:
            inner = f"{field}.{name[:64]}" if field else name[:64]
            check_name_allowed(name, inner)
            scan(value, inner, depth)


def _refuse_named(data: bytes) -> None:
    """A frame nobody can read may still name somebody: that is what its sender should hear."""
    try:
        pairs = read_pairs(data)
    except Refusal:
        return
    for name, _ in pairs:
        if name.isprintable():
            check_name_allowed(name, name[:64])


def _check_names(message: Hello | Pull | Presence | MediaWish | Ping | Pong) -> None:
    """Names are printable, so that nothing which reaches a batch can fail there alone (faults.md rule 29)."""
    try:
        match message:
            case Pull(items=items):
                for index, item in enumerate(items):
                    check_name(f"items[{index}]", item)
            case Presence(item=item) | MediaWish(item=item):
                check_name("item", item)
            case Hello(device=device, clock=clock, client=client):
                check_name("device.id", device.id)
                if device.id == API_DEVICE:
                    raise BadEvent(f"device.id: {API_DEVICE} is the server's own; make one up")
                check_name("clock.boot", clock.boot)
                check_text("device.name", device.name)
                check_text("device.kind", device.kind)
                check_text("client", client)
    except BadEvent as error:
        raise Refusal("malformed", str(error), str(error).partition(":")[0]) from None


def _refusal(error: Exception, within: str = "") -> Refusal:
    """What msgspec says ends in ` - at `$.path``; events name their field in front."""
    text = str(error)[:200]
    if isinstance(error, RecursionError):
        return Refusal("too_deep", "nesting deeper than 8", within)
    said, _, path = text.partition(" - at `$")
    if not path and isinstance(error, msgspec.ValidationError):
        front, colon, _ = text.partition(": ")
        path = f".{front}" if colon and front.isidentifier() else ""
    if "required field `" in said:
        path = f"{path.rstrip('`')}.{said.rpartition(' field ')[2].strip('`')}"
    field = f"{within}{path.rstrip('`')}".lstrip(".")
    code = "unknown_type" if field == "type" and said.startswith("Invalid value") else "malformed"
    return Refusal(code, said, field)


MSGPACK = Codec("playhead.v1", Opcode.BINARY, msgspec.msgpack.Encoder().encode, read_msgpack)
JSON = Codec("playhead.v1+json", Opcode.TEXT, msgspec.json.Encoder().encode, read_json)
CODECS: dict[str, Codec] = {codec.name: codec for codec in (MSGPACK, JSON)}
