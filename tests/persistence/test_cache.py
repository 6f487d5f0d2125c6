"""The cache on a real server: fast where it is, right where it is gone, hung or poisoned (F17, H15)."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import msgspec
import pytest_asyncio

from persistence.cache import AWAY_S, Cache, course_entry, student_progress_entry
from persistence.embedded import Embedded
from persistence.redis import Redis, open_redis


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Source:
    """Counts how often the truth was asked."""

    def __init__(self, value: dict[str, int]) -> None:
        self.value = value
        self.loads = 0
        self.began = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> dict[str, int]:
        self.loads += 1
        self.began.set()
        await self.go.wait()
        return self.value


@pytest_asyncio.fixture(loop_scope="session")
async def cache(embedded: Embedded) -> AsyncIterator[Cache]:
    opened = Cache(open_redis(embedded.redis_url))
    yield opened
    await opened.close()


def entry(name: str, version: str = "1"):  # type: ignore[no-untyped-def]
    return course_entry(name, version, dict[str, int])


async def test_a_second_read_is_a_hit_in_any_process(cache: Cache, embedded: Embedded) -> None:
    source = Source({"a": 1})
    other = Cache(open_redis(embedded.redis_url))
    assert await cache.get(entry("hit"), source) == {"a": 1}
    assert await other.get(entry("hit"), source) == {"a": 1}
    assert (source.loads, other.stats.hits) == (1, 1)
    await other.close()


async def test_another_version_is_a_miss_and_replaces_it(cache: Cache) -> None:
    old, new = Source({"a": 1}), Source({"a": 2})
    await cache.get(entry("versions", "1"), old)
    assert await cache.get(entry("versions", "2"), new) == {"a": 2}
    assert await cache.get(entry("versions", "2"), old) == {"a": 2}
    assert await cache.get(entry("versions", "1"), old) == {"a": 1}


async def test_entries_run_out_jittered(cache: Cache, redis: Redis) -> None:
    lives_ms = set()
    for n in range(20):
        found = entry(f"ttl{n}")
        await cache.get(found, Source({}))
        lives_ms.add(await redis.pttl(found.name) // 1000)
    assert 0.85 * 3600 - 1 <= min(lives_ms) <= max(lives_ms) <= 3600
    assert len(lives_ms) > 10


async def test_single_flight(cache: Cache) -> None:
    source = Source({"a": 1})
    source.go.clear()
    waiting = [asyncio.create_task(cache.get(entry("flight"), source)) for _ in range(50)]
    await asyncio.wait_for(source.began.wait(), 5)
    waiting[0].cancel()  # the one who began it goes away: the others are served all the same
    source.go.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [{"a": 1}] * 49
    assert source.loads == 1


async def test_a_failed_load_reaches_all_and_is_not_kept(cache: Cache) -> None:
    async def fail() -> dict[str, int]:
        raise LookupError("no")

    results = await asyncio.gather(
        *(cache.get(entry("fail"), fail) for _ in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [LookupError] * 3
    assert await cache.get(entry("fail"), Source({"a": 1})) == {"a": 1}


async def test_f17_poison_is_a_miss(cache: Cache, redis: Redis) -> None:
    found, other = entry("poison"), entry("neighbour")
    await cache.get(other, Source({"b": 9}))
    good = msgspec.msgpack.encode([found.name, "1", {"a": 7}])
    poisons = [
        b"\xff", b"", b"not msgpack at all", msgspec.msgpack.encode({"a": 1}), b"\x91" * 5000,
        msgspec.msgpack.encode([found.name, "1", {"a": "text"}]), await redis.get(other.name), good[:-1],
    ]  # fmt: skip
    for poison in poisons:
        assert isinstance(poison, bytes)
        await redis.set(found.name, poison)
        assert await cache.get(found, Source({"a": 1})) == {"a": 1}
    assert cache.stats.poisoned == len(poisons)
    await redis.set(found.name, good)
    assert await cache.get(found, Source({"a": 1})) == {"a": 7}  # the test can tell the difference


async def test_f17_flushed_is_a_miss(cache: Cache, redis: Redis) -> None:
    source = Source({"a": 1})
    await cache.get(entry("flushed"), source)
    await redis.flushall()
    assert await cache.get(entry("flushed"), source) == {"a": 1}
    assert source.loads == 2


async def test_f17_gone_costs_one_try_and_then_nothing_until_it_is_tried_again() -> None:
    clock = Clock()
    cache = Cache(open_redis("redis://127.0.0.1:1/0"), clock)
    for n in range(5):
        assert await cache.get(entry(f"gone{n}"), Source({"a": n})) == {"a": n}
    assert cache.stats.failures == 1
    clock.now_s += AWAY_S
    assert await cache.get(entry("gone"), Source({"a": 9})) == {"a": 9}
    assert cache.stats.failures == 2
    assert not await cache.answers()
    await cache.close()


async def test_f17_hung_is_left_alone(embedded: Embedded) -> None:
    cache = Cache(open_redis(embedded.redis_url))
    assert await cache.answers()
    pid = embedded.server_pids["valkey"]
    os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(5):
            for n in range(3):
                assert await cache.get(entry(f"hung{n}"), Source({"a": n})) == {"a": n}
        assert cache.stats.failures == 1
    finally:
        os.kill(pid, signal.SIGCONT)
    await cache.close()


def test_h15_ids_never_make_anothers_key() -> None:
    names = {
        student_progress_entry(student, course, "1", dict).name
        for student, course in [("a", "b:c"), ("a:b", "c"), ("a:1.b", "c"), ("", "a:b:c"), ("a:b:c", "")]
    }
    assert len(names) == 5
