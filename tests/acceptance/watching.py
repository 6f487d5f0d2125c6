"""What students do, told to a device: open, play, pause, in no time on its own monotonic clock."""

from typing import Any

from gateway.client import Clock, Device, Visit


class ForwardClock(Clock):
    """A monotonic clock that a test may put forward by `ahead_ms`, so that a minute plays in no time."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_ms = 0

    def mono_ms(self) -> int:
        return super().mono_ms() + self.ahead_ms


class Viewer(Visit):
    """One visit of one device in one item. `position_ms` is where its player stands."""

    def __init__(self, device: Device, item: str, position_ms: int = 0) -> None:
        super().__init__(device, item, "v1")
        self.position_ms = position_ms

    async def open(self, **fields: Any) -> "Viewer":
        await self.say("opened", **fields)
        return self

    async def press_play(self) -> int:
        return await self.play(self.position_ms)

    async def watch(self, length_ms: int) -> int:
        """So much content plays, and its beat goes out."""
        clock = self.device.clock
        assert isinstance(clock, ForwardClock)
        clock.ahead_ms += length_ms
        start, self.position_ms = self.position_ms, self.position_ms + length_ms
        return await self.played(start, self.position_ms)

    async def pause(self, position_ms: int | None = None) -> int:
        return await super().pause(self.position_ms if position_ms is None else position_ms)

    async def seek(self, position_ms: int) -> int:
        self.position_ms = position_ms
        return await super().seek(position_ms)

    async def choose(self, position_ms: int) -> int:
        self.position_ms = position_ms
        return await super().choose(position_ms)

    async def resume(self, length_ms: int) -> None:
        """Ask where to go on, go on there, play so much."""
        self.position_ms = (await self.head())["position_ms"]
        await self.press_play()
        await self.watch(length_ms)

    async def sees(self, position_ms: int) -> None:
        """Wait until this device is shown the head at this position."""
        heads = self.device.heads
        await self.device.until(lambda: heads.get(self.item, {}).get("position_ms") == position_ms)
