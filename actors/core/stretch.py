"""What was played without a break: which content, when, and when the server heard of it."""

from typing import NamedTuple

from actors.core.intervals import Span

LIVE_MS = 5_000
"""A span heard at most this long after it was played was heard live."""

BREAK_MS = 2_000
"""A player that stops for longer has begun another stretch; shorter is a hiccup of its buffer."""


class Stretch(NamedTuple):
    """Content [from_ms, to_ms) played in [start_ms, end_ms), corrected server ms.

    `late_ms` is when the server heard of it, 0 if it heard it live.
    """

    from_ms: int
    to_ms: int
    start_ms: int
    end_ms: int
    late_ms: int = 0

    def place_at(self, moment_ms: int) -> int:
        """The place in the content at that moment, at most the ends of the stretch."""
        if moment_ms >= self.end_ms:
            return self.to_ms
        if moment_ms <= self.start_ms:
            return self.from_ms
        passed_ms = moment_ms - self.start_ms
        return self.from_ms + (self.to_ms - self.from_ms) * passed_ms // (self.end_ms - self.start_ms)

    def heard_by(self, moment_ms: int) -> Span:
        """What the server had of it at that moment."""
        if self.late_ms:
            return self.from_ms, self.to_ms if self.late_ms <= moment_ms else self.from_ms
        return self.from_ms, self.place_at(moment_ms)

    def until(self, moment_ms: int) -> "Stretch | None":
        """The part before that moment, if any."""
        to_ms = self.place_at(moment_ms)
        if to_ms <= self.from_ms:
            return None
        return self._replace(to_ms=to_ms, end_ms=min(moment_ms, self.end_ms))

    def since(self, moment_ms: int) -> "Stretch | None":
        """The part from that moment on, if any."""
        from_ms = self.place_at(moment_ms)
        if from_ms >= self.to_ms:
            return None
        return self._replace(from_ms=from_ms, start_ms=max(moment_ms, self.start_ms))


def append(log: list[Stretch], new: Stretch, same_rate: bool) -> None:
    """Add a stretch to a log in the order of play; it lengthens the last one if it only goes on."""
    last = log[-1] if log else None
    if (
        last is not None
        and same_rate
        and last.to_ms == new.from_ms
        and last.late_ms == new.late_ms
        and abs(new.start_ms - last.end_ms) <= BREAK_MS
    ):
        log[-1] = last._replace(to_ms=new.to_ms, end_ms=max(last.end_ms, new.end_ms))
    else:
        log.append(new)
