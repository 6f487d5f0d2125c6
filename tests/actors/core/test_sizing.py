"""How many shards: a load inside the band changes nothing, a lasting one outside of it once."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from math import sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.sizing import Band, Decision, Sample, Sizing

BAND = Band(
    count_min=1,
    count_max=64,
    sessions_low=1000,
    sessions_high=3000,
    cpu_low=0.2,
    cpu_high=0.6,
    up_after_s=10,
    down_after_s=60,
    rest_s=20,
)


def shards(count: int, sessions: float, cpu: float | None = None) -> dict[str, Sample | None]:
    """Shards that share the sessions; unless told otherwise 5,000 playing ones take a core."""
    cpu = min(1.0, sessions / count / 5000) if cpu is None else cpu
    return {f"shard:{n}": Sample(round(sessions / count), cpu) for n in range(count)}


def run(
    load: Callable[[float], float], seconds: int, count: int = 2, band: Band = BAND, cpu: float | None = None
) -> list[tuple[int, int]]:
    """Looks once a second at a total number of sessions; the changes as (second, count)."""
    sizing, changes = Sizing(band), []
    for second in range(seconds):
        decision = sizing.decide(float(second), shards(count, load(second), cpu))
        if decision.count != count:
            count = decision.count
            changes.append((second, count))
    return changes


def test_a_load_that_swings_inside_the_band_changes_nothing() -> None:
    assert run(lambda second: 4000 + 1900 * sin(second / 7), 3600) == []


def test_a_load_that_swings_through_both_ends_changes_nothing() -> None:
    assert run(lambda second: 6500 if second % 16 < 8 else 1500, 3600) == []


def test_a_step_up_is_answered_once_and_after_a_while() -> None:
    assert run(lambda second: 4000 if second < 100 else 6400, 3600, 2) == [(110, 3)]


@pytest.mark.parametrize("seconds", [1, 5, 9])
def test_a_spike_is_no_step(seconds: int) -> None:
    assert run(lambda second: 40_000 if 100 <= second < 100 + seconds else 4000, 600) == []


def test_a_gap_is_no_step_down() -> None:
    assert run(lambda second: 0 if 100 <= second < 159 else 4000, 600) == []


def test_a_step_down_is_answered_once_and_later() -> None:
    assert run(lambda second: 16_000 if second < 100 else 6000, 3600, 8) == [(160, 4)]


def test_a_load_that_is_gone_leaves_the_least_number() -> None:
    changes = run(lambda second: 0, 3600, 8, replace(BAND, count_min=2))
    assert [count for _, count in changes] == [4, 2]


def test_a_ramp_is_followed_upwards_only() -> None:
    changes = run(lambda second: 2000 + second * 10, 3600, 1)
    counts = [count for _, count in changes]
    assert counts == sorted(counts) and counts[-1] * 3000 >= 2000 + 3600 * 10 - 3000
    assert len(changes) < 15


def test_the_greatest_number_holds() -> None:
    assert run(lambda second: 1_000_000, 3600, 2, replace(BAND, count_max=5))[-1][1] == 5


def test_a_number_outside_of_what_is_allowed_is_mended_at_once() -> None:
    assert Sizing(replace(BAND, count_min=3)).decide(0, shards(2, 0)).count == 3
    assert Sizing(replace(BAND, count_max=3)).decide(0, shards(4, 8000)).count == 3


def test_much_comes_in_steps() -> None:
    changes = run(lambda second: 40_000, 3600, 2)
    assert [count for _, count in changes] == [3, 4, 6, 9, 13, 19]
    assert all(after - before >= BAND.rest_s for (before, _), (after, _) in pairwise(changes))


def test_a_load_of_many_comes_and_goes_with_few_changes() -> None:
    """A day: quiet, a lecture's beginning, an evening, a night."""
    changes = run(lambda second: 2000 + 30_000 * max(0.0, sin(second / 14_400 * 3.14159)), 28_800, 1)
    counts = [count for _, count in changes]
    assert max(counts) * BAND.sessions_high > 32_000 and counts[-1] == 2
    turns = [after > before for before, after in pairwise([1, *counts])]
    assert turns == sorted(turns, reverse=True) and len(changes) < 25


def test_cpu_alone_asks_for_more() -> None:
    assert run(lambda second: 4000, 40, 2, cpu=0.9) == [(10, 3)]


def test_sessions_hold_what_cpu_would_give_away() -> None:
    """Many who pause take memory and no CPU."""
    assert run(lambda second: 4000, 3600, 2, cpu=0.01) == []


def test_while_one_is_silent_none_goes_but_more_may_come() -> None:
    silent: dict[str, Sample | None] = {**shards(3, 0, 0.0), "shard:3": None}
    busy: dict[str, Sample | None] = {**shards(3, 12_000), "shard:3": None}
    assert _after(silent, 300).count == 4
    assert _after(busy, 11).count == 6
    assert _after({"shard:0": None}, 300).count == 1


def test_who_goes_is_of_the_fullest_node_and_has_the_fewest_sessions() -> None:
    seen: dict[str, Sample | None] = {
        "shard:0": Sample(9, 0.0, "a"),
        "shard:1": Sample(5, 0.0, "a"),
        "shard:2": Sample(7, 0.0, "a"),
        "shard:3": Sample(1, 0.0, "b"),
    }
    decision = _after(seen, 61)
    assert decision.count == 2 and decision.drain == ("shard:1", "shard:2")


def test_of_equals_the_last_come_goes_first() -> None:
    seen: dict[str, Sample | None] = {f"shard:{n}": Sample(0, 0.0) for n in (2, 9)}
    assert _after(seen, 61).drain == ("shard:9",)


def test_after_a_change_by_hand_the_figures_settle_first() -> None:
    sizing = Sizing(BAND)
    for second in range(10):
        sizing.decide(float(second), shards(2, 8000))
    sizing.rest(10.0)
    later = [sizing.decide(float(second), shards(2, 8000)).count for second in range(11, 45)]
    assert later.index(3) + 11 == 10 + BAND.rest_s + BAND.up_after_s


@given(st.floats(0, 200_000), st.floats(0, 1), st.integers(1, 64))
def test_a_steady_load_comes_to_rest(sessions: float, cores_a_session: float, count: int) -> None:
    """Whatever the load is, the number stops changing, and inside the limits the mean is inside the band."""
    sizing, changed_at = Sizing(BAND), 0
    cpu_total = sessions * cores_a_session / 1000
    for second in range(0, 3000, 2):
        cpu = min(1.0, cpu_total / count)
        decision = sizing.decide(float(second), shards(count, sessions, cpu))
        if decision.count != count:
            assert len(decision.drain) == max(0, count - decision.count)
            count, changed_at = decision.count, second
    assert changed_at < 2500
    if count < BAND.count_max:
        assert sessions / count <= BAND.sessions_high + 1 and cpu_total / count <= BAND.cpu_high + 1e-6


@pytest.mark.parametrize(
    "wrong", [{"count_min": 0}, {"count_min": 65}, {"sessions_low": 3000}, {"cpu_low": 0.7}]
)
def test_a_band_that_cannot_be_is_refused(wrong: Mapping[str, float]) -> None:
    with pytest.raises(ValueError, match=r"least|low end"):
        replace(BAND, **wrong)  # type: ignore[arg-type]


def _after(seen: Mapping[str, Sample | None], seconds: int) -> Decision:
    """The first decision for a change within these seconds, or the last one."""
    sizing = Sizing(BAND)
    decision = Decision(len(seen))
    for second in range(seconds + 1):
        decision = sizing.decide(float(second), seen)
        if decision.count != len(seen):
            break
    return decision
