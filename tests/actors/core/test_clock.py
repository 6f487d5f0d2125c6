"""Corrected time: a device's clocks may say anything, the server's time orders."""

from actors.core.clock import BOOTS_MAX, DeviceClock

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
