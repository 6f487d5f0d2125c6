"""Stretches: where a play was at a moment, and what the server had heard of it by then."""

from actors.core.stretch import BREAK_MS, Stretch, append

LIVE = Stretch(from_ms=1000, to_ms=3000, start_ms=10_000, end_ms=11_000)
LATE = LIVE._replace(late_ms=90_000)


def test_the_place_at_a_moment_runs_with_the_rate_and_stays_inside() -> None:
    assert [LIVE.place_at(moment) for moment in (0, 10_000, 10_500, 11_000, 99_999)] == [
        1000,
        1000,
        2000,
        3000,
        3000,
    ]


def test_r3_what_was_played_live_was_heard_as_it_was_played() -> None:
    assert LIVE.heard_by(10_250) == (1000, 1500)


def test_r3_what_came_late_was_heard_whole_or_not_at_all() -> None:
    assert LATE.heard_by(89_999) == (1000, 1000)
    assert LATE.heard_by(90_000) == (1000, 3000)


def test_the_parts_before_and_since_a_moment_are_the_whole() -> None:
    assert LIVE.until(10_500) == Stretch(1000, 2000, 10_000, 10_500)
    assert LIVE.since(10_500) == Stretch(2000, 3000, 10_500, 11_000)
    assert LIVE.until(10_000) is None and LIVE.since(11_000) is None
    assert LIVE.until(20_000) == LIVE and LIVE.since(0) == LIVE


def test_a_play_that_goes_on_is_one_stretch() -> None:
    log = [LIVE]
    append(log, Stretch(3000, 5000, 11_000 + BREAK_MS, 13_000), same_rate=True)
    assert log == [Stretch(1000, 5000, 10_000, 13_000)]


def test_a_stall_a_jump_another_rate_or_another_delivery_begins_a_stretch() -> None:
    breaks = [
        (Stretch(3000, 5000, 11_001 + BREAK_MS, 14_000), True),
        (Stretch(4000, 5000, 11_000, 12_000), True),
        (Stretch(3000, 5000, 11_000, 12_000), False),
        (Stretch(3000, 5000, 11_000, 12_000, late_ms=90_000), True),
    ]
    for stretch, same_rate in breaks:
        log = [LIVE]
        append(log, stretch, same_rate)
        assert log == [LIVE, stretch]
