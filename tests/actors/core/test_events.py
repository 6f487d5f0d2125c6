"""Events are valid by construction (W17, W18): what cannot be cannot exist."""

from datetime import UTC, datetime
from typing import Any

import pytest

from actors.core.events import ACTIONS, POSITION_MAX_MS, SEQ_MAX, VALUE_MAX, BadEvent, Event

WALL = datetime(2026, 3, 2, 9, tzinfo=UTC)
EXTREME = [
    "0001-01-01T00:00:00+14:00",
    "0001-12-31T23:59:59+00:00",
    "0002-01-01T13:59:59+14:00",
    "9998-12-31T10:00:00-14:00",
    "9999-01-01T00:00:00+00:00",
    "9999-12-31T23:59:59-14:00",
]


def event(**fields: Any) -> Event:
    plain: dict[str, Any] = {
        "seq": 1,
        "session": "s1",
        "item": "lec1",
        "version": "v1",
        "base_rev": 0,
        "kind": "opened",
        "mono_ms": 0,
        "boot": "b1",
        "wall": WALL,
    }
    return Event(**{**plain, **fields})


@pytest.mark.parametrize("seq", [0, -1, SEQ_MAX + 1, 2**63])
def test_w17_seq_out_of_range_is_refused(seq: int) -> None:
    with pytest.raises(BadEvent, match="seq: must lie between 1 and"):
        event(seq=seq)


def test_w17_the_largest_seq_is_accepted() -> None:
    assert event(seq=SEQ_MAX).seq == SEQ_MAX


@pytest.mark.parametrize("field", ["base_rev", "mono_ms"])
@pytest.mark.parametrize("value", [-1, SEQ_MAX + 1])
def test_numbers_javascript_cannot_hold_are_refused(field: str, value: int) -> None:
    with pytest.raises(BadEvent, match=field):
        event(**{field: value})


@pytest.mark.parametrize("place", [-1, POSITION_MAX_MS + 1, 10**308])
@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "sought", "position_ms": None},
        {"kind": "played", "from_ms": None, "to_ms": POSITION_MAX_MS},
        {"kind": "played", "from_ms": 0, "to_ms": None},
    ],
)
def test_w18_places_out_of_range_are_refused(place: int, fields: dict[str, Any]) -> None:
    placed = {name: place if value is None else value for name, value in fields.items()}
    with pytest.raises(BadEvent):
        event(**placed)


@pytest.mark.parametrize("kind", ["play", "paused", "ended", "sought", "chosen"])
def test_a_kind_with_a_place_must_state_it(kind: str) -> None:
    with pytest.raises(BadEvent, match="position_ms: missing"):
        event(kind=kind)


def test_a_span_has_both_ends_in_order() -> None:
    with pytest.raises(BadEvent, match="missing"):
        event(kind="played", from_ms=0)
    with pytest.raises(BadEvent, match="must not lie before"):
        event(kind="played", from_ms=2, to_ms=1)
    assert event(kind="played", from_ms=1, to_ms=1).to_ms == 1


def test_a_stamp_without_a_zone_is_refused() -> None:
    with pytest.raises(BadEvent, match="without a zone"):
        event(wall=datetime(2026, 3, 2, 9))


@pytest.mark.parametrize("rate", [0.0, -1.0, 16.1, float("nan"), float("inf")])
def test_a_rate_no_player_has_is_refused(rate: float) -> None:
    with pytest.raises(BadEvent, match="rate"):
        event(rate=rate)


@pytest.mark.parametrize("name", ["", "x" * 65, "a\u0000b", "a\nb", "\ud800", "\u200b"])
@pytest.mark.parametrize("field", ["session", "item", "version", "boot"])
def test_f28_names_postgres_cannot_store_are_refused(field: str, name: str) -> None:
    with pytest.raises(BadEvent, match=field):
        event(**{field: name})


def test_marked_states_done_or_not() -> None:
    with pytest.raises(BadEvent, match="done: missing"):
        event(kind="marked")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"question": "q1"}, "value: missing"),
        ({"value": "a"}, "question, value: missing"),
        ({"question": "", "value": "a"}, "question"),
        ({"question": "a\nb", "value": "a"}, "question"),
        ({"question": "q1", "value": "x" * (VALUE_MAX + 1)}, "value"),
        ({"question": "q1", "value": "a\u0000b"}, "value"),
        ({"question": "q1", "value": "\ud800"}, "value"),
        ({"question": "q1", "value": "a\u0085b"}, "value"),
    ],
)
def test_f28_answers_postgres_cannot_store_are_refused(fields: dict[str, str], named: str) -> None:
    with pytest.raises(BadEvent, match=named):
        event(kind="answered", **fields)


@pytest.mark.parametrize(
    "value", ["", "a", "x" * VALUE_MAX, "first line\r\n\tsecond", "10\u00a0km", "\U0001f469\u200d\U0001f467"]
)
def test_an_answer_may_be_whatever_people_type_or_paste(value: str) -> None:
    answered = event(kind="answered", question="q1", value=value)
    assert answered.value == value and not answered.starts_run


def test_r10_an_automatic_start_begins_no_run() -> None:
    assert event(kind="play", position_ms=0).starts_run
    assert not event(kind="play", position_ms=0, by="auto").starts_run
    assert {"played", "opened", "paused", "ended", "closed"}.isdisjoint(ACTIONS)


@pytest.mark.parametrize("wall", EXTREME)
def test_f20_a_stamp_that_is_no_moment_in_utc_is_refused(wall: str) -> None:
    with pytest.raises(BadEvent, match="wall: must lie in the years 2 to 9998"):
        event(wall=datetime.fromisoformat(wall))


@pytest.mark.parametrize("wall", ["0002-01-01T14:00:00+14:00", "9998-12-31T09:59:59.999999-14:00"])
def test_f20_every_stamp_that_is_taken_can_be_sent_and_counted(wall: str) -> None:
    taken = event(wall=datetime.fromisoformat(wall))
    again = event(wall=taken.wall.astimezone(UTC))
    assert again.wall.timestamp() == taken.wall.timestamp()
