"""What a device says is refused where it is read, never where it is passed on (faults.md rule 29)."""

from typing import Any

import msgspec
import pytest

from actors.messages import ClockReading

reader = msgspec.json.Decoder(ClockReading)


def reading(**fields: Any) -> bytes:
    return msgspec.json.encode({"wall": "2026-03-02T09:00:00Z", "mono_ms": 1, "boot": "b1", **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"wall": "0001-01-01T00:00:00+14:00"},
        {"wall": "9999-12-31T23:59:59-14:00"},
        {"wall": "2026-03-02T09:00:00"},
        {"mono_ms": 2**53},
    ],
)
def test_f20_a_clock_reading_nobody_can_pass_on_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        reader.decode(reading(**fields))


@pytest.mark.parametrize("wall", ["0002-01-01T14:00:00+14:00", "9998-12-31T09:59:59-14:00"])
def test_f20_every_clock_reading_that_is_taken_can_be_passed_on(wall: str) -> None:
    taken = reader.decode(reading(wall=wall))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(taken), type=ClockReading)
    assert again.wall.timestamp() == taken.wall.timestamp()
