"""Shards that come and go under load: when, how many, and how long each slot paused."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from bench.measures import Times
from persistence.errors import PlayheadError, SetupError

ASK_EVERY_S = 0.25
DONE_S = 120.0
PAUSE_GOAL_S = 0.5


class NotScaled(PlayheadError):
    """The directory could not do what was asked for, or not in time; its own words follow."""


@dataclass(frozen=True, slots=True)
class Wish:
    """At this second of the drive there shall be so many shards."""

    at_s: float
    shards: int

    @classmethod
    def read(cls, text: str) -> "tuple[Wish, ...]":
        """From `10:4,20:1`, in the order of time. Raises `SetupError`."""
        try:
            pairs = [part.split(":") for part in text.split(",")]
            wishes = tuple(cls(float(at), int(shards)) for at, shards in pairs)
        except ValueError:
            wishes = ()
        if not wishes or any(wish.shards < 1 or wish.at_s < 0 for wish in wishes):
            raise SetupError(f"{text!r} is no list of SECOND:SHARDS, as 10:4,20:1")
        return tuple(sorted(wishes, key=lambda wish: wish.at_s))


@dataclass(frozen=True, slots=True)
class Scaled:
    """One change as it went: how long it took in all, and the pause of each slot that moved."""

    wish: Wish
    before: int
    began_s: float
    seconds: float
    moved: int
    again: int
    pauses: Times


async def scale(directory: Any, wish: Wish, before: int) -> Scaled:
    """Ask the directory for so many shards and wait until it is done. Raises `NotScaled`."""
    began_s = time.monotonic()
    await directory.scale.remote(wish.shards, None)
    try:
        async with asyncio.timeout(DONE_S):
            while (progress := await directory.progress.remote())["state"] != "done":
                if progress["state"] == "failed":
                    raise NotScaled(f"{wish.shards} shards were not to be had: {progress['error']}")
                await asyncio.sleep(ASK_EVERY_S)
    except TimeoutError:
        raise NotScaled(f"{wish.shards} shards were not there after {DONE_S:.0f} s: {progress}") from None
    tally = progress["tally"]
    pauses = Times.of(sorted(pause_ms / 1000 for pause_ms in tally["pauses_ms"]))
    return Scaled(wish, before, began_s, time.monotonic() - began_s, tally["moved"], tally["again"], pauses)
