"""Corrected time: a device's clocks may say anything, the server's time orders."""

import pytest

from actors.core.clock import AGE_MAX_MS, ASLEEP_MS, BOOTS_MAX, SLEEPS_MAX, DeviceClock
from actors.core.events import SEQ_MAX

HOUR = 3_600_000


def test_within_a_boot_the_monotonic_age_counts_whatever_the_wall_says() -> None:
    clock = DeviceClock()
    clock.connect("b1", mono_ms=5_000, wall_ms=99 * HOUR, received_ms=100 * HOUR)
    assert clock.corrected_ms("b1", 2_000, 0, 100 * HOUR) == 100 * HOUR - 3_000
    assert clock.corrected_ms("b1", 2_000, 999 * HOUR, 100 * HOUR) == 100 * HOUR - 3_000


def test_a_boot_that_has_connected_keeps_its_monotonic_clock_after_the_reboot() -> None:
    clock = DeviceClock()
    clock.connect("b1", mono_ms=0, wall_ms=0, received_ms=10 * HOUR)
    clock.connect("b2", mono_ms=0, wall_ms=500 * HOUR, received_ms=20 * HOUR)
    assert clock.corrected_ms("b1", 1_000, 0, 20 * HOUR) == 10 * HOUR + 1_000


def test_across_an_unknown_boot_the_stamp_plus_the_offset_counts() -> None:
    clock = DeviceClock(last_contact_ms=10 * HOUR)
    clock.connect("b2", mono_ms=0, wall_ms=21 * HOUR, received_ms=20 * HOUR)
    assert clock.corrected_ms("b1", 77, 16 * HOUR, 20 * HOUR) == 15 * HOUR


def test_across_a_reboot_a_stamp_is_kept_between_last_contact_and_receipt() -> None:
    clock = DeviceClock(last_contact_ms=10 * HOUR)
    clock.connect("b2", mono_ms=0, wall_ms=20 * HOUR, received_ms=20 * HOUR)
    assert clock.corrected_ms("b1", 0, 3 * HOUR, 20 * HOUR) == 10 * HOUR
    assert clock.corrected_ms("b1", 0, 900 * HOUR, 20 * HOUR) == 20 * HOUR


def test_f20_no_time_lies_in_the_future() -> None:
    clock = DeviceClock()
    clock.connect("b1", mono_ms=0, wall_ms=0, received_ms=10 * HOUR)
    assert clock.corrected_ms("b1", 50 * HOUR, 0, 10 * HOUR) == 10 * HOUR


def test_a_wrong_clock_is_marked_and_stays_marked() -> None:
    clock = DeviceClock()
    marked = []
    for wall_ms, received_ms in ((HOUR, HOUR + 60_000), (2 * HOUR, HOUR), (HOUR, HOUR)):
        clock.connect("b1", 0, wall_ms=wall_ms, received_ms=received_ms)
        marked.append(clock.wrong)
    assert marked == [False, True, True]


def slept() -> DeviceClock:
    """Connected at 10 h and awake for an hour; then asleep for 8 h, during which its monotonic clock stood
    still; awake for an hour more, and connected again at 20 h."""
    clock = DeviceClock()
    clock.connect("b1", mono_ms=HOUR, wall_ms=10 * HOUR, received_ms=10 * HOUR)
    clock.connect("b1", mono_ms=3 * HOUR, wall_ms=20 * HOUR, received_ms=20 * HOUR)
    return clock


def test_a_stamp_from_before_a_sleep_is_not_dated_after_it() -> None:
    clock = slept()
    for wall_ms in (0, 19 * HOUR):
        assert clock.corrected_ms("b1", HOUR // 2, wall_ms, 20 * HOUR) == 9 * HOUR + HOUR // 2
        assert clock.corrected_ms("b1", HOUR, wall_ms, 20 * HOUR) == 10 * HOUR
    assert clock.corrected_ms("b1", 3 * HOUR + 5, 0, 21 * HOUR) == 20 * HOUR + 5


@pytest.mark.parametrize("skew_ms", [0, -3 * HOUR, 5 * HOUR])
def test_between_two_connects_the_wall_stamp_says_whether_a_sleep_was_before_or_after(skew_ms: int) -> None:
    clock = DeviceClock()
    clock.connect("b1", HOUR, 10 * HOUR + skew_ms, 10 * HOUR)
    clock.connect("b1", 3 * HOUR, 20 * HOUR + skew_ms, 20 * HOUR)
    before, after = 10 * HOUR + HOUR // 2, 19 * HOUR + HOUR // 2
    assert clock.corrected_ms("b1", HOUR + HOUR // 2, before + skew_ms, 20 * HOUR) == before
    assert clock.corrected_ms("b1", 2 * HOUR + HOUR // 2, after + skew_ms, 20 * HOUR) == after


@pytest.mark.parametrize(("wall_ms", "at_ms"), [(0, 11 * HOUR), (900 * HOUR, 19 * HOUR)])
def test_between_two_connects_no_wall_stamp_leads_out_of_what_both_allow(wall_ms: int, at_ms: int) -> None:
    assert slept().corrected_ms("b1", 2 * HOUR, wall_ms, 20 * HOUR) == at_ms


def test_a_monotonic_clock_that_ran_ahead_keeps_stamps_within_both_offsets() -> None:
    clock = DeviceClock()
    clock.connect("b1", HOUR, 10 * HOUR, 10 * HOUR)
    clock.connect("b1", 4 * HOUR, 12 * HOUR, 12 * HOUR)
    for wall_ms, at_ms in ((0, 10 * HOUR), (10 * HOUR + 5, 10 * HOUR + 5), (90 * HOUR, 11 * HOUR)):
        assert clock.corrected_ms("b1", 2 * HOUR, wall_ms, 12 * HOUR) == at_ms


def test_without_a_sleep_a_clock_step_between_two_connects_changes_nothing() -> None:
    clock = DeviceClock()
    clock.connect("b1", HOUR, 10 * HOUR, 10 * HOUR + 40)
    clock.connect("b1", 2 * HOUR, 18 * HOUR, 11 * HOUR + 300)
    for wall_ms in (0, 10 * HOUR, 900 * HOUR):
        assert clock.corrected_ms("b1", HOUR + 1_000, wall_ms, 12 * HOUR) == 10 * HOUR + 1_040


def test_of_what_latency_adds_the_least_counts() -> None:
    clock = DeviceClock()
    for n, latency_ms in enumerate((900, 30, 500)):
        clock.connect("b1", n * HOUR, 0, 10 * HOUR + n * HOUR + latency_ms)
    assert clock.corrected_ms("b1", 3 * HOUR, 0, 20 * HOUR) == 13 * HOUR + 30


def test_the_same_hello_again_changes_nothing() -> None:
    clock = slept()
    before = {boot: list(parts) for boot, parts in clock.boots.items()}
    clock.connect("b1", mono_ms=3 * HOUR, wall_ms=20 * HOUR, received_ms=20 * HOUR)
    assert clock.boots == before


def test_a_monotonic_clock_that_goes_back_is_believed_from_then_on() -> None:
    clock = slept()
    clock.connect("b1", mono_ms=0, wall_ms=30 * HOUR, received_ms=30 * HOUR)
    assert clock.corrected_ms("b1", 5_000, 0, 31 * HOUR) == 30 * HOUR + 5_000
    assert len(clock.boots["b1"]) == 1


def test_only_the_latest_sleeps_are_remembered() -> None:
    clock = DeviceClock()
    for n in range(SLEEPS_MAX + 3):
        clock.connect("b1", n * HOUR, 0, n * (HOUR + 2 * ASLEEP_MS))
    assert [part.first_mono_ms // HOUR for part in clock.boots["b1"]] == list(range(3, SLEEPS_MAX + 3))


def test_a_clock_that_was_far_off_at_a_stamp_is_marked() -> None:
    clock = DeviceClock()
    clock.check(wall_ms=10 * HOUR, at_ms=10 * HOUR + 50_000, received_ms=30 * HOUR)
    clock.check(wall_ms=30 * HOUR, at_ms=10 * HOUR, received_ms=30 * HOUR)
    assert not clock.wrong, "the second one slept: its wall clock is right"
    clock.check(wall_ms=11 * HOUR, at_ms=10 * HOUR, received_ms=30 * HOUR)
    assert clock.wrong


def test_only_the_latest_boots_are_remembered() -> None:
    clock = DeviceClock()
    for n in range(BOOTS_MAX + 3):
        clock.connect(f"b{n}", 0, 0, n)
    assert list(clock.boots) == [f"b{n}" for n in range(3, BOOTS_MAX + 3)]


@pytest.mark.parametrize("boot", ["b1", "another"])
@pytest.mark.parametrize("wall_ms", [-62_000_000_000_000, 0, 253_000_000_000_000])
@pytest.mark.parametrize("connect_mono_ms", [0, 2 * 10**14, SEQ_MAX])
@pytest.mark.parametrize("connect_wall_ms", [-62_000_000_000_000, 253_000_000_000_000])
def test_f20_no_time_lies_before_all_devices(
    connect_wall_ms: int, connect_mono_ms: int, wall_ms: int, boot: str
) -> None:
    received_ms = 500_000 * HOUR
    clock = DeviceClock()
    clock.connect("b1", connect_mono_ms, connect_wall_ms, received_ms)
    for mono_ms in (0, SEQ_MAX):
        corrected_ms = clock.corrected_ms(boot, mono_ms, wall_ms, received_ms)
        assert received_ms - AGE_MAX_MS <= corrected_ms <= received_ms


def test_f20_no_time_lies_before_1970() -> None:
    clock = DeviceClock()
    clock.connect("b1", 50 * HOUR, 50 * HOUR, 10 * HOUR)
    assert clock.corrected_ms("b1", 0, 0, 10 * HOUR) == 0
    assert clock.corrected_ms("b2", 0, 0, 10 * HOUR) == 0
