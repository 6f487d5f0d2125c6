"""Corrected time: when something happened by the server's clock, from a device's clocks (docs/sync.md).

Device clocks are never compared raw, and each estimate is kept within the bounds that are certain:

- In a boot that has connected, the monotonic age counts: what the wall clock says, and its steps, do not.
- Some monotonic clocks stand still while a device sleeps, and all drift a little. Each connect shows how far
  real time and this clock have come apart since the one before. A stamp from before an earlier connect keeps
  that one's offset, so that no sleep dates it later than it was; one from between two connects may be from
  before or after the sleep, and the wall stamp says where between the two offsets it lies.
- In a boot that never connected the wall stamp counts, plus the offset seen at connect, kept within [last
  contact, receipt].

Whatever a device says, the result is a time that Postgres and `datetime` can hold.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

WRONG_CLOCK_MS = 60_000
"""A wall clock further than this from the server's is marked as wrong and its user told (docs/sync.md)."""

BOOTS_MAX = 4
"""Boots of a device whose monotonic clock is remembered: journals may be older than the latest reboot."""

SLEEPS_MAX = 8
"""Parts of one boot between sleeps that are remembered; of more, the latest."""

ASLEEP_MS = 2_000
"""Offsets of two connects further apart than latency explains: the clock stood still, or drifted so far."""

AGE_MAX_MS = 10 * 365 * 86_400_000
"""Nothing happened longer before its receipt than this: no device is that old, its clock is at fault."""


class Awake(NamedTuple):
    """A part of a boot in which the monotonic clock ran with real time: the stamps of its connects, from
    first to last, server time minus monotonic time, and minus wall clock at the first of them."""

    first_mono_ms: int
    last_mono_ms: int
    offset_ms: int
    wall_offset_ms: int


@dataclass(slots=True)
class DeviceClock:
    """What is known of a device's clocks. All times in ms.

    `boots` holds, for each boot that has connected, its parts between sleeps; `wall_offset_ms` is server
    time minus the device's wall clock, as of the latest connect; `last_contact_ms` is the server time of the
    contact before that; `wrong`: the wall clock has been far off.
    """

    boots: dict[str, list[Awake]] = field(default_factory=dict)
    wall_offset_ms: int = 0
    last_contact_ms: int = 0
    wrong: bool = False

    def connect(self, boot: str, mono_ms: int, wall_ms: int, received_ms: int) -> None:
        """Take the readings a device states when it connects, received at server time `received_ms`."""
        self.wall_offset_ms = received_ms - wall_ms
        self.wrong = self.wrong or abs(self.wall_offset_ms) > WRONG_CLOCK_MS
        now = Awake(mono_ms, mono_ms, received_ms - mono_ms, self.wall_offset_ms)
        self.boots[boot] = _joined(self.boots.pop(boot, []), now)
        while len(self.boots) > BOOTS_MAX:
            del self.boots[next(iter(self.boots))]

    def corrected_ms(self, boot: str, mono_ms: int, wall_ms: int, received_ms: int) -> int:
        """Server time at which a stamp was made: at most `AGE_MAX_MS` before its receipt, never after it."""
        parts = self.boots.get(boot)
        if parts is None:
            stamped_ms = max(wall_ms + self.wall_offset_ms, self.last_contact_ms)
        elif mono_ms >= parts[-1].first_mono_ms:
            stamped_ms = mono_ms + parts[-1].offset_ms
        else:
            stamped_ms = _before_sleep(parts, mono_ms, wall_ms)
        return received_ms if stamped_ms >= received_ms else max(stamped_ms, received_ms - AGE_MAX_MS, 0)

    def check(self, wall_ms: int, at_ms: int, received_ms: int) -> None:
        """Mark the wall clock if it was far off at a stamp made at `at_ms` and is not right at receipt."""
        if abs(wall_ms - at_ms) > WRONG_CLOCK_MS and abs(wall_ms - received_ms) > WRONG_CLOCK_MS:
            self.wrong = True


def _joined(parts: list[Awake], now: Awake) -> list[Awake]:
    """The parts of a boot with one more connect."""
    if not parts:
        return [now]
    *former, latest = parts
    if abs(now.offset_ms - latest.offset_ms) <= ASLEEP_MS:
        # Latency only ever adds to an offset: the least one seen is nearest to the truth.
        offset_ms = min(latest.offset_ms, now.offset_ms)
        last_mono_ms = max(latest.last_mono_ms, now.last_mono_ms)
        return [*former, latest._replace(last_mono_ms=last_mono_ms, offset_ms=offset_ms)]
    if now.first_mono_ms <= latest.last_mono_ms:
        return [now]  # it has gone back within a boot: nothing that was known of it is true
    return [*parts, now][-SLEEPS_MAX:]


def _before_sleep(parts: list[Awake], mono_ms: int, wall_ms: int) -> int:
    """When a stamp was made that is older than the latest part of its boot."""
    for earlier, later in pairwise(parts):
        if mono_ms <= earlier.last_mono_ms:
            return mono_ms + earlier.offset_ms
        if mono_ms < later.first_mono_ms:
            bounds = sorted((mono_ms + earlier.offset_ms, mono_ms + later.offset_ms))
            return min(max(wall_ms + later.wall_offset_ms, bounds[0]), bounds[1])
    return mono_ms + parts[-1].offset_ms
