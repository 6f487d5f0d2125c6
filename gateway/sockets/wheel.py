"""One timer wheel for all sockets of a process: one loop timer turns it, whatever hangs on it is free."""

import asyncio
from typing import Protocol

import structlog

log = structlog.get_logger()


class Timed(Protocol):
    """Something with deadlines. `spoke` is where it hangs, -1 for nowhere; only the wheel writes it."""

    spoke: int

    def on_time(self, now_s: float) -> float | None:
        """Do what is due; return when to look again (loop time), None for never."""


class Wheel:
    """Calls `on_time` of each hung object within one tick after its time.

    An object hangs in one place only. Times beyond one turn are looked at once a turn, which is allowed to be
    too early: `on_time` decides by the clock, not by having been called.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, tick_s: float = 0.25, spokes: int = 256) -> None:
        self._loop = loop
        self._tick_s = tick_s
        self._spokes: list[set[Timed]] = [set() for _ in range(spokes)]
        self._turned = self._tick_of(loop.time())
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to turn, until `stop`."""
        self._timer = self._loop.call_later(self._tick_s, self._turn)

    def stop(self) -> None:
        """Turn no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def hang(self, timed: Timed, at_s: float) -> None:
        """Look at `timed` at `at_s` (loop time), and no longer at the time before."""
        self.take_off(timed)
        ahead = min(max(self._tick_of(at_s) + 1 - self._turned, 1), len(self._spokes) - 1)
        spoke = (self._turned + ahead) % len(self._spokes)
        timed.spoke = spoke
        self._spokes[spoke].add(timed)

    def take_off(self, timed: Timed) -> None:
        """Forget `timed`; fine if it does not hang here."""
        if timed.spoke >= 0:
            self._spokes[timed.spoke].discard(timed)
            timed.spoke = -1

    def _turn(self) -> None:
        now_s = self._loop.time()
        self._timer = self._loop.call_later(self._tick_s, self._turn)
        # After a stalled loop several spokes are due, but never more than one turn of them.
        due = min(self._tick_of(now_s) - self._turned, len(self._spokes))
        for _ in range(due):
            self._turned += 1
            self._visit(self._turned % len(self._spokes), now_s)
        self._turned = max(self._turned, self._tick_of(now_s))

    def _visit(self, spoke: int, now_s: float) -> None:
        hung, self._spokes[spoke] = self._spokes[spoke], set()
        for timed in hung:
            timed.spoke = -1
        for timed in hung:
            try:
                again_s = timed.on_time(now_s)
            except Exception:  # one socket's trouble must not stop the clock of the others
                log.exception("deadline_failed")
                continue
            if again_s is not None and timed.spoke < 0:
                self.hang(timed, again_s)

    def _tick_of(self, at_s: float) -> int:
        return int(at_s / self._tick_s)
