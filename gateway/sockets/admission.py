"""Who may come in now, and when everybody else shall come back: a storm is served in turn (F22).

A gateway lets connections in at a rate it can serve. Whoever comes above it is sent away before anything
dear was done for them, with a time of their own: the next free slot in the time to come. So a herd that was
sent away together comes back one after the other, as fast as it can be served and no faster.

The rate follows what the gateway feels: it falls when the loop is late or when those let in wait for their
shards, and rises again step by step when neither is so; between the two marks it stays (hysteresis).

Pure: time comes as an argument, seconds on any monotonic clock.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """`per_s` is the ceiling of the rate and `per_s_min` its floor; both per gateway process.

    `burst` connections may come at once after a quiet time: as many hellos are read in one turn of the loop
    at most. `attaching` is how many may wait for their shards. `wait_max_s` bounds the time anybody is told.
    So many as `crowd` let in between two looks had better attach together.
    """

    per_s: float = 1000.0
    per_s_min: float = 50.0
    burst: int = 200
    attaching: int = 2000
    crowd: int = 12
    wait_min_s: float = 1.0
    wait_max_s: float = 30.0

    lag_high_s: float = 0.1
    lag_low_s: float = 0.04
    welcome_high_s: float = 1.5
    welcome_low_s: float = 0.75

    @classmethod
    def of(cls, per_s: float) -> Self:
        """Of a gateway that serves so many new connections per second at its best."""
        return cls(per_s=per_s, per_s_min=min(cls().per_s_min, per_s), burst=max(1, round(per_s / 5)))


PROMISED = 0.8
"""Part of the rate that is given away as slots; the rest is for those who come without one."""

FALL, RISE = 0.7, 0.05
"""The rate falls to this part of itself, and rises by this part of the ceiling, at each look."""

GOLDEN = 0.6180339887498949
"""Multiples of it, modulo 1, lie evenly however many there are."""


class Admission:
    """The turnstile of one gateway. `attaching` counts those let in whom no shard has answered yet; the
    server keeps it. `rate_per_s` is the present rate.
    """

    __slots__ = (
        "_at_s", "_beyond", "_entered", "_entered_before", "_limits", "_room", "_tail_s", "attaching",
        "rate_per_s",
    )  # fmt: skip

    def __init__(self, limits: AdmissionLimits, now_s: float) -> None:
        self._limits = limits
        self.rate_per_s = limits.per_s
        self.attaching = 0
        self._room = float(limits.burst)
        self._at_s = now_s
        self._tail_s = now_s
        self._beyond = 0.0
        self._entered = self._entered_before = 0

    @property
    def is_crowded(self) -> bool:
        """Whether many come in at present, though all of them may."""
        return max(self._entered, self._entered_before) >= self._limits.crowd

    def is_busy(self, now_s: float) -> bool:
        """Whether somebody was sent away whose time has not come yet."""
        return self._tail_s > now_s

    def enter(self, now_s: float) -> int | None:
        """None: come in. Else in how many ms to come back."""
        limits = self._limits
        room = self._room + (now_s - self._at_s) * self.rate_per_s
        self._at_s = now_s
        self._room = room = min(room, float(limits.burst))
        if room < 1.0 or self.attaching >= limits.attaching:
            return self.postpone(now_s)
        self._room = room - 1.0
        self._entered += 1
        return None

    def postpone(self, now_s: float) -> int:
        """Give away the next free slot: in how many ms it is.

        Beyond `wait_max_s` there are no slots yet: who comes then is told a time in the second half of it,
        spread evenly, and asks again.
        """
        limits = self._limits
        slot_s = max(self._tail_s, now_s + limits.wait_min_s)
        if slot_s > now_s + limits.wait_max_s:
            self._beyond = (self._beyond + GOLDEN) % 1.0
            return round(1000 * limits.wait_max_s * (0.5 + 0.5 * self._beyond))
        self._tail_s = slot_s + 1.0 / (PROMISED * self.rate_per_s)
        return round(1000 * (slot_s - now_s))

    def left_unsaid(self) -> None:
        """Somebody let in went without a hello: another may have the place, and flooding gains nothing."""
        self._room += 1.0

    def observe(self, lag_s: float) -> None:
        """Adapt the rate; called several times a second with how late the loop was since the last time."""
        limits, rate = self._limits, self.rate_per_s
        self._entered, self._entered_before = 0, self._entered
        welcome_s = self.attaching / rate
        if lag_s > limits.lag_high_s or welcome_s > limits.welcome_high_s:
            self.rate_per_s = max(limits.per_s_min, rate * FALL)
        elif lag_s < limits.lag_low_s and welcome_s < limits.welcome_low_s:
            self.rate_per_s = min(limits.per_s, rate + limits.per_s * RISE)
