"""Every close code of the protocol: its name, whether to reconnect, and why it is used (docs/protocol.md)."""

import json
from dataclasses import dataclass

REASON_BYTES_MAX = 123
"""A control frame holds 125 bytes, two of them the code (RFC 6455, 5.5)."""


@dataclass(frozen=True, slots=True)
class CloseCode:
    """One code. `reconnect` is the client's order: come back with full jitter, or wait for the user."""

    code: int
    name: str
    reconnect: bool
    why: str


TABLE: tuple[CloseCode, ...] = (
    CloseCode(1002, "protocol", True, "framing against RFC 6455"),
    CloseCode(1007, "not_utf8", True, "a text frame that is not UTF-8"),
    CloseCode(1009, "too_big", True, "a message larger than limits.frame_bytes, or in too many fragments"),
    CloseCode(4000, "drain", True, "the gateway goes away"),
    CloseCode(4001, "moved", True, "the student is served elsewhere"),
    CloseCode(4002, "slow", True, "this peer does not read"),
    CloseCode(4003, "heartbeat", True, "silence for twice heartbeat_ms"),
    CloseCode(4004, "overload", True, "come back after retry_after_ms"),
    CloseCode(4005, "lag", True, "the store does not commit"),
    CloseCode(4006, "resync", True, "a gap was not filled: reconnect and resend"),
    CloseCode(4007, "rate", True, "too many messages"),
    CloseCode(4008, "token", True, "the token ran out: come back with a new one"),
    CloseCode(4500, "auth", False, "token or ticket refused"),
    CloseCode(4501, "revoked", False, "sign-in was withdrawn"),
    CloseCode(4502, "bad_message", False, "three strikes, or not a hello first"),
    CloseCode(4503, "version", False, "no common subprotocol; the reason lists what is supported"),
    CloseCode(4504, "forbidden", False, "a body that names somebody"),
    CloseCode(4505, "replaced", False, "a newer connection of this device"),
)

BY_CODE: dict[int, CloseCode] = {entry.code: entry for entry in TABLE}
_by_name: dict[str, CloseCode] = {entry.name: entry for entry in TABLE}

PROTOCOL = _by_name["protocol"]
NOT_UTF8 = _by_name["not_utf8"]
TOO_BIG = _by_name["too_big"]
DRAIN = _by_name["drain"]
SLOW = _by_name["slow"]
HEARTBEAT = _by_name["heartbeat"]
OVERLOAD = _by_name["overload"]
RATE = _by_name["rate"]
TOKEN = _by_name["token"]
AUTH = _by_name["auth"]
REVOKED = _by_name["revoked"]
BAD_MESSAGE = _by_name["bad_message"]
VERSION = _by_name["version"]
FORBIDDEN = _by_name["forbidden"]
REPLACED = _by_name["replaced"]


def reason(close: CloseCode, retry_after_ms: int | None = None, supported: tuple[str, ...] = ()) -> str:
    """The close reason: JSON of at most 123 bytes, as `{"code": "drain", "retry_after_ms": 1200}`."""
    said: dict[str, object] = {"code": close.name}
    if retry_after_ms is not None:
        said["retry_after_ms"] = retry_after_ms
    if supported:
        said["supported"] = supported
    text = json.dumps(said, separators=(", ", ": "))
    if len(text) > REASON_BYTES_MAX:
        raise ValueError(f"a close reason holds {REASON_BYTES_MAX} bytes, not {len(text)}: say less")
    return text
