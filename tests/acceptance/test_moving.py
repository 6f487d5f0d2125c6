"""F26: shards and gateways come and go while students watch; nobody's socket closes, nothing is lost."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from ray.exceptions import RayActorError, RayTaskError

from actors.core.placement import slot_of
from actors.directory import Busy
from persistence import desired, leases
from tests.acceptance.crowd import Crowd
from tests.acceptance.system import System

STUDENTS = 24
CHANGE_S = 90.0


class Scaled:
    """The system while its number of shards and gateways changes."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.directory = system.running.directory

    async def to(self, shards: int | None = None, gateways: int | None = None) -> dict[str, Any]:
        """Change the numbers and wait until that is done; gives the tally."""
        await self.begin(shards, gateways)
        return await self.done()

    async def begin(self, shards: int | None = None, gateways: int | None = None) -> None:
        await self.directory.scale.remote(shards, gateways)

    async def progress(self) -> dict[str, Any]:
        """How far the change is, `{}` while the directory cannot be asked."""
        try:
            return await self.directory.progress.remote() or {}
        except RayActorError:
            return {}

    async def done(self) -> dict[str, Any]:
        async def ended() -> dict[str, Any] | None:
            progress = await self.progress()
            return progress if progress.get("state") in ("done", "failed") else None

        progress: dict[str, Any] = await self.system.until(ended, CHANGE_S)
        assert progress["state"] == "done", progress
        tally: dict[str, Any] = progress["tally"]
        return tally

    async def under_way(self) -> None:
        """Wait until some slots have moved and others have not."""

        async def some() -> bool:
            tally = (await self.progress()).get("tally", {})
            return bool(0 < tally.get("moved", 0) < tally["to_move"])

        await self.system.until(some)

    async def owners(self) -> Counter[str]:
        """How many slots each shard has, by the leases; the map says the same."""

        async def agreed() -> list[str] | None:
            owners = [owner for owner, _ in (await leases.owners(self.system.postgres)).values()]
            try:
                _version, mapped = await self.directory.slot_map.remote()
            except (RayActorError, RayTaskError):
                return None
            return owners if owners == mapped else None

        return Counter(await self.system.until(agreed))


@pytest_asyncio.fixture(loop_scope="session")
async def scaled(system: System) -> AsyncIterator[Scaled]:
    """The system, brought back to two shards and one gateway after the test."""
    changing = Scaled(system)
    yield changing
    await changing.to(2, 1)


def resyncs(crowd: Crowd) -> list[str]:
    """Who was asked to resend, as far back as the devices remember."""
    return [
        student.name
        for student in crowd.students
        if any(message["type"] == "resync" for message in student.device.messages)
    ]


async def test_f26_shards_come_and_go_and_no_device_notices(system: System, scaled: Scaled) -> None:
    async with Crowd(system, STUDENTS) as crowd:
        await crowd.beats(2)
        for shards, least, most in ((4, 64, 64), (1, 256, 256), (2, 128, 128)):
            tally = await scaled.to(shards)
            owners = await scaled.owners()
            assert sorted(owners) == [f"shard:{n}" for n in range(shards)]
            assert all(least <= count <= most for count in owners.values())
            assert tally["moved"] == tally["to_move"] == len(tally["pauses_ms"])
            await crowd.beats(2)
            assert resyncs(crowd) == [], "what is handed over whole is resent by nobody"
        assert crowd.closes() == []
        assert await crowd.end() == []
    assert await desired.get(system.postgres) == {"shards": 2, "gateways": 1}


async def test_gateways_come_and_go_and_everybody_is_served(system: System, scaled: Scaled) -> None:
    async with Crowd(system, 8) as first:
        await scaled.to(gateways=2)
        async with Crowd(system, STUDENTS) as second:
            await second.beats(2)
            stats = (await system.running.stats())["actors"]
            assert {"gateway:socket:0", "gateway:socket:1"} <= stats.keys()
            assert first.closes() == []
            await scaled.to(gateways=1)
            await first.beats(2)
            await second.beats(2)
            assert "gateway:socket:1" not in (await system.running.stats())["actors"]
            assert set(second.closes()) == {4000}, "who was on the one that left comes back to the other"
            assert await second.end() == []
        assert await first.end() == []


@pytest.mark.parametrize("victim", ["shard:0", "shard:3"], ids=["former owner", "next owner"])
async def test_f26_a_shard_killed_while_its_slots_move(system: System, scaled: Scaled, victim: str) -> None:
    async with Crowd(system, STUDENTS) as crowd:
        await crowd.beats(2)
        await scaled.begin(4)
        pid = await system.until(lambda: pid_of(system, victim))
        await scaled.under_way()
        os.kill(pid, signal.SIGKILL)
        await scaled.done()
        assert set((await scaled.owners()).values()) == {64}
        await crowd.beats(2)
        assert crowd.closes() == []
        assert await crowd.end() == []


async def test_f26_the_directory_killed_while_slots_move_goes_on(system: System, scaled: Scaled) -> None:
    async with Crowd(system, STUDENTS) as crowd:
        await crowd.beats(2)
        pid = (await system.running.stats())["pid"]
        await scaled.begin(4)
        await scaled.under_way()
        os.kill(pid, signal.SIGKILL)
        await crowd.beats(2)

        async def all_there() -> bool:
            return set((await scaled.owners()).values()) == {64}

        await system.until(all_there, CHANGE_S)
        await crowd.beats(2)
        assert crowd.closes() == []
        assert await crowd.end() == []


async def test_one_change_at_a_time_and_no_impossible_ones(system: System, scaled: Scaled) -> None:
    await scaled.begin(3)
    with pytest.raises(Busy):
        await scaled.begin(4)
    await scaled.done()
    for shards, gateways, says in ((0, 1, "at least one shard"), (1, 0, "gateway"), (500, 1, "connections")):
        with pytest.raises(RayTaskError, match=says):
            await scaled.begin(shards, gateways)
    assert sorted(await scaled.owners()) == ["shard:0", "shard:1", "shard:2"]


async def test_a_student_who_acts_on_a_page_while_slots_move_is_heard(system: System, scaled: Scaled) -> None:
    student = await system.student()
    before = await system.shard_of(student)
    await scaled.to(1)
    await scaled.to(4)
    after = await system.shard_of(student)
    owner, epoch = (await leases.owners(system.postgres))[slot_of(student)]
    assert owner == after
    assert epoch > 2 or before == after


async def pid_of(system: System, name: str) -> int | None:
    await asyncio.sleep(0)
    actors = (await system.running.stats())["actors"]
    pid: int | None = actors.get(name, {}).get("pid")
    return pid
