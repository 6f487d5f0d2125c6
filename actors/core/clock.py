"""Corrected time: when something happened by the server's clock, from a device's clocks (rules.md).

Device clocks are never compared raw. Within one boot the monotonic age counts; across a reboot the wall
stamp plus the offset seen at connect does, kept within [last contact, receipt].
"""

from dataclasses import dataclass

WRONG_CLOCK_MS = 60_000
"""A wall clock further than this from the server's is marked as wrong and its user told (rules.md)."""


@dataclass(slots=True)
class DeviceClock:
    """What is known of a device's clocks since its latest connect. All times in ms.

    `mono_offset_ms`: server time minus monotonic time in `boot`; `wall_offset_ms`: server time minus the
    device's wall clock; `last_contact_ms`: server time of the contact before the latest connect.
    """

    boot: str = ""
    mono_offset_ms: int = 0
    wall_offset_ms: int = 0
    last_contact_ms: int = 0
    wrong: bool = False

    def connect(self, boot: str, mono_ms: int, wall_ms: int, received_ms: int) -> None:
        """Take the readings a device states when it connects, received at server time `received_ms`."""
        self.boot = boot
        self.mono_offset_ms = received_ms - mono_ms
        self.wall_offset_ms = received_ms - wall_ms
        self.wrong = self.wrong or abs(self.wall_offset_ms) > WRONG_CLOCK_MS

    def corrected_ms(self, boot: str, mono_ms: int, wall_ms: int, received_ms: int) -> int:
        """Server time at which a stamp was made; never later than its receipt."""
        if boot == self.boot:
            return min(mono_ms + self.mono_offset_ms, received_ms)
        stamped_ms = wall_ms + self.wall_offset_ms
        return min(max(stamped_ms, self.last_contact_ms), received_ms)
