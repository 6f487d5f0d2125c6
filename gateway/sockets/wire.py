"""How messages are written: `playhead.v1` (msgpack, binary frames) and `playhead.v1+json` (text frames).

Reading is strict and typed; JSON is turned into msgpack first, so both have one reader. What a shard says
arrives as msgpack bytes and passes through untouched to msgpack peers.
"""

import struct
from collections.abc import Callable

import msgspec
from websockets.frames import Opcode

from actors.batch import API_DEVICE, WireEntry
from actors.core.events import SEQ_MAX, BadEvent, Event, Refused, check_name
from actors.messages import Events, FromDevice, Hello, Ping, Pong, Presence, Pull, ToDevice
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

Message = Hello | list[WireEntry] | Pull | Presence | Ping | Pong
"""What a device said; an `events` message is its entries."""

_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
_reader: msgspec.msgpack.Decoder[FromDevice] = msgspec.msgpack.Decoder(FromDevice)
_event_reader = msgspec.msgpack.Decoder(Event)
_flat_reader = msgspec.msgpack.Decoder(dict[str, str | int | float | bool | None])
_seq_reader = msgspec.msgpack.Decoder(int)
_any_reader = msgspec.msgpack.Decoder()

_EVENT_FIELDS = frozenset(Event.__dataclass_fields__)
_FRAME_FIELDS: dict[type, frozenset[str]] = {
    kind: frozenset({"type", *kind.__struct_fields__}) for kind in (Hello, Events, Pull, Presence, Ping, Pong)
}
_EXACT_PAIRS: dict[type, int] = {Hello: -1, Events: 2, Pull: 2, Presence: 4, Ping: 2, Pong: 2}
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


def read_msgpack(data: bytes) -> Message:
    """The message in a binary frame. Raises `Refusal` (a strike) and `NamesSomebody` (4504)."""
    try:
        message = _reader.decode(data)
    except _UNREADABLE as error:
        _refuse_named(data)
        raise _refusal(error) from None
    if map_size(data) != _EXACT_PAIRS[type(message)]:
        _scan_unknown(data, type(message))
    if isinstance(message, Events):
        return [read_entry(bytes(raw), index) for index, raw in enumerate(message.events)]
    _check_names(message)
    return message


def read_json(data: bytes) -> Message:
    """The message in a text frame. Raises `UnicodeDecodeError` (1007), `Refusal` and `NamesSomebody`."""
    return read_msgpack(json_to_msgpack(data.decode()))


def read_entry(data: bytes, index: int) -> WireEntry:
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
            return WireEntry(event)
    except _UNREADABLE:
        pass  # an unknown field holds a map or a list: read strictly below, it may be harmless
    try:
        _scan_fields(read_map(data, field), _EVENT_FIELDS, field, 4)
    except Refusal as refusal:
        return _spoiled(data, field, refusal)
    return WireEntry(event)


def _spoiled(data: bytes, field: str, refusal: Refusal) -> WireEntry:
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
    return WireEntry(refused=Refused(seq, "malformed", said[:200]))


def _scan_unknown(data: bytes, kind: type) -> None:
    _scan_fields(read_map(data), _FRAME_FIELDS[kind] - _NESTED[kind], "", 2)


_NESTED: dict[type, frozenset[str]] = {
    Hello: frozenset({"device", "clock"}),
    Events: frozenset(),
    Pull: frozenset(),
    Presence: frozenset(),
    Ping: frozenset(),
    Pong: frozenset(),
}
"""Fields whose value is a map of its own, in which keys may be repeated or unknown too."""


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


def _check_names(message: Hello | Pull | Presence | Ping | Pong) -> None:
    """Names are printable, so that nothing which reaches a batch can fail there alone (faults.md rule 29)."""
    try:
        match message:
            case Pull(items=items):
                for index, item in enumerate(items):
                    check_name(f"items[{index}]", item)
            case Presence(item=item):
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
