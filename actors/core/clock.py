"""Corrected time: when something happened by the server's clock, from a device's clocks (rules.md).

Device clocks are never compared raw. Within a boot that has connected, the monotonic age counts; else the
wall stamp plus the offset seen at connect does, kept within [last contact, receipt]. Whatever a device says,
the result is a time that Postgres and `datetime` can hold.
"""

from dataclasses import dataclass, field

WRONG_CLOCK_MS = 60_000
"""A wall clock further than this from the server's is marked as wrong and its user told (rules.md)."""

BOOTS_MAX = 4
"""Boots of a device whose monotonic clock is remembered: journals may be older than the latest reboot."""

AGE_MAX_MS = 10 * 365 * 86_400_000
"""Nothing happened longer before its receipt than this: no device is that old, its clock is at fault."""


@dataclass(slots=True)
class DeviceClock:
    """What is known of a device's clocks. All times in ms.

    `boots` gives server time minus monotonic time for each boot that has connected; `wall_offset_ms` is
    server time minus the device's wall clock, as of the latest connect; `last_contact_ms` is the server
    time of the contact before that; `wrong`: the wall clock has been far off.
    """

    boots: dict[str, int] = field(default_factory=dict)
    wall_offset_ms: int = 0
    last_contact_ms: int = 0
    wrong: bool = False

    def connect(self, boot: str, mono_ms: int, wall_ms: int, received_ms: int) -> None:
        """Take the readings a device states when it connects, received at server time `received_ms`."""
        self.boots.pop(boot, None)
        self.boots[boot] = received_ms - mono_ms
        while len(self.boots) > BOOTS_MAX:
            del self.boots[next(iter(self.boots))]
        self.wall_offset_ms = received_ms - wall_ms
        self.wrong = self.wrong or abs(self.wall_offset_ms) > WRONG_CLOCK_MS

    def corrected_ms(self, boot: str, mono_ms: int, wall_ms: int, received_ms: int) -> int:
        """Server time at which a stamp was made: at most `AGE_MAX_MS` before its receipt, never after it."""
        least_ms = max(0, received_ms - AGE_MAX_MS)
        mono_offset_ms = self.boots.get(boot)
        if mono_offset_ms is not None:
            stamped_ms = mono_ms + mono_offset_ms
        else:
            stamped_ms = max(wall_ms + self.wall_offset_ms, self.last_contact_ms)
        return min(max(stamped_ms, least_ms), received_ms)
