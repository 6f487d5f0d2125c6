"""Strict reading: what the typed decoders let pass and the protocol refuses (docs/protocol.md, P25).

msgspec keeps the last of two equal keys, and skips unknown fields whatever is inside. These functions find
that. They run for bodies that are not exactly what the protocol expects, so the usual frame does not pay.
"""

import json
import math
import unicodedata
from typing import Any, NoReturn

import msgspec

from actors.core.events import SEQ_MAX
from persistence.errors import PlayheadError

DEPTH_MAX = 8
FORBIDDEN_NAMES = frozenset({"student", "student_id", "course", "course_id"})
"""Identity comes from the token alone: a body that names somebody is closed with 4504 (P25)."""

_key_reader = msgspec.msgpack.Decoder(str)
_list_reader = msgspec.msgpack.Decoder(list[msgspec.Raw])
_scalar_reader = msgspec.msgpack.Decoder()
_SCALARS = (int, float, str, bytes, bool, type(None))


class Refusal(PlayheadError):
    """A frame that cannot be read: `code` and `field` for the device, the message for its developer."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class NamesSomebody(PlayheadError):
    """A body names a student or a course; that comes from the token and the catalogue, never from a body."""


def map_size(data: bytes) -> int:
    """How many pairs the msgpack map at the start of `data` declares; -1 if there is no map."""
    first = data[0] if data else 0xC1
    if 0x80 <= first <= 0x8F:
        return first & 0x0F
    if first == 0xDE:
        return int.from_bytes(data[1:3], "big")
    if first == 0xDF:
        return int.from_bytes(data[1:5], "big")
    return -1


def read_pairs(data: bytes, field: str = "") -> list[tuple[str, bytes]]:
    """The pairs of a msgpack map in order, repeated keys too, values unread.

    A map of n pairs is laid out like an array of 2n items, so it is read as one. Raises `Refusal`.
    """
    size = map_size(data)
    if size < 0:
        raise Refusal("malformed", "expected a map", field)
    header = {0xDE: 3, 0xDF: 5}.get(data[0], 1)
    try:
        items = _list_reader.decode(b"\xdd" + (2 * size).to_bytes(5, "big")[1:] + data[header:])
        keys = [_key_reader.decode(key) for key in items[::2]]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Refusal("malformed", f"{type(error).__name__}: {error}"[:200], field) from None
    return list(zip(keys, map(bytes, items[1::2]), strict=True))


def read_map(data: bytes, field: str = "") -> dict[str, bytes]:
    """The pairs of a msgpack map, values unread. Raises `Refusal` for repeated keys and keys not text."""
    pairs = read_pairs(data, field)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refusal("duplicate_key", "a key stands twice in one map", field)
    return found


def scan(raw: bytes, field: str, depth: int) -> None:
    """Walk a value nobody reads, at `depth` (the frame is 1). Raises `Refusal` or `NamesSomebody`."""
    first = raw[0]
    is_map = first & 0xF0 == 0x80 or first in (0xDE, 0xDF)
    is_list = first & 0xF0 == 0x90 or first in (0xDC, 0xDD)
    if (is_map or is_list) and depth > DEPTH_MAX:
        raise Refusal("too_deep", f"nesting deeper than {DEPTH_MAX}", field)
    if is_map:
        for name, value in read_map(raw, field).items():
            inner = f"{field}.{name[:64]}" if field else name[:64]
            check_name_allowed(name, inner)
            scan(value, inner, depth + 1)
    elif is_list:
        for index, value in enumerate(_list_reader.decode(raw)):
            scan(bytes(value), f"{field}[{index}]", depth + 1)
    else:
        _check_scalar(raw, field)


def check_name_allowed(name: str, field: str) -> None:
    """Raise `NamesSomebody` for a key that claims an identity, `Refusal` for one with control characters."""
    if name in FORBIDDEN_NAMES:
        raise NamesSomebody(f"{field}: identity comes from the token alone")
    check_text(field, name)


def check_text(field: str, text: str) -> None:
    """Raise `Refusal` if `text` has control characters or lone surrogates."""
    if not text.isprintable() and any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise Refusal("control_character", "control characters are refused", field)


def _check_scalar(raw: bytes, field: str) -> None:
    try:
        value = _scalar_reader.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refusal("malformed", f"{type(error).__name__}: {error}"[:200], field) from None
    if not isinstance(value, _SCALARS):
        raise Refusal("malformed", "extension types are refused", field)
    if isinstance(value, float) and not math.isfinite(value):
        raise Refusal("not_finite", "NaN and infinities are refused", field)
    if isinstance(value, int) and not -SEQ_MAX <= value <= SEQ_MAX:
        raise Refusal("too_large", "integers are at most 2^53 - 1", field)
    if isinstance(value, str):
        check_text(field, value)


def json_to_msgpack(text: str) -> bytes:
    """Strict JSON as msgpack, so that one set of decoders reads both. Raises `Refusal`.

    Refuses what the standard parser accepts: repeated keys, NaN and infinities (1e999 too), lone surrogates.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Refusal("malformed", f"not JSON: {type(error).__name__}: {error}"[:200]) from None
    try:
        return msgspec.msgpack.encode(value)
    except (OverflowError, UnicodeEncodeError, ValueError, RecursionError) as error:
        code = "too_large" if isinstance(error, OverflowError) else "malformed"
        raise Refusal(code, f"{type(error).__name__}: a number or a text outside of the protocol") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refusal("duplicate_key", "a key stands twice in one map")
    return found


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refuse(digits)


def _refuse(constant: str) -> NoReturn:
    raise Refusal("not_finite", f"{constant[:20]} is refused")
