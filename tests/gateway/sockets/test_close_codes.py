"""The one table of close codes, and what it says to whom."""

import json
import re
from pathlib import Path

import pytest

from gateway.sockets import close_codes
from gateway.sockets.close_codes import BY_CODE, TABLE, reason

PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"


def test_the_table_is_that_of_the_protocol() -> None:
    text = PROTOCOL.read_text()
    rows = re.findall(r"^\| (\d{4}) \| (\w+) \| (.+?) \|$", text, re.MULTILINE)
    assert {(int(code), name) for code, name, _ in rows} == {(entry.code, entry.name) for entry in TABLE}


def test_the_range_says_whether_to_reconnect() -> None:
    for entry in TABLE:
        assert entry.reconnect != (4500 <= entry.code <= 4999), entry


def test_codes_and_names_are_unique() -> None:
    assert len(BY_CODE) == len({entry.name for entry in TABLE}) == len(TABLE)


@pytest.mark.parametrize("entry", TABLE)
def test_every_reason_fits_into_a_close_frame(entry: close_codes.CloseCode) -> None:
    text = reason(entry, retry_after_ms=10**6, supported=("playhead.v1", "playhead.v1+json"))
    assert len(text.encode()) <= 123
    assert json.loads(text)["code"] == entry.name


def test_the_reason_is_as_the_protocol_shows_it() -> None:
    assert reason(close_codes.DRAIN, 1200) == '{"code": "drain", "retry_after_ms": 1200}'
    with pytest.raises(ValueError, match="123 bytes"):
        reason(close_codes.VERSION, supported=("x" * 130,))
