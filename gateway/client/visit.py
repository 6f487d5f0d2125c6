"""What a player says: one visit of one device in one item, from open to close."""

import uuid
from typing import Any, Literal, Self

from gateway.client.device import Device
from gateway.client.protocol import Message

Intent = Literal["resume", "bookmark", "auto", "advance"]


class Visit:
    """One open player. Places are content ms of `version`.

    Each user action begins a run and seals the revision the device has seen into it; what is played after it
    belongs to that run (docs/sync.md). `intent` says why it was opened; a bookmark has its place.
    """

    def __init__(
        self,
        device: Device,
        item: str,
        version: str,
        *,
        intent: Intent = "resume",
        bookmark_ms: int | None = None,
    ) -> None:
        self.device = device
        self.item = item
        self.version = version
        self.intent = intent
        self.bookmark_ms = bookmark_ms
        self.session = uuid.uuid4().hex[:16]
        self._base_rev = 0

    async def __aenter__(self) -> Self:
        place = {} if self.bookmark_ms is None else {"position_ms": self.bookmark_ms}
        self._base_rev = self.device.protocol.rev(self.item)
        await self.say("opened", intent=self.intent, **place)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def head(self) -> Message:
        """Where to start, asked for now: before the first frame of every play."""
        return await self.device.pull(self.item)

    async def play(self, position_ms: int, *, rate: float = 1.0, by: Literal["user", "auto"] = "user") -> int:
        """Play was pressed, or the player started by itself. Every action gives its seq."""
        return await self._act("play", position_ms=position_ms, rate=rate, by=by)

    async def played(self, from_ms: int, to_ms: int, *, rate: float = 1.0) -> int:
        """Content [from_ms, to_ms) has just been played; once per 10 s and at the end of a play."""
        return await self.say("played", from_ms=from_ms, to_ms=to_ms, rate=rate)

    async def pause(self, position_ms: int) -> int:
        """The player stopped there."""
        return await self.say("paused", position_ms=position_ms)

    async def end(self, position_ms: int) -> int:
        """The player reached the end of the item."""
        return await self.say("ended", position_ms=position_ms)

    async def seek(self, position_ms: int) -> int:
        """The user moved there; never for the player's own positioning."""
        return await self._act("sought", position_ms=position_ms)

    async def choose(self, position_ms: int) -> int:
        """The user took an offered place, or "stay here"."""
        return await self._act("chosen", position_ms=position_ms)

    async def undo(self) -> int:
        """The user reverts the latest change of the head, whoever made it (R4)."""
        return await self._act("undone")

    async def reset(self) -> int:
        """The user starts the item afresh (R7)."""
        return await self._act("reset")

    async def mark(self, done: bool) -> int:
        """The user ticks done, or takes it back."""
        return await self._act("marked", done=done)

    async def answer(self, question: str, value: str) -> int:
        """One answer in a quiz; the other questions are registers of their own."""
        return await self.say("answered", base_rev=self._seen(), question=question, value=value)

    async def submit(self) -> int:
        """Hand the attempt in; from then on it does not change."""
        return await self.say("submitted", base_rev=self._seen())

    async def close(self) -> int:
        """The visit ends with a goodbye."""
        return await self.say("closed")

    async def say(self, kind: str, **fields: Any) -> int:
        """Record an event of this visit under the run in progress."""
        fields = {"base_rev": self._base_rev, "version": self.version, **fields}
        return await self.device.record(kind, self.item, self.session, **fields)

    async def _act(self, kind: str, **fields: Any) -> int:
        self._base_rev = self._seen()
        return await self.say(kind, **fields)

    def _seen(self) -> int:
        return self.device.protocol.rev(self.item)
