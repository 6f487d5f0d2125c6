"""What students do, told to a device: open, play, pause, in no time on its own monotonic clock."""

import uuid
from typing import Any

from bench.device import Device


class Viewer:
    """One visit of one device in one item. `position_ms` is where its player stands."""

    def __init__(self, device: Device, item: str, position_ms: int = 0) -> None:
        self.device = device
        self.item = item
        self.position_ms = position_ms
        self.session = uuid.uuid4().hex[:12]

    async def say(self, kind: str, **fields: Any) -> int:
        """Record an event of this visit; gives its seq."""
        return await self.device.record(kind, self.item, self.session, **fields)

    async def open(self, **fields: Any) -> "Viewer":
        await self.say("opened", **fields)
        return self

    async def press_play(self) -> int:
        return await self.say("play", position_ms=self.position_ms)

    async def watch(self, length_ms: int) -> int:
        """So much content plays, and its beat goes out."""
        start, self.position_ms = self.position_ms, self.position_ms + length_ms
        self.device.ahead_ms += length_ms
        return await self.say("played", from_ms=start, to_ms=self.position_ms)

    async def pause(self) -> int:
        return await self.say("paused", position_ms=self.position_ms)

    async def seek(self, position_ms: int) -> int:
        self.position_ms = position_ms
        return await self.say("sought", position_ms=position_ms)

    async def choose(self, position_ms: int) -> int:
        self.position_ms = position_ms
        return await self.say("chosen", position_ms=position_ms)

    async def close(self) -> int:
        return await self.say("closed")

    async def resume(self, length_ms: int) -> None:
        """Ask where to go on, go on there, play so much."""
        head = await self.device.pull(self.item)
        self.position_ms = head["position_ms"]
        await self.press_play()
        await self.watch(length_ms)

    async def sees(self, position_ms: int) -> None:
        """Wait until this device is shown the head at this position."""
        heads = self.device.heads
        await self.device.until(lambda: heads.get(self.item, {}).get("position_ms") == position_ms)
