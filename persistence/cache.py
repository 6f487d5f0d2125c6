"""The cache in Redis: it makes reads faster and is never believed. Gone or wrong, it costs time only.

An entry carries the version of what it was made from. Who reads it has asked Postgres for the version of now,
in the same cheap query that says whether they may read at all; an entry of another version is a miss. So
nobody has to tell the cache what changed, and no order of outages can make it serve what is no longer true.
"""

import asyncio
import contextlib
import hashlib
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, cast, get_args

import msgspec

from persistence.errors import StoreUnavailable
from persistence.redis import Redis, redis_errors

T = TypeVar("T")

# After a failure Redis is left alone for so long, so that a hung one does not add its timeout to every read.
AWAY_S = 1.0
# Entries live for 85 to 100 % of their time, so that what was filled together does not run out together.
JITTER = 0.15
# Raise it when the meaning of a cached value changes: old and new processes then share nothing.
LAYOUT = 1

Kind = Literal["course", "student_progress", "search"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One entry: its name in Redis, the version it must be of, the type of its value, how long it lives."""

    kind: Kind
    name: str
    version: str
    value: type[T]
    ttl_s: int


def course_entry(course: str, version: str, value: type[T]) -> Entry[T]:
    """`course:{id}`, 1 h (design 6)."""
    return Entry("course", _name("course", course), version, value, 3600)


def student_progress_entry(student: str, course: str, version: str, value: type[T]) -> Entry[T]:
    """`student_progress:{student}:{course}`, 30 min (design 6)."""
    return Entry("student_progress", _name("student_progress", student, course), version, value, 1800)


def search_entry(what: str, asked: msgspec.Struct, version: str, value: type[T]) -> Entry[T]:
    """`search:{hash}`, 15 min (design 6): `what` was found for what was `asked`.

    Only a hash of what a person typed is in the name (H15). The version is that of all listed courses.
    """
    said = hashlib.sha256(msgspec.msgpack.encode((what, asked))).hexdigest()
    return Entry("search", _name("search", said), version, value, 900)


def _name(kind: Kind, *ids: str) -> str:
    # The length before each id: no two lists of ids make the same name, whatever is in them (H15).
    return ":".join((f"playhead{LAYOUT}", kind, *(f"{len(part)}.{part}" for part in ids)))


@dataclass(slots=True)
class CacheStats:
    """What happened since the start; hits and misses by kind of entry."""

    hits_of: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    misses_of: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    failures: int = 0
    poisoned: int = 0

    @property
    def hits(self) -> int:
        """Of all kinds."""
        return sum(self.hits_of.values())

    @property
    def misses(self) -> int:
        """Of all kinds."""
        return sum(self.misses_of.values())

    def hit_rate(self, kind: Kind) -> float:
        """The share of reads that were hits, 0 to 1; NaN before the first read."""
        return self.hits_of[kind] / self.reads(kind) if self.reads(kind) else math.nan

    def reads(self, kind: Kind) -> int:
        """How many there were."""
        return self.hits_of[kind] + self.misses_of[kind]


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    """What stands in Redis. With its own name, so that no entry is ever read as another one's."""

    name: str
    version: str
    value: msgspec.Raw


class Cache:
    """Reads through Redis, with single flight. Nothing here raises because Redis failed."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._clock = clock
        self._flights: dict[tuple[str, str], asyncio.Task[Any]] = {}
        self._away_until_s = 0.0
        self.stats = CacheStats()

    async def get(self, entry: Entry[T], load: Callable[[], Awaitable[T]]) -> T:
        """The cached value, else what `load` gives, which is then stored. Raises what `load` raises.

        Those who ask for the same entry meanwhile wait for the one load; one who goes away stops no other.
        `load` needs a deadline of its own.
        """
        place = (entry.name, entry.version)
        flight = self._flights.get(place)
        if flight is None:
            flight = asyncio.create_task(self._read_through(entry, load))
            self._flights[place] = flight
            flight.add_done_callback(lambda done: self._landed(place, done))
        return await asyncio.shield(flight)

    async def answers(self) -> bool:
        """Whether Redis is there now."""
        try:
            with redis_errors():
                return bool(await self._redis.ping())
        except StoreUnavailable:
            return False

    async def close(self) -> None:
        """End the loads under way and the connections."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await self._redis.aclose()

    def _landed(self, place: tuple[str, str], flight: "asyncio.Task[Any]") -> None:
        del self._flights[place]
        if not flight.cancelled():
            flight.exception()  # counts as seen, even if all who waited have gone

    async def _read_through(self, entry: Entry[T], load: Callable[[], Awaitable[T]]) -> T:
        cached = await self._read(entry)
        if cached is not None:
            self.stats.hits_of[entry.kind] += 1
            return cached
        self.stats.misses_of[entry.kind] += 1
        value = await load()
        await self._store(entry, value)
        return value

    async def _read(self, entry: Entry[T]) -> T | None:
        data: bytes | None = None
        if not self._away:
            with self._tolerated():
                data = cast(bytes | None, await self._redis.get(entry.name))
        return None if data is None else self._sound(entry, data)

    def _sound(self, entry: Entry[T], data: bytes) -> T | None:
        try:
            stored = msgspec.msgpack.decode(data, type=_Stored)
            if stored.name == entry.name:
                value = msgspec.msgpack.decode(stored.value, type=entry.value)
                return value if stored.version == entry.version else None
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
        self.stats.poisoned += 1
        return None

    async def _store(self, entry: Entry[T], value: T) -> None:
        if self._away:
            return
        stored = _Stored(entry.name, entry.version, msgspec.Raw(msgspec.msgpack.encode(value)))
        ttl_ms = int(entry.ttl_s * 1000 * (1 - JITTER * random.random()))
        with self._tolerated():
            await self._redis.set(entry.name, msgspec.msgpack.encode(stored), px=ttl_ms)

    @property
    def _away(self) -> bool:
        return self._clock() < self._away_until_s

    @contextlib.contextmanager
    def _tolerated(self) -> Iterator[None]:
        try:
            with redis_errors():
                yield
        except StoreUnavailable:
            self.stats.failures += 1
            self._away_until_s = self._clock() + AWAY_S
