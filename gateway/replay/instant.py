"""An event loop whose clock jumps: whoever sleeps wakes at once, and nobody waits for real time."""

import asyncio
import selectors


class _NoWait(selectors.SelectSelector):
    """Lets time pass by as much as the loop wanted to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += max(timeout or 0.0, 0.0)
        return super().select(0)


class InstantLoop(asyncio.SelectorEventLoop):
    """A loop for code that only waits for time, such as the checkpointer. `time` is virtual."""

    def __init__(self) -> None:
        self._ticks = _NoWait()
        super().__init__(self._ticks)

    def time(self) -> float:
        return self._ticks.now_s
