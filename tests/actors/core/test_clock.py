"""Corrected time: a device's clocks may say anything, the server's time orders."""

import pytest

from actors.core.clock import AGE_MAX_MS, BOOTS_MAX, DeviceClock
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
    clock.connect("b1", 0, wall_ms=HOUR, received_ms=HOUR + 60_000)
    assert not clock.wrong
    clock.connect("b1", 0, wall_ms=2 * HOUR, received_ms=HOUR)
    assert clock.wrong
    clock.connect("b1", 0, wall_ms=HOUR, received_ms=HOUR)
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
