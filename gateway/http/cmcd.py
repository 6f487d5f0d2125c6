"""What a player says of itself in the headers of a request: Common Media Client Data (CTA-5004)."""

import re
from collections.abc import Mapping

import msgspec

HEADERS = ("CMCD-Request", "CMCD-Object", "CMCD-Status", "CMCD-Session")
HEADER_MAX = 1024
NUMBER_MAX = 10**9

# key, key=number, key=token or key="text"; a text may hold commas.
_PAIR = re.compile(r'\s*([a-z][a-z0-9-]*)(?:=("(?:[^"\\]|\\.)*"|[A-Za-z0-9.-]+))?\s*(?:,|$)')


class Cmcd(msgspec.Struct, frozen=True):
    """The part of it that says how well a player does; None where it says nothing.

    `buffer_ms` is what is buffered ahead (bl), `throughput_kbps` what was measured (mtp), `bitrate_kbps` that
    of the object asked for (br); `starved`: the buffer ran empty since the last request (bs); `starting`: the
    object is needed at once, to start or after a seek (su).
    """

    buffer_ms: int | None = None
    throughput_kbps: int | None = None
    bitrate_kbps: int | None = None
    starved: bool = False
    starting: bool = False


def read(headers: Mapping[str, str]) -> Cmcd | None:
    """What the four headers say together; None if there is none. What cannot be read is left out."""
    said: dict[str, str] = {}
    for name in HEADERS:
        text = headers.get(name, "")
        if len(text) <= HEADER_MAX:
            said.update((key, value) for key, value in _PAIR.findall(text))
    if not said:
        return None
    return Cmcd(
        buffer_ms=_number(said, "bl"),
        throughput_kbps=_number(said, "mtp"),
        bitrate_kbps=_number(said, "br"),
        starved=_is_true(said, "bs"),
        starting=_is_true(said, "su"),
    )


def _number(said: Mapping[str, str], key: str) -> int | None:
    text = said.get(key, "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None
    return number if number is not None and number <= NUMBER_MAX else None


def _is_true(said: Mapping[str, str], key: str) -> bool:
    return said.get(key, "false") in ("", "true")
