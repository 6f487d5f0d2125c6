"""The two clocks of a device and the stamps it makes with them."""

import time
import uuid
from datetime import UTC, datetime
from typing import NamedTuple


class Stamp(NamedTuple):
    """One moment by both clocks: `wall` an ISO-8601 UTC instant, `mono_ms` within `boot`."""

    wall: str
    mono_ms: int
    boot: str


class Clock:
    """The machine's clocks. `boot` names the life of the monotonic one: of this process.

    A client of a simulation or a test makes its own by overriding `wall_ms` and `mono_ms`.
    """

    def __init__(self, boot: str | None = None) -> None:
        self.boot = boot or uuid.uuid4().hex[:12]

    def wall_ms(self) -> int:
        """The wall clock, ms since 1970 UTC. The server corrects it; it may be wrong (docs/sync.md)."""
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        """Real time within the boot, ms. It never steps."""
        return time.monotonic_ns() // 1_000_000

    def stamp(self) -> Stamp:
        """Both clocks, now."""
        return Stamp(instant(self.wall_ms()), self.mono_ms(), self.boot)


def instant(wall_ms: int) -> str:
    """The UTC instant of ms since 1970, as the wire has it: `2026-03-02T19:00:00.000Z`."""
    moment = datetime.fromtimestamp(wall_ms // 1000, UTC).replace(microsecond=wall_ms % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
