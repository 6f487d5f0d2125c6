"""The turnstile (F22): a storm is let in at the rate that can be served, and everybody else in turn."""

import heapq
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sockets.admission import Admission, AdmissionLimits
from gateway.sockets.server import ADMISSION_LOOK_S

USUAL = AdmissionLimits()
EXACT = replace(USUAL, per_s=100.0, burst=10)


class Storm:
    """So many devices at once, each of which comes back when it was told, a little late."""

    def __init__(
        self, limits: AdmissionLimits, devices: int, within_s: float, *, late_s: float = 0.1
    ) -> None:
        self.random = random.Random(1)
        self.late_s = late_s
        self.admission = Admission(limits, 0.0)
        self.tries: Counter[int] = Counter()
        self.let_in: Counter[int] = Counter()
        self.asked: Counter[int] = Counter()
        self.last_s = 0.0
        self.longest_ms = 0
        self.coming = [(self.random.random() * within_s, n, 1) for n in range(devices)]
        heapq.heapify(self.coming)

    def run(self, lag_s: float = 0.0, while_s: tuple[float, float] = (0.0, 0.0)) -> "Storm":
        look_s = ADMISSION_LOOK_S
        while self.coming:
            now_s, device, tries = heapq.heappop(self.coming)
            while look_s <= now_s:
                self.admission.observe(lag_s if while_s[0] <= look_s < while_s[1] else 0.0)
                look_s += ADMISSION_LOOK_S
            self.asked[int(now_s)] += 1
            wait_ms = self.admission.enter(now_s)
            if wait_ms is None:
                self.let_in[int(now_s)] += 1
                self.tries[tries] += 1
                self.last_s = now_s
            else:
                self.longest_ms = max(self.longest_ms, wait_ms)
                back_s = now_s + wait_ms / 1000 + self.random.random() * self.late_s
                heapq.heappush(self.coming, (back_s, device, tries + 1))
        return self


def test_f22_half_a_peak_comes_back_to_one_gateway_within_a_minute() -> None:
    storm = Storm(USUAL, 25_000, within_s=3.0).run()
    assert storm.last_s < 35.0, "25,000 at 1,000 a second, four fifths of them in slots"
    assert max(storm.let_in.values()) <= USUAL.per_s + USUAL.burst
    assert storm.longest_ms <= 1000 * USUAL.wait_max_s
    assert max(storm.tries) <= 5, "nobody is sent away for ever"
    assert storm.tries[1] + storm.tries[2] > 0.8 * 25_000


def test_f22_the_herd_comes_back_evenly() -> None:
    storm = Storm(USUAL, 20_000, within_s=0.5).run()
    back = [storm.asked[second] for second in range(2, 25)]
    assert max(back) < 1.05 * USUAL.per_s and min(back) > 0.7 * USUAL.per_s, back


def test_f22_more_than_there_are_slots_for_ask_again_and_get_in() -> None:
    storm = Storm(USUAL, 60_000, within_s=1.0).run()
    assert storm.longest_ms <= 1000 * USUAL.wait_max_s
    assert storm.last_s < 80.0 and max(storm.tries) <= 6
    assert max(storm.asked[second] for second in range(2, 80)) < 4 * USUAL.per_s, "not all of them at once"


def test_f22_a_gateway_that_is_late_lets_in_less_and_recovers() -> None:
    storm = Storm(USUAL, 20_000, within_s=1.0).run(lag_s=0.3, while_s=(4.0, 10.0))
    assert storm.let_in[9] < 0.2 * storm.let_in[3]
    assert storm.admission.rate_per_s == USUAL.per_s and max(storm.tries) <= 8 and storm.last_s < 60


def test_f22_between_the_marks_the_rate_stays() -> None:
    admission = Admission(USUAL, 0.0)
    admission.observe(USUAL.lag_high_s + 0.01)
    fallen = admission.rate_per_s
    assert fallen < USUAL.per_s
    for _ in range(10):
        admission.observe((USUAL.lag_low_s + USUAL.lag_high_s) / 2)
    assert admission.rate_per_s == fallen
    admission.observe(0.0)
    assert fallen < admission.rate_per_s < USUAL.per_s
    for _ in range(100):
        admission.observe(1.0)
    assert admission.rate_per_s == USUAL.per_s_min


def test_f22_shards_that_do_not_answer_slow_the_gateway_down_and_then_stop_it() -> None:
    admission = Admission(EXACT, 0.0)
    admission.attaching = round(EXACT.per_s * EXACT.welcome_high_s) + 1
    admission.observe(0.0)
    assert admission.rate_per_s < EXACT.per_s
    admission.attaching = EXACT.attaching
    assert admission.enter(10.0) is not None, "there is room, but nobody to serve them"
    admission.attaching = 0
    assert admission.enter(10.0) is None


def test_f22_a_quiet_hour_is_not_saved_up() -> None:
    admission = Admission(EXACT, 0.0)
    assert [admission.enter(3600.0) for _ in range(50)].count(None) == EXACT.burst


def test_f22_a_handful_is_never_kept_waiting() -> None:
    admission = Admission(EXACT, 0.0)
    assert all(admission.enter(n / 50) is None for n in range(1000)) and not admission.is_busy(20.0)


def test_f22_many_are_a_crowd_and_few_are_none() -> None:
    admission = Admission(USUAL, 0.0)
    for look in range(20):
        for n in range(USUAL.crowd - 1):
            admission.enter(look + n / 100)
            assert not admission.is_crowded
        admission.observe(0.0)
    for _ in range(USUAL.crowd):
        admission.enter(20.0)
    assert admission.is_crowded, "at once, not at the next look"
    admission.observe(0.0)
    assert admission.is_crowded, "and until the look after"
    admission.observe(0.0)
    assert not admission.is_crowded


def test_f22_slots_are_one_after_the_other_and_nobodys_twice() -> None:
    admission = Admission(EXACT, 0.0)
    assert [admission.enter(0.0) for _ in range(10)] == [None] * 10
    waits = [admission.enter(0.0) or 0 for _ in range(100)]
    gaps = {after - before for before, after in pairwise(waits)}
    assert waits[0] == 1000 * EXACT.wait_min_s and gaps <= {12, 13}, "80 slots a second"
    assert admission.is_busy(1.0) and not admission.is_busy(3.0)


def test_w7_going_without_a_hello_takes_no_place_from_anybody() -> None:
    admission = Admission(EXACT, 0.0)
    for _ in range(1000):
        assert admission.enter(0.0) is None
        admission.left_unsaid()
    admission.left_unsaid()
    assert [admission.enter(0.0) for _ in range(11)].count(None) == EXACT.burst


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1)), min_size=1, max_size=300),
    st.integers(1, 50),
    st.floats(1, 500),
)
def test_f22_never_more_than_burst_and_rate_and_no_time_out_of_bounds(
    steps: list[tuple[float, float]], burst: int, per_s: float
) -> None:
    limits = replace(USUAL, per_s=per_s, per_s_min=min(1.0, per_s), burst=burst)
    admission, now_s, let_in = Admission(limits, 100.0), 100.0, 0
    for pause_s, lag_s in steps:
        now_s += pause_s
        admission.observe(lag_s)
        assert limits.per_s_min <= admission.rate_per_s <= limits.per_s
        wait_ms = admission.enter(now_s)
        if wait_ms is None:
            let_in += 1
        else:
            assert 0 < wait_ms <= 1000 * limits.wait_max_s
    assert let_in <= burst + (now_s - 100.0) * per_s + 1e-6


@pytest.mark.parametrize("late_s", [0.0, 2.0])
def test_f22_those_who_are_late_for_their_slot_get_in_as_well(late_s: float) -> None:
    storm = Storm(USUAL, 10_000, within_s=2.0, late_s=late_s).run()
    assert storm.last_s < 20.0 and max(storm.tries) <= 5
